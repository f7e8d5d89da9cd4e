"""The life of a run. Starting is resuming an empty journal: settle what a former process left open, bring the
folder up to date, plan, carry the plan, prove, end.
"""

from __future__ import annotations

import asyncio
import contextlib

from autoagent.asking import Parked
from autoagent.commands import Answer, Approve, Cancel, Deny, RaiseLimits
from autoagent.context import RunContext
from autoagent.events import (
    CommandTaken,
    CriterionChecked,
    Ending,
    Event,
    LimitsRaised,
    ModelFailed,
    RunEnded,
    RunInterrupted,
    RunParked,
    TimeSpent,
)
from autoagent.goal import Limits
from autoagent.planner import PlanDenied, Planner
from autoagent.ports import SentCommand
from autoagent.proof import Prover
from autoagent.requests import LimitReached
from autoagent.scheduler import Scheduler, remember
from autoagent.state import RunState

_COMMANDS_EVERY_S = 0.1
_HEARTBEAT_S = 5.0


class Runtime:
    """Carries one run as far as it goes now."""

    def __init__(self, ctx: RunContext) -> None:
        self.ctx = ctx
        self.planner = Planner(ctx)
        self.prover = Prover(ctx)

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    async def carry(self) -> RunState:
        """The state in which the run ended, parked or was interrupted. Raises `AutoagentError`."""
        main = asyncio.ensure_future(self._main())
        beside = [asyncio.ensure_future(self._obey()), asyncio.ensure_future(self._beat())]
        if self.ctx.asking.approver is not None:
            beside.append(asyncio.ensure_future(self.ctx.asking.attend()))
        ended = asyncio.ensure_future(self.ctx.history.until(lambda s: s.ended is not None))
        try:
            await asyncio.wait({main, ended, *beside}, return_when=asyncio.FIRST_COMPLETED)
            broken = [t for t in (*beside, main) if t.done() and t.exception() is not None]
            if not broken and not main.done():  # ended from outside: by a command, or at a checkpoint
                await _stop(main)
        except asyncio.CancelledError:
            await _stop(main)
            self._stamp(*(() if self.state.ended is not None else (RunInterrupted(),)))
            raise
        finally:
            await _stop(main, ended, *beside)
            await self.ctx.history.durable()
        for task in broken:
            task.result()
        return self.state

    async def _main(self) -> None:
        with self.ctx.meter.working():
            try:
                await self._settle()
                if self.state.ended is None:
                    await self._work()
            except Parked:
                self._stamp(RunParked(waiting=tuple(q.question.id for q in self.state.waiting)))
            except LimitReached as reached:
                await self._conclude("limit", str(reached))
            except PlanDenied as denied:
                self._end("cancelled", f"the plan was refused: {denied}")

    async def _settle(self) -> None:
        """What a former process left: requests without a reply, a folder behind `main`, outcomes to index."""
        for call, held in self.state.held.items():
            lost = ModelFailed(
                call=call,
                lane=held.lane,
                why="the process ended before the reply came",
                cost_usd=held.usd,
                tokens=held.tokens,
            )
            self.ctx.history.record(lost)
        await self.ctx.workspace.adopt(self.ctx.asking)
        for lane in self.state.lanes.values():
            await remember(self.ctx, lane)

    async def _work(self) -> None:
        await self.planner.recall()
        await self.planner.plan()
        await Scheduler(self.ctx, self.planner).until_done()
        if self.state.ended is None:
            await self._conclude()

    # --- the end ------------------------------------------------------------------------------------------

    async def _conclude(self, stopped: Ending | None = None, reason: str = "") -> None:
        """The verdict over the workspace as it now is; evidence outranks the reason why the run stopped."""
        await self.ctx.workspace.adopt(self.ctx.asking)
        verdicts = await self.prover.prove(self.state.criteria, self.state.main, free=stopped is not None)
        if verdicts and all(v.verdict == "proved" for v in verdicts):
            await self._proved(verdicts)
        elif stopped is not None:
            self._end(stopped, reason)
        elif not verdicts:
            self._end(*self._finished())
        else:
            self._end("unproved", self._why_not(verdicts))

    async def _proved(self, verdicts: list[CriterionChecked]) -> None:
        number = len(verdicts)
        self._end("proved", "the criterion is proved" if number == 1 else f"all {number} criteria are proved")

    def _finished(self) -> tuple[Ending, str]:
        """No criteria: nothing that anybody but the model has seen can be proved."""
        failed = [x for x in self.state.lanes.values() if x.ended != "done"]
        if failed:
            return "unproved", f"sub-task {failed[-1].sub_task!r} {failed[-1].ended}: {failed[-1].result}"
        proposals = "".join(f"\n  - {_as_yaml(c)}" for c in self.planner.proposals())
        advice = f"; to have it proved, add:\ndone_when:{proposals}" if proposals else ""
        return "finished", f"the goal has no done_when, so nothing could be proved{advice}"

    def _why_not(self, verdicts: list[CriterionChecked]) -> str:
        """Names the criteria that are not proved, and the sub-task that gave up, if one did."""
        criteria = self.state.criteria
        parts = [
            f"{v.verdict}: {criteria[v.number]} ({v.evidence.text.splitlines()[0][:300]})"
            for v in verdicts
            if v.verdict != "proved"
        ]
        gave_up = [x for x in self.state.lanes.values() if x.ended == "failed"]
        if gave_up:
            parts.append(f"sub-task {gave_up[-1].sub_task!r} failed: {gave_up[-1].result[:300]}")
        return "; ".join(parts)

    def _end(self, ending: Ending, reason: str) -> None:
        if self.state.ended is None:
            self._stamp(RunEnded(ending=ending, reason=reason))

    def _stamp(self, *events: Event) -> None:
        """Record an ending, with the time spent until now."""
        spent = TimeSpent(seconds=round(self.ctx.meter.take(), 3))
        self.ctx.history.record(spent, *events, sync=True)

    # --- beside the work ----------------------------------------------------------------------------------

    async def _obey(self) -> None:
        """Turn commands into events as they come."""
        while True:
            for sent in self.ctx.history.journal.commands(self.state.run_id, self.state.commands):
                self._take(sent)
            await self.ctx.history.clock.sleep(_COMMANDS_EVERY_S)

    def _take(self, sent: SentCommand) -> None:
        taken = CommandTaken(number=sent.number)
        match sent.command:
            case Approve() | Deny() | Answer():
                self.ctx.asking.obey(sent)
            case RaiseLimits() as raised:
                limits = raise_limits(self.state.limits, raised)
                self.ctx.history.record(LimitsRaised(limits=limits), taken)
            case Cancel(why=why):
                ended = RunEnded(ending="cancelled", reason=f"cancelled by {sent.by}" + (why and f": {why}"))
                self.ctx.history.record(taken, *(() if self.state.ended is not None else (ended,)), sync=True)

    async def _beat(self) -> None:
        while True:
            self.ctx.history.journal.renew(self.ctx.history.lease)
            await self.ctx.history.clock.sleep(_HEARTBEAT_S)


def raise_limits(limits: Limits, raised: RaiseLimits) -> Limits:
    """The limits with those that were given."""
    new = {k: v for k, v in raised.model_dump().items() if k != "kind" and v is not None}
    return Limits.model_validate({**limits.model_dump(), **new})


def _as_yaml(criterion: object) -> str:
    from autoagent.goal import FileCriterion, JudgeCriterion, RunCriterion

    match criterion:
        case FileCriterion(file=file, contains=contains):
            return f"file: {file!r}" + (f", contains: {list(contains)!r}" if contains else "")
        case RunCriterion(run=run):
            return f"run: {run!r}"
        case JudgeCriterion(judge=judge):
            return f"judge: {judge!r}"
        case _:
            return f"human: {criterion!s}"


async def _stop(*tasks: asyncio.Future[object] | asyncio.Future[None] | asyncio.Future[bool]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
