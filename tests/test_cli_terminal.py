"""`run` at a terminal: it asks there, keeps a live line, and heeds ^C."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest
from cli_runs import Cli, Terminal, calls, plans, served

GOAL = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\n"
ASKING = GOAL + "ask: [plan]\n"
PLANS = plans("Write it")
WRITES = (calls("files_write", path="a.txt", content="x"), calls("finish", result="done"))
PROMPT = "(Enter: n) › "
LATER = "(^D: later) "


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home", tmp_path)


async def test_a_question_is_asked_and_answered_at_the_terminal(cli: Cli) -> None:
    """The record, one line of answers, and `y`; the run goes on at once."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        terminal.type("y\n")
        assert await terminal.end() == 0

    shown = terminal.lines
    assert "ASKED  because you wanted to see the plan before anything starts" in shown
    assert f"[y] yes  [n]  [e] edit  or tell it what to do instead  {PROMPT}y" in shown
    assert any(re.search(r"answered by you │ yes$", text) for text in shown)
    assert "✓ proved  a.txt exists  a.txt, 1 byte" in shown


async def test_free_text_is_a_no_that_the_agent_reads(cli: Cli) -> None:
    """The planner plans again, told why, and asks again."""
    async with served(cli, PLANS, plans("Write it well"), *WRITES) as server:
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        terminal.type("take more care\n")
        await terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0

    assert "take more care" in server.requests[1].last


async def test_what_was_typed_before_a_question_is_no_answer(cli: Cli) -> None:
    """Keys pressed while the run works are forgotten when it asks."""
    slow = PLANS.model_copy(update={"delay_s": 1.0})
    async with served(cli, slow, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until("planning")
        terminal.type("y\ny\n")
        await terminal.until(PROMPT)
        await asyncio.sleep(0.3)
        assert "answered by you" not in terminal.shown
        terminal.type("y\n")
        assert await terminal.end() == 0

    assert terminal.shown.count("answered by you") == 1


async def test_the_end_of_input_leaves_a_question_for_later(cli: Cli) -> None:
    """^D parks the run; nothing was answered."""
    async with served(cli, PLANS):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        terminal.type("\x04")
        assert await terminal.end() == 3

    assert any("left for later; 'autoagent approvals' shows" in text for text in terminal.lines)
    assert len((await cli("approvals", "--json")).json) == 1


async def test_an_answer_from_elsewhere_takes_the_question_away(cli: Cli) -> None:
    """The dialog says so, and the run goes on."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        (question,) = (await cli("approvals", "--json")).json
        await cli("approve", question["id"])
        assert await terminal.end() == 0

    assert any(text.endswith("(answered elsewhere)") for text in terminal.lines)
    assert any("answered by you, by a command │ yes" in text for text in terminal.lines)


async def test_a_wrong_choice_is_asked_again(cli: Cli) -> None:
    """A question of the agent takes any text but none."""
    async with served(cli, PLANS, calls("ask_human", question="Blue?"), *WRITES) as server:
        terminal = await Terminal.start(cli, "run", cli.workspace(GOAL))
        await terminal.until(LATER)
        terminal.type("\n")
        await terminal.until(LATER, times=2)
        terminal.type("blue\n")
        assert await terminal.end() == 0

    assert server.requests[2].last == "blue"
    assert "│ Blue?" in terminal.lines


async def test_an_edited_plan_is_compared_and_needs_its_own_yes(cli: Cli) -> None:
    """`e` takes JSON on the line; nothing starts until `y`."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        terminal.type('e [{"id": "9", "title": "Mine"}]\n')
        await terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0

    assert '│ +    "title": "Mine"' in terminal.lines
    assert any(re.search(r"▸ 1/1 Mine$", text) for text in terminal.lines)


async def test_the_editor_opens_with_the_arguments(cli: Cli, tmp_path: Path) -> None:
    """`e` alone starts $EDITOR on them; what it leaves is what is asked about."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"Write it"/"Edited"/\' "$1"\n')
    editor.chmod(0o755)
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING), EDITOR=str(editor), VISUAL="")
        await terminal.until(PROMPT)
        terminal.type("e\n")
        await terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0

    assert any(re.search(r"▸ 1/1 Edited$", text) for text in terminal.lines)


async def test_an_editor_that_changes_nothing_edits_nothing(cli: Cli) -> None:
    """The question is asked again as it was."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING), EDITOR="true", VISUAL="")
        await terminal.until(PROMPT)
        terminal.type("e\n")
        await terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0

    assert "nothing was changed" in terminal.lines
    assert any("answered by you" in text for text in terminal.lines)


async def test_ctrl_c_interrupts_and_says_how_to_go_on(cli: Cli) -> None:
    """130; the run is resumable, and its question is still there."""
    async with served(cli, PLANS):
        terminal = await Terminal.start(cli, "run", cli.workspace(ASKING))
        await terminal.until(PROMPT)
        terminal.press(signal.SIGINT)
        assert await terminal.end() == 130

    (run,) = (await cli("runs", "--json")).json
    assert run["state"] == "interrupted"
    assert len(run["waiting"]) == 1
    assert f"next: autoagent resume {run['id']} · autoagent show {run['id']}" in terminal.lines


async def test_a_row_of_runs_takes_one_line(cli: Cli) -> None:
    """Of a terminal of 80 columns, however long the goal is; a pipe gets it as it is."""
    async with served(cli, PLANS, *WRITES):
        await cli("run", "Write hello.txt, and " + "then " * 20 + "rest", "--json", status=1)
    terminal = await Terminal.start(cli, "runs")

    assert await terminal.end() == 0
    assert [len(each) <= 80 for each in terminal.lines if each] == [True, True]
    assert max(map(len, (await cli("runs")).out.splitlines())) > 80


async def test_no_color_keeps_the_live_line_and_drops_the_colours(cli: Cli) -> None:
    """With NO_COLOR no SGR code is written."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(GOAL), NO_COLOR="1")
        assert await terminal.end() == 0

    assert "\r\x1b[K" in terminal.shown
    assert re.search(r"\x1b\[[0-9;]*m", terminal.shown) is None


async def test_a_dumb_terminal_gets_plain_lines(cli: Cli) -> None:
    """Without cursor control or colour."""
    async with served(cli, PLANS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(GOAL), TERM="dumb")
        assert await terminal.end() == 0

    assert "\x1b" not in terminal.shown


async def test_removing_a_run_is_asked_about(cli: Cli) -> None:
    """Anything but a yes removes nothing."""
    async with served(cli, PLANS, *WRITES):
        await cli("run", cli.workspace(ASKING), status=3)
    (run,) = (await cli("runs", "--json")).json
    for answer, left in (("n", 1), ("y", 0)):
        terminal = await Terminal.start(cli, "runs", "rm", run["id"])
        await terminal.until("remove 1 run for good? [y/N]:")
        terminal.type(f"{answer}\n")

        assert await terminal.end() == 0
        assert len((await cli("runs", "--json")).json) == left
