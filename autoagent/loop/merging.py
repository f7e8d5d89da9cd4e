"""Forked lanes come back to `main`: three-way by path, nothing merged inside files, nothing lost.

On a conflict nothing is merged: the lane goes on from `main`, with its own versions kept beside `main`'s. A
lane that would conflict a second time first waits until it is alone.
"""

from __future__ import annotations

from collections.abc import Callable

from autoagent.events import Event, LaneConflicted, LaneMerged
from autoagent.loop.context import RunContext
from autoagent.loop.versions import place_beside, resolved
from autoagent.state import LaneState, RunState
from autoagent.trees import Conflict, WorkingCopy, diff, merge

Told = Callable[[str], tuple[Event, ...]]
"""The lane's new tree -> what is recorded for its worker to read."""


class Merging:
    """Merges, and who must be alone for one."""

    def __init__(self, ctx: RunContext) -> None:
        self.ctx = ctx
        self.at_work: set[str] = set()
        """Lanes that a task of this process carries now."""
        self.waiting: list[str] = []
        """Lanes that wait to be alone, in the order in which they came."""

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    async def merge(self, name: str, told: Told) -> bool:
        """Bring a fork into `main`; `False` where it conflicts and the lane must go on. Raises `Parked`.

        How the lane hears of a conflict is recorded with it: one whose files were moved and who wasn't told
        would finish as if there had been none.
        """
        try:
            while (paths := await self._merged(name)) is not None:
                if not self.state.lanes[name].conflicts or self._is_alone(name):
                    self._conflicted(self.state.lanes[name], paths, told)
                    return False
                await self._be_alone(name)
            return True
        finally:
            if name in self.waiting:
                self.waiting.remove(name)
                self.ctx.history.wake()

    async def _merged(self, name: str) -> tuple[str, ...] | None:
        """The paths in conflict; `None` once the lane's files are in `main`."""
        workspace = self.ctx.workspace
        await workspace.adopt(self.ctx.asking)
        async with workspace.moving(True, self.ctx.asking):
            lane, main = self.state.lanes[name], self.state.main
            base, ours, theirs = (workspace.tree(t) for t in (lane.base, main, lane.tree))
            merged = merge(base, ours, theirs, workspace.objects)
            if isinstance(merged, Conflict):
                return merged.paths
            self.ctx.history.faults.reached("merge worked out")
            self.ctx.history.record(LaneMerged(lane=name, tree=workspace.keep(merged).id), sync=True)
            await self.ctx.history.durable()
            self.ctx.history.faults.reached("merged, not projected")
            await workspace.follow()
            return None

    def _conflicted(self, lane: LaneState, paths: tuple[str, ...], told: Told) -> None:
        """Nothing is merged: the lane goes on from `main`, with its own versions kept beside main's."""
        workspace, objects = self.ctx.workspace, self.ctx.workspace.objects
        base, ours, theirs = (workspace.tree(t) for t in (lane.base, self.state.main, lane.tree))
        calm = merge(base, ours, resolved("theirs", paths, theirs, base, objects), objects)
        if isinstance(calm, Conflict):  # files and folders changed places: all of the lane's goes beside
            calm, paths = ours, diff(base, theirs).paths
        copy = WorkingCopy(calm, objects)
        kept = place_beside(copy, paths, theirs, lane.name)
        tree = workspace.keep(copy.tree())
        conflicted = LaneConflicted(lane=lane.name, tree=tree.id, base=ours.id, kept=kept)
        self.ctx.history.faults.reached("conflict kept")
        self.ctx.history.record(conflicted, *told(tree.id), sync=True)

    # --- alone --------------------------------------------------------------------------------------------

    async def _be_alone(self, name: str) -> None:
        """Wait until no other lane is at work; none is started meanwhile, nor until `merge` returns."""
        if name not in self.waiting:
            self.waiting.append(name)
        with self.ctx.meter.waiting():
            while self.waiting[0] != name or not self._is_alone(name):
                await self.ctx.history.until_next()

    def _is_alone(self, name: str) -> bool:
        """But for lanes that wait to be alone as well."""
        others = self.at_work - {name, *self.waiting}
        return all(self.state.lanes[n].ended is not None for n in others)
