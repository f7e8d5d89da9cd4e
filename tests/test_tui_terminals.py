"""The cockpit in real terminals, beside a run that another process carries."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import WITHIN_S, Cli, calls, plans, served
from tmux import Tmux, terminals

GOAL = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\nask: [plan]\n"
TURNS = (plans("Write it"), calls("files_write", path="a.txt", content="x"), calls("finish", result="done"))


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home", tmp_path)


@pytest.fixture
def tmux(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    with terminals(cli, tmp_path_factory.mktemp("t")) as opened:  # a socket's path must be short
        yield opened


async def test_a_question_is_answered_from_another_terminal(cli: Cli, tmux: Tmux) -> None:
    """While the run waits at its own prompt: it goes on, and says that it was answered elsewhere."""
    async with served(cli, *TURNS):
        run = tmux.run("run", "run", cli.workspace(GOAL))
        await run.until("(Enter: n)")
        cockpit = tmux.run("cockpit", "tui")
        await cockpit.until("1 waits for you", "Write a.txt")
        cockpit.press("a")
        await cockpit.until("THE PLAN, before anything starts", "nothing happens until you answer")
        await cockpit.until("proved 1 of 1", pressing="y")
        cockpit.press("q")

        assert (await run.end(), await cockpit.end()) == (0, 0)
        assert "✓ proved" in run.screen
        assert "autoagent tui comes back" in cockpit.screen


async def test_a_terminated_cockpit_leaves_the_terminal_as_it_was(cli: Cli, tmux: Tmux) -> None:
    """As if it had been left: the shell has its screen, its keys and its cursor."""
    cockpit = tmux.run("cockpit", "tui")
    await cockpit.until("Nothing has run yet")
    cockpit.kill(signal.SIGTERM)

    assert await cockpit.end() == 0
    assert "autoagent tui comes back" in cockpit.screen
    assert "Nothing has run yet" not in cockpit.screen


async def test_a_cockpit_ends_with_its_terminal(cli: Cli) -> None:
    """Also where no signal tells it, as under nohup: nothing is left that goes round and round."""
    master, slave = pty.openpty()
    cockpit = await asyncio.create_subprocess_exec(
        *cli.command(["tui"]), stdin=slave, stdout=slave, stderr=slave, env=cli.env({"TERM": "xterm"})
    )
    os.close(slave)
    shown = b""
    while b"Nothing has run yet" not in shown:
        shown += await asyncio.to_thread(os.read, master, 65_536)
    os.close(master)

    async with asyncio.timeout(WITHIN_S):
        assert await cockpit.wait() == 0


async def test_a_killed_cockpit_harms_no_run(cli: Cli, tmux: Tmux) -> None:
    """It is opened again, and everything is as it was; leaving it says what goes on and how to come back."""
    async with served(cli, *TURNS):
        run = tmux.run("run", "run", cli.workspace(GOAL))
        await run.until("(Enter: n)")
        first = tmux.run("first", "tui")
        await first.until("1 waits for you")
        first.press("Enter")
        await first.until("Activity")
        first.kill()
        assert await first.end() == 128 + signal.SIGKILL

        assert "exit status" not in run.screen
        again = tmux.run("again", "tui")
        await again.until("1 waits for you")
        again.press("q")
        assert await again.end() == 0
        assert "goes on · 1 waits for you · autoagent tui comes back" in " ".join(again.screen.split())
        run.press("y", "Enter")
        assert await run.end() == 0
