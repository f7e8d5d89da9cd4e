"""One real run in which much happens: for the golden journals."""

from __future__ import annotations

import tempfile
from pathlib import Path

from loops import Stage, Together, finish, plan, write
from worlds import World

from autoagent.commands import Answer, RaiseLimits
from autoagent.events import Entry, LaneMerged, OwnerChanged, RunStarted
from autoagent.grants_file import GrantsFile
from autoagent.ports import ModelRequest
from autoagent.testing import ScriptedModel, call, calls, says
from autoagent.testing.clock import FakeClock
from autoagent.wiring import Choices

GOAL = """
goal: Sort out the letters, read https://a.org/start, then write to Anna and Eve.
done_when:
- {file: a.txt, contains: [both]}
- {file: report.md}
allow: {send: {post: [anna]}, web: [a.org]}
ask: [plan]
plugins: [files]
limits: {steps: 12}
parallel: 2
"""


class Meeting(Together):
    """Lane b ends after lane a was merged, so that they conflict."""

    stage: Stage

    async def before(self, request: ModelRequest) -> None:
        if (request.lane, request.number) == ("b", 2):
            await self.stage.until(lambda stage: stage.events(LaneMerged))


def _model(kind: type[ScriptedModel] = ScriptedModel) -> ScriptedModel:
    same = call("files_list", path=".")
    return kind(
        planner=[plan(a="b", b="a"), plan("a", "b", c="a b")],
        worker={
            "a": [write("a.txt", "from a"), finish("A")],
            "b": [
                write("a.txt", "from b"),
                finish("B"),
                call("files_read", path="a.txt.b"),
                write("a.txt", "both"),
                calls(call("files_delete", path="a.txt.b"), finish("both")),
            ],
            "c": [
                call("page_read", url="https://a.org/start"),
                call("page_read", url="https://a.org/next"),
                calls(call("post_send", to="anna", text="hi"), call("post_send", to="eve", text="hi")),
                says("I wonder."),
                call("files_read", path="nothing.txt"),
                finish("done?"),
                *[same] * 3,
                write("report.md", "All letters are sorted."),
                finish("done"),
            ],
        },
        by_number=True,
    )


async def eventful_run() -> list[Entry]:
    """A refused plan, a conflict, letters, a park, a limit that is raised, a person's edit, proof."""
    with tempfile.TemporaryDirectory() as path:
        stage = await eventful_stage(Path(path))
        return [_elsewhere(entry) for entry in stage.journal.read(stage.run)]


async def eventful_stage(path: Path) -> Stage:
    """The stage on which it has happened."""
    world = World(seen={"https://a.org/start": "see https://a.org/next"})
    stage = Stage.at(path, {"letters.txt": "dear\n"}, plugins=[world.plugin()], clock=FakeClock())
    await stage.start(GOAL, _model())  # until the plan is to be approved
    stage.approve()
    model = _model(Meeting)
    assert isinstance(model, Meeting)
    model.stage, stage.memory.down = stage, True
    await stage.resume(model)  # until the letter to Eve is to be approved
    stage.deny("Eve is away")
    stage.send(Answer(question="none", digest="", text="?"))
    stage.memory.down = False
    await stage.resume(_model())  # until the steps are used up
    stage.write("mine.txt", "by hand\n")
    await stage.resume(_model(), choices=Choices(raised=RaiseLimits(steps=40)))
    return stage


async def granted_run() -> list[Entry]:
    """A letter that waits, an always that is given to it, and two more that it answers."""
    letters = [call("post_send", to="eve", text=text) for text in "123"]
    model = ScriptedModel(
        planner=[plan("a")], worker=[*letters, write("a.txt", "x"), finish()], by_number=True
    )
    goal = "{goal: Write to Eve, done_when: [{file: a.txt}], allow: {send: {post: []}}, plugins: [files]}"
    with tempfile.TemporaryDirectory() as path:
        stage = Stage.at(Path(path), plugins=[World().plugin()], clock=FakeClock())
        await stage.start(goal, model)
        question = stage.question()
        assert question.explained.always is not None
        GrantsFile(stage.home).add(question, question.explained.always, stage.clock.now())
        await stage.resume(model)
        return [_elsewhere(entry) for entry in stage.journal.read(stage.run)]


def _elsewhere(entry: Entry) -> Entry:
    """The entry without names of the machine that made it."""
    match entry.event:
        case RunStarted():
            return entry.model_copy(
                update={"event": entry.event.model_copy(update={"workspace": "/letters"})}
            )
        case OwnerChanged():
            return entry.model_copy(update={"event": entry.event.model_copy(update={"holder": "host:1"})})
        case _:
            return entry
