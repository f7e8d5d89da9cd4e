"""The cockpit before foreign text that would like to be more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import Cli, Terminal
from hostile import FORBIDDEN, poisoned
from screens import SCREENS, SMALL, place_of, rows_of, still_home, surroundings, visited
from stories import MAIL


@pytest.fixture(scope="module")
def enemy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The runs of `stories`, each as if everybody but you were an enemy."""
    with still_home(tmp_path_factory.mktemp("enemy") / "home", poisoned) as home:
        yield home


async def test_foreign_text_stays_where_it_belongs(enemy_home: Path) -> None:
    """On every screen it is spelled out; heads and frames stand in the lines where the pictures have them."""
    with surroundings(enemy_home, SMALL):
        enemy = {name: eye.rows() async for name, eye in visited(SMALL)}

    assert list(enemy) == list(SCREENS)
    for name, rows in enemy.items():
        text = "\n".join(rows)
        assert not [char for char in FORBIDDEN if char in text], name
        assert frame(rows) == frame(rows_of(place_of(name, SMALL).read_text(encoding="utf-8"))), name
    assert any("[bold red]loud[/] \\x1b[77;7H" in row for row in enemy["run"])
    heads = [row[1:].split()[0] for row in enemy["question"] if row[1:2].isupper()]
    assert heads == ["SEND", "TO"]  # and then why it is asked, which no yes passes unseen


def frame(rows: list[str]) -> list[str]:
    """What is ours of a screen: its left edge, the beginning of its head, and the footer."""
    return [
        "".join(row[:1] for row in rows),
        rows[0][:6],
        rows[1][:6],
        re.sub(r"fingerprint \w+", "", rows[-1]),
    ]


async def test_no_sequence_of_theirs_reaches_the_terminal(enemy_home: Path, tmp_path: Path) -> None:
    """What is written to a real terminal moves no cursor, rings no bell and names no window for them."""
    cli = Cli(enemy_home, tmp_path)
    terminal = await Terminal.start(cli, "tui", MAIL)
    await terminal.until("it waits for you")
    terminal.type("a")
    await terminal.until("nothing happens until you answer")
    terminal.process.kill()
    await terminal.end()

    assert "\\x1b]0;pwned" in terminal.shown
    assert "\x1b[77;7H" not in terminal.shown
    assert "]0;pwned\x07" not in terminal.shown.replace("\\x1b]0;pwned\\x07", "")
    assert not [char for char in FORBIDDEN.replace("\x07", "") if char in terminal.shown]
