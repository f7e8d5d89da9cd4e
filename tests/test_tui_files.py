"""Files, proof and memory of a run, as the cockpit's panes say them; without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loops import Stage, finish, plan, write
from states import AT, started

from autoagent import events as e
from autoagent.events import Entry
from autoagent.goal import FileCriterion, Goal
from autoagent.past.changes import changes
from autoagent.state import RunState, advance, fold
from autoagent.testing.model import ScriptedModel, call
from autoagent.trees import load_tree
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.evidence import evidence_rows
from autoagent.tui.run.files import Steps, file_rows, history
from autoagent.tui.run.trail import Trail, facts

GOAL = "goal: g\ndone_when: [{file: out.txt, contains: [c]}]\n"


def trail_of(entries: Sequence[Entry]) -> Trail:
    """What a run's entries say, as the watch gathers it."""
    trail, state = Trail(), RunState("r")
    for entry in entries:
        before, state = state, advance(state, entry)
        trail.add(facts(before, entry, state))
    return trail


def texts(rows: Sequence[Row]) -> list[str]:
    return [" ".join(str(row.line).split()) for row in rows]


async def worked(path: Path) -> Stage:
    """A run that reads one file and writes another one twice."""
    stage = Stage.at(path, {"in.txt": "1\n"})
    read = call("files_read", path="in.txt")
    worker = [read, write("out.txt", "a\nb\n"), write("out.txt", "a\nc\nd\n"), finish()]
    await stage.start(GOAL, ScriptedModel(planner=[plan("t")], worker=worker))
    return stage


async def test_each_step_that_changed_a_file_is_told_in_order(tmp_path: Path) -> None:
    """With what it added and removed; what was only read says where."""
    stage = await worked(tmp_path)
    trail, steps, objects = trail_of(stage.entries), Steps(), stage.journal.objects
    assert not steps.catch_up(trail.changes, objects, most=1)
    assert steps.catch_up(trail.changes, objects)
    state = fold("r", stage.entries)
    found = changes(load_tree(state.start_tree, objects), load_tree(state.main, objects))

    rows = file_rows(found, steps.by_path, trail.reads, 80)
    said = texts(rows)
    assert said[0].startswith("1 path differs from the start")
    assert said[1] == "+ out.txt +4 −1"
    assert [(row.split()[:4], row.split()[-2:]) for row in said[2:4]] == [
        (["step", "2", "t", "files_write"], ["+2", "−0"]),
        (["step", "3", "t", "files_write"], ["+2", "−1"]),
    ]
    assert said[4:] == ["only read", "in.txt step 1 files_read"]
    assert [row.key for row in rows[1:4]] == ["./out.txt", *(str(touch.seq) for touch in trail.changes)]

    lines = [str(each) for each in history("out.txt", steps.by_path["out.txt"], objects)]
    assert lines.index("+b") < lines.index("-b") < lines.index("+c")


async def test_evidence_says_why_by_whom_when_and_how_to_check_it_again(tmp_path: Path) -> None:
    """Each row stands for the entry of its verdict."""
    stage = await worked(tmp_path)
    trail, state = trail_of(stage.entries), fold("r", stage.entries)

    rows = evidence_rows(state, trail.checks, trail.recalls, "/w")
    said = "\n".join(texts(rows))
    assert said.startswith("1 of 1 proved\n✓ proved out.txt contains c\nby file check · 20")
    assert "check it again: grep -nF -- c out.txt" in said
    assert rows[1].key == str(trail.checks[0].seq)


def test_what_was_recalled_says_from_where_and_why() -> None:
    """The run, its goal, and how well it fitted; the text itself is framed."""
    sources = (
        e.Recalled(run="k3f9", sub_task="2", at=AT, goal="Sum it", score=7.123),
        e.Recalled(run="k3f9", at=AT, beside="p"),
    )
    recalled = e.MemoryRecalled(texts=("(memory is slow)", "use tabs", "[red]x"), sources=sources)
    goal = Goal(goal="g", done_when=(FileCriterion(file="a.txt"),))
    entries = [Entry(seq=n, at=AT, epoch=1, event=x) for n, x in enumerate((started(goal), recalled), 1)]
    trail = trail_of(entries)

    said = texts(evidence_rows(fold("r", entries), trail.checks, trail.recalls, "/w"))
    assert said[:3] == ["0 of 1 proved", "? unchecked a.txt exists", "not checked yet"]
    assert said[4:] == [
        "recalled 3 outcomes of earlier runs",
        "│ (memory is slow)",
        "run k3f9, sub-task 2 · 2026-11-22 · fits with 7.12 · its goal is alike: Sum it",
        "│ use tabs",
        "run k3f9 · 2026-11-22 · stands next to one that fits",
        "│ [red]x",
    ]
