"""The pages of memory and plugins: what each says, and what their keys do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from loops import finish, write
from seats import PROVED, ran, seated
from states import AT, running

from autoagent.console.line import Line
from autoagent.ids import memory_id
from autoagent.journal.home import home
from autoagent.plugin_host.installed import Installed, purpose
from autoagent.ports import MemoryHit, MemoryPoint
from autoagent.settings import Settings
from autoagent.tui.pages.memory import MemoryScreen
from autoagent.tui.pages.memory_lines import hit_rows, newest, point_lines
from autoagent.tui.pages.plugin_lines import plugin_lines, plugin_rows
from autoagent.tui.pages.plugins import known
from autoagent.tui.pages.reading import ReadScreen
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.overview import Seen
from autoagent.wiring import open_memory

OUTSIDE = MemoryPoint(
    id=memory_id("k3f9", "2"),
    text="line 1\nline 2 \x1b[31m\nline 3\nline 4",
    run="k3f9",
    sub_task="2",
    source="outcome",
    labels=("outside",),
    goal="Find which services failed",
    at=AT,
)
NOTE = MemoryPoint(
    id=memory_id("person", "1"), text="zebras have stripes", run="person", source="person", at=AT
)


def said(lines: list[Line]) -> str:
    return "\n".join(map(str, lines))


async def remembered(*points: MemoryPoint) -> None:
    memory = open_memory(home(), Settings())
    await memory.store(points)
    await memory.close()


# --- memory -------------------------------------------------------------------------------------------------


def test_what_was_found_says_where_it_comes_from() -> None:
    """Its run, and a word for who wrote it; foreign text is framed and spelled out."""
    rows = hit_rows([MemoryHit(OUTSIDE, 1), MemoryHit(NOTE, 0, beside=OUTSIDE.id)])
    first, *_, last, note = [str(row.line) for row in rows]

    assert "came out of run k3f9, sub-task 2 · OUTSIDE · Find which services failed" in first
    assert "a note of yours · yours · beside one that fits" in last
    assert note == "  │ zebras have stripes"
    assert "  │ line 2 \\x1b[31m" in [str(row.line) for row in rows]
    assert {row.key for row in rows} == {OUTSIDE.id, NOTE.id}


def test_one_is_shown_whole_with_what_its_label_means() -> None:
    """And the command that forgets it."""
    text = said(point_lines(OUTSIDE))

    assert "│ line 4" in text
    assert "OUTSIDE: its run had read text from elsewhere" in text
    assert f"autoagent memory forget {OUTSIDE.id}" in text


def test_the_newest_are_those_of_the_latest_runs() -> None:
    """By the ids that runs give to what they leave."""
    runs = [
        Seen(name, running(remembered=frozenset({"1"})), "proved", None, AT + timedelta(hours=hours))
        for name, hours in (("old", 0), ("new", 1))
    ]

    assert newest(runs) == [memory_id("new", "1"), memory_id("old", "1")]


async def test_memory_is_searched_read_and_forgotten() -> None:
    """Two keys drop what is wrong; moving on in between doesn't."""
    await remembered(NOTE, NOTE.model_copy(update={"id": memory_id("person", "2"), "text": "zebras run"}))

    async with seated() as seat:
        await seat.press("m", *"zebras", "enter")
        await seat.until(lambda: "stripes" in seat.text("#hits"))
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, ReadScreen))
        assert "autoagent memory forget" in seat.text("#text")
        await seat.press("escape")
        await seat.press("g", "x", "G", "x")
        assert "x once more forgets it" in seat.text("#news")
        await seat.press("x")
        await seat.until(lambda: "forgotten" in seat.text("#news"))
        assert len(seat.text("#hits").splitlines()) == 2


async def test_memory_shows_the_newest_and_leads_to_its_run(tmp_path: Path) -> None:
    """Before anything is searched."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated() as seat:
        await seat.press("m")
        assert isinstance(seat.app.screen, MemoryScreen)
        await seat.until(lambda: f"came out of run {done.run}, sub-task tell" in seat.text("#hits"))
        await seat.press("tab", "o")
        await seat.until(lambda: isinstance(seat.app.screen, RunScreen))


async def test_an_empty_memory_says_what_fills_it() -> None:
    """And how a note of one's own gets there."""
    async with seated() as seat:
        await seat.press("m")
        await seat.until(lambda: "Nothing is remembered yet" in seat.text("#hits"))
        assert "autoagent memory remember TEXT" in seat.text("#hits")


# --- plugins ------------------------------------------------------------------------------------------------


def test_a_plugin_that_lacks_something_says_what_to_type() -> None:
    """In its row, and on its own page."""
    lacking = Installed("web", "autoagent", "1", "x:y", "allow.web", ("trafilatura",), "pip install 'a[web]'")
    (row,) = plugin_rows([lacking], {"x:y": "Reads pages."})

    assert str(row.line).startswith("!  web")
    assert "lacks trafilatura: pip install 'a[web]'  Reads pages." in str(row.line)
    assert "It lacks trafilatura. Run: pip install 'a[web]'" in said(plugin_lines(lacking, None, ""))


def test_a_plugin_says_what_it_is_for_without_being_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line of its package's docstring; nothing where there is none."""
    for name, text in (
        ("a_speaking", '"""Sends\u202e kites.\n\nMore."""'),
        ("a_silent", ""),
        ("a_broken", "def"),
    ):
        (tmp_path / f"{name}.py").write_text(f"{text}\nraise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)

    targets = ("a_speaking:plugin", "a_silent:plugin", "a_broken:plugin", "not_there.tools:plugin")
    assert [purpose(target) for target in targets] == ["Sends\u202e kites.", "", "", ""]


def test_a_plugin_says_what_its_tools_may_do() -> None:
    """Each effect in words, whom it reaches, and the power of a goal that it draws on."""
    mail = Installed("mail", "autoagent", "1", "autoagent_mail:plugin", "by name")
    text = said(plugin_lines(mail, known("mail", Settings(path="config.toml")), ""))

    assert "config.toml: [plugins.mail] host is missing" in text
    assert "mail_send" in text
    assert "acts outside" in text
    assert "(allow: send)" in text
    assert "Settings: [plugins.mail] in config.toml" in text
    assert re.search(r"^  host +must be set", text, re.MULTILINE)
    assert re.search(r"^  timeout_s +\d+", text, re.MULTILINE)


def test_what_changes_nothing_is_said_too() -> None:
    """Files are read without reaching anybody."""
    files = Installed("files", "autoagent", "1", "autoagent_files:plugin", "always")
    text = said(plugin_lines(files, known("files", Settings()), ""))

    assert "in every goal, unless" in text
    assert "files_read" in text
    assert "changes nothing" in text
    assert "nobody outside" in text


async def test_plugins_are_listed_and_looked_into() -> None:
    """With how a goal brings them in; enter shows one."""
    async with seated() as seat:
        await seat.press("P")
        assert "with allow: web" in seat.text("#plugins")
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, ReadScreen))

        assert "anthropic" in seat.text("#text")
