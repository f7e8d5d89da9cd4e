"""Which sub-tasks run when: ready ones, lanes, re-planning, parking. Knows nothing of what a lane does.

With `parallel: 1` each sub-task works on `main`. With more, it works on a fork that is merged when it ends.
What to do next is read off the state each time, so that a resumed run finds the same.
"""

from __future__ import annotations

import asyncio

from autoagent.events import SubTaskEnded, SubTaskStarted
from autoagent.goal import SubTask
from autoagent.goal.file import FILE_NAME
from autoagent.loop.asking import Parked
from autoagent.loop.context import RunContext
from autoagent.loop.lane import Lane
from autoagent.loop.merging import Merging
from autoagent.loop.planner import LANE as PLANNER
from autoagent.loop.planner import Planner
from autoagent.loop.remembering import remember
from autoagent.loop.requests import LimitReached
from autoagent.plan import dependants, ready
from autoagent.state import RunState
from autoagent.trees import Tree, listing, make_tree

_LISTED = 200


class Scheduler:
    """Carries a plan as far as it goes without a person who isn't there."""

    def __init__(self, ctx: RunContext, planner: Planner) -> None:
        self.ctx = ctx
        self.planner = planner
        self.merging = Merging(ctx)
        self._running: dict[str, asyncio.Task[None]] = {}
        """Lane, or the planner, -> the task that carries it."""
        self._parked: dict[str, str] = {}
        """Lane, or the planner, -> the question that it waits for."""

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
        except LimitReached:
            await self._let_sends_end()
            raise
        finally:
            await self._stop()
        if self._parked and self.state.ended is None:
            raise Parked(next(iter(self._parked.values())))

    async def _next(self) -> None:
        """Wait for a lane to end, an answer to a parked one, or the end of the run."""
        stirred = asyncio.ensure_future(self.ctx.history.until(self._has_news))
        try:
            with self.ctx.meter.waiting():  # the lanes count their own time
                await asyncio.wait({*self._running.values(), stirred}, return_when=asyncio.FIRST_COMPLETED)
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
        """A task is over: parked, failed for the operator, or its sub-task has ended."""
        self.merging.at_work.discard(name)
        self.ctx.history.wake()
        try:
            await task
        except Parked as parked:
            self._parked[name] = parked.question
            return
        if name == PLANNER or self.state.lanes[name].ended is None:
            return
        if self.ctx.sandbox is not None:
            await self.ctx.sandbox.close_lane(name)
        await remember(self.ctx.history, self.ctx.memory)

    # --- starting -----------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Take up what is open, then start what is ready, as many lanes as the goal allows."""
        at_work = {*self._running, *self._parked}
        open_lanes = [x for x in self.state.lanes.values() if x.ended is None]
        alone = next((x.name for x in open_lanes if x.conflicts > 1 and x.name not in self._parked), None)
        for lane in open_lanes:
            if lane.name not in at_work and alone in (None, lane.name):
                self._spawn(lane.name)
        if self._needs_plan() or alone is not None or self.merging.waiting:
            return
        for sub_task in self._ready():
            is_full = len(self._running) + len(self._parked) >= self.state.goal.parallel
            if is_full or any(x.on_main and x.ended is None for x in self.state.lanes.values()):
                return
            self._begin(sub_task)

    def _needs_plan(self) -> bool:
        """After a failed sub-task: one re-plan, which is made here; then what waits for it is skipped."""
        plan = self.state.plan
        assert plan is not None
        if PLANNER in self._running or PLANNER in self._parked:
            return True
        failed = [s.id for s in plan.sub_tasks if self.state.outcome(s.id) == "failed"]
        if not plan.approved or (failed and self.planner.can_replan):
            self._running[PLANNER] = asyncio.create_task(self._replan(), name="re-plan")
            return True
        for id in (*failed, *(s.id for s in plan.sub_tasks if self.state.outcome(s.id) == "skipped")):
            self._skip_dependants(id)
        return False

    def _skip_dependants(self, of: str) -> None:
        plan = self.state.plan
        assert plan is not None
        for id in dependants(plan.sub_tasks, of):
            if self.state.outcome(id) == "to come":
                why = f"it depends on {of!r}, which is {self.state.outcome(of)}"
                self.ctx.history.record(SubTaskEnded(sub_task=id, lane=id, outcome="skipped", result=why))

    def _ready(self) -> tuple[SubTask, ...]:
        plan = self.state.plan
        assert plan is not None
        done = {s.id for s in plan.sub_tasks if self.state.outcome(s.id) == "done"}
        busy = {s.id for s in plan.sub_tasks if self.state.outcome(s.id) not in ("done", "to come")}
        return ready(plan.sub_tasks, done, busy)

    def _begin(self, sub_task: SubTask) -> None:
        """Start a sub-task: on main where it is the only one, else on a fork of main's head."""
        others = self._running or self._parked or len(self._ready()) > 1
        on_main = self.state.goal.parallel == 1 or not others
        allow, style = self.state.goal.allow, self.ctx.models.worker.style
        can_script = allow.run == "sandbox" and self.ctx.sandbox is not None
        tree = self.ctx.workspace.visible(self.state.main, (*allow.read, *allow.write))
        self.ctx.history.record(
            SubTaskStarted(
                sub_task=sub_task.id,
                lane=sub_task.id,
                tree=self.state.main,
                listing=listing(_without_goal_file(tree), _LISTED),
                style=style if can_script else "tools",
                tools=self._usable(scripted=style == "code" and can_script),
                on_main=on_main,
            )
        )
        self._spawn(sub_task.id)

    def _usable(self, *, scripted: bool) -> tuple[str, ...]:
        """The tools that this goal and this sandbox leave; a script runs code itself."""
        goal, sandbox = self.state.goal, self.ctx.sandbox
        runs = sandbox is not None and goal.allow.run == "sandbox" and not scripted
        shell = sandbox is not None and sandbox.abilities.shell
        return tuple(
            t.name
            for t in self.ctx.tools.values()
            if t.name not in goal.never and (runs or not t.runs_code) and (shell or t.name != "shell_run")
        )

    # --- tasks --------------------------------------------------------------------------------------------

    def _spawn(self, name: str) -> None:
        self.merging.at_work.add(name)
        self._running[name] = asyncio.create_task(self._carry(name), name=f"lane {name}")

    async def _carry(self, name: str) -> None:
        with self.ctx.meter.working():
            work = Lane(self.ctx, name, self.merging.merge).until_done()
            await (work if self.ctx.around_lane is None else self.ctx.around_lane(name, work))

    async def _replan(self) -> None:
        with self.ctx.meter.working():
            work = self.planner.replan()
            await (work if self.ctx.around_lane is None else self.ctx.around_lane(PLANNER, work))

    async def _let_sends_end(self) -> None:
        """At a limit everything stops at once, but for calls that are changing the world outside."""
        sending = {
            c.decided.lane
            for c in self.state.calls.values()
            if c.decided.effect == "external" and c.started is not None and c.ended is None
        }
        tasks = [task for name, task in self._running.items() if name in sending]
        if tasks:  # they come to the limit at their next step
            await asyncio.wait(tasks)

    async def _stop(self) -> None:
        """End what still runs; the journal has all that is needed to go on."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()


def _without_goal_file(tree: Tree) -> Tree:
    """What a worker is told of the workspace: the goal stands in its prompt already."""
    return make_tree({path: entry for path, entry in tree.entries.items() if path != FILE_NAME})
