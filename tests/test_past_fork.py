"""Forks: another end for the same beginning, and nothing done twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from loops import STRIDE, Stage, finish, interrupt, plan, write, yes
from worlds import World

from autoagent.errors import StoreDamaged, UsageError
from autoagent.events import (
    CallDecided,
    CallEnded,
    CallStarted,
    FolderChanged,
    Forked,
    QuestionAsked,
    RunEnded,
)
from autoagent.faults import FaultPoint
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.fork import Fork, fork
from autoagent.ports import Verification
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.model import ScriptedModel, call

GOAL = "goal: write two files\nplugins: [files]\ndone_when: [{file: a.txt}, {file: b.txt}]\n"
WORK = [write("a.txt", "A"), write("b.txt", "B"), finish("both")]
POST = """
goal: send letters
allow: {send: {post: [anna]}}
plugins: [files, post]
done_when: [{file: done.txt}]
"""


def model() -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=WORK, by_number=True)


async def finished_run(path: Path, files: dict[str, str] | None = None) -> Stage:
    stage = Stage.at(path, files or {"in.txt": "input"})
    assert (await stage.start(GOAL, model())).ending == "proved"
    return stage


def forked(stage: Stage, at: int, into: Path | None = None, model: str | None = None) -> Stage:
    """The stage of a fork."""
    made = fork(stage.journal, stage.home, stage.run, at, into=into, model=model)
    return replace(stage, run=made.run, folder=Path(made.workspace), entries=[])


def seq_of(stage: Stage, kind: type) -> int:
    """Where the first event of a kind stands."""
    return next(e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, kind))


def ends_of(stage: Stage) -> list[int]:
    """The entries before the run's end that ended a record."""
    return [at for at in stage.ends if at < seq_of(stage, RunEnded)]


# --- the same end -------------------------------------------------------------------------------------------


async def test_a_fork_from_anywhere_comes_to_the_same_end(tmp_path: Path) -> None:
    """Whatever was under way at that entry, and the run that it comes from stays as it was."""
    stage = await finished_run(tmp_path)
    head, files = stage.journal.link(stage.run), stage.files()

    for at in ends_of(stage)[::STRIDE]:
        branch = forked(stage, at)
        outcome = await branch.resume(model())
        assert (outcome.ending, branch.files()) == ("proved", files), at
        assert branch.journal.verify(branch.run).first_bad is None
    assert (stage.journal.link(stage.run), stage.files()) == (head, files)


async def test_forks_of_lanes_side_by_side(tmp_path: Path) -> None:
    """Wherever two lanes, their merges and an approved plan stood, the fork ends with the same files."""
    stage = Stage.at(tmp_path, {"in.txt": "input"})
    asking = GOAL + "parallel: 2\nask: [plan, finish]\n"

    def lanes() -> ScriptedModel:
        work = {"a": [write("a.txt", "A"), finish("one")], "b": [write("b.txt", "B"), finish("one")]}
        return ScriptedModel(planner=[plan("a", "b")], worker=work, by_number=True)

    assert (await stage.start(asking, lanes(), approver=yes())).ending == "proved"
    files = stage.files()
    for at in ends_of(stage)[::STRIDE]:
        branch = forked(stage, at)
        outcome = await branch.resume(lanes(), approver=yes())
        assert (outcome.ending, branch.files()) == ("proved", files), at


async def test_a_fork_holds_the_workspace_as_it_was(tmp_path: Path) -> None:
    """In a folder beside the run's own, named after it, and not as it is now."""
    stage = await finished_run(tmp_path)
    at = next(e.seq for e in stage.journal.read(stage.run) if getattr(e.event, "tree", None) and e.seq > 3)
    branch = forked(stage, next(s for s in range(at, 99) if "a.txt" in files_at(stage, s)))
    stage.write("in.txt", "changed since")

    assert branch.files() == {"a.txt": "A", "in.txt": "input"}
    assert branch.folder.name == f"workspace-fork-{branch.run}"
    assert branch.state.workspace == str(branch.folder)


def files_at(stage: Stage, at: int) -> set[str]:
    from autoagent.state import fold
    from autoagent.trees import load_tree

    main = fold(stage.run, stage.journal.read(stage.run, upto=at)).main
    return set(load_tree(main, stage.journal.objects).entries)


async def test_what_a_person_changes_in_the_new_folder_is_theirs(tmp_path: Path) -> None:
    """A fork is made to be changed before it goes on; nobody is asked about that."""
    stage = await finished_run(tmp_path)
    branch = forked(stage, 2)
    branch.write("in.txt", "mine")
    outcome = await branch.resume(model())

    assert outcome.ending == "proved"
    assert branch.events(QuestionAsked) == []
    assert [event.paths for event in branch.events(FolderChanged)] == [("in.txt",)]
    assert branch.read("in.txt") == "mine"


async def test_a_fork_of_a_fork(tmp_path: Path) -> None:
    """It can be forked like any other run, at what it shares and at its own entries."""
    stage = await finished_run(tmp_path)
    first = forked(stage, 4)
    await first.resume(model())
    for at in (3, 8):
        second = forked(first, at)
        assert (await second.resume(model())).ending == "proved"
        assert second.events(Forked)[-1].source == first.run
        assert second.journal.verify(second.run).first_bad is None


async def test_a_fork_goes_on_with_the_model_that_was_named(tmp_path: Path) -> None:
    """It stands in its record, and in that of a fork of it."""
    stage = await finished_run(tmp_path)
    branch = forked(stage, 3, model="large")
    again = forked(branch, 4)

    assert [e.model for e in branch.events(Forked)] == ["large"]
    assert again.events(Forked)[-1].model == "large"


async def test_a_run_that_is_carried_can_be_forked(tmp_path: Path) -> None:
    """Both go on, each in its folder."""
    stage = Stage.at(tmp_path)
    asking = GOAL + "ask: [finish]\n"
    task = asyncio.create_task(stage.start(asking, model(), wait_s=60))
    await stage.until(lambda s: bool(s.run) and bool(s.state.waiting))
    branch = forked(stage, stage.state.seq)
    outcome = await branch.resume(model(), approver=yes())

    assert outcome.ending == "proved"
    assert stage.state.ended is None
    await interrupt(task)


# --- people and the world outside ---------------------------------------------------------------------------


async def test_questions_are_asked_anew_and_rules_are_over(tmp_path: Path) -> None:
    """Neither an answer nor a `y -N` of the run that it comes from counts."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letters = [call("post_send", to="bob", text=str(n)) for n in range(2)]
    replies = ScriptedModel(planner=[plan("a")], worker=[*letters, write("done.txt", "x"), finish()])
    await stage.start(POST, replies, approver=yes(covers=3))
    at = [e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted)][1] - 1
    assert world.sent == ["bob: 0", "bob: 1"]
    branch = forked(stage, at)
    outcome = await branch.resume(ScriptedModel(worker=[]))

    assert branch.state.standing == ()
    assert outcome.ending == "parked"
    assert branch.question().subject.run == branch.run
    assert world.sent == ["bob: 0", "bob: 1"]


async def test_a_send_that_had_not_begun_is_each_runs_own(tmp_path: Path) -> None:
    """Under the other run's key a receiver would drop this letter, and a probe would find that run's."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letters = [call("post_probed", to="anna", text="hello"), write("done.txt", "x"), finish()]
    replies = ScriptedModel(planner=[plan("a")], worker=letters, by_number=True)
    await stage.start(POST, replies)
    branch = forked(stage, seq_of(stage, CallStarted) - 1)
    await branch.resume(replies)

    assert world.sent == ["anna: hello", "anna: hello"]
    keys = [[e.key for e in each.events(CallDecided) if e.tool == "post_probed"] for each in (stage, branch)]
    assert keys[1][0] == keys[0][0] != keys[1][1]


async def test_a_send_that_had_not_begun_ends_where_its_tool_is_gone(tmp_path: Path) -> None:
    """The plugin has lost it since: the worker is told, nothing is sent, and the fork goes on."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letters = [call("post_probed", to="anna", text="hello"), write("done.txt", "x"), finish()]
    replies = ScriptedModel(planner=[plan("a")], worker=letters, by_number=True)
    await stage.start(POST, replies)
    branch = forked(stage, seq_of(stage, CallStarted) - 1)
    post = world.plugin()
    branch.plugins = [replace(post, tools=[t for t in post.tools if t.name != "post_probed"])]
    outcome = await branch.resume(replies)

    assert (outcome.ending, world.sent) == ("proved", ["anna: hello"])
    assert "'post_probed' is no longer there" in branch.events(CallEnded)[0].output


async def test_edited_arguments_that_were_not_used_are_asked_about_anew(tmp_path: Path) -> None:
    """The yes to them was the other run's."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letter = call("post_send", to="bob", text="hi")
    replies = ScriptedModel(planner=[plan("a")], worker=[letter, write("done.txt", "x"), finish()])
    await stage.start(POST, replies, approver=yes(edit={"to": "bob", "text": "edited"}))
    branch = forked(stage, seq_of(stage, CallStarted) - 1)
    outcome = await branch.resume(ScriptedModel(worker=[]))

    assert (outcome.ending, world.sent) == ("parked", ["bob: edited"])
    assert branch.question().subject.args == {"to": "bob", "text": "edited"}


async def test_an_open_question_belongs_to_the_run_that_asked(tmp_path: Path) -> None:
    """In the fork it is void, and an answer to it is refused."""
    stage = Stage.at(tmp_path)
    stage.plugins = [World().plugin()]
    letter = call("post_send", to="bob", text="hi")
    await stage.start(POST, ScriptedModel(planner=[plan("a")], worker=[letter]))
    asked = stage.question()
    branch = forked(stage, stage.state.seq)

    assert branch.state.waiting == ()
    assert branch.state.parked is None
    voided = branch.state.questions[asked.id].voided
    assert voided == f"asked in run {stage.run}, which this one was forked from"


@pytest.mark.parametrize("tool_name", ["post_keyed", "post_send"])
async def test_a_send_under_way_is_never_done_again_by_its_key(tmp_path: Path, tool_name: str) -> None:
    """The run that it comes from may have done it: a person is asked, who reads that."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letter = call(tool_name, to="anna", text="hello")
    replies = ScriptedModel(
        planner=[plan("a")], worker=[letter, write("done.txt", "x"), finish()], by_number=True
    )
    await stage.start(POST, replies)
    branch = forked(stage, seq_of(stage, CallStarted))
    outcome = await branch.resume(replies)

    assert outcome.ending == "parked"
    question = branch.question()
    assert question.subject.kind == "recovery"
    assert f"by run {stage.run}, which this one was forked from, so it may have happened" in question.why
    assert world.sent == ["anna: hello"]
    branch.answer("skip")
    assert (await branch.resume(replies)).ending == "proved"
    assert world.sent == ["anna: hello"]


async def test_a_send_under_way_is_settled_by_its_probe(tmp_path: Path) -> None:
    """Who can look it up needs nobody."""
    stage = Stage.at(tmp_path)
    world = World()
    stage.plugins = [world.plugin()]
    letter = call("post_probed", to="anna", text="hello")
    replies = ScriptedModel(
        planner=[plan("a")], worker=[letter, write("done.txt", "x"), finish()], by_number=True
    )
    await stage.start(POST, replies)
    made = fork(stage.journal, stage.home, stage.run, seq_of(stage, CallStarted))
    branch = replace(stage, run=made.run, folder=Path(made.workspace))

    assert made.under_way == ("post_probed anna",)
    assert (await branch.resume(replies)).ending == "proved"
    assert world.sent == ["anna: hello"]


async def test_what_was_sent_before_is_told(tmp_path: Path) -> None:
    """It stands in the fork's past; what was sent later doesn't."""
    stage = Stage.at(tmp_path)
    stage.plugins = [World().plugin()]
    letters = [call("post_send", to="anna", text=str(n)) for n in range(2)]
    replies = ScriptedModel(planner=[plan("a")], worker=[*letters, write("done.txt", "x"), finish()])
    await stage.start(POST, replies)
    second = [e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted)][1]

    assert fork(stage.journal, stage.home, stage.run, second - 1).sent == ("post_send anna",)


# --- what is refused ----------------------------------------------------------------------------------------


async def test_a_run_that_had_ended_is_not_forked_there(tmp_path: Path) -> None:
    """The error says where it can be."""
    stage = await finished_run(tmp_path)
    end = seq_of(stage, RunEnded)

    with pytest.raises(UsageError, match=f"had ended at entry {stage.state.seq}; choose N < {end}"):
        forked(stage, stage.state.seq)
    with pytest.raises(UsageError, match=r"there is no entry 999; .* has the entries 1 to"):
        forked(stage, 999)
    assert [run.id for run in stage.journal.runs()] == [stage.run]


async def test_what_was_recorded_together_is_not_taken_apart(tmp_path: Path) -> None:
    """No run ever stood between two such entries; the error names the places beside them."""
    stage = await finished_run(tmp_path)
    between = next(at for at in range(2, stage.state.seq) if at not in stage.ends)
    before = max(at for at in stage.ends if at < between)
    after = min(at for at in stage.ends if at > between)

    with pytest.raises(UsageError, match=f"were recorded together; choose N = {before} or {after}"):
        forked(stage, between)


async def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """An empty one is taken; one that holds a file, or overlaps the run's own, isn't."""
    stage = await finished_run(tmp_path)
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="holds something; name a new one, or an empty one"):
        forked(stage, 3, full)
    with pytest.raises(UsageError, match="overlap; name another"):
        forked(stage, 3, stage.folder / "inside")
    with pytest.raises(UsageError, match="can't be made: No such file"):
        forked(stage, 3, tmp_path / "no" / "such")
    assert forked(stage, 3, empty).folder == empty
    assert (full / "mine.txt").read_text() == "mine"
    assert len(stage.journal.runs()) == 2


async def test_a_broken_run_is_forked_before_the_break_and_not_resumed(tmp_path: Path) -> None:
    """Resuming names the entry and the way on, which leads to the same end."""
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, model(), choices=None)
    assert isinstance(stage.journal, MemoryJournal)
    stage.journal.rewrite(
        stage.run, lambda rows: [r._replace(at_us=r.at_us + 1) if r.seq == 9 else r for r in rows]
    )

    with pytest.raises(StoreDamaged, match=rf"entry 9 .*autoagent fork {stage.run} --at 8"):
        await stage.resume(model())
    with pytest.raises(StoreDamaged, match=r"entry 9 is not what was written: .*; choose N <= 8"):
        forked(stage, 10)
    assert (await forked(stage, 8).resume(model())).ending == "proved"


# --- kill -9 ------------------------------------------------------------------------------------------------

FORK = """
import os, signal, sys
from pathlib import Path
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.fork import fork

class Kill:
    def reached(self, point):
        if point == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)

home = Path(sys.argv[1])
fork(SqliteJournal(home, faults=Kill()), home, sys.argv[2], int(sys.argv[4]), faults=Kill())
"""
POINTS: list[FaultPoint] = ["file half written", "between two paths", "about to commit", "committed"]


@pytest.mark.parametrize("point", POINTS)
async def test_killed_while_forking_there_is_none_or_a_whole_one(tmp_path: Path, point: FaultPoint) -> None:
    """The run that it comes from is as it was, and what stands in the list of runs can be resumed."""
    journal = SqliteJournal(tmp_path / "home")
    stage = Stage.at(tmp_path, {f"in{n}.txt": "x" * n for n in range(9)}, journal=journal)
    await stage.start(GOAL, model())
    before = journal.verify(stage.run)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORK, str(tmp_path / "home"), stage.run, point, "4"
    )
    status = await process.wait()
    runs = [run.id for run in journal.runs() if run.id != stage.run]

    assert status == -signal.SIGKILL
    assert len(runs) == (point == "committed")
    assert whole(journal.verify(stage.run)) == whole(before)
    for run in runs:
        branch = replace(stage, run=run, folder=Path(journal.head(run).workspace))
        assert (await branch.resume(model())).ending == "proved"
        assert branch.files() == stage.files()
    made: Fork = fork(journal, stage.home, stage.run, 4)
    assert journal.verify(made.run).first_bad is None
    journal.close()


def whole(found: Verification) -> tuple[int | None, str]:
    return found.first_bad, found.head


async def test_a_run_whose_folder_is_gone_names_the_way_out(tmp_path: Path) -> None:
    """Its files stand in the journal: a fork lays them out."""
    ask = call("ask_human", question="What else?")
    stage = Stage.at(tmp_path)
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "A"), ask]))
    (stage.folder / "a.txt").unlink()
    stage.folder.rmdir()

    with pytest.raises(UsageError, match=r"is no folder any more.*'autoagent fork RUN --at N'"):
        await stage.resume(model())
    branch = forked(stage, stage.ends[-1])
    assert branch.files() == {"a.txt": "A"}
