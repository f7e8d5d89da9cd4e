"""Hooks: plugins hear calls before they start and once they have ended, and of questions and endings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from loops import Stage, Together, finish, interrupt, plan, worker_prompts, write, yes
from worlds import World

from autoagent import (
    CallOutcome,
    HeardCall,
    HookContext,
    Hooks,
    NotDone,
    Observation,
    Plugin,
    Report,
    ToolContext,
    tool,
)
from autoagent.errors import UsageError
from autoagent.events import CallEnded, CallStarted, Entry, HookFailed, QuestionAsked, Reported, RunEnded
from autoagent.loop import hearing
from autoagent.messages import Reply
from autoagent.past.replay import replay
from autoagent.ports import ModelRequest
from autoagent.questions import Question
from autoagent.sandboxes.monty import MontySandbox
from autoagent.state import RunState
from autoagent.testing.model import ScriptedModel, call, script

GOAL = """
goal: tell Anna
allow: {send: {ear: [anna]}}
plugins: [files]
done_when: [{file: done.txt}]
"""
DONE = [write("done.txt", "x"), finish()]


@dataclass
class Ear:
    """A plugin that notes what it hears, and answers as it is told."""

    verdict: Callable[[HeardCall], Awaitable[Any]] | None = None
    sent: list[str] = field(default_factory=list)
    before: list[HeardCall] = field(default_factory=list)
    after: list[tuple[HeardCall, CallOutcome]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    failing: str = ""
    """The hook that raises."""

    @property
    def plugin(self) -> Plugin:
        @tool(effect="external", destination="to")
        async def ear_send(ctx: ToolContext, to: str) -> str:
            """Send."""
            if to == "nobody":
                raise NotDone("there is nobody")
            self.sent.append(to)
            return f"sent to {to}"

        async def pre_call(ctx: HookContext, call: HeardCall) -> str | None:
            self.before.append(call)
            self._fail("pre_call")
            return None if self.verdict is None else await self.verdict(call)

        async def post_call(ctx: HookContext, call: HeardCall, outcome: CallOutcome) -> None:
            self.after.append((call, outcome))
            self._fail("post_call")

        async def report(ctx: HookContext, report: Report) -> None:
            self.reports.append(report)
            self._fail("report")

        hooks = Hooks(pre_call=pre_call, post_call=post_call, report=report)
        return Plugin("ear", [ear_send], hooks=hooks)

    def _fail(self, hook: str) -> None:
        if hook == self.failing:
            raise ValueError("it broke")


def stage_of(tmp_path: Path, ear: Ear) -> Stage:
    tmp_path.mkdir(exist_ok=True)
    return Stage.at(tmp_path, plugins=[ear.plugin])


def model_of(*calls: Reply) -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=[*calls, *DONE], by_number=True)


def send(to: str = "anna") -> Reply:
    return call("ear_send", to=to)


def said(model: ScriptedModel, number: int = 1) -> str:
    return worker_prompts(model)[number].last.text


async def no(call: HeardCall) -> str | None:
    return "not today" if call.tool == "ear_send" else None


class TestPreCall:
    """Before a call starts."""

    async def test_it_hears_every_call_of_every_tool(self, tmp_path: Path) -> None:
        """Its own plugin's and others', as they were decided."""
        ear = Ear()
        await stage_of(tmp_path, ear).start(GOAL, model_of(send()))

        assert [(c.plugin, c.tool, c.effect, c.destination) for c in ear.before] == [
            ("ear", "ear_send", "external", "anna"),
            ("files", "files_write", "write", None),
        ]
        assert ear.before[0].args == {"to": "anna"}
        assert ear.sent == ["anna"]

    async def test_its_reason_is_what_the_model_reads(self, tmp_path: Path) -> None:
        """The call never starts."""
        ear, model = Ear(no), model_of(send())
        stage = stage_of(tmp_path, ear)
        await stage.start(GOAL, model)

        assert said(model) == "Not allowed by the plugin 'ear': not today"
        assert ear.sent == []
        assert all(x.call != ear.before[0].call_id for x in stage.events(CallStarted))

    async def test_it_does_not_hear_what_policy_denies(self, tmp_path: Path) -> None:
        """Nothing that it says could allow it."""
        ear = Ear()
        await stage_of(tmp_path, ear).start(f"{GOAL}never: [ear_send]\n", model_of(send()))

        assert [c.tool for c in ear.before] == ["files_write"]

    async def test_it_can_change_nothing(self, tmp_path: Path) -> None:
        """It has a copy of the arguments."""

        async def greedy(call: HeardCall) -> None:
            call.args["to"] = "mallory"  # type: ignore[index]

        ear = Ear(greedy)
        await stage_of(tmp_path, ear).start(GOAL, model_of(send()))

        assert ear.sent == ["anna"]

    async def test_it_hears_a_call_that_a_person_allowed(self, tmp_path: Path) -> None:
        """After the question: not before there is a yes."""
        ear, model = Ear(no), model_of(send("bob"))
        stage = stage_of(tmp_path, ear)
        await stage.start(GOAL, model)
        heard_before_yes = list(ear.before)
        stage.approve()
        await stage.resume(model)

        assert heard_before_yes == []
        assert said(model) == "Not allowed by the plugin 'ear': not today"

    @pytest.mark.parametrize("verdict", [7, "raise"])
    async def test_where_it_fails_nothing_leaves(self, tmp_path: Path, verdict: object) -> None:
        """Closed for what reaches out, open for the rest; each failure is an event."""

        async def broken(call: HeardCall) -> object:
            if verdict == "raise":
                raise ValueError("it broke")
            return verdict

        ear, model = Ear(broken), model_of(send())
        stage = stage_of(tmp_path, ear)
        outcome = await stage.start(GOAL, model)

        assert ear.sent == []
        problem = "ValueError: it broke" if verdict == "raise" else "it gave int; expected None or a text"
        assert said(model).endswith(f"reach out and failed: {problem}")
        assert [(x.plugin, x.hook, x.problem) for x in stage.events(HookFailed)] == [
            ("ear", "pre_call", problem)
        ] * 2
        assert outcome.ending == "proved"

    async def test_one_that_hangs_is_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """After its time the call goes on, or is refused."""
        monkeypatch.setattr(hearing, "TIMEOUT_S", 0.05)

        async def hang(call: HeardCall) -> None:
            await asyncio.sleep(60)

        ear, model = Ear(hang), model_of(send())
        outcome = await stage_of(tmp_path, ear).start(GOAL, model)

        assert "it took longer than 0.05 s" in said(model)
        assert outcome.ending == "proved"

    async def test_a_start_is_its_verdict(self, tmp_path: Path) -> None:
        """A call that was started is never asked about again; one that wasn't is, under the same key."""
        ear = Ear()
        first = stage_of(tmp_path / "first", ear)
        await first.start(GOAL, model_of(send()))
        started = next(x.seq for x in first.entries if isinstance(x.event, CallStarted))
        sent_at = next(x.seq for x in first.entries if isinstance(x.event, CallEnded))

        for keep in (end for end in first.ends if started - 2 <= end <= sent_at):
            ear = Ear()
            stage = stage_of(tmp_path / str(keep), ear)
            await stage.start(GOAL, model_of(send()))
            ear.before.clear()
            stage.kill(keep)
            await stage.resume(model_of(send()))

            asked = [c.tool for c in ear.before]
            assert ("ear_send" in asked) == (keep < started)


class TestPostCall:
    """Once a call has ended."""

    async def test_it_hears_how_each_ended(self, tmp_path: Path) -> None:
        """What the model reads, and whether anything can have happened outside."""
        ear = Ear()
        goal = GOAL.replace("[anna]", "[anna, nobody]")
        await stage_of(tmp_path, ear).start(goal, model_of(send(), send("nobody")))

        assert [(c.tool, o.ok, o.was_started, o.may_have_happened) for c, o in ear.after] == [
            ("ear_send", True, True, True),
            ("ear_send", False, True, False),
            ("files_write", True, True, False),
        ]
        assert ear.after[0][1].output == "sent to anna"

    async def test_it_hears_of_a_refusal(self, tmp_path: Path) -> None:
        """So that what was counted before it can be given back."""
        ear = Ear(no)
        await stage_of(tmp_path, ear).start(GOAL, model_of(send()))

        assert [(o.ok, o.was_started) for c, o in ear.after if c.tool == "ear_send"] == [(False, False)]

    async def test_one_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        """The run goes on, and the failure stands in its record."""
        ear = Ear(failing="post_call")
        stage = stage_of(tmp_path, ear)
        outcome = await stage.start(GOAL, model_of(send()))

        assert outcome.ending == "proved"
        assert [x.hook for x in stage.events(HookFailed)] == ["post_call"] * 2

    async def test_whoever_was_killed_before_it_told_tells_at_the_resume(self, tmp_path: Path) -> None:
        """Wherever the process dies after the end of a call, each end is heard at least once."""
        ear = Ear()
        stage = stage_of(tmp_path, ear)
        await stage.start(GOAL, model_of(send()))
        end = next(x.seq for x in stage.entries if isinstance(x.event, CallEnded))
        ear.after.clear()
        stage.kill(end)
        await stage.resume(model_of(send()))

        assert [c.tool for c, _ in ear.after] == ["ear_send", "files_write"]
        assert ear.sent == ["anna"]


class TestReport:
    """Questions that wait, and endings."""

    async def test_a_question_and_the_park_are_told(self, tmp_path: Path) -> None:
        """With the command that answers."""
        ear = Ear()
        stage = stage_of(tmp_path, ear)
        await stage.start(GOAL, model_of(send("bob")))
        (question,) = (x.question for x in stage.events(QuestionAsked))

        assert [r.kind for r in ear.reports] == ["question", "parked"]
        assert ear.reports[0].question == question
        assert ear.reports[0].commands[0] == f"autoagent approve {question.id} --resume"
        assert ear.reports[1].exit_code == 3

    async def test_nothing_is_told_twice(self, tmp_path: Path) -> None:
        """Not by a resume that finds the same question, nor by one of a run that is over."""
        ear, model = Ear(), model_of(send("bob"))
        stage = stage_of(tmp_path, ear)
        await stage.start(GOAL, model)
        await stage.resume(model)
        stage.approve()
        await stage.resume(model)
        await stage.resume(model)

        assert [r.kind for r in ear.reports] == ["question", "parked", "parked", "end"]
        assert (ear.reports[-1].ending, ear.reports[-1].exit_code) == ("proved", 0)

    async def test_whoever_was_killed_before_it_told_tells_at_the_resume(self, tmp_path: Path) -> None:
        """Of the question, and of the end."""
        for event in (QuestionAsked, RunEnded):
            ear, model = Ear(), model_of(send("bob"))
            stage = stage_of(tmp_path / event.__name__, ear)
            await stage.start(GOAL, model)
            if event is RunEnded:
                stage.approve()
                await stage.resume(model)
            ear.reports.clear()
            stage.kill(next(x.seq for x in stage.entries if isinstance(x.event, event)))
            await stage.resume(model)

            assert ear.reports[0].kind == ("question" if event is QuestionAsked else "end")

    async def test_the_person_at_the_terminal_has_some_time_to_answer(self, tmp_path: Path) -> None:
        """Who doesn't use it is told; the end of a run that they just answered is marked as seen."""
        for minutes, kinds in (("2", ["end"]), ("0", ["question", "end"])):
            ear = Ear()
            stage = stage_of(tmp_path / minutes, ear)
            stage.home.mkdir()
            (stage.home / "config.toml").write_text(f"[questions]\ntell_after_minutes = {minutes}\n")

            async def late(
                question: Question, state: RunState, ear: Ear = ear, minutes: str = minutes
            ) -> Any:
                while minutes == "0" and not ear.reports:  # noqa: ASYNC110 (they come from a thread)
                    await asyncio.sleep(0.01)
                return await yes()(question, state)

            await stage.start(GOAL, model_of(send("bob")), approver=late)

            assert [(r.kind, r.is_seen) for r in ear.reports] == [(k, minutes == "2") for k in kinds]

    async def test_a_run_that_was_stopped_tells(self, tmp_path: Path) -> None:
        """Before it lets go."""
        ear = Ear()
        stage = stage_of(tmp_path, ear)
        task = asyncio.create_task(stage.start(GOAL, model_of(send("bob")), wait_s=60))
        await stage.until(lambda s: s.run and s.state.waiting and ear.reports)
        await interrupt(task)

        assert [r.kind for r in ear.reports] == ["question", "interrupted"]
        assert ear.reports[-1].commands[0] == f"autoagent resume {stage.run}"

    async def test_one_that_fails_stops_nothing(self, tmp_path: Path) -> None:
        """It is an event, and isn't tried for ever."""
        ear = Ear(failing="report")
        stage = stage_of(tmp_path, ear)
        outcome = await stage.start(GOAL, model_of(send()))

        assert outcome.ending == "proved"
        assert [(x.hook, x.problem) for x in stage.events(HookFailed)] == [("report", "ValueError: it broke")]
        assert [(x.plugin, x.about) for x in stage.events(Reported)] == [("ear", "")]


async def test_a_replay_calls_no_hook_and_goes_the_same_way(tmp_path: Path) -> None:
    """What plugins said then stands in the record."""
    ear = Ear(no, failing="post_call")
    stage = stage_of(tmp_path, ear)
    await stage.start(GOAL, model_of(send()))
    ear.verdict, heard = None, (len(ear.before), len(ear.after), len(ear.reports))

    found = await asyncio.to_thread(replay, stage.journal, stage.run, stage.plugins)

    assert found.same, found
    assert found.is_whole
    assert (len(ear.before), len(ear.after), len(ear.reports)) == heard


CODE = """
goal: tell Anna
allow: {run: sandbox, web: [pages.example], send: {post: [anna]}}
plugins: [files, python, post]
done_when: [{file: a.txt}]
"""


@pytest.mark.parametrize("refused", ["", "page_read", "post_send", "script"])
async def test_scripts_are_heard_whole_and_by_what_they_reach(tmp_path: Path, refused: str) -> None:
    """One call for the script, one for each read of the world in it, one for each send after it."""

    async def verdict(call: HeardCall) -> str | None:
        return "not today" if call.tool == refused and "'y'" not in str(call.args) else None

    ear, world, sandbox = Ear(verdict), World(), MontySandbox()
    stage = Stage.at(tmp_path, sandbox=sandbox, plugins=[world.plugin(), ear.plugin])
    code = "try:\n    print(page_read('https://pages.example/'))\nexcept Exception as e:\n    print(e)\n"
    code += "open('a.txt', 'w').write('x')\npost_send('anna', 'hi')\nfinish('ok')"
    again = "open('a.txt', 'w').write('y')\nfinish('ok')"
    goal = CODE.replace("tell Anna", "tell Anna of https://pages.example/")
    model = ScriptedModel(
        style="code", planner=[plan("a")], worker=[script(code), script(again)], by_number=True
    )
    await stage.start(goal, model)
    await sandbox.close()

    tools = ["script", "page_read", "post_send"]
    if refused == "script":  # nothing of it is run; the next one is
        tools = ["script", "script"]
    assert [c.tool for c in ear.before] == tools
    assert [c.tool for c, o in ear.after if not o.ok] == ([refused] if refused else [])
    assert stage.read("a.txt") == ("y" if refused == "script" else "x")
    found = await asyncio.to_thread(replay, stage.journal, stage.run, stage.plugins)
    assert found.same, found


async def test_what_another_lane_reads_while_a_hook_thinks_is_heeded(tmp_path: Path) -> None:
    """A send that was allowed is asked about, since the run has read outside and private text by now."""
    thinking, read = threading.Event(), threading.Event()

    @tool(effect="read")
    async def ear_read(ctx: ToolContext) -> Observation:
        """Read."""
        await asyncio.to_thread(thinking.wait, 30)
        return Observation(text="secret", labels=("outside", "private"))

    async def think(call: HeardCall) -> None:
        if call.tool == "ear_send":
            thinking.set()
            await asyncio.to_thread(read.wait, 30)

    class Lanes(Together):
        async def before(self, request: ModelRequest) -> None:
            """The send is decided once the other lane's read is under way."""
            if request.lane == "b":
                await stage.until(lambda s: any(isinstance(x.event, CallStarted) for x in s.entries))

    def worker(request: ModelRequest) -> Reply:
        own = {"a": [call("ear_read"), *DONE], "b": [send(), finish()]}[request.lane]
        return own[request.number - 1]

    def hear(entry: Entry) -> None:
        if isinstance(entry.event, CallEnded) and "private" in entry.event.labels:
            read.set()

    ear = Ear(think)
    plugin = replace(ear.plugin, tools=[*ear.plugin.tools, ear_read])
    stage = Stage.at(tmp_path, plugins=[plugin])
    model = Lanes(planner=[plan("a", "b")], worker=[worker] * 9)
    await stage.start(f"{GOAL}parallel: 2\n", model, on_entry=hear)

    assert ear.sent == []
    assert stage.question().subject.destination == "anna"
    assert stage.question().subject.labels == ("outside", "private")
    stage.approve()
    await stage.resume(model)
    assert ear.sent == ["anna"]
    found = await asyncio.to_thread(replay, stage.journal, stage.run, stage.plugins)
    assert found.same, found


async def test_what_is_no_hook_is_refused(tmp_path: Path) -> None:
    """Before a run begins, with the plugin's name."""

    def report(ctx: HookContext, report: Report) -> None:
        """Not async."""

    stage = Stage.at(tmp_path, plugins=[Plugin("ear", hooks=Hooks(report=report))])  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=r"plugin 'ear': its hook report is .*; write 'async def'"):
        await stage.start(GOAL, model_of())
