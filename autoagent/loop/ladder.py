"""What is done where no progress is made: a ladder, climbed one rung at a time.

Nudge, back to the start, re-plan, stronger model, ask a person (`progress.RUNGS` has their order). A rung
that can't be climbed is passed over.
"""

from __future__ import annotations

from dataclasses import replace

from autoagent.events import FolderChanged, LadderClimbed, LaneReset, Observed, SubTaskStarted, Undone
from autoagent.loop.lane_view import LaneView
from autoagent.loop.progress import next_rung
from autoagent.loop.prompt import left_the_house
from autoagent.loop.versions import resolved
from autoagent.questions import GIVE_UP, Subject


async def climb(lane: LaneView, why: str) -> None:
    """The next rung that can be climbed; those that can't be are recorded with it. Raises `Parked`."""
    rungs = [next_rung(lane.me)]
    while not _is_there(lane, rungs[-1]):
        rungs.append(next_rung(replace(lane.me, rungs=(*lane.me.rungs, *rungs))))
    climbed = tuple(_climbed(lane, rung, why) for rung in rungs)
    record = lane.ctx.history.record
    match rungs[-1]:
        case "nudge":
            text = f"You make no progress: {why}. Say what you know, then try something else."
            record(*climbed, Observed(lane=lane.name, text=text, source="nudge"))
        case "reset":
            await _reset(lane, climbed, f"An earlier try at this led nowhere: {why}. Take another way.")
        case "replan":
            record(*climbed, lane.over("failed", f"no progress: {why}"), sync=True)
        case "stronger":
            await _reset(lane, climbed, f"Another model's try led nowhere: {why}.")
        case _:
            await _ask(lane, climbed, why)


def _is_there(lane: LaneView, rung: str) -> bool:
    match rung:
        case "replan":
            return _can_replan(lane)
        case "stronger":
            return lane.ctx.models.stronger is not None
        case _:
            return True


def _climbed(lane: LaneView, rung: str, why: str) -> LadderClimbed:
    return LadderClimbed.model_validate({"lane": lane.name, "rung": rung, "why": why})


def _can_replan(lane: LaneView) -> bool:
    plan = lane.state.plan
    return plan is not None and plan.source != "goal" and not lane.state.replans


async def _reset(lane: LaneView, climbed: tuple[LadderClimbed, ...], why: str) -> None:
    """Head and conversation go back to the sub-task's start."""
    workspace, history = lane.ctx.workspace, lane.ctx.history
    why += left_the_house(lane.state)
    async with workspace.moving(lane.me.on_main, lane.ctx.asking):
        history.record(*climbed, LaneReset(lane=lane.name, tree=_start(lane), why=why), sync=True)
        if lane.me.on_main:
            await history.durable()
            await workspace.follow()


def _start(lane: LaneView) -> str:
    """The tree to go back to.

    For a fork that is the `main` it last came from: what it merged belongs to `main`. On `main` it is the
    sub-task's start, with what the person changed in the folder since.
    """
    if not lane.me.on_main:
        return lane.me.base
    workspace, history = lane.ctx.workspace, lane.ctx.history
    tree = workspace.tree(lane.me.start)
    is_after = False
    for entry in history.journal.read(history.run_id):
        match entry.event:
            case SubTaskStarted(lane=lane.name):
                is_after = True
            case FolderChanged(tree=found, paths=paths) if is_after:
                tree = resolved("theirs", paths, tree, workspace.tree(found), workspace.objects)
            case Undone(tree=found) if is_after:
                tree = workspace.tree(found)
            case _:
                pass
    return workspace.keep(tree).id


async def _ask(lane: LaneView, climbed: tuple[LadderClimbed, ...], why: str) -> None:
    """The last rung: a person reads the diagnosis. Without an answer, or with `GIVE_UP`, it has failed."""
    times = lane.me.rungs.count("ask")
    subject = Subject(
        run=lane.state.run_id, kind="question", call=f"{lane.name}.stuck{times}", args=f"Stuck: {why}"
    )
    answer = await lane.ask(subject, f"sub-task {lane.me.sub_task!r} is stuck: {why}", choices=())
    gives_up = answer.text.strip().lower() == GIVE_UP
    if gives_up or answer.by == "nobody":
        why += "; you gave it up" if gives_up else ""
        lane.ctx.history.record(*climbed, lane.over("failed", f"stuck: {why}"), sync=True)
    else:
        note = Observed(lane=lane.name, text=f"The person says: {answer.text}", source="person")
        lane.ctx.history.record(*climbed, note)
