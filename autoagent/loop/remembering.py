"""Outcomes of sub-tasks in long-term memory: an index of what the journal holds, and never more.

An outcome that can't be stored now leaves a row, and is stored when the run is next taken up.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.errors import StoreUnavailable
from autoagent.events import MemoryDeferred, MemoryIndexed
from autoagent.ids import memory_id
from autoagent.loop.history import History
from autoagent.ports import Memory, MemoryPoint
from autoagent.state import LaneState, RunState


async def remember(history: History, memory: Memory | None) -> None:
    """Store the outcomes that memory lacks; storing one twice is storing it once."""
    if memory is None:
        return
    for lane in list(forgotten(history.state)):
        point = _point(history, lane)
        history.assert_owned()
        try:
            await memory.store([point])
        except StoreUnavailable as error:
            history.record(MemoryDeferred(sub_task=lane.name, why=str(error)))
            return
        history.faults.reached("outcome stored")
        if lane.name not in history.state.remembered:
            history.record(MemoryIndexed(sub_task=lane.name, point=point.id))


def forgotten(state: RunState) -> Iterator[LaneState]:
    """Lanes whose outcome doesn't stand in memory yet."""
    for lane in state.lanes.values():
        if lane.ended in ("done", "failed") and lane.name not in state.remembered:
            yield lane


def _point(history: History, lane: LaneState) -> MemoryPoint:
    state = history.state
    plan = state.plan
    title = next((s.title for s in plan.sub_tasks if s.id == lane.sub_task), "") if plan is not None else ""
    return MemoryPoint(
        id=memory_id(state.run_id, lane.name),
        text=f"{title or lane.sub_task}: {_outcome(state, lane)}. {lane.result}".strip(),
        run=state.run_id,
        sub_task=lane.sub_task,
        source="outcome",
        labels=state.labels,
        goal=state.goal.goal,
        sha256=lane.tree,
        at=history.clock.now(),
    )


def _outcome(state: RunState, lane: LaneState) -> str:
    """`done` only where something other than the worker's word spoke for it."""
    plan = state.plan
    own = next((s.done_when for s in plan.sub_tasks if s.id == lane.sub_task), ()) if plan else ()
    verdicts = [checked.verdict for checked in state.verdicts.values()]
    proved = bool(own) or (bool(verdicts) and all(v == "proved" for v in verdicts))
    if lane.ended == "done" and not proved:
        return "claimed done, nothing was proved"
    return str(lane.ended)


def fits(goal: str, other: str) -> bool:
    """Whether two goals are alike enough for the one's outcomes to help with the other.

    Trigrams of letters, so that it works in any language; at least four tenths of the smaller set in common.
    """
    mine, theirs = _trigrams(goal), _trigrams(other)
    return bool(mine and theirs) and len(mine & theirs) >= 0.4 * min(len(mine), len(theirs))


def _trigrams(text: str) -> set[str]:
    plain = " ".join(text.lower().split())
    return {plain[i : i + 3] for i in range(len(plain) - 2)}
