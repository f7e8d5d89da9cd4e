"""Outcomes of sub-tasks in long-term memory: an index of what the journal holds, and never more.

An outcome that can't be stored now leaves a row, and is stored when the run is next taken up.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.errors import StoreUnavailable
from autoagent.events import MemoryDeferred, MemoryIndexed
from autoagent.history import History
from autoagent.ids import memory_id
from autoagent.ports import Memory, MemoryPoint
from autoagent.state import LaneState, RunState


async def remember(history: History, memory: Memory | None) -> None:
    """Store the outcomes that memory lacks; storing one twice is storing it once."""
    if memory is None:
        return
    for lane in list(forgotten(history.state)):
        point = _point(history, lane)
        try:
            await memory.store([point])
        except StoreUnavailable as error:
            history.record(MemoryDeferred(sub_task=lane.name, why=str(error)))
            return
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
        text=f"{title or lane.sub_task}: {lane.ended}. {lane.result}".strip(),
        run=state.run_id,
        sub_task=lane.sub_task,
        source="outcome",
        labels=state.labels,
        goal=state.goal.goal,
        sha256=lane.tree,
        at=history.clock.now(),
    )
