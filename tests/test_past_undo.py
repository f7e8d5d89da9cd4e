"""`undo`: what the agent did is taken back, what the person did stays, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import Cli, Terminal
from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, finish, plan, write
from test_cli_journal import POST, Capture, Desk
from worlds import World

from autoagent import wiring
from autoagent.errors import RunOwned, UsageError
from autoagent.events import CallEnded, Entry, FolderChanged, LaneReset, Observed, Undone
from autoagent.outcome import is_ending_past, proved_now, results
from autoagent.past.heads import heads
from autoagent.past.undo import Keep, Undo, carry_out, effects_after, once_projected, plan_for, planned
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, WorkingCopy, load_tree

GOAL = "goal: Tidy up.\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
OBJECTS = MemoryObjects()
KEEPS: tuple[Keep, ...] = ("mine", "theirs", "both")


def tree(files: dict[str, str]) -> Tree:
    copy = WorkingCopy(EMPTY, OBJECTS)
    for path, text in files.items():
        copy.write(path, text.encode())
    return copy.tree()


def files_of(tree: Tree) -> dict[str, str]:
    entries = tree.entries.items()
    return {path: OBJECTS.get(e.sha256).decode() for path, e in entries if e.kind == "file"}


folders = st.dictionaries(st.sampled_from(["a", "b", "c", "d/x", "d/y"]), st.sampled_from("123"))


class TestPlan:
    """Pure: three trees, and what becomes of them."""

    @given(folders, folders, folders, st.sampled_from(KEEPS))
    def test_the_agents_changes_go_and_the_persons_stay(
        self, target: dict[str, str], main: dict[str, str], found: dict[str, str], keep: Keep
    ) -> None:
        """Path by path: what only one side changed is as that side wants it, and a clash is as was chosen."""
        undo = planned(7, tree(target), tree(main), tree(found), keep, OBJECTS)

        held = files_of(undo.result)
        for path in {*target, *main, *found}:
            was, now, wanted = main.get(path), found.get(path), target.get(path)
            if now in (was, wanted):
                assert held.get(path) == wanted
            elif was == wanted or keep != "theirs":
                assert held.get(path) == now
            else:
                assert held.get(path) == wanted
        clashing = {p for p in held.keys() | found if _clashes(target.get(p), main.get(p), found.get(p))}
        assert {c.path for c in undo.clashes} == clashing | {*undo.kept} if keep != "theirs" else True

    @given(folders, folders, folders)
    def test_both_versions_of_a_clash_are_in_the_folder(
        self, target: dict[str, str], main: dict[str, str], found: dict[str, str]
    ) -> None:
        """`both`: the earlier one stands beside the person's."""
        undo = planned(7, tree(target), tree(main), tree(found), "both", OBJECTS)

        held = files_of(undo.result)
        for path, beside in undo.kept.items():
            assert held.get(beside) == target.get(path)
            assert held.get(path) == found.get(path)

    def test_a_mode_that_the_person_changed_stays(self) -> None:
        """And is no version of the file by itself."""
        copy = WorkingCopy(tree({"run.sh": "new", "b": "2"}), OBJECTS)
        copy.set_mode("run.sh", 0o755)
        main = tree({"run.sh": "new", "b": "2"})

        undo = planned(1, tree({"run.sh": "old"}), main, copy.tree(), "mine", OBJECTS)

        assert undo.clashes == ()
        assert files_of(undo.result) == {"run.sh": "old"}
        assert undo.result.entries["run.sh"].mode == 0o755

    def test_files_and_folders_that_changed_places_are_left_to_the_person(self) -> None:
        """What can't be merged stays as it was found."""
        found = tree({"a/mine": "1"})

        undo = planned(1, tree({"a": "old"}), tree({"a": "new"}), found, "mine", OBJECTS)

        assert undo.result == found

    def test_a_folder_that_lags_behind_is_no_edit(self) -> None:
        """What a crash kept from being projected is what `main` had before, not a person's."""
        before, main = tree({"a": "1", "b": "1"}), tree({"a": "2", "b": "2"})

        assert once_projected(tree({"a": "1", "b": "2", "c": "x"}), before, main, OBJECTS) == tree(
            {"a": "2", "b": "2", "c": "x"}
        )


def _clashes(target: str | None, main: str | None, found: str | None) -> bool:
    return len({target, main, found}) == 3 or (found != main and found != target and main != target)


# --- runs ---------------------------------------------------------------------------------------------------


async def tidied(stage: Stage) -> None:
    """Ends proved: changes a.txt, removes b.txt, makes new.txt."""
    worker = [write("a.txt", "agent\n"), call("files_delete", path="b.txt"), write("new.txt", "n"), finish()]
    await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=worker))


def begun(path: Path) -> Stage:
    return Stage.at(path, {"a.txt": "mine\n", "b.txt": "b"})


async def take_back(stage: Stage, to: int = 1, keep: Keep = "mine") -> Undo:
    """As the command does it."""
    objects, moves = stage.journal.objects, heads(stage.run, stage.journal.read(stage.run))
    with wiring.held_workspace(stage.journal, stage.run, stage._parts(ScriptedModel())) as workspace:
        found = await workspace.settled()
        main = workspace.tree(workspace.history.state.main)
        undo = plan_for(moves, to, main, found, keep, objects)
        await carry_out(workspace, undo)
    return undo


async def test_an_ended_run_is_taken_back_to_how_it_found_the_folder(tmp_path: Path) -> None:
    """Whatever it changed, made and removed; and its record says so."""
    stage = begun(tmp_path)
    await tidied(stage)

    await take_back(stage)

    assert stage.files() == {"a.txt": "mine\n", "b.txt": "b"}
    outcome = await stage.resume(ScriptedModel())
    assert (outcome.ending, outcome.files) == ("proved", ())
    assert outcome.reason == "the criterion is proved; undone to entry 1 since"


async def test_a_proof_of_files_that_were_taken_back_is_none(tmp_path: Path) -> None:
    """What it was is said, and that it isn't so of what is there; taking that back mends it."""
    stage = begun(tmp_path)
    await tidied(stage)
    last = stage.state.seq

    await take_back(stage)

    (result,) = results(stage.state)
    assert result.verdict == "unchecked"
    assert result.evidence.startswith("it was proved (")
    assert result.evidence.endswith("then you took files back to entry 1: not proved of what is there now")
    assert (proved_now(stage.state), is_ending_past(stage.state)) == (0, True)
    await take_back(stage, to=last)
    assert (proved_now(stage.state), is_ending_past(stage.state)) == (1, False)


async def test_any_entry_can_be_gone_back_to_and_an_undo_undone(tmp_path: Path) -> None:
    """Each write's entry is a place to go."""
    stage = begun(tmp_path)
    await tidied(stage)
    after = stage.files()
    writes = [e.seq for e in stage.journal.read(stage.run) if _is_write(e)]
    last = stage.state.seq

    await take_back(stage, to=writes[0])

    assert stage.files() == {"a.txt": "agent\n", "b.txt": "b"}
    assert stage.state.undone is not None
    await take_back(stage, to=last)
    assert stage.files() == after
    assert stage.state.undone is None  # the evidence is about these very files


def _is_write(entry: Entry) -> bool:
    return isinstance(entry.event, CallEnded) and entry.event.tree is not None


@pytest.mark.parametrize(
    ("keep", "files"),
    [
        ("mine", {"a.txt": "my edit", "notes.txt": "mine too"}),
        ("theirs", {"a.txt": "mine\n", "notes.txt": "mine too"}),
        ("both", {"a.txt": "my edit", "a.txt.entry1": "mine\n", "notes.txt": "mine too"}),
    ],
)
async def test_what_the_person_changed_since_is_kept(
    tmp_path: Path, keep: Keep, files: dict[str, str]
) -> None:
    """An edit of the same path as they choose; a file of their own always."""
    stage = begun(tmp_path)
    await tidied(stage)
    stage.write("a.txt", "my edit")
    stage.write("notes.txt", "mine too")

    await take_back(stage, keep=keep)

    assert stage.files() == {"b.txt": "b", **files}
    (adopted,) = stage.events(FolderChanged)
    held = load_tree(adopted.tree, stage.journal.objects)
    assert stage.journal.objects.get(held.entries["a.txt"].sha256) == b"my edit"


async def test_what_the_person_changed_stays_however_often(tmp_path: Path) -> None:
    """Also once it is part of `main`: taken in before, by an earlier undo, or while the run went on."""
    stage = begun(tmp_path)
    await tidied(stage)
    stage.write("a.txt", "my edit")
    stage.write("notes.txt", "mine too")

    for _ in range(2):
        await take_back(stage)

        assert stage.files() == {"a.txt": "my edit", "b.txt": "b", "notes.txt": "mine too"}
    await take_back(stage, keep="theirs")
    assert stage.files() == {"a.txt": "mine\n", "b.txt": "b", "notes.txt": "mine too"}


async def test_what_the_person_undid_by_hand_is_no_clash(tmp_path: Path) -> None:
    """A path that holds what was wanted already stays."""
    stage = begun(tmp_path)
    await tidied(stage)
    stage.write("a.txt", "mine\n")

    undo = await take_back(stage)

    assert undo.clashes == ()
    assert "a.txt" not in stage.events(Undone)[0].paths


async def test_an_unfinished_run_goes_on_from_there(tmp_path: Path) -> None:
    """The agent is told what was taken back, and works on what is there."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    goal = "goal: g\nplugins: [files]\nallow: {send: {post: []}}\ndone_when: [{file: b.txt}]\n"
    worker = [write("a.txt", "A"), call("post_send", to="bob", text="hi")]
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker))
    assert stage.state.parked

    await take_back(stage)
    assert stage.files() == {}
    stage.deny("no")
    model = ScriptedModel(worker=[write("b.txt", "B"), finish()])
    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.files() == {"b.txt": "B"}
    (told,) = [e.text for e in stage.events(Observed) if e.source == "folder"]
    assert told.startswith("The person took files back to what they were before while you work: 'a.txt'.")
    assert told in str(model.prompts[0])
    assert stage.state.undone is None


async def test_evidence_that_was_found_since_is_not_about_what_was_before(tmp_path: Path) -> None:
    """A run that parked, was taken back and went on has checked the files as they are."""
    stage = Stage.at(tmp_path)
    goal = "goal: g\nplugins: [files]\nask: [finish]\ndone_when: [{file: a.txt}]\n"
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "A"), finish()]))
    await take_back(stage)
    assert stage.state.undone is not None
    stage.approve()
    await stage.resume(ScriptedModel(worker=[call("ask_human", question="What now?")]))

    assert stage.state.parked
    assert [checked.verdict for checked in stage.state.verdicts.values()] == ["refuted"]
    assert stage.state.undone is None


async def test_a_new_start_of_the_sub_task_does_not_bring_it_back(tmp_path: Path) -> None:
    """The ladder's way back goes to what the person wanted, not to what they took back."""
    stage = Stage.at(tmp_path, plugins=[World().plugin()])
    goal = "goal: g\nplugins: [files]\nallow: {send: {post: []}}\ndone_when: [{file: done.txt}]\n"
    worker = {"a": [write("a.txt", "A"), finish()], "b": [call("post_send", to="bob", text="hi")]}
    model = ScriptedModel(planner=[plan("a", b="a")], worker=worker)
    await stage.start(goal, model)
    assert stage.files() == {"a.txt": "A"}

    await take_back(stage)
    stage.deny("no")
    same = call("files_list", path=".")
    await stage.resume(ScriptedModel(worker=[*[same] * 6, write("done.txt", "x"), finish()]))

    assert stage.events(LaneReset)
    assert stage.files() == {"done.txt": "x"}


@pytest.mark.parametrize("by", ["resume", "undo"])
@pytest.mark.parametrize(
    "half", [{}, {"a.txt": "mine\n", "new.txt": "n"}, {"a.txt": "agent\n", "b.txt": "b"}]
)
async def test_killed_in_between_it_is_brought_to_its_end(
    tmp_path: Path, by: str, half: dict[str, str]
) -> None:
    """Whatever part of it the folder holds, `resume` or another undo does the rest."""
    stage = begun(tmp_path)
    await tidied(stage)
    before = stage.files()
    await take_back(stage)
    (recorded, whole) = (e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, Undone))
    assert whole == recorded + 1
    stage.kill(recorded)
    for path in stage.files():
        (stage.folder / path).unlink()
    for path, text in (half or before).items():
        stage.write(path, text)

    await (stage.resume(ScriptedModel()) if by == "resume" else take_back(stage))

    assert stage.files() == {"a.txt": "mine\n", "b.txt": "b"}


async def test_a_person_who_restores_a_file_later_keeps_it(tmp_path: Path) -> None:
    """An undo that is done is done: saying the outcome again does not touch the folder."""
    stage = begun(tmp_path)
    await tidied(stage)
    await take_back(stage)
    stage.write("new.txt", "n")

    await stage.resume(ScriptedModel())

    assert stage.read("new.txt") == "n"


async def test_nothing_is_done_where_the_folder_is_another_than_was_shown(tmp_path: Path) -> None:
    """Between the question and the answer somebody may have edited."""
    stage = begun(tmp_path)
    await tidied(stage)
    objects = stage.journal.objects
    with wiring.held_workspace(stage.journal, stage.run, stage._parts(ScriptedModel())) as workspace:
        main, found = workspace.tree(stage.state.main), await workspace.found()
        undo = planned(1, load_tree(stage.state.start_tree, objects), main, found, "mine", objects)
        stage.write("a.txt", "quick edit")

        with pytest.raises(UsageError, match="changed since this was shown"):
            await carry_out(workspace, undo)

    assert stage.read("a.txt") == "quick edit"
    assert stage.events(Undone) == []


async def test_nobody_undoes_under_a_process_that_works(tmp_path: Path) -> None:
    """The lease is taken for it."""
    stage = begun(tmp_path)
    await tidied(stage)
    lease = stage.journal.acquire(stage.run, "other:1")

    with pytest.raises(RunOwned), wiring.held_workspace(stage.journal, stage.run):
        pass

    stage.journal.release(lease)


async def test_what_left_the_house_is_listed(tmp_path: Path) -> None:
    """After that entry only; what was started and never reported back may have happened."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    goal = "goal: g\nplugins: [files]\nallow: {send: {post: [anna, bob]}}\ndone_when: [{file: a.txt}]\n"
    sends = [call("post_send", to=to, text="hi") for to in ("anna", "bob")]
    worker = [sends[0], write("a.txt", "A"), sends[1], call("post_broken", to="anna"), finish()]
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker))
    entries = stage.journal.read(stage.run)
    (wrote,) = (e.seq for e in entries if _is_write(e))

    everything, later = effects_after(entries, 1), effects_after(entries, wrote)

    assert [(x.tool, x.destination, x.is_sure) for x in everything] == [
        ("post_send", "anna", True),
        ("post_send", "bob", True),
        ("post_broken", "anna", False),
    ]
    assert [x.destination for x in later] == ["bob", "anna"]
    unreported = [e for e in entries if e.seq < later[0].seq]
    assert [x.is_sure for x in effects_after(unreported, wrote)] == [False]


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture) -> Iterator[Desk]:
    return Desk(tmp_path, capsys)


def written(desk: Desk) -> tuple[str, Path]:
    run = desk.start(GOAL, write("a.txt", "agent\n"), finish()).run
    return run, desk.folder / "w0"


def test_without_a_terminal_it_wants_a_yes(desk: Desk) -> None:
    """Or only says what it would do."""
    run, folder = written(desk)

    assert "add --yes, or --dry-run" in desk("undo", run, status=2)
    assert desk("undo", run, "--dry-run").splitlines() == [
        "The folder would be as the run found it:",
        "  -  a.txt  -1",
        "nothing was done: this only says what 'undo' would do",
    ]
    assert (folder / "a.txt").exists()


def test_yes_takes_back_and_says_how_to_revert(desk: Desk) -> None:
    """The number that it names leads to where the folder was."""
    run, folder = written(desk)

    last = desk("undo", run, "--yes").splitlines()[-1]

    assert [*folder.iterdir()] == []
    assert "undone to entry 1 since" in desk("show", run)
    assert "proved, then taken back: 0 of 1" in desk("runs")
    desk(*last.split("'")[1].split()[1:], "--yes")
    assert (folder / "a.txt").read_text() == "agent\n"
    now = len(desk("export", run).splitlines())
    assert desk("undo", run, "--to", str(now), "--yes") == (
        f"Nothing to take back: the folder is as it was after entry {now}.\n"
    )


def test_both_versions_of_a_clash_are_shown(desk: Desk) -> None:
    """With how to choose."""
    replies = [write("a.txt", "one\n"), write("a.txt", "two\n"), write("b.txt", "b\n"), finish()]
    run = desk.start(GOAL, *replies).run
    (desk.folder / "w0" / "a.txt").write_text("my edit\n")
    rows = [json.loads(row) for row in desk("export", run).splitlines()]
    first = next(r["seq"] for r in rows if r["event"].get("tree") and r["event"]["kind"] == "call_ended")

    assert desk("undo", run, "--to", str(first), "--dry-run").splitlines() == [
        f"The folder would be as it was after entry {first}:",
        "  -  b.txt  -1",
        "",
        f"You changed these as well; - is yours, + is entry {first}:",
        "  ~ a.txt · +1 -1",
        "  @@ -1 +1 @@",
        "  -my edit",
        "  +one",
        "a.txt stays as you have it",
        "--keep theirs takes the other version, --keep both puts it beside yours",
        "nothing was done: this only says what 'undo' would do",
    ]


def test_the_record_names_what_stays(desk: Desk) -> None:
    """For programs: files, versions kept, effects, and the way back."""
    goal = POST.replace("post: []", "post: [bob]")
    run = desk.start(goal, write("a.txt", "A"), call("post_send", to="bob", text="hi"), finish()).run

    found = desk.json("undo", run, "--yes")

    assert list(found) == ["run", "to", "files", "kept", "stays", "back", "left"]
    assert [file["path"] for file in found["files"]] == ["a.txt"]
    ((effect,),) = (found["stays"],)
    assert (effect["tool"], effect["destination"], effect["is_sure"]) == ("post_send", "bob", True)
    assert found["back"] > effect["entry"]


def test_what_left_the_house_is_told_where_no_file_changed(desk: Desk) -> None:
    """A folder that is as it was doesn't mean that nothing happened."""
    goal = "goal: Tell Bob.\nplugins: [files]\nallow: {send: {post: [bob]}}\n"
    run = desk.start(goal, call("post_send", to="bob", text="hi"), finish()).run

    nothing, _, stays, sent = desk("undo", run, "--yes").splitlines()

    assert nothing == "Nothing to take back: the folder is as the run found it."
    assert (stays, sent.split()[:2]) == ("This has left the house, and stays:", ["post_send", "bob"])


async def test_at_a_terminal_it_asks(tmp_path: Path, capsys: Capture) -> None:
    """Which version of what both changed, then whether at all."""
    desk = Desk(tmp_path, capsys)
    worker = [write("a.txt", "agent\n"), write("b.txt", "b\n"), finish()]
    folder = tmp_path / "w0"
    run = (await asyncio.to_thread(_on_old_file, desk, worker)).run
    (folder / "a.txt").write_text("edit\n")
    import os

    cli = Cli(Path(os.environ["AUTOAGENT_HOME"]), tmp_path)
    terminal = await Terminal.start(cli, "undo", run)
    await terminal.until("keep [1] mine")
    terminal.type("3\n")
    await terminal.until("take back 2 paths?")
    terminal.type("y\n")

    assert await terminal.end() == 0
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"a.txt": "edit\n", "a.txt.entry1": "old\n"}
    terminal = await Terminal.start(cli, "undo", run, "--to", "1", "--keep", "theirs")
    await terminal.until("take back")
    terminal.press(signal.SIGINT)
    assert await terminal.end() == 130
    assert (folder / "a.txt").read_text() == "edit\n"
    assert json.loads((await cli("undo", run, "--dry-run", "--json")).out)["back"] == 0


def _on_old_file(desk: Desk, worker: list) -> object:  # type: ignore[type-arg]
    """A run in a folder that holds a.txt already."""
    from autoagent.console.finding import opened
    from autoagent.goal.file import understand
    from autoagent.loop.context import Models
    from autoagent.wiring import Parts, start

    workspace = desk.folder / "w0"
    workspace.mkdir()
    (workspace / "a.txt").write_text("old\n")
    model = ScriptedModel(planner=[plan("tell")], worker=worker)
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model))
        return asyncio.run(start(understand(GOAL)[0], workspace, parts=parts))
