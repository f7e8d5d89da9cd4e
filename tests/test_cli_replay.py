"""`replay` as a command: a run against this program, and against a copy of it with one letter changed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runs import Cli

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A home in which the example has run from its recording, with no model and no Docker."""
    folder = tmp_path_factory.mktemp("replay")
    made = Cli(folder / "home", folder)
    made.home.mkdir()
    (made.home / "config.toml").write_text('[sandbox]\nkind = "monty"\n')
    shutil.copytree(ROOT / "workspaces" / "log-triage", folder / "work")
    asyncio.run(made("run", "work", "--json"))
    return made


@pytest.fixture
def cli(ran: Cli, tmp_path: Path) -> Cli:
    """That home, with a folder for this test."""
    return replace(ran, cwd=tmp_path)


async def run_of(cli: Cli) -> str:
    (run,) = (await cli("runs", "--json")).json
    return str(run["id"])


def with_a_change(cli: Cli, path: str, old: str, new: str) -> Cli:
    """The same home and a copy of the program in which one text is another one."""
    copy = cli.cwd / "copy"
    for folder in ("autoagent", "plugins", "sandbox"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / path
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    places = ":".join(str(copy / folder) for folder in (".", "plugins", "sandbox"))
    return replace(cli, environment={**cli.environment, "PYTHONPATH": places})


def rows(cli: Cli) -> list[tuple[object, ...]]:
    """All of the home's journal, byte by byte."""
    with sqlite3.connect(f"file:{cli.home / 'journal.db'}?mode=ro", uri=True) as database:
        names = [
            n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        return [row for name in names for row in database.execute(f"SELECT '{name}', * FROM \"{name}\"")]


async def test_example_replays_the_same_and_nothing_is_written(cli: Cli) -> None:
    """Exit status 0, every entry compared, and the journal is what it was."""
    before, run = rows(cli), await run_of(cli)

    done = await cli("replay", run, "--json")

    found = done.json
    assert (found["same"], found["is_whole"], found["prompts_unknown"]) == (True, True, 0)
    assert all(lane["compared"] == lane["entries"] > 0 for lane in found["lanes"])
    assert rows(cli) == before


async def test_letter_in_a_prompt_is_found_and_shown(cli: Cli) -> None:
    """Exit status 1; the first request of each lane is named, with the changed line."""
    run = await run_of(cli)
    changed = with_a_change(cli, "autoagent/loop/prompts/worker_code.md", "a careful", "a carefal")

    done = await changed("replay", run, status=1)

    assert "errors: differs at entry" in done.out
    assert "the prompt of request 1 of the worker differs" in done.out
    assert any(text.lstrip().startswith("+") and "carefal" in text for text in done.out.splitlines())
    assert "not compared from" not in done.out, "the recorded replies still fit"


async def test_letter_in_the_policy_is_found_and_shown(cli: Cli) -> None:
    """Another reason for a decision is another decision: entry, was and now are named."""
    run = await run_of(cli)
    changed = with_a_change(
        cli, "autoagent/policy.py", "inside the sandbox, without", "inside a sandbox, without"
    )

    done = await changed("replay", run, status=1)

    assert (
        'why was "inside the sandbox, without network", now "inside a sandbox, without network"' in done.out
    )


async def test_decision_that_turns_the_lane_is_not_compared_further(cli: Cli) -> None:
    """What would be denied now ends the lane's comparison there; the others go on."""
    run = await run_of(cli)
    changed = with_a_change(
        cli, "autoagent/policy.py", 'case "run" if goal.allow.run == "none":', 'case "run" if goal.allow.run:'
    )

    found = (await changed("replay", run, "--json", status=1)).json

    lanes = {lane["lane"]: lane for lane in found["lanes"]}
    assert 'decision was "allow", now "deny"' in lanes["errors"]["difference"]
    assert lanes["errors"]["not_compared_from"] == lanes["errors"]["differs_at"]
    assert 'decision was "allow", now "deny"' in lanes["services"]["difference"]


async def test_recording_of_a_run_is_kept_in_a_file_and_played(cli: Cli) -> None:
    """`export --recording`; then a fresh copy of the workspace comes to the same end with it."""
    await cli("export", await run_of(cli), "--recording", "kept.jsonl")
    shutil.copytree(ROOT / "workspaces" / "log-triage", cli.cwd / "again")

    done = await cli("run", "again", "--recorded", "kept.jsonl", "--json")

    assert done.records[-1]["ending"] == "proved"
