"""The cockpit while a model speaks: its words grow on screen, and give way to what the journal says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from live_runs import AT, Gate
from loops import write
from seats import PROVED, seated

from autoagent import wiring
from autoagent.console.finding import opened
from autoagent.console.line import columns_of, line
from autoagent.goal.file import understand
from autoagent.journal.home import home
from autoagent.live.replies import Incoming
from autoagent.live.serving import served
from autoagent.testing.memory import DictMemory
from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn
from autoagent.tui.run.feed import Feed
from autoagent.tui.run.item_lines import Columns
from autoagent.tui.run.pace import Request
from autoagent.tui.run.streaming import tail_rows, trying_in_short
from autoagent.wiring import Hooks, Launch, Parts

NOW_S = AT.timestamp() + 9
REQUEST = Request("a", "worker", "small", AT)
WIDE, NARROW = Columns(90), Columns(50)


def incoming(tail: str, call: int | None = None, tool: str = "") -> Incoming:
    return Incoming("a.1", "a", "worker", 1, AT, tail, len(tail), call, tool)


def shown(*replies: Incoming, columns: Columns = WIDE, requests: int = 1) -> list[str]:
    asked = {f"a.{n}": REQUEST for n in range(1, requests + 1)}
    known = {reply.id: reply for reply in replies}
    return [str(row.line) for row in tail_rows(asked, known, columns, NOW_S, 16)]


class TestRows:
    """What stands at the end of the activity."""

    def test_before_the_first_word(self) -> None:
        """Who is asked, and for how long."""
        (only,) = shown()

        assert only.startswith(" 16")
        assert "model         small" in only
        assert only.endswith("9 s")

    def test_words_are_framed(self) -> None:
        """They are foreign: nothing of them can be taken for ours, or be obeyed."""
        rows = shown(incoming("red \x1b[31m\n 17  14:02  model\r[bold]x"))

        assert rows[1:] == ["     │ red \\x1b[31m 17 14:02 model [bold]x"]

    def test_the_last_words_on_three_lines(self) -> None:
        """However much has come, none is wider than the pane."""
        words = " ".join(f"word{n}" for n in range(500))

        for columns in (WIDE, NARROW):
            rows = tail_rows({"a.1": REQUEST}, {"a.1": incoming(words)}, columns, NOW_S, 16)
            assert len(rows) == 4
            assert all(columns_of(row.line) <= columns.width for row in rows)
            assert str(rows[-1].line).endswith("word499")
            assert all(str(row.line).startswith("     │ ") for row in rows[1:])

    def test_a_call_says_its_tool(self) -> None:
        """And its arguments as they are meant."""
        rows = shown(incoming('{"content": "one\\ntwo \\"three\\"', call=0, tool="files_write"))

        assert "model         files_write" in rows[0]
        assert rows[1] == '     │ {"content": "one two "three"'

    def test_several_have_a_line_each(self) -> None:
        """Side by side, all of them stay in view."""
        rows = shown(incoming(" ".join(f"word{n}" for n in range(500))), columns=NARROW, requests=4)

        assert len(rows) == 5
        assert rows[1] == "     │ … word495 word496 word497 word498 word499"

    def test_wide_signs_have_room(self) -> None:
        """Of a text without spaces its end is seen."""
        (_, words, *_), wide = shown(incoming("字" * 500 + "末"), columns=NARROW, requests=2), NARROW.width

        assert words.endswith("字末")
        assert columns_of(line(words)) <= wide

    def test_a_model_that_does_not_answer_says_so(self) -> None:
        """How often it was asked and why in vain, that the run is safe, and when it is asked again."""
        again_at = AT + timedelta(seconds=9 + 20)
        failed = replace(incoming(""), tries=3, why="it answered HTTP 500\x1b[2J", again_at=again_at)

        _, *rows = shown(failed)
        said = " ".join(map(str.strip, rows))
        assert said.startswith("✗ small has not answered for 9 s (3 tries): it answered HTTP 500\\x1b[2J.")
        assert "safe at step 15; trying again in 20 s" in said
        assert trying_in_short({"a.1": failed}, {"a.1": REQUEST}) == "try 4, no answer yet"

    def test_its_words_take_the_place_of_what_failed(self) -> None:
        """It answers now."""
        again = replace(incoming("at last"), tries=3, why="w", again_at=AT)

        assert shown(again)[1:] == ["     │ at last"]
        assert trying_in_short({"a.1": again}, {"a.1": REQUEST}) == ""

    def test_no_row_without_a_request(self) -> None:
        """The journal says which are under way; what was heard says only how far."""
        assert shown(incoming("late words"), requests=0) == []


async def test_a_reply_grows_on_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attended in mid-reply it is there from its first word; once recorded it is a row like others."""
    gate, launched = Gate(), asyncio.Event()
    folder = tmp_path / "work"
    folder.mkdir()
    said = "I compare the two kills, then I write."
    do = write("a.txt", "x").calls[0]
    turns = [
        ServedTurn(text=said, calls=(ServedCall(name=do.name, arguments=do.arguments),), pieces=2),
        ServedTurn(calls=(ServedCall(name="finish", arguments={"result": "ok"}),)),
    ]
    runs: list[Launch] = []

    def begun(launch: Launch) -> None:
        runs.append(launch)
        launched.set()

    goal, _ = understand(PROVED + "plan: [{id: a, title: write}]\n")
    async with ScriptedServer(turns, gate=gate) as server:
        with opened() as journal:
            for name, value in (("BASE_URL", server.base_url), ("API_KEY", "none"), ("MODEL", "scripted")):
                monkeypatch.setenv(f"OPENAI_{name}", value)
            parts = Parts(journal=journal, memory=DictMemory(), onlookers=partial(served, home()))
            run = asyncio.ensure_future(wiring.start(goal, folder, hooks=Hooks(on_launch=begun), parts=parts))
            await launched.wait()
            gate.let(1)
            async with seated(run=runs[0].run) as seat:

                def tail() -> str:
                    rows = seat.app.screen.query_one("#activity", Feed).stream.tail
                    return "\n".join(str(row.line) for row in rows)

                await seat.until(lambda: tail().endswith("│ I compare the two k"))
                assert "I compare the two k" in "\n".join(seat.screen())
                gate.let(1)
                await seat.until(lambda: tail().endswith(said[-6:]))
                gate.let(1)
                await seat.until(lambda: "files_write" in tail())
                gate.open()
                await run
                await seat.until(lambda: tail() == "" and "says" in "\n".join(seat.screen()))
                screen = "\n".join(seat.screen())

    assert f"│ {said}" in screen
