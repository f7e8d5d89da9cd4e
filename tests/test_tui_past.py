"""The past as the cockpit says it: a track with marks, what was spent, the files then against now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from loops import Stage, finish, plan, write

from autoagent.console.line import columns_of
from autoagent.events import CallDecided, CallEnded, Entry
from autoagent.state import RunState, advance, fold
from autoagent.testing.model import ScriptedModel
from autoagent.tui.past.slider import Track, slider
from autoagent.tui.past.then import files_then, past_title, step_lines


def track_of(entries: Sequence[Entry]) -> Track:
    track, state = Track(), RunState("r")
    for entry in entries:
        before, state = state, advance(state, entry)
        track.add(before, entry, state)
    return track


async def worked(path: Path) -> Stage:
    """A run that is denied a write, writes one file twice, and another one."""
    stage = Stage.at(path)
    writes = [write("goal.yaml", "x"), write("a.txt", "1\n"), write("b.txt", "1\n"), write("a.txt", "1\n2\n")]
    await stage.start("goal: g\n", ScriptedModel(planner=[plan("t")], worker=[*writes, finish()]))
    return stage


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_the_slider_fills_the_width(tmp_path: Path, width: int) -> None:
    """Its marks stand over the entries that they are of; the track ends where the run does."""
    stage = await worked(tmp_path)
    entries = stage.entries
    track = track_of(entries)

    for at in (1, len(entries) // 2, len(entries)):
        entry = entries[at - 1]
        *_, marks, time = slider(track, at, entry.at, fold("r", entries[:at]).usd, width)
        assert columns_of(time) <= width
        assert str(time).count("●") == 1
        assert "⊘" in str(marks)
    assert str(time).index("●") > str(time).index("├")
    denied = next(seq for seq, sign in track.marks if sign == "⊘")
    *_, marks, time = slider(track, denied, entries[denied - 1].at, fold("r", entries).usd, width)
    assert str(marks).index("⊘") == str(time).index("●")


async def test_a_run_that_cost_nothing_says_so(tmp_path: Path) -> None:
    """In place of two zeros."""
    entries = (await worked(tmp_path)).entries
    spent, *_ = slider(track_of(entries), 3, entries[2].at, fold("r", entries).usd, 120)

    assert str(spent).endswith("  nothing spent")


async def test_a_call_s_end_leads_back_to_its_decision(tmp_path: Path) -> None:
    """Not to its start, nor to the answer that allowed it."""
    entries = (await worked(tmp_path)).entries
    track = track_of(entries)
    ends = [x for x in entries if isinstance(x.event, CallEnded) and x.event.tree is not None]

    assert ends
    assert all(isinstance(entries[track.began[end.seq] - 1].event, CallDecided) for end in ends)


async def test_files_are_told_against_now(tmp_path: Path) -> None:
    """As they were after a step: the same, other, or not there yet."""
    stage = await worked(tmp_path)
    ends = [x.seq for x in stage.entries if isinstance(x.event, CallEnded) and x.event.tree is not None]
    now = fold("r", stage.entries)

    def then(seq: int) -> list[str]:
        found = files_then(fold("r", stage.entries[:seq]), now, stage.journal.objects, 60)
        return [" ".join(str(each).split()) for each in found]

    assert then(ends[0]) == ["~ a.txt +1 −0", "b.txt not yet there"]
    assert then(ends[2]) == ["a.txt same", "b.txt same"]
    assert then(1) == ["a.txt not yet there", "b.txt not yet there"]


async def test_a_step_says_where_it_came_from_and_what_it_left(tmp_path: Path) -> None:
    """Below all that it holds; the title says that this is the past."""
    stage = await worked(tmp_path)
    (number,) = [n for n, x in enumerate(stage.entries) if isinstance(x.event, CallEnded) and x.event.tree][
        :1
    ]
    entry, state = stage.entries[number], fold("r", stage.entries[: number + 1])

    assert str(step_lines(entry, None, state)[-1]).endswith("sub-task t")
    assert "snapshot " in str(step_lines(entry, None, state)[-1])
    said = past_title(state, fold("r", stage.entries), entry.seq, 120)
    assert str(said).endswith(f"▌PAST▐ step 2 of 5 · entry {entry.seq}")
    assert columns_of(said) < 120
