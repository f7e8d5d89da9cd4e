"""Lanes side by side: forks, merges, conflicts, and the ladder of a lane that gets nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import STRIDE, Stage, Together, finish, plan, worker_prompts, write

from autoagent.events import (
    CallEnded,
    ContextCompacted,
    FolderChanged,
    LadderClimbed,
    LaneConflicted,
    LaneMerged,
    LaneReset,
    Observed,
    SubTaskEnded,
    SubTaskStarted,
)
from autoagent.messages import Reply
from autoagent.ports import ModelRequest
from autoagent.testing.model import ScriptedModel, call, says

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
READ = call("files_read", path="seen.txt")


@pytest.mark.parametrize("parallel", [2, 4])
async def test_graph_is_carried_out_side_by_side(tmp_path: Path, parallel: int) -> None:
    """A diamond: b and c at the same time, d after both, each with the files of those before it."""
    stage = Stage.at(tmp_path)

    class Meet(Together):
        group = frozenset({"b", "c"})

    model = Meet(
        planner=[plan("a", b="a", c="a", d="b c")],
        worker={
            "a": [write("a.txt", "a"), finish("A")],
            "b": [call("files_edit", path="a.txt", old="a", new="ab"), finish("B")],
            "c": [write("c.txt", "c"), finish("C")],
            "d": [call("files_read", path="a.txt"), call("files_read", path="c.txt"), finish("D")],
        },
    )

    outcome = await stage.start(GOAL + f"parallel: {parallel}\n", model)

    assert (outcome.ending, outcome.result) == ("proved", "D")
    assert stage.files() == {"a.txt": "ab", "c.txt": "c"}
    assert [e.on_main for e in stage.events(SubTaskStarted)] == [True, False, False, True]
    assert {e.lane for e in stage.events(LaneMerged)} == {"b", "c"}
    reads = [p.last.text for p in worker_prompts(model) if p.request.lane == "d"]
    assert reads[1:] == ["ab", "c"]


async def test_no_more_lanes_than_the_goal_allows(tmp_path: Path) -> None:
    """Five ready sub-tasks with `parallel: 2`: never more than two at once."""
    stage = Stage.at(tmp_path)
    most = []

    def count(request: object) -> Reply:
        most.append(sum(x.ended is None for x in stage.state.lanes.values()))
        return finish()

    ids = "abcde"
    first = {id: [write(f"{id}.txt", id), count] for id in ids}
    await stage.start(GOAL + "parallel: 2\n", ScriptedModel(planner=[plan(*ids)], worker=first))

    assert max(most) == 2
    assert sorted(stage.files()) == [f"{id}.txt" for id in ids]


async def test_same_path_in_two_lanes_is_a_conflict_that_the_model_resolves(tmp_path: Path) -> None:
    """Neither version is lost: the second lane finds main's in place and its own beside it."""
    stage = Stage.at(tmp_path)

    class AFirst(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b" and request.number == 2:
                await stage.until(lambda s: len(s.events(LaneMerged)) == 1)

    model = AFirst(
        planner=[plan("a", "b")],
        worker={
            "a": [write("a.txt", "from a"), finish("A")],
            "b": [
                write("a.txt", "from b"),
                finish("B"),
                call("files_read", path="a.txt"),
                call("files_read", path="a.txt.b"),
                write("a.txt", "from a and b"),
                call("files_delete", path="a.txt.b"),
                finish("both"),
            ],
        },
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "from a and b"}
    (conflict,) = stage.events(LaneConflicted)
    assert conflict.kept == {"a.txt": "a.txt.b"}
    told = [p for p in worker_prompts(model) if p.request.lane == "b"]
    assert "another sub-task changed the same files" in told[2].text
    assert [p.last.text for p in told[3:5]] == ["from a", "from b"]


async def test_a_conflict_is_told_in_the_transaction_that_records_it(tmp_path: Path) -> None:
    """After a crash in between the worker would finish again, and its versions be left beside, unheard of."""
    stage = Stage.at(tmp_path)

    class AFirst(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b" and request.number == 2:
                await stage.until(lambda s: len(s.events(LaneMerged)) == 1)

    worker = {"a": [write("a.txt", "a"), finish()], "b": [write("a.txt", "b"), finish(), finish()]}
    await stage.start(GOAL + "parallel: 2\n", AFirst(planner=[plan("a", "b")], worker=worker))

    entries = stage.journal.read(stage.run)
    conflict = next(e.seq for e in entries if isinstance(e.event, LaneConflicted))
    told = next(e.seq for e in entries if isinstance(e.event, CallEnded) and "conflict" in e.event.output)
    assert conflict < told
    assert [end for end in stage.ends if conflict <= end < told] == []


async def test_second_conflict_runs_alone(tmp_path: Path) -> None:
    """A lane that would conflict again waits for the others, and nothing is started beside it."""
    stage = Stage.at(tmp_path)
    beside: list[set[str]] = []

    def alone(request: object) -> Reply:
        beside.append({x.name for x in stage.state.lanes.values() if x.ended is None})
        return finish("b is last")

    class Slow(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b":
                merged = {2: 1, 4: 2}.get(request.number, 0)
                await stage.until(lambda s: len(s.events(LaneMerged)) >= merged)

    model = Slow(
        planner=[plan("a", "b", "c", "d")],
        worker={
            "a": [write("a.txt", "a"), finish()],
            "c": [write("a.txt", "c"), finish()],
            "d": [finish()],
            "b": [
                write("a.txt", "b1"),
                finish(),
                write("a.txt", "b2"),
                finish(),
                write("a.txt", "b3"),
                alone,
            ],
        },
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert len(stage.events(LaneConflicted)) == 2
    assert beside == [{"b"}]
    assert stage.read("a.txt") == "b3"
    kept = [path for e in stage.events(LaneConflicted) for path in e.kept.values()]
    assert [stage.read(path) for path in kept] == ["b1", "b2"]


async def test_fork_that_fails_leaves_main_alone(tmp_path: Path) -> None:
    """What a lane wrote before it gave up is dropped."""
    stage = Stage.at(tmp_path)
    give_up = call("give_up", reason="no")
    model = Together(
        planner=[plan("a", "b"), plan("c")],
        worker={
            "a": [write("a.txt", "a"), finish()],
            "b": [write("b.txt", "half"), give_up],
            "c": [finish()],
        },
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "a"}


async def test_death_of_two_lanes_at_any_entry(tmp_path: Path) -> None:
    """Both lanes are taken up where they were, and merge as they would have."""
    number = 0
    while True:
        at = tmp_path / str(number)
        at.mkdir()
        stage = Stage.at(at)
        model = Together(
            planner=[plan("a", "b")],
            worker={"a": [write("a.txt", "from a"), finish()], "b": [write("b.txt", "from b"), finish()]},
            by_number=True,
        )
        await stage.start(GOAL + "parallel: 2\n", model)
        if number >= len(stage.ends) - 1:
            break
        stage.kill(stage.ends[number])
        stage.restore()

        outcome = await stage.resume(model)

        assert (number, outcome.ending) == (number, "proved")
        assert stage.files() == {"a.txt": "from a", "b.txt": "from b"}
        number += STRIDE
    assert number > 25


# --- the ladder ---------------------------------------------------------------------------------------------


async def test_ladder_is_climbed_rung_by_rung(tmp_path: Path) -> None:
    """Nudge, reset, re-plan; in the new sub-task nudge, reset, a stronger model, then a person."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"}, stronger=ScriptedModel(*[READ] * 3, name="strong"))
    model = ScriptedModel(planner=[plan("a"), plan("b")], worker=[READ] * 18)

    outcome = await stage.start(GOAL, model)

    climbed = [(e.lane, e.rung) for e in stage.events(LadderClimbed)]
    assert climbed == [
        ("a", "nudge"),
        ("a", "reset"),
        ("a", "replan"),
        ("b", "nudge"),
        ("b", "reset"),
        ("b", "replan"),
        ("b", "stronger"),
    ]
    assert (outcome.ending, stage.question().subject.kind) == ("parked", "question")
    assert "stuck: the same call gave the same result 3 times" in stage.question().why


async def test_answer_to_a_stuck_lane_is_what_the_model_reads_next(tmp_path: Path) -> None:
    """After the park the worker isn't asked before the person has answered, and then reads the answer."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})
    text = GOAL + "plan: [{id: a, title: t}]\n"
    model = ScriptedModel(worker=[READ] * 9)
    assert (await stage.start(text, model)).ending == "parked"
    assert (await stage.resume(ScriptedModel())).ending == "parked"
    stage.answer("write a.txt instead")
    after = ScriptedModel(worker=[write("a.txt", "x"), finish()])

    outcome = await stage.resume(after)

    assert outcome.ending == "proved"
    assert worker_prompts(after)[0].last.text == "The person says: write a.txt instead"
    assert worker_prompts(after)[0].request.temperature > 0


async def test_stuck_lane_that_nobody_helps_fails(tmp_path: Path) -> None:
    """With `skip` the last rung is a failure with its diagnosis."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})
    text = GOAL + "plan: [{id: a, title: t}]\nif_nobody_answers: skip\n"

    outcome = await stage.start(text, ScriptedModel(worker=[READ] * 9))

    assert outcome.ending == "unproved"
    assert "stuck: the same call gave the same result" in outcome.reason


async def test_stuck_lane_that_the_person_gives_up_fails(tmp_path: Path) -> None:
    """The run goes on without it, and says whose decision it was."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})
    await stage.start(GOAL + "plan: [{id: a, title: t}]\n", ScriptedModel(worker=[READ] * 9))
    stage.answer("Give up")

    outcome = await stage.resume(ScriptedModel())

    assert outcome.ending == "unproved"
    assert "you gave it up" in outcome.reason


async def test_nudge_is_read_and_the_lane_goes_on(tmp_path: Path) -> None:
    """One rung may be enough."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})
    model = ScriptedModel(planner=[plan("a")], worker=[READ, READ, READ, write("a.txt", "x"), finish()])

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert "You make no progress" in worker_prompts(model)[3].last.text
    assert [e.rung for e in stage.events(LadderClimbed)] == ["nudge"]


async def test_reset_takes_back_the_lanes_own_changes_only(tmp_path: Path) -> None:
    """The sub-task's writes go, what the person changed in the folder meanwhile stays."""
    stage = Stage.at(tmp_path, {"seen.txt": "x", "mine.txt": "old"})

    def edit(request: object) -> Reply:
        stage.write("mine.txt", "new")
        stage.write("extra.txt", "mine too")
        return READ

    stuck = [write("junk.txt", "j"), edit, READ, READ, READ, READ, READ, READ]
    model = ScriptedModel(planner=[plan("a")], worker=[*stuck, write("a.txt", "x"), finish()])

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert len(stage.events(LaneReset)) == 1
    assert len(stage.events(FolderChanged)) == 1
    assert stage.files() == {"seen.txt": "x", "mine.txt": "new", "extra.txt": "mine too", "a.txt": "x"}


async def test_reset_of_a_fork_keeps_what_it_and_others_merged(tmp_path: Path) -> None:
    """After a merge a fork goes back to main, never before it."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})

    class Slow(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "a" and request.number == 2:
                await stage.until(lambda s: s.events(SubTaskEnded))

    model = Slow(
        planner=[plan("a", "b")],
        worker={
            "a": [write("mine.txt", "a"), finish("too early"), *[READ] * 6, write("a.txt", "x"), finish()],
            "b": [write("b.txt", "b"), finish()],
        },
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert len(stage.events(LaneReset)) == 1
    assert stage.files() == {"seen.txt": "x", "mine.txt": "a", "b.txt": "b", "a.txt": "x"}


async def test_failed_step_is_not_repeated_at_temperature_0(tmp_path: Path) -> None:
    """After a call that failed the next request is warmer; after one that went well it is cold again."""
    stage = Stage.at(tmp_path, {"seen.txt": "x"})
    model = ScriptedModel(
        planner=[plan("a")], worker=[call("nothing"), READ, says("hm"), write("a.txt", "x"), finish()]
    )

    await stage.start(GOAL, model)

    warm = [p.request.temperature > 0 for p in worker_prompts(model)]
    assert warm == [False, True, False, True, False]


# --- the context --------------------------------------------------------------------------------------------


async def test_old_results_are_shortened_and_can_be_read_again(tmp_path: Path) -> None:
    """Near the end of the context old results become handles; `read_again` gives one back whole."""
    long = "\n".join(f"line {n}" for n in range(600))
    stage = Stage.at(tmp_path, {"long.txt": long}, context_tokens=6_000)
    reads = [call("files_read", path="long.txt", offset=n * 7) for n in range(8)]
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[*reads, call("read_again", handle="a.1.1"), write("a.txt", "x"), finish()],
    )

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert stage.events(ContextCompacted)
    shortened = next(p for p in worker_prompts(model) if "read_again('a.1.1') shows them" in p.text)
    assert "read_again" in shortened.tools
    assert "line 499" in worker_prompts(model)[9].last.text


async def test_agent_is_told_what_the_person_changed(tmp_path: Path) -> None:
    """An edit while the agent works is adopted, and the next request says so."""
    stage = Stage.at(tmp_path, {"mine.txt": "old"})

    def edit(request: object) -> Reply:
        stage.write("mine.txt", "new")
        return write("a.txt", "x")

    model = ScriptedModel(planner=[plan("a")], worker=[edit, call("files_read", path="mine.txt"), finish()])

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert "The person changed files while you work: 'mine.txt'" in worker_prompts(model)[1].last.text
    assert worker_prompts(model)[2].last.text == "new"
    assert [e.source for e in stage.events(Observed)] == ["folder"]
    assert outcome.files == ("a.txt", "mine.txt")
