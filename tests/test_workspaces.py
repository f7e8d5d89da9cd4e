"""The example workspaces: each plays from its recording without a model, and its check can fail."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_runs import Cli, finished

WORKSPACES = Path(__file__).parents[1] / "workspaces"
SERVED = {"research"}
"""Needs a server beside it, and has tests of its own."""
IGNORED = (WORKSPACES.parent / ".gitignore").read_text()
RECORDED = sorted({path.parent.name for path in WORKSPACES.glob("*/recording.jsonl")} - SERVED)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A home with no model and no Docker, and a folder with all workspaces as a fresh clone has them."""
    folder = tmp_path_factory.mktemp("clone")
    made = Cli(folder / "home", folder)
    made.home.mkdir()
    (made.home / "config.toml").write_text(
        '[sandbox]\nkind = "monty"\n[plugins.web]\nseconds_between_requests = 0\n'
    )
    left = {line.rpartition("/")[2] for line in IGNORED.splitlines() if line.startswith("workspaces/")}
    for name in RECORDED:  # a run in the clone itself leaves files that are no part of it
        shutil.copytree(WORKSPACES / name, folder / name, ignore=shutil.ignore_patterns(*left))
    return made


async def run(cli: Cli, name: str) -> dict[str, Any]:
    """How a run ended; a workspace that brings a server serves it meanwhile."""
    server = cli.cwd / name / "serve.py"
    command = [sys.executable, str(server)] if server.exists() else []
    process = await asyncio.create_subprocess_exec(
        *command,
        *cli.command(["run", name, "--json"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cli.cwd,
        env=cli.env(),
    )
    done = await finished(process)
    assert done.status == 0, done
    ended: dict[str, Any] = done.records[-1]
    return ended


@pytest.fixture(scope="module")
def played(cli: Cli) -> dict[str, dict[str, Any]]:
    """How the run of each workspace ended."""
    return {name: asyncio.run(run(cli, name)) for name in RECORDED}


@pytest.mark.parametrize("name", RECORDED)
def test_a_workspace_is_proved_from_its_recording(played: dict[str, dict[str, Any]], name: str) -> None:
    """Nothing is configured, and every criterion is checked for real."""
    assert played[name]["ending"] == "proved"
    assert played[name]["files"] != []


@pytest.mark.parametrize("name", RECORDED)
async def test_a_run_on_top_of_the_first_is_proved_too(
    cli: Cli, played: dict[str, dict[str, Any]], name: str
) -> None:
    """Its results are there already, and its recording still fits."""
    assert (await run(cli, name))["ending"] == "proved"


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
@pytest.mark.usefixtures("played")
def test_a_check_refutes_what_is_wrong(
    cli: Cli, tmp_path: Path, name: str, check: str, file: str, old: str, new: str
) -> None:
    """One letter is enough; without it the same files are right."""
    folder = tmp_path / name
    shutil.copytree(cli.cwd / name, folder)
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
