"""After a crash: nothing is lost, and nothing happens twice.

`Stage.kill(keep)` cuts the journal after an entry, as a process that died there leaves it; the world outside
and the folder stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from loops import STRIDE, Stage, finish, plan, worker_prompts, write
from worlds import World

from autoagent.errors import SandboxUnavailable, StoreUnavailable
from autoagent.events import (
    CallDecided,
    CallEnded,
    CallStarted,
    Entry,
    FolderChanged,
    ModelFailed,
    OwnerChanged,
    QuestionAsked,
)
from autoagent.outcome import Outcome
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.tools import Plugin, ToolContext, tool

POST = """
goal: send letters
allow: {send: {post: [anna]}}
plugins: [files, post]
done_when: [{file: done.txt}]
"""
DONE = [write("done.txt", "x"), finish()]


def seq_of(stage: Stage, kind: type, number: int = 0) -> int:
    """Where the n-th event of a kind stands in the journal."""
    found = [e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, kind)]
    return found[number]


async def crash_in_send(stage: Stage, tool_name: str, *, happened: bool) -> Outcome:
    """A run that dies between `Started` and `Ended` of a letter to anna, then goes on."""
    world = World()
    world_plugin = world.plugin()
    stage.plugins = [world_plugin]
    letter = call(tool_name, to="anna", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.kill(seq_of(stage, CallStarted))
    if not happened:
        world.sent.clear()
        world.keys.clear()
    outcome = await stage.resume(model)
    stage.world = world  # type: ignore[attr-defined]
    return outcome


@pytest.mark.parametrize("happened", [True, False])
async def test_probe_finds_out_whether_it_happened(tmp_path: Path, happened: bool) -> None:
    """The tool is asked by its probe; the letter is sent exactly once either way."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_probed", happened=happened)

    assert outcome.ending == "proved"
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]
    assert stage.events(QuestionAsked) == []


@pytest.mark.parametrize("happened", [True, False])
async def test_same_idempotency_key_is_used_again(tmp_path: Path, happened: bool) -> None:
    """Where the receiver drops a second call with the same key, the call is simply made again."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_keyed", happened=happened)

    assert outcome.ending == "proved"
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]


async def test_without_probe_or_key_a_person_is_asked(tmp_path: Path) -> None:
    """The run parks with a recovery question that says when it was started; nothing is sent meanwhile."""
    stage = Stage.at(tmp_path)

    outcome = await crash_in_send(stage, "post_send", happened=True)

    assert outcome.ending == "parked"
    asked = stage.question()
    assert (asked.subject.kind, asked.choices) == ("recovery", ("done", "run again", "skip"))
    assert "never reported back" in asked.why
    assert stage.world.sent == ["anna: hello"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "sent", "told"),
    [
        ("done", 1, "It had already been done"),
        ("run again", 2, "sent to anna"),
        ("skip", 1, "Skipped by the person"),
    ],
)
async def test_recovery_is_answered(tmp_path: Path, answer: str, sent: int, told: str) -> None:
    """Done, run again, skip: each does what it says, and the worker reads it."""
    stage = Stage.at(tmp_path)
    await crash_in_send(stage, "post_send", happened=True)
    stage.answer(answer)
    model = ScriptedModel(worker=DONE)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert len(stage.world.sent) == sent  # type: ignore[attr-defined]
    assert told in worker_prompts(model)[0].text


async def test_run_again_is_used_up_by_one_start(tmp_path: Path) -> None:
    """The second try dies as well: it is another start, so the person is asked again."""
    stage = Stage.at(tmp_path)
    await crash_in_send(stage, "post_send", happened=True)
    stage.answer("run again")
    model = ScriptedModel(worker=DONE)
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted, 1))

    outcome = await stage.resume(ScriptedModel(worker=DONE))

    assert outcome.ending == "parked"
    assert stage.question().subject.kind == "recovery"
    assert len(stage.world.sent) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("absence", ["skip", "stop"])
async def test_recovery_always_waits_for_its_person(tmp_path: Path, absence: str) -> None:
    """What became of a payment is never settled by nobody being there."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="anna", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(f"{POST}if_nobody_answers: {absence}\n", model)
    stage.kill(seq_of(stage, CallStarted))

    assert (await stage.resume(model)).ending == "parked"


async def test_decided_and_approved_but_not_started_runs_without_a_question(tmp_path: Path) -> None:
    """A crash after the approval and before `Started`: the yes still stands, and is used once."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    await stage.resume(model)
    stage.kill(seq_of(stage, CallStarted) - 1)
    world.sent.clear()

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert len(stage.events(QuestionAsked)) == 1


@dataclass
class Moments:
    """What folder and world looked like when each entry was recorded."""

    stage: Stage
    world: World
    folders: dict[int, dict[str, str]] = field(default_factory=dict)
    worlds: dict[int, tuple[list[str], list[str]]] = field(default_factory=dict)

    def keep(self, entry: Entry) -> None:
        self.folders[entry.seq] = self.stage.files()
        self.worlds[entry.seq] = ([*self.world.sent], [*self.world.keys])

    def restore(self, seq: int) -> None:
        for path in self.stage.files():
            (self.stage.folder / path).unlink()
        for path, text in self.folders[seq].items():
            self.stage.write(path, text)
        self.world.sent[:], self.world.keys[:] = self.worlds[seq]


@pytest.mark.parametrize("later", [0, 1], ids=["just-recorded", "about-to-record-the-next"])
async def test_death_after_any_entry_gives_the_same_end(tmp_path: Path, later: int) -> None:
    """A process that dies after any entry whatsoever: resuming ends with the same files and one letter."""
    number = 0
    while True:
        world = World()
        at = tmp_path / str(number)
        at.mkdir()
        stage = Stage.at(at, {"log.txt": "0\n"}, plugins=[world.plugin()])
        moments = Moments(stage, world)
        append = call("files_edit", path="log.txt", old="0\n", new="0\n1\n")
        letter = call("post_probed", to="anna", text="hello")
        model = ScriptedModel(
            planner=[plan("a", b="a")],
            worker={"a": [append, letter, finish("appended")], "b": [calls(write("b.txt", "b"), *DONE)]},
            by_number=True,
        )
        await stage.start(POST, model, on_entry=moments.keep)
        if number >= len(stage.ends) - 1:
            break
        keep = stage.ends[number]
        stage.kill(keep)
        moments.restore(keep + later)

        outcome = await stage.resume(model)

        assert (number, outcome.ending) == (number, "proved")
        assert stage.files() == {"log.txt": "0\n1\n", "b.txt": "b", "done.txt": "x"}
        assert world.sent == ["anna: hello"]
        assert stage.events(FolderChanged) == []
        number += STRIDE
    assert number > 25


async def test_folder_behind_main_is_brought_up_to_date(tmp_path: Path) -> None:
    """A crash between `Ended` and its projection: the folder gets the write at the next resume."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(seq_of(stage, CallEnded))
    (stage.folder / "done.txt").unlink()

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == {"done.txt": "x"}
    assert stage.events(FolderChanged) == []


async def test_request_without_a_reply_is_charged_and_made_again(tmp_path: Path) -> None:
    """What a request that was under way has cost nobody knows: its reservation is charged."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(5 + [e.event.kind for e in stage.journal.read(stage.run)][5:].index("model_called") + 1)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    (lost,) = stage.events(ModelFailed)
    assert lost.tokens > 0
    assert stage.state.held == {}


@pytest.mark.parametrize("error", [SandboxUnavailable("the engine is gone"), StoreUnavailable("disk full")])
async def test_error_for_the_operator_in_a_tool_stops_the_run_and_loses_nothing(
    tmp_path: Path, error: Exception
) -> None:
    """Exit 5; the other lane is stopped too; resume goes on with the very call."""
    stage = Stage.at(tmp_path)
    broken = [True]

    @tool(effect="write")
    async def fragile(ctx: ToolContext) -> str:
        """Works when the engine is there."""
        if broken:
            raise error
        ctx.staging.write("fragile.txt", b"made")
        return "made"

    stage.plugins = [Plugin("fragile", [fragile])]
    model = ScriptedModel(
        planner=[plan("a", "b")], worker={"a": [call("fragile"), finish()], "b": DONE}, by_number=True
    )
    text = POST.replace(", post", "") + "parallel: 2\n"

    first = await stage.start(text, model)
    broken.clear()
    outcome = await stage.resume(model)

    assert (first.ending, first.exit_code, first.reason) == ("unavailable", 5, str(error))
    assert outcome.ending == "proved"
    assert stage.files() == {"done.txt": "x", "fragile.txt": "made"}
    assert [d.tool for d in stage.events(CallDecided)].count("fragile") == 1


async def test_tool_that_is_gone_on_resume_is_told_to_the_model(tmp_path: Path) -> None:
    """A decided call of a tool that the plugin no longer has ends with that."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    letter = call("post_send", to="ben", text="hello")
    model = ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)
    await stage.start(POST, model)
    stage.approve()
    stage.plugins = [Plugin("post", [t for t in world.plugin().tools if t.name != "post_send"])]

    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", [])
    assert "no longer there" in worker_prompts(model)[1].last.text


async def test_each_owner_is_on_record(tmp_path: Path) -> None:
    """Who carried the run, with rising epochs."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE, by_number=True)
    await stage.start(POST.replace(", post", ""), model)
    stage.kill(10)
    await stage.resume(model)

    assert [e.epoch for e in stage.events(OwnerChanged)] == [1, 2]
