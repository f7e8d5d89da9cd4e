"""The example workspaces: each plays from its recording without a model, and its check can fail."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cli_runs import Cli

WORKSPACES = Path(__file__).parents[1] / "workspaces"
RECORDED = sorted(path.parent.name for path in WORKSPACES.glob("*/recording.jsonl"))


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """No model and no Docker."""
    made = Cli(tmp_path / "home", tmp_path)
    made.home.mkdir()
    (made.home / "config.toml").write_text('[sandbox]\nkind = "monty"\n')
    return made


@pytest.mark.parametrize("name", RECORDED)
async def test_a_workspace_is_proved_from_its_recording(cli: Cli, name: str) -> None:
    """Nothing is configured, and every criterion is checked for real; again in a run on top of the first."""
    shutil.copytree(WORKSPACES / name, cli.cwd / name)
    first = (await cli("run", name, "--json")).records[-1]
    second = (await cli("run", name, "--json")).records[-1]

    assert (first["ending"], second["ending"]) == ("proved", "proved")
    assert first["files"] != []


@pytest.fixture
def solved(cli: Cli) -> Callable[[str], Path]:
    """A workspace as its recording leaves it."""

    def solve(name: str) -> Path:
        folder = cli.cwd / name
        shutil.copytree(WORKSPACES / name, folder)
        done = subprocess.run(cli.command(["run", name]), cwd=cli.cwd, env=cli.env(), capture_output=True)
        assert done.returncode == 0, done.stderr
        return folder

    return solve


def verdict(folder: Path, check: str) -> int:
    """The exit status of a check, run as anybody would."""
    return subprocess.run([sys.executable, check], cwd=folder, capture_output=True).returncode


@pytest.mark.parametrize(
    ("name", "check", "file", "old", "new"),
    [
        ("database", "check_best.py", "best.csv", "Olga Brandt", "Leo Hahn"),
        ("database", "check_best.py", "report.md", "810.60", "81.06"),
        ("sales-plot", "check_sales.py", "chart.svg", 'height="320', 'height="300'),
        ("sales-plot", "check_sales.py", "chart.svg", ">2025-03<", ">2025-04<"),
        ("sales-plot", "check_sales.py", "summary.md", "2025-12", "2025-11"),
    ],
)
def test_a_check_refutes_what_is_wrong(
    solved: Callable[[str], Path], name: str, check: str, file: str, old: str, new: str
) -> None:
    """One letter is enough; without it the same files are right."""
    folder = solved(name)
    path = folder / file
    text = path.read_text()

    assert verdict(folder, check) == 0
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert verdict(folder, check) == 1


def test_the_module_to_repair_is_broken_in_three_places() -> None:
    """Else there would be nothing to repair."""
    folder = WORKSPACES / "code-repair"
    done = subprocess.run([sys.executable, "check_basket.py"], cwd=folder, capture_output=True, text=True)

    assert done.returncode == 1
    assert {line.partition("(")[0] for line in done.stdout.splitlines()} == {
        "total",
        "discount",
        "shipping",
        "to_pay",
    }


def test_the_database_is_what_its_script_makes() -> None:
    """The check works with the script, the agent with the database."""
    folder = WORKSPACES / "database"
    with (
        closing(sqlite3.connect(":memory:")) as made,
        closing(sqlite3.connect(folder / "shop.db")) as shipped,
    ):
        made.executescript((folder / "shop.sql").read_text())

        assert list(made.iterdump()) == list(shipped.iterdump())
