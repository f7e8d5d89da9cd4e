"""The person's edits are theirs: never overwritten, whenever they are made."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import Stage, Together, finish, plan, write

from autoagent.commands import Answer, Cancel, RaiseLimits
from autoagent.console.ending import unsettled
from autoagent.console.question import whole
from autoagent.events import (
    CallEnded,
    Entry,
    FolderChanged,
    LaneConflicted,
    QuestionAsked,
    QuestionVoided,
    RunParked,
)
from autoagent.loop.versions import DELETED, place_beside, resolved
from autoagent.messages import Reply
from autoagent.past.fork import fork
from autoagent.ports import ModelRequest
from autoagent.questions import Question
from autoagent.state import RunState
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import Tree, WorkingCopy, load_tree
from autoagent.trees.tree import EMPTY
from autoagent.wiring import Choices

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"


class Meddled(Stage):
    """A stage where the person edits in the very moment between a write's record and its projection."""

    def meddle(self, path: str, text: str) -> None:
        self._edit = (path, text)

    def on_entry(self, entry: object) -> None:
        event = entry.event  # type: ignore[attr-defined]
        if getattr(self, "_edit", None) and isinstance(event, CallEnded) and event.tree is not None:
            self.write(*self._edit)
            self._edit = None


def meddled(tmp_path: Path, files: dict[str, str]) -> Meddled:
    stage = Meddled.at(tmp_path, files)
    assert isinstance(stage, Meddled)
    return stage


async def both_changed(stage: Meddled, worker: list[object], **hooks: object) -> object:
    """The person writes `mine` while the agent's first write is on its way to the same path."""
    stage.meddle("a.txt", "mine")
    model = ScriptedModel(planner=[plan("a")], worker=worker)
    return await stage.start(GOAL, model, on_entry=stage.on_entry, **hooks)


async def test_same_path_changed_by_both_is_a_question(tmp_path: Path) -> None:
    """The person's version stays in place while the question waits."""
    stage = meddled(tmp_path, {"a.txt": "old"})

    parked = await both_changed(stage, [write("a.txt", "theirs"), finish()])

    assert parked.ending == "parked"  # type: ignore[attr-defined]
    asked = stage.question()
    assert (asked.subject.kind, asked.choices) == ("folder", ("mine", "theirs", "both"))
    assert asked.subject.args["paths"] == ["a.txt"]  # type: ignore[index, call-overload]
    assert stage.read("a.txt") == "mine"


async def test_a_cancelled_question_of_versions_says_what_became_of_both(tmp_path: Path) -> None:
    """The person's is in the folder; the command that is named gives back the agent's."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    await both_changed(stage, [write("a.txt", "theirs"), finish()])
    stage.send(Cancel(why="enough"))
    await stage.resume(ScriptedModel())

    said = [str(each) for each in unsettled(stage.state)]
    assert said[0] == "your version stays in the folder: a.txt"
    assert f"autoagent fork {stage.run} --at N" in said[1]
    assert stage.read("a.txt") == "mine"
    main = load_tree(stage.state.main, stage.journal.objects)
    assert stage.journal.objects.get(main.entries["a.txt"].sha256) == b"theirs"  # what diff shows
    at = next(x.seq for x in stage.journal.read(stage.run) if isinstance(x.event, RunParked))
    made = fork(stage.journal, stage.home, stage.run, at, into=tmp_path / "fork")
    assert (Path(made.workspace) / "a.txt").read_text() == "theirs"


@pytest.mark.parametrize(
    ("choice", "files"),
    [
        ("mine", {"a.txt": "mine"}),
        ("theirs", {"a.txt": "theirs"}),
        ("both", {"a.txt": "mine", "a.txt.agent": "theirs"}),
    ],
)
@pytest.mark.parametrize("cut", [False, True], ids=["resumed", "died-before-the-projection"])
async def test_person_chooses_whose_version_stays(
    tmp_path: Path, choice: str, files: dict[str, str], cut: bool
) -> None:
    """Mine, theirs, both: the folder holds what was chosen, also if the process dies right after."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    worker = [write("a.txt", "theirs"), finish()]
    await both_changed(stage, worker)
    stage.answer(choice)
    model = ScriptedModel(worker={"a": [finish()] * 3})
    outcome = await stage.resume(model)
    if cut:
        last = [e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, FolderChanged)][-1]
        stage.kill(last)
        stage.write("a.txt", "mine")
        (stage.folder / "a.txt.agent").unlink(missing_ok=True)
        outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == files
    assert len(stage.events(QuestionAsked)) == 1


async def test_edit_while_the_question_waits_asks_anew(tmp_path: Path) -> None:
    """The answer was about another version: the newest one is the person's, and is asked about."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    await both_changed(stage, [write("a.txt", "theirs"), finish()])
    first = stage.question()
    stage.send(Answer(question=first.id, digest=first.digest, text="theirs"))
    stage.write("a.txt", "mine, better")

    again = await stage.resume(ScriptedModel())

    assert again.ending == "parked"
    assert stage.question().id != first.id
    assert stage.read("a.txt") == "mine, better"
    stage.answer("mine")
    assert (await stage.resume(ScriptedModel(worker=[finish()]))).ending == "proved"
    assert stage.read("a.txt") == "mine, better"


async def test_open_folder_question_is_voided_by_a_newer_edit(tmp_path: Path) -> None:
    """Only the question about the folder as it is stays open."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    await both_changed(stage, [write("a.txt", "theirs"), finish()])
    stage.write("a.txt", "mine, better")

    await stage.resume(ScriptedModel())

    assert len(stage.events(QuestionVoided)) == 1
    assert len(stage.state.waiting) == 1


@pytest.mark.parametrize("absence", ["skip"])
async def test_where_nobody_chooses_both_stay(tmp_path: Path, absence: str) -> None:
    """No version is thrown away for want of an answer."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    stage.meddle("a.txt", "mine")
    model = ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "theirs"), finish()])

    outcome = await stage.start(GOAL + f"if_nobody_answers: {absence}\n", model, on_entry=stage.on_entry)

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "mine", "a.txt.agent": "theirs"}


async def test_writes_after_the_clash_wait_for_the_answer(tmp_path: Path) -> None:
    """The next call of the same reply doesn't move main past a folder that is behind."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    worker = [calls(write("a.txt", "theirs"), write("b.txt", "1"), write("b.txt", "2"), finish())]
    parked = await both_changed(stage, worker)
    assert parked.ending == "parked"  # type: ignore[attr-defined]
    assert stage.files() == {"a.txt": "mine"}
    stage.answer("mine")

    outcome = await stage.resume(ScriptedModel())

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "mine", "b.txt": "2"}
    assert len(stage.events(QuestionAsked)) == 1


async def test_edit_between_crash_and_resume_is_kept(tmp_path: Path) -> None:
    """What the person did while no process ran is adopted, on other paths and on none of the agent's."""
    stage = Stage.at(tmp_path, {"mine.txt": "old", "gone.txt": "x"})
    model = ScriptedModel(
        planner=[plan("a")], worker=[write("a.txt", "1"), write("a.txt", "2"), finish()], by_number=True
    )
    await stage.start(GOAL, model)
    stage.kill(stage.kinds().index("call_ended") + 1)
    stage.restore()
    stage.write("mine.txt", "new")
    (stage.folder / "gone.txt").unlink()

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == {"mine.txt": "new", "a.txt": "2"}
    assert stage.events(FolderChanged)[0].paths == ("gone.txt", "mine.txt")


async def test_edit_while_parked_is_kept(tmp_path: Path) -> None:
    """A run that waits looks at the folder again before it goes on."""
    stage = Stage.at(tmp_path, {"mine.txt": "old"})
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[
            write("a.txt", "x"),
            call("ask_human", question="go on?"),
            call("files_read", path="mine.txt"),
            finish(),
        ],
    )
    await stage.start(GOAL, model)
    stage.write("mine.txt", "new")
    stage.answer("yes")

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert model.prompts[-1].last.text == "new"
    assert stage.files() == {"a.txt": "x", "mine.txt": "new"}


async def test_edit_of_what_the_agent_wrote_last_is_no_clash(tmp_path: Path) -> None:
    """While the run is parked the folder holds what was written: who edits that changes it knowingly."""
    stage = Stage.at(tmp_path)
    worker = [write("a.txt", "agent's"), call("ask_human", question="is it good?"), finish()]
    model = ScriptedModel(planner=[plan("a")], worker=worker)
    await stage.start(GOAL, model)
    stage.write("a.txt", "better")
    stage.answer("now it is")

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert [q.question.subject.kind for q in stage.events(QuestionAsked)] == ["question"]
    assert stage.read("a.txt") == "better"


async def test_edit_after_a_limit_is_no_clash(tmp_path: Path) -> None:
    """Who mends what there is and then raises the limit changes the agent's last version knowingly."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a")], worker=[write("b.txt", "agent's"), write("a.txt", "x"), finish()]
    )
    await stage.start(f"{GOAL}limits: {{steps: 1}}\n", model)
    stage.write("b.txt", "better")

    outcome = await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=9)))

    assert outcome.ending == "proved"
    assert stage.events(QuestionAsked) == []
    assert stage.read("b.txt") == "better"


async def test_edit_of_ones_own_edit_after_a_crash_is_no_clash(tmp_path: Path) -> None:
    """The agent never touched the file; a question would offer the person's older version as the agent's."""
    stage = Stage.at(tmp_path)
    worker = [write("b.txt", "x"), write("c.txt", "y"), write("a.txt", "z"), finish()]

    def edit(entry: Entry) -> None:
        if isinstance(entry.event, CallEnded) and entry.event.call.endswith(".1.1"):
            stage.write("mine.txt", "first")

    model = ScriptedModel(planner=[plan("a")], worker=worker, by_number=True)
    await stage.start(GOAL, model, on_entry=edit)
    (adopted,) = [e.seq for e in stage.entries if isinstance(e.event, FolderChanged)]
    stage.kill(next(end for end in stage.ends if end >= adopted))
    stage.restore()
    stage.write("mine.txt", "second")

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.events(QuestionAsked) == []
    assert stage.read("mine.txt") == "second"


async def test_edit_of_what_a_fork_changes_is_a_conflict_for_the_fork(tmp_path: Path) -> None:
    """Side by side, the person's edit is in main before the lane merges: the lane brings both together."""
    stage = Stage.at(tmp_path, {"a.txt": "old"})

    class Slow(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b" and request.number == 2:
                stage.write("a.txt", "mine")

    model = Slow(
        planner=[plan("a", "b")],
        worker={
            "a": [finish()],
            "b": [write("a.txt", "theirs"), finish(), write("a.txt", "mine and theirs"), finish()],
        },
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert stage.files() == {"a.txt": "mine and theirs", "a.txt.b": "theirs"}
    assert len(stage.events(LaneConflicted)) == 1


async def test_removed_workspace_stops_the_run_and_is_told(tmp_path: Path) -> None:
    """A folder that is gone mid-run is no end: exit 5 with the reason, and resume when it is back."""
    stage = Stage.at(tmp_path)

    def vanish(request: object) -> Reply:
        stage.folder.rename(tmp_path / "elsewhere")
        return write("a.txt", "x")

    outcome = await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=[vanish]))

    assert (outcome.ending, outcome.exit_code) == ("unavailable", 5)
    (tmp_path / "elsewhere").rename(stage.folder)
    assert (await stage.resume(ScriptedModel(worker=[finish()]))).ending == "proved"
    assert stage.read("a.txt") == "x"


async def test_answer_comes_from_the_person_at_the_terminal(tmp_path: Path) -> None:
    """The approver sees the folder question as any other."""
    stage = meddled(tmp_path, {"a.txt": "old"})

    async def person(question: Question, state: RunState) -> Answer:
        return Answer(question=question.id, digest=question.digest, text="both")

    outcome = await both_changed(stage, [write("a.txt", "theirs"), finish()], approver=person)

    assert outcome.ending == "proved"  # type: ignore[attr-defined]
    assert stage.files() == {"a.txt": "mine", "a.txt.agent": "theirs"}


# --- versions -----------------------------------------------------------------------------------------------

OBJECTS = MemoryObjects()


def tree(**files: str | None) -> Tree:
    """`a__b="x"` is a/b with the text x; `None` is a folder."""
    copy = WorkingCopy(EMPTY, OBJECTS)
    for name, text in files.items():
        path = name.replace("__", "/")
        copy.make_folder(path) if text is None else copy.write(path, text.encode())
    return copy.tree()


def texts(found: Tree) -> dict[str, str]:
    return {p: OBJECTS.get(e.sha256).decode() for p, e in found.entries.items() if e.kind == "file"}


@pytest.mark.parametrize(
    ("mine", "theirs", "paths", "both", "their_way"),
    [
        (tree(a="m"), tree(a="t"), ["a"], {"a": "m", "a.agent": "t"}, {"a": "t"}),
        (tree(a="m"), tree(), ["a"], {"a": "m"}, {}),
        (tree(), tree(a="t"), ["a"], {"a.agent": "t"}, {"a": "t"}),
        (tree(d="m"), tree(d__x="t"), ["d", "d/x"], {"d": "m", "d.agent/x": "t"}, {"d/x": "t"}),
        (tree(d="m"), tree(d__x="t"), ["d/x"], {"d": "m", "d.agent/x": "t"}, {"d/x": "t"}),
        (tree(d__x="m"), tree(d="t"), ["d"], {"d/x": "m", "d.agent": "t"}, {"d": "t"}),
        (
            tree(a="m", **{"a.agent": "old"}),
            tree(a="t"),
            ["a"],
            {"a": "m", "a.agent": "old", "a.agent2": "t"},
            {"a": "t", "a.agent": "old"},
        ),
        (tree(d="m"), tree(), ["d/x"], {"d": "m"}, {"d": "m"}),
    ],
)
def test_two_versions_of_paths(
    mine: Tree, theirs: Tree, paths: list[str], both: dict[str, str], their_way: dict[str, str]
) -> None:
    """Beside each other, or the other's in place; files and folders may stand in each other's way."""
    assert texts(resolved("mine", paths, mine, theirs, OBJECTS)) == texts(mine)
    assert texts(resolved("both", paths, mine, theirs, OBJECTS)) == both
    assert texts(resolved("theirs", paths, mine, theirs, OBJECTS)) == their_way


def test_kept_versions_are_named() -> None:
    """Path -> where its version is now; a version that isn't there says so."""
    copy = WorkingCopy(tree(a="m", b="m"), OBJECTS)

    kept = place_beside(copy, ["a", "b"], tree(a="t"), "lane")

    assert kept == {"a": "a.lane", "b": DELETED}


async def test_choice_of_both_is_told_once_and_as_what_it_is(tmp_path: Path) -> None:
    """The person changed one path; the other one is the agent's version, put beside it."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    await both_changed(stage, [write("a.txt", "theirs"), finish()])
    stage.answer("both")

    await stage.resume(ScriptedModel(worker={"a": [finish()] * 3}))

    changed = [(e.paths, e.chosen) for e in stage.events(FolderChanged)]
    assert changed == [(("a.txt",), ""), (("a.txt.agent",), "both")]


async def test_question_shows_what_differs(tmp_path: Path) -> None:
    """Path, sizes, the differing lines of both, and what each choice brings about."""
    stage = meddled(tmp_path, {"a.txt": "old"})
    await both_changed(stage, [write("a.txt", "same\ntheirs, longer\n"), finish()])
    first = stage.question().id
    stage.write("a.txt", "same\nmine\n")
    await stage.resume(ScriptedModel())

    shown = [str(x) for x in whole(stage.question(), stage.state, stage.journal.objects)]

    assert shown[2:4] == [
        f"Asked anew: {first} stands no longer, no answer to it counts.",
        "The files have changed again since.",
    ]
    assert shown[5:-1] == [
        "mine       yours stays; the agent's version is dropped",
        "theirs     the agent's version takes its place; yours is dropped",
        "both       yours stays, and the agent's is put beside it under a name of its own",
        "lines with - stand in your folder, whoever wrote them; lines with + in the agent's version",
        "path   a.txt · in your folder 10 B · the agent's 20 B",
        "│ @@ -1,2 +1,2 @@",
        "│  same",
        "│ -mine",
        "│ +theirs, longer",
    ]
