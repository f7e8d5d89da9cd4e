"""Recordings of whole runs: the replies are played, everything else happens for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import CuttableJournal, Stage, Together, finish, goal, plan, write

from autoagent import wiring
from autoagent.errors import RecordingMiss, UsageError
from autoagent.events import MemoryRecalled, RunStarted
from autoagent.llm.recording import write_recording
from autoagent.llm.recording_of_run import recording_from_entries
from autoagent.outcome import Outcome
from autoagent.ports import MemoryPoint
from autoagent.testing.clock import START
from autoagent.testing.model import ScriptedModel, call
from autoagent.trees import load_tree
from autoagent.wiring import Choices, Hooks, Parts

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt, contains: [x]}]\n"
FILES = {"in.txt": "x"}


async def recorded(
    tmp_path: Path, text: str = GOAL, model: ScriptedModel | None = None
) -> tuple[Stage, Path]:
    """A run that has ended, and the recording of it."""
    (tmp_path / "first").mkdir()
    stage = Stage.at(tmp_path / "first", FILES)
    model = model or ScriptedModel(
        planner=[plan("a", b="a")],
        worker={
            "a": [call("files_read", path="in.txt"), call("files_read", path="nope"), finish("read")],
            "b": [finish("too early"), write("a.txt", "x"), finish("wrote")],
        },
    )
    outcome = await stage.start(text, model)
    assert outcome.ending == "proved"
    start, end = (load_tree(t, stage.journal.objects) for t in (stage.state.start_tree, stage.state.main))
    recording = recording_from_entries(stage.run, stage.journal.read(stage.run), start, end)
    path = tmp_path / "recording.jsonl"
    write_recording(path, recording.header, recording.replies)
    return stage, path


async def play(stage: Stage, source: str, text: str = GOAL) -> Outcome:
    """A run of the recording, with no model configured."""

    def launched(launch: wiring.Launch) -> None:
        stage.run = launch.run

    parts = Parts(journal=stage.journal, memory=stage.memory, home=stage.home)
    hooks = Hooks(on_launch=launched, on_note=stage.notes.append)
    return await wiring.start(
        goal(text), stage.folder, hooks=hooks, choices=Choices(recorded=source), parts=parts
    )


def fresh(tmp_path: Path, name: str = "copy", files: dict[str, str] | None = None) -> Stage:
    (tmp_path / name).mkdir()
    return Stage.at(tmp_path / name, FILES if files is None else files)


async def test_recording_plays_to_the_same_end_in_a_fresh_copy(tmp_path: Path) -> None:
    """Same criteria, same files, no cost; and a second time in the same folder."""
    first, path = await recorded(tmp_path)
    stage = fresh(tmp_path)

    for _ in range(2):
        outcome = await play(stage, str(path))

        assert (outcome.ending, outcome.usd) == ("proved", 0)
        assert stage.files() == first.files()
    assert stage.events(RunStarted)[0].recorded


async def test_run_of_the_journal_is_played_by_its_id(tmp_path: Path) -> None:
    """`--recorded RUN` needs no file."""
    first, _ = await recorded(tmp_path)
    stage = fresh(tmp_path)
    stage.journal = first.journal

    assert (await play(stage, first.run)).ending == "proved"


async def test_lanes_side_by_side_are_played(tmp_path: Path) -> None:
    """Replies belong to a lane, so it doesn't matter which lane is quicker."""
    model = Together(
        planner=[plan("a", "b")],
        worker={"a": [write("a.txt", "x"), finish()], "b": [write("b.txt", "b"), finish()]},
    )
    text = GOAL + "parallel: 2\n"
    first, path = await recorded(tmp_path, text, model)
    stage = fresh(tmp_path)

    assert (await play(stage, str(path), text)).ending == "proved"
    assert stage.files() == first.files()


async def test_changed_input_is_named(tmp_path: Path) -> None:
    """Exit 5 before anything begins, and no run is left in the journal."""
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path, files={"in.txt": "other"})

    with pytest.raises(RecordingMiss, match=r"in\.txt has changed") as error:
        await play(stage, str(path))

    assert error.value.exit_code == 5
    assert stage.journal.runs() == []


async def test_other_outcome_of_a_call_is_a_miss(tmp_path: Path) -> None:
    """A file is there that wasn't: the call that failed goes well, and the next reply isn't played."""
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path, files={**FILES, "nope": "now it is"})

    outcome = await play(stage, str(path))

    assert (outcome.ending, outcome.exit_code) == ("unavailable", 5)
    assert "failed when it was recorded, and went well here" in outcome.reason


async def test_other_goal_is_a_miss(tmp_path: Path) -> None:
    """A recording belongs to its goal."""
    _, path = await recorded(tmp_path)

    with pytest.raises(RecordingMiss, match="another goal"):
        await play(fresh(tmp_path), str(path), GOAL.replace("goal: g", "goal: h"))


async def test_recorded_run_recalls_nothing(tmp_path: Path) -> None:
    """What earlier runs did on this machine changes no recorded run."""
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path)
    point = MemoryPoint(id="1", text="g", run="old", source="outcome", at=START)
    await stage.memory.store([point])

    await play(stage, str(path))

    assert stage.events(MemoryRecalled)[0].texts == ()


async def test_workspaces_own_recording_is_played_where_no_model_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`autoagent run WORKSPACE` without a key works with what it ships, and a note says so."""
    for name in ("OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path)
    path.rename(stage.folder / wiring.RECORDING)
    parts = Parts(journal=stage.journal, memory=stage.memory, home=stage.home)

    outcome = await wiring.start(
        goal(GOAL), stage.folder, hooks=Hooks(on_note=stage.notes.append), parts=parts
    )

    assert outcome.ending == "proved"
    assert "replies come from a recording" in stage.notes[0]


async def test_recorded_run_never_goes_on_with_a_model_unasked(tmp_path: Path) -> None:
    """Resuming it without its recording is an error, not a bill."""
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path, files={**FILES, "nope": "now it is"})
    await play(stage, str(path))
    parts = Parts(journal=stage.journal, memory=stage.memory, home=stage.home)

    moved = path.rename(tmp_path / "moved.jsonl")
    with pytest.raises(UsageError, match=r"plays a recording, .*gone or has changed"):
        await wiring.resume(stage.run, parts=parts)
    (stage.folder / "nope").unlink()
    again = await wiring.resume(stage.run, choices=Choices(recorded=str(moved)), parts=parts)
    assert again.ending == "unavailable"


async def test_resumed_run_finds_its_recording_again(tmp_path: Path) -> None:
    """It isn't named a second time: where the file is, and that it is as it was, stands in the journal."""
    _, path = await recorded(tmp_path)
    stage = fresh(tmp_path)
    await play(stage, str(path))
    assert isinstance(stage.journal, CuttableJournal)
    stage.kill(stage.ends[len(stage.ends) // 2])
    stage.restore()
    parts = Parts(journal=stage.journal, memory=stage.memory, home=stage.home)

    assert (await wiring.resume(stage.run, parts=parts)).ending == "proved"
