"""Replays of recorded runs: the same code finds nothing, whatever happened to the run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from eventful import eventful_stage
from loops import Stage, finish, plan, write
from states import AT
from test_past_undo import take_back
from worlds import World

from autoagent.events import CallEnded, Entry, Event, FolderChanged, MemoryRecalled, ModelCalled, OwnerChanged
from autoagent.messages import Reply
from autoagent.past.fork import fork
from autoagent.past.replay import Replayed, replay
from autoagent.ports import Listener, MemoryPoint, ModelRequest, Objects
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.model import ScriptedModel, call, script

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt, contains: [x]}]\n"


async def replayed(stage: Stage) -> Replayed:
    """The stage's run against the code as it is; its journal is as before."""
    before = stage.journal.read(stage.run)

    found = await asyncio.to_thread(replay, stage.journal, stage.run, stage.plugins)

    assert stage.journal.read(stage.run) == before
    return found


def assert_same(found: Replayed) -> None:
    wrong = [x for x in found.lanes if x.differs_at or x.not_compared_from or x.compared < x.entries]
    assert (wrong, found.same, found.is_whole) == ([], True, True)


async def test_tools(tmp_path: Path) -> None:
    """Plan, reads, writes, a failed call, a refuted finish, proof."""
    stage = Stage.at(tmp_path, {"in.txt": "x"})
    model = ScriptedModel(
        planner=[plan("a", b="a")],
        worker={
            "a": [call("files_read", path="in.txt"), call("files_read", path="nope"), finish("read")],
            "b": [finish("too early"), write("a.txt", "x"), finish("wrote")],
        },
    )
    await stage.start(GOAL, model)

    assert_same(await replayed(stage))


async def test_what_was_recalled_says_again_from_where(tmp_path: Path) -> None:
    """Run, goal, day and how well it fitted are as recorded."""
    stage = Stage.at(tmp_path)
    points = [
        MemoryPoint(
            id=str(n), text=f"g: note {n}", run="old", source="outcome", goal="g", at=AT + timedelta(n)
        )
        for n in range(3)
    ]
    await stage.memory.store([points[0].model_copy(update={"goal": "", "sub_task": "a"}), *points[1:]])
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "x"), finish()]))

    assert [each.run for each in stage.events(MemoryRecalled)[0].sources][:1] == ["old"]
    assert_same(await replayed(stage))


async def test_an_undo_with_edits_since_is_nobodys_to_do_again(tmp_path: Path) -> None:
    """A person did that, after the run had ended: all that it did itself is compared, and counted."""
    stage = Stage.at(tmp_path, {"in.txt": "x"})
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "x"), finish()]))
    stage.write("notes.txt", "mine")
    await take_back(stage)

    assert len(stage.events(FolderChanged)) == 1
    assert_same(await replayed(stage))


# --- whatever happened to the run ---------------------------------------------------------------------------


async def test_much_at_once(tmp_path: Path) -> None:
    """A refused plan, a conflict, letters, parks, a limit that is raised, an edit, memory that is down."""
    assert_same(await replayed(await eventful_stage(tmp_path)))


async def test_a_fork(tmp_path: Path) -> None:
    """What stands before it was decided, and asked, under the other run's id; a fork of a fork too."""
    stage = Stage.at(tmp_path, plugins=[World().plugin()])
    goal = f"{GOAL}allow: {{send: {{post: []}}}}\n".replace("[files]", "[files, post]")
    worker = [call("post_send", to="bob", text="hi"), write("a.txt", "x"), finish()]
    model = ScriptedModel(planner=[plan("a")], worker=worker, by_number=True)
    await stage.start(goal, model)
    for number in range(2):
        made = fork(stage.journal, stage.home, stage.run, stage.state.seq)
        stage = replace(stage, run=made.run, folder=Path(made.workspace), entries=[])
        await stage.resume(model)
        if number:
            stage.approve()
            await stage.resume(model)

    assert_same(await replayed(stage))


async def test_words_that_hold_half_a_character(tmp_path: Path) -> None:
    """A model's question has a lone surrogate in it."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="which \ud800?")])
    await stage.start(GOAL, model)

    assert_same(await replayed(stage))


async def test_scripts(tmp_path: Path) -> None:
    """A read inside a script that a person is asked about; calls that are queued; a script that fails."""
    world = World(seen={"https://a.org/x": "page"})
    stage = Stage.at(tmp_path, {"in.txt": "1"}, plugins=[world.plugin()], sandbox=MontySandbox())
    text = (
        "goal: g\nplugins: [files, post]\ndone_when: [{file: out.txt}]\n"
        "allow: {run: sandbox, web: ['*.org'], send: {post: [anna]}}\n"
    )
    read = "page = page_read(url='https://a.org/x')\nopen('out.txt', 'w').write(page)\n"
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[
            script("1/0"),
            script(
                f"{read}open('out.txt', 'w').write(page)\npost_send(to='anna', text=page)\nfinish('first')"
            ),
            script("finish('done')"),
        ],
        style="code",
    )
    await stage.start(text, model)
    stage.approve()
    await stage.resume(model)

    assert stage.files()["out.txt"] == "page"
    assert_same(await replayed(stage))


@pytest.mark.parametrize("moment", range(0, 30, 3))
async def test_killed_anywhere(tmp_path: Path, moment: int) -> None:
    """A process that was killed leaves no difference, and neither does the one that took over."""
    turns = {"a": [write("b.txt", "y"), write("a.txt", "x"), finish()]}
    first = ScriptedModel(planner=[plan("a")], worker=turns, by_number=True)
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, first)
    stage.kill(stage.ends[min(moment, len(stage.ends) - 2)])
    stage.restore()
    await stage.resume(ScriptedModel(planner=[plan("a")], worker=turns, by_number=True))

    assert_same(await replayed(stage))


async def test_lanes_with_a_judge_and_a_replan(tmp_path: Path) -> None:
    """Four lanes, one gives up; a new plan; a judge's verdict whose first quote isn't there."""
    quote = {"path": "a.txt", "quote": "x"}
    verdict = [
        call("verdict", criterion="c", verdict="proved", evidence=[quote | {"quote": "nowhere"}]),
        call("verdict", criterion="c", verdict="proved", evidence=[quote]),
    ]
    model = ScriptedModel(
        planner=[plan("a", "b", "c", "d"), plan("e")],
        worker={
            "a": [write("a.txt", "x"), finish()],
            "b": [write("b.txt", "x"), finish()],
            "c": [call("give_up", reason="no way")],
            "d": [write("d.txt", "x"), finish()],
            "e": [write("e.txt", "x"), finish()],
        },
        judge=verdict,
    )
    stage = Stage.at(tmp_path)
    text = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}, {judge: good}]\nparallel: 4\n"
    outcome = await stage.start(text, model)

    assert outcome.ending == "proved", outcome.reason
    assert_same(await replayed(stage))


@pytest.mark.parametrize("answer", ["yes", "no", "other arguments"])
async def test_questions_about_calls(tmp_path: Path, answer: str) -> None:
    """Parked, answered in one of three ways by another process, gone on."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    text = "goal: g\nallow: {send: {post: []}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"
    turns = [call("post_send", to="ben", text="hello"), write("a.txt", "x"), finish()]
    await stage.start(text, ScriptedModel(planner=[plan("a")], worker=turns, by_number=True))
    match answer:
        case "yes":
            stage.approve()
        case "no":
            stage.deny("not him")
        case _:
            stage.approve(edit={"to": "eve", "text": "hello"})
    await stage.resume(ScriptedModel(worker=turns, by_number=True))

    assert len(world.sent) == (answer != "no")
    assert_same(await replayed(stage))


@pytest.mark.parametrize("choice", ["mine", "theirs", "both"])
async def test_same_path_changed_by_both(tmp_path: Path, choice: str) -> None:
    """A person's version is found in the way, asked about, and one of the two is chosen."""
    stage = Stage.at(tmp_path, {"a.txt": "old"})

    def meddle(entry: Entry) -> None:
        if isinstance(entry.event, CallEnded) and entry.event.tree is not None:
            stage.write("a.txt", "mine x")

    turns = [write("a.txt", "theirs x"), finish()]
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=turns, by_number=True), on_entry=meddle)
    stage.answer(choice)
    await stage.resume(ScriptedModel(worker=turns, by_number=True))

    assert stage.events(FolderChanged)
    assert_same(await replayed(stage))


async def test_ladder_and_a_context_that_fills_up(tmp_path: Path) -> None:
    """A nudge, a fresh start, results that are shortened and read again, a model that takes over."""
    long = "\n".join(f"line {n}" for n in range(600))
    strong = ScriptedModel(
        *[call("files_read", path="long.txt", offset=n * 7) for n in range(8)],
        call("read_again", handle="a.8.1"),
        write("a.txt", "x"),
        finish(),
        name="strong",
    )
    stage = Stage.at(tmp_path, {"long.txt": long}, context_tokens=6_000, stronger=strong)
    same = [call("files_list", path=".")] * 12
    model = ScriptedModel(planner=[plan("a"), plan("b")], worker={"a": same, "b": same})
    await stage.start(GOAL, model)

    kinds = set(stage.kinds())
    assert {"ladder_climbed", "lane_reset", "context_compacted"} <= kinds, stage.kinds()
    assert_same(await replayed(stage))


async def test_interrupted_while_a_reply_is_on_its_way(tmp_path: Path) -> None:
    """Ctrl-C, then gone on: the request is charged, and made again."""
    stage = Stage.at(tmp_path)

    class Slow(ScriptedModel):
        async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
            if (request.role, request.number) == ("worker", 2):
                task.cancel()
                await asyncio.sleep(60)
            return await super().reply(request, listener)

    turns = [write("a.txt", "x"), finish()]
    task = asyncio.ensure_future(stage.start(GOAL, Slow(planner=[plan("a")], worker=turns, by_number=True)))
    await asyncio.gather(task, return_exceptions=True)
    await stage.resume(ScriptedModel(worker=turns, by_number=True))

    assert "run_interrupted" in stage.kinds()
    assert_same(await replayed(stage))


# --- what stands in the journal so far ----------------------------------------------------------------------


@dataclass
class Kept:
    """A journal as it once was, or as an older version wrote it."""

    objects: Objects
    entries: list[Entry]

    def read(self, run_id: str, after: int = 0) -> list[Entry]:
        return self.entries[after:]


async def test_run_under_way(tmp_path: Path) -> None:
    """As far as another process has come, at any moment, there is no difference."""
    stage = await eventful_stage(tmp_path)
    entries = stage.journal.read(stage.run)
    for end in stage.ends[2::5]:
        source = Kept(stage.journal.objects, entries[:end])
        assert_same(await asyncio.to_thread(replay, source, stage.run, stage.plugins))


async def test_older_record_is_replayed_without_its_prompts(tmp_path: Path) -> None:
    """What it does not say isn't compared, and the result counts how many requests that are."""
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "x"), finish()]))
    older = [_without_what_is_new(entry) for entry in stage.journal.read(stage.run)]

    found = await asyncio.to_thread(replay, Kept(stage.journal.objects, older), stage.run)

    assert_same(found)
    assert (found.prompts, found.prompts_unknown) == (0, 3)


def _without_what_is_new(entry: Entry) -> Entry:
    match entry.event:
        case ModelCalled():
            event: Event = entry.event.model_copy(update={"prompt": "", "head": ""})
        case OwnerChanged():
            event = entry.event.model_copy(update={"equipment": None})
        case _:
            event = entry.event
    return entry.model_copy(update={"event": event})
