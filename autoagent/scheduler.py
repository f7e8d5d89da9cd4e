"""Which sub-tasks run when: ready ones, lanes, merges, parking. Knows nothing of what a lane does.

With `parallel: 1` each sub-task works on `main`. With more, it works on a fork that is merged when it ends:
three-way by path, nothing merged inside files.
"""

from __future__ import annotations

import asyncio

from autoagent.asking import Parked
from autoagent.context import RunContext
from autoagent.errors import StoreUnavailable
from autoagent.events import (
    Label,
    LaneConflicted,
    LaneMerged,
    MemoryDeferred,
    MemoryIndexed,
    SubTaskEnded,
    SubTaskStarted,
)
from autoagent.goal import SubTask
from autoagent.ids import memory_id
from autoagent.lane import Lane
from autoagent.plan import dependants, ready
from autoagent.planner import Planner
from autoagent.ports import MemoryPoint, Objects
from autoagent.preview import preview
from autoagent.state import LaneState, RunState
from autoagent.taint import labels_of_paths
from autoagent.trees import Conflict, Tree, WorkingCopy, listing, make_tree, merge

_LISTED = 200


class Scheduler:
    """Carries a plan as far as it goes without a person who isn't there."""

    def __init__(self, ctx: RunContext, planner: Planner) -> None:
        self.ctx = ctx
        self.planner = planner
        self._running: dict[str, asyncio.Task[None]] = {}
        self._parked: dict[str, str] = {}
        """Lane -> the question that it waits for."""
        self._alone: str | None = None
        """The lane that, after a second conflict, runs without others beside it."""
        self._idle: set[str] = set()
        """Lanes that wait to be alone."""

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    async def until_done(self) -> None:
        """Raises `Parked` where only questions are left, and whatever a lane raises for the operator."""
        try:
            while self.state.ended is None:
                self._start()
                if not self._running:
                    break
                await self._next()
        finally:
            await self._stop()
        if self._parked and self.state.ended is None:
            raise Parked(next(iter(self._parked.values())))

    async def _next(self) -> None:
        """Wait for a lane to end, an answer to a parked one, or the end of the run."""
        stirred = asyncio.ensure_future(self.ctx.history.until(self._has_news))
        try:
            tasks = {*self._running.values(), stirred}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stirred.cancel()
            await asyncio.gather(stirred, return_exceptions=True)
        for name in [n for n, t in self._running.items() if t.done()]:
            await self._ended(name, self._running.pop(name))
        for name in [n for n, q in self._parked.items() if not self.state.questions[q].is_open]:
            del self._parked[name]

    def _has_news(self, state: RunState) -> bool:
        answered = any(not state.questions[q].is_open for q in self._parked.values())
        return answered or state.ended is not None

    async def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        """A lane's task is over: parked, failed for the operator, or its sub-task has ended."""
        if self._alone == name:
            self._alone = None
        try:
            await task
        except Parked as parked:
            self._parked[name] = parked.question
            return
        lane = self.state.lanes[name]
        if lane.ended is None:
            return
        if self.ctx.sandbox is not None:
            await self.ctx.sandbox.close_lane(name)
        await remember(self.ctx, lane)
        if lane.ended != "done":
            await self._failed(lane)

    async def _failed(self, lane: LaneState) -> None:
        """One re-plan; after that, what waits for the failed sub-task is skipped."""
        plan = self.state.plan
        assert plan is not None
        if lane.ended == "failed" and await self.planner.replan(f"sub-task {lane.sub_task!r}: {lane.result}"):
            return
        for id in dependants(plan.sub_tasks, lane.sub_task):
            if self.state.outcome(id) == "to come":
                why = f"it depends on {lane.sub_task!r}, which is {lane.ended}"
                self.ctx.history.record(SubTaskEnded(sub_task=id, lane=id, outcome="skipped", result=why))

    # --- starting -----------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Take up lanes of a former process, then start what is ready, as many as the goal allows."""
        for lane in self.state.lanes.values():
            if lane.ended is None and lane.name not in self._running and lane.name not in self._parked:
                self._spawn(lane.name)
        for sub_task in self._ready():
            if len(self._running) + len(self._parked) >= self.state.goal.parallel or self._alone is not None:
                return
            if self._main_is_taken():
                return
            self._begin(sub_task)

    def _ready(self) -> tuple[SubTask, ...]:
        plan = self.state.plan
        if plan is None:
            return ()
        done = {s.id for s in plan.sub_tasks if self.state.outcome(s.id) == "done"}
        busy = {s.id for s in plan.sub_tasks if self.state.outcome(s.id) not in ("done", "to come")}
        return ready(plan.sub_tasks, done, busy)

    def _main_is_taken(self) -> bool:
        return any(x.on_main and x.ended is None for x in self.state.lanes.values())

    def _begin(self, sub_task: SubTask) -> None:
        """Start a sub-task: on main where it is the only one, else on a fork of main's head."""
        others = self._running or self._parked or len(self._ready()) > 1
        on_main = self.state.goal.parallel == 1 or not others
        style = self.ctx.models.worker.style
        can_script = self.state.goal.allow.run == "sandbox" and self.ctx.sandbox is not None
        tools = tuple(
            t.name
            for t in self.ctx.tools.values()
            if t.name not in self.state.goal.never and not (t.runs_code and style == "code" and can_script)
        )
        listed, labels = self._told(style if can_script else "tools")
        self.ctx.history.record(
            SubTaskStarted(
                sub_task=sub_task.id,
                lane=sub_task.id,
                tree=self.state.main,
                listing=listed,
                labels=labels,
                style=style if can_script else "tools",
                tools=self._usable(tools),
                on_main=on_main,
            )
        )
        self._spawn(sub_task.id)

    def _told(self, style: str) -> tuple[str, tuple[Label, ...]]:
        """(the workspace as a worker is told of it, the labels of what that shows)."""
        goal, started = self.state.goal, self.state.started
        seen = self.ctx.workspace.visible(self.state.main, (*goal.allow.read, *goal.allow.write))
        tree = make_tree({path: entry for path, entry in seen.entries.items() if path != "goal.yaml"})
        text = listing(tree, _LISTED)
        if style == "tools":  # with native tools a worker reads what it wants to see
            return text, ()
        hidden = (*goal.private, *(started.protected if started is not None else ()))
        heads, shown = preview(tree, self.ctx.workspace.objects, hidden)
        return "\n\n".join(x for x in (text, heads) if x), labels_of_paths(goal, shown)

    def _usable(self, tools: tuple[str, ...]) -> tuple[str, ...]:
        """Without a shell in the sandbox, no shell tool; without a sandbox, nothing that runs code."""
        sandbox = self.ctx.sandbox
        if sandbox is None or self.state.goal.allow.run == "none":
            return tuple(t for t in tools if not self.ctx.tools[t].runs_code)
        return tuple(t for t in tools if sandbox.abilities.shell or t != "shell_run")

    def _spawn(self, name: str) -> None:
        self._running[name] = asyncio.create_task(self._carry(name), name=f"lane {name}")

    async def _carry(self, name: str) -> None:
        with self.ctx.meter.working():
            await Lane(self.ctx, name, self.merge).until_done()

    async def _stop(self) -> None:
        """End what still runs; the journal has all that is needed to go on."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    # --- merging ------------------------------------------------------------------------------------------

    async def merge(self, name: str) -> bool:
        """Bring a fork into `main`; `False` where the same paths were changed and the lane must go on."""
        if self.state.lanes[name].conflicts == 1:
            await self._be_alone(name)
        workspace = self.ctx.workspace
        await workspace.adopt(self.ctx.asking)
        async with workspace.lock:
            lane, main = self.state.lanes[name], self.state.main
            base, ours, theirs = (workspace.tree(t) for t in (lane.base, main, lane.tree))
            merged = merge(base, ours, theirs, workspace.objects)
            if isinstance(merged, Conflict):
                self._conflicted(lane, merged.paths, base, ours, theirs)
                return False
            self.ctx.history.record(LaneMerged(lane=name, tree=merged.id), sync=True)
            await self.ctx.history.durable()
            await workspace.project(self.ctx.asking)
        return True

    def _conflicted(
        self, lane: LaneState, paths: tuple[str, ...], base: Tree, ours: Tree, theirs: Tree
    ) -> None:
        """Nothing is merged: the lane goes on from `main`, with its own versions kept beside main's."""
        objects = self.ctx.workspace.objects
        copy = WorkingCopy(_without(theirs, base, paths, objects), objects)
        calm = merge(base, ours, copy.tree(), objects)
        copy = WorkingCopy(ours if isinstance(calm, Conflict) else calm, objects)
        kept = {}
        for path in paths:
            entry = theirs.entries.get(path)
            if entry is not None and entry.kind != "folder":
                kept[path] = _free_name(copy, path, lane.name)
                copy.place(kept[path], entry)
        tree = copy.tree()
        self.ctx.history.record(
            LaneConflicted(lane=lane.name, tree=tree.id, base=ours.id, kept=kept), sync=True
        )

    async def _be_alone(self, name: str) -> None:
        """Wait until no other lane is at work; none is started meanwhile."""
        self._idle.add(name)
        try:
            while self._alone not in (None, name) or self._others(name):
                if self._alone is None:
                    self._alone = name
                await self.ctx.history.until_next()
        finally:
            self._idle.discard(name)
        self._alone = name

    def _others(self, name: str) -> bool:
        return any(
            n != name and n not in self._idle and self.state.lanes[n].ended is None for n in self._running
        )


async def remember(ctx: RunContext, lane: LaneState) -> None:
    """Put a sub-task's outcome into long-term memory; what can't be stored now is stored later."""
    state = ctx.history.state
    if ctx.memory is None or lane.ended in (None, "skipped") or lane.name in state.remembered:
        return
    plan = state.plan
    title = next((s.title for s in plan.sub_tasks if s.id == lane.sub_task), "") if plan is not None else ""
    point = MemoryPoint(
        id=memory_id(state.run_id, lane.name),
        text=f"{title or lane.sub_task}: {lane.ended}. {lane.result}".strip(),
        run=state.run_id,
        sub_task=lane.sub_task,
        source="outcome",
        labels=state.labels,
        goal=state.goal.goal,
        sha256=lane.tree,
        at=ctx.history.clock.now(),
    )
    try:
        await ctx.memory.store([point])
    except StoreUnavailable as error:
        ctx.history.record(MemoryDeferred(sub_task=lane.name, why=str(error)))
    else:
        ctx.history.record(MemoryIndexed(sub_task=lane.name, point=point.id))


def _without(tree: Tree, base: Tree, paths: tuple[str, ...], objects: Objects) -> Tree:
    """`tree` with `paths` as they were in `base`."""
    copy = WorkingCopy(tree, objects)
    for path in sorted(paths, reverse=True):
        if copy.stat(path) is not None:
            copy.delete(path)
    for path in sorted(paths):
        if path in base.entries:
            copy.place(path, base.entries[path])
    return copy.tree()


def _free_name(copy: WorkingCopy, path: str, lane: str) -> str:
    name, number = f"{path}.{lane}", 2
    while copy.stat(name) is not None:
        name, number = f"{path}.{lane}.{number}", number + 1
    return name
