"""Stopping and going on: Ctrl-C, cancel, a lost lease, two processes, memory that was locked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from loops import Stage, Together, finish, plan, write

from autoagent import wiring
from autoagent.commands import Cancel
from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.errors import JournalConflict, RunOwned, StoreUnavailable, UsageError
from autoagent.events import (
    CallDecided,
    MemoryDeferred,
    MemoryIndexed,
    ModelFailed,
    RunInterrupted,
    SubTaskEnded,
    TimeSpent,
)
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import Outcome
from autoagent.ports import ModelRequest
from autoagent.testing.clock import FakeClock
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.model import ScriptedModel, call

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
DONE = [write("a.txt", "x"), finish()]


class Hanging(ScriptedModel):
    """Never answers its second worker request; `hangs` is set when it came."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.hangs = asyncio.Event()
        self.was_cancelled = False

    async def reply(self, request: ModelRequest, listener: object = None) -> object:  # type: ignore[override]
        if request.role == "worker" and request.number == 2:
            self.hangs.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        return await super().reply(request)


def hanging() -> Hanging:
    return Hanging(planner=[plan("a")], worker=[write("a.txt", "x")])


async def test_interrupt_is_recorded_and_resume_goes_on(tmp_path: Path) -> None:
    """Ctrl-C: the reply under way ends, the entry says interrupted, and the run goes on where it was."""
    stage = Stage.at(tmp_path)
    model = hanging()
    task = asyncio.create_task(stage.start(GOAL, model))
    await model.hangs.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert stage.kinds()[-1] == "run_interrupted"
    assert model.was_cancelled
    assert len(stage.events(ModelFailed)) == 1
    outcome = await stage.resume(ScriptedModel(worker=[finish()]))
    assert outcome.ending == "proved"
    assert len(stage.events(RunInterrupted)) == 1


@pytest.mark.parametrize("entry", range(3, 30, 4))
async def test_interrupt_at_any_moment(tmp_path: Path, entry: int) -> None:
    """Ctrl-C after any entry: nothing is lost, nothing is done twice, and no task is left behind."""
    stage = Stage.at(tmp_path, {"log.txt": "0"})
    worker = [call("files_edit", path="log.txt", old="0", new="01"), *DONE]
    model = ScriptedModel(planner=[plan("a")], worker=worker, by_number=True)
    task: asyncio.Task[Outcome] | None = None

    def hear(heard: object) -> None:
        if heard.seq == entry and task is not None:  # type: ignore[attr-defined]
            task.cancel()

    task = asyncio.create_task(stage.start(GOAL, model, on_entry=hear))
    await asyncio.gather(task, return_exceptions=True)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    outcome = await stage.resume(model)
    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "x", "log.txt": "01"}


async def test_cancel_ends_a_running_reply_at_once(tmp_path: Path) -> None:
    """`cancel` from another terminal: the stream ends, the run is over, exit 1."""
    stage = Stage.at(tmp_path)
    model = hanging()
    task = asyncio.create_task(stage.start(GOAL, model))
    await model.hangs.wait()
    stage.send(Cancel(why="changed my mind"))

    outcome = await task

    assert (outcome.ending, outcome.exit_code) == ("cancelled", 1)
    assert outcome.reason == "cancelled by command: changed my mind"
    assert model.was_cancelled
    assert await stage.resume(ScriptedModel()) == outcome


async def test_cancel_ends_a_running_tool_at_once(tmp_path: Path) -> None:
    """A tool that waits for ever is stopped; what it was writing is dropped, what was written stays."""
    stopped = []

    @tool(effect="write", timeout_s=600)
    async def endless(ctx: ToolContext) -> str:
        """Never ends."""
        ctx.staging.write("half.txt", b"half")
        stage.send(Cancel())
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)
        return ""

    stage = Stage.at(tmp_path, plugins=[Plugin("endless", [endless])])
    model = ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "kept"), call("endless")])

    outcome = await stage.start(GOAL, model)

    assert (outcome.ending, stopped) == ("cancelled", [True])
    assert stage.files() == {"b.txt": "kept"}


async def test_cancel_between_a_write_and_its_projection_leaves_the_folder_right(tmp_path: Path) -> None:
    """The write is on record, so the folder gets it although the run ended in that very moment."""
    stage = Stage.at(tmp_path)

    def hear(entry: object) -> None:
        event = entry.event  # type: ignore[attr-defined]
        if event.kind == "call_ended" and event.tree is not None:
            ended.set()

    ended = asyncio.Event()

    class Slow(MemoryJournal):
        async def durable(self) -> None:
            if ended.is_set():
                await asyncio.sleep(0.3)

    stage.journal = Slow()
    task = asyncio.create_task(
        stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=DONE), on_entry=hear)
    )
    await ended.wait()
    stage.send(Cancel())

    assert (await task).ending == "cancelled"
    assert stage.files() == {"a.txt": "x"}


async def test_cancel_while_parked_is_obeyed_at_the_next_resume(tmp_path: Path) -> None:
    """No model is asked any more."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="?")])
    await stage.start(GOAL, model)
    stage.send(Cancel())

    assert (await stage.resume(ScriptedModel())).ending == "cancelled"


async def test_cancel_is_active_time_up_to_then(tmp_path: Path) -> None:
    """The seconds before the cancel are on record."""
    clock = FakeClock()
    stage = Stage.at(tmp_path, clock=clock)

    def think(request: object) -> object:
        clock.pass_time(0.5)
        stage.send(Cancel())
        return call("ask_human", question="?")

    async def never(question: object, state: object) -> None:
        await asyncio.Event().wait()

    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[think]), approver=never)

    assert sum(e.seconds for e in stage.events(TimeSpent)) == 0.5


async def test_lane_beside_a_broken_one_is_stopped_and_resumed(tmp_path: Path) -> None:
    """One lane's model is gone: the other is stopped where it is, and both go on at resume."""
    from autoagent.errors import ModelUnavailable

    stage = Stage.at(tmp_path)
    model = Together(
        planner=[plan("a", "b")],
        worker={
            "a": [ModelUnavailable("gone"), write("a.txt", "x"), finish()],
            "b": [write("b.txt", "b"), finish()],
        },
    )
    text = GOAL + "parallel: 2\n"

    assert (await stage.start(text, model)).exit_code == 5
    assert asyncio.all_tasks() == {asyncio.current_task()}
    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "x", "b.txt": "b"}


# --- one writer ---------------------------------------------------------------------------------------------


async def test_second_process_on_a_run_or_folder_is_refused(tmp_path: Path) -> None:
    """Both the run and its folder have one owner, and the refusal names it."""
    home = tmp_path / "home"
    stage = Stage.at(tmp_path, journal=SqliteJournal(home))
    other = Stage(stage.folder, home, journal=SqliteJournal(home))
    model = hanging()
    task = asyncio.create_task(stage.start(GOAL, model))
    await model.hangs.wait()
    other.run = stage.run

    with pytest.raises(RunOwned, match=stage.run):
        await other.resume(ScriptedModel())
    with pytest.raises(RunOwned, match=str(stage.folder)):
        await other.start(GOAL, ScriptedModel())
    assert [head.id for head in other.journal.runs()] == [stage.run]

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await other.resume(ScriptedModel(worker=[finish()]))).ending == "proved"
    for journal in (stage.journal, other.journal):
        journal.close()  # type: ignore[attr-defined]


async def test_lost_lease_stops_the_run_and_records_nothing_more(tmp_path: Path) -> None:
    """Another process has taken over: this one ends with an error, and its lanes are stopped."""
    stage = Stage.at(tmp_path)
    model = hanging()
    task = asyncio.create_task(stage.start(GOAL, model))
    await model.hangs.wait()
    assert isinstance(stage.journal, MemoryJournal)
    stage.journal._runs[stage.run].lease = None
    heard = len(stage.entries)
    stage.send(Cancel())

    with pytest.raises(JournalConflict):
        await task
    assert len(stage.entries) == heard
    assert model.was_cancelled


async def test_journal_that_breaks_stops_the_run(tmp_path: Path) -> None:
    """A full disk under the journal: exit 5, and the run can be taken up from what was written."""

    class Full(MemoryJournal):
        broken = False

        def append(self, *args: object, **kwargs: object) -> None:
            if self.broken:
                raise StoreUnavailable("the disk is full")
            super().append(*args, **kwargs)  # type: ignore[arg-type]

    stage = Stage.at(tmp_path, journal=Full())

    def fill(request: object) -> object:
        stage.journal.broken = True  # type: ignore[attr-defined]
        return write("a.txt", "x")

    model = ScriptedModel(planner=[plan("a")], worker=[fill, *DONE])

    outcome = await stage.start(GOAL, model)

    assert (outcome.exit_code, outcome.reason) == (5, "the disk is full")
    stage.kill()
    assert (await stage.resume(model)).ending == "proved"


async def test_empty_run_is_told_apart(tmp_path: Path) -> None:
    """A journal that was created and never written says so."""
    stage = Stage.at(tmp_path)
    stage.journal.create("empty", str(stage.folder))
    stage.run = "empty"

    with pytest.raises(UsageError, match="never began"):
        await stage.resume(ScriptedModel())
    stage.run = "nope"
    with pytest.raises(UsageError, match="no run 'nope'"):
        await stage.resume(ScriptedModel())


async def test_missing_plugin_is_told_before_anything_is_recorded(tmp_path: Path) -> None:
    """A plugin that was given as a value must be given again."""

    @tool(effect="read")
    async def own(ctx: ToolContext) -> str:
        """Mine."""
        return ""

    stage = Stage.at(tmp_path, plugins=[Plugin("own", [own])])
    text = GOAL.replace("[files]", "[files, own]")
    await stage.start(text, ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="?")]))
    before = stage.kinds()
    stage.plugins = []

    with pytest.raises(UsageError, match="'own'"):
        await stage.resume(ScriptedModel())
    assert stage.kinds() == before


# --- memory -------------------------------------------------------------------------------------------------


async def test_outcomes_are_indexed_with_where_they_come_from(tmp_path: Path) -> None:
    """One point a sub-task, done or failed, with run, goal, labels and the hash of its files."""
    stage = Stage.at(tmp_path, {"seen.txt": "s"})
    model = ScriptedModel(
        planner=[plan("a"), plan("b")],
        worker=[call("files_read", path="seen.txt"), call("give_up", reason="no way"), *DONE],
    )

    await stage.start(GOAL, model)

    points = sorted(stage.memory.points.values(), key=lambda p: p.sub_task or "")
    assert [(p.run, p.sub_task, p.source) for p in points] == [
        (stage.run, "a", "outcome"),
        (stage.run, "b", "outcome"),
    ]
    assert points[0].text == "do a: failed. no way"
    assert points[1].text == "do b: done. done"
    assert points[1].sha256 == stage.state.main
    assert points[1].labels == ("outside",)
    assert {e.point for e in stage.events(MemoryIndexed)} == set(stage.memory.points)


async def test_locked_memory_is_indexed_at_the_next_resume(tmp_path: Path) -> None:
    """The run ends all the same; whoever resumes it, ended or not, stores what is missing, once."""
    stage = Stage.at(tmp_path)
    stage.memory.down = True
    model = ScriptedModel(planner=[plan("a", b="a")], worker={"a": [finish("A")], "b": DONE})
    outcome = await stage.start(GOAL, model)
    assert (outcome.ending, stage.memory.points) == ("proved", {})
    assert {e.sub_task for e in stage.events(MemoryDeferred)} == {"a"}
    stage.memory.down = False

    again = await stage.resume(ScriptedModel())

    assert again.ending == "proved"
    assert sorted(p.text for p in stage.memory.points.values()) == ["do a: done. A", "do b: done. done"]
    await stage.resume(ScriptedModel())
    assert len(stage.events(MemoryIndexed)) == 2


async def test_journal_tells_what_became_of_each_call(tmp_path: Path) -> None:
    """Every decided call of an ended run has ended."""
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=DONE))

    assert {d.call for d in stage.events(CallDecided)} == {"a.1.1", "a.2.1"}
    assert stage.events(SubTaskEnded)[0].outcome == "done"
    assert wiring.RECORDING == "recording.jsonl"
