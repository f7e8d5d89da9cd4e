"""The life of a run. Starting is resuming an empty journal: settle what a former process left open, bring the
folder up to date, plan, carry the plan, prove, end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from autoagent.commands import Answer, Approve, Cancel, Deny, GoOn, Pause, RaiseLimits, Tell
from autoagent.errors import JournalConflict, Unavailable, UsageError
from autoagent.events import (
    CommandRefused,
    CommandTaken,
    CriterionChecked,
    Ending,
    Event,
    LimitsRaised,
    ModelFailed,
    PauseSet,
    PersonSaid,
    RunEnded,
    RunInterrupted,
    RunParked,
    TimeSpent,
)
from autoagent.goal import Criterion, FileCriterion, HumanCriterion, JudgeCriterion, Limits, RunCriterion
from autoagent.loop import checkpoints
from autoagent.loop.asking import Parked
from autoagent.loop.context import RunContext
from autoagent.loop.planner import PlanDenied, Planner
from autoagent.loop.proof import Prover
from autoagent.loop.remembering import remember
from autoagent.loop.requests import LimitReached
from autoagent.loop.scheduler import Scheduler
from autoagent.ports import SentCommand
from autoagent.state import RunState

_COMMANDS_EVERY_S = 0.1
_LOOK_EVERY_S = 5.0


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
        """The state in which the run ended or parked. Raises `AutoagentError`.

        Cancelling the task interrupts the run, to be resumed.
        """
        self._obey()
        self.ctx.asking.expire(at_start=True)
        tasks = [self._task(self._main()), self._task(self._watch()), self._task(self._listen())]
        if self.ctx.asking.approver is not None:
            tasks.append(self._task(self.ctx.asking.attend()))
        ended = self._task(self.ctx.history.until(lambda s: s.ended is not None))
        try:
            await asyncio.wait({*tasks, ended}, return_when=asyncio.FIRST_COMPLETED)
            broken = [t for t in tasks if t.done() and t.exception() is not None]
        except asyncio.CancelledError:
            await _stop(*tasks, ended)
            await self._let_go(RunInterrupted(folder=self.ctx.workspace.projected))
            raise
        await _stop(*tasks, ended)
        lacking = [str(e) for t in broken if isinstance(e := t.exception(), Unavailable)]
        held = self.ctx.workspace.projected
        await self._let_go(*(RunInterrupted(unavailable=why, folder=held) for why in lacking[:1]))
        for task in broken:
            task.result()
        return self.state

    @staticmethod
    def _task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(work)

    async def _let_go(self, *events: Event) -> None:
        """What a run that stops now leaves: its time on record, its folder up to date."""
        try:
            if self.state.ended is not None:  # ended from outside, perhaps between a write and its projection
                async with self.ctx.workspace.lock:
                    await self.ctx.workspace.follow()
                self._stamp()
            else:
                self._stamp(*events)
            await self.ctx.history.durable()
        except JournalConflict:
            if not events:
                raise  # else another process has the run: nothing of ours may be recorded

    # --- the work -----------------------------------------------------------------------------------------

    async def _main(self) -> None:
        with self.ctx.meter.working():
            if self.ctx.hearing is not None:
                entries = self.ctx.history.journal.read(self.state.run_id)
                await self.ctx.hearing.catch_up(entries, self.ctx.tools)
            while self.state.ended is None:
                try:
                    await self._settle()
                    await self._work()
                except Parked as parked:
                    self._obey()  # the answer may have come in this very moment
                    if self.state.ended is None and self.state.questions[parked.question].is_open:
                        waiting = tuple(q.question.id for q in self.state.waiting)
                        self._stamp(RunParked(waiting=waiting, folder=self.ctx.workspace.projected))
                        return

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
        await remember(self.ctx.history, self.ctx.memory)

    async def _work(self) -> None:
        stopped: tuple[Ending, str] | None = None
        try:
            await self.planner.recall()
            await self.planner.plan()
            await Scheduler(self.ctx, self.planner).until_done()
            if self.state.ended is None:
                await self._conclude()
        except LimitReached as reached:
            stopped = ("limit", str(reached))
        except PlanDenied as denied:
            who = "you refused the plan" if denied.by_person else "nobody approved the plan"
            self._end("cancelled" if denied.by_person else "unproved", f"{who}: {denied}")
        if stopped is not None:
            await self._conclude(stopped)

    # --- the end ------------------------------------------------------------------------------------------

    async def _conclude(self, stopped: tuple[Ending, str] | None = None) -> None:
        """The verdict over the workspace as it now is; evidence outranks the reason why the run stopped."""
        await self.ctx.workspace.adopt(self.ctx.asking)
        tree = self.state.main
        verdicts = await self.prover.prove(self.state.criteria, tree, free=stopped is not None)
        proved = bool(verdicts) and all(v.verdict == "proved" for v in verdicts)
        refused = await checkpoints.before_end(self.ctx, tree) if proved and stopped is None else None
        if not proved:
            checkpoints.no_end_yet(self.ctx, "the goal's criteria don't hold any more")
        if proved and refused is None:
            number = len(verdicts)
            self._end(
                "proved", "the criterion is proved" if number == 1 else f"all {number} criteria are proved"
            )
        elif stopped is not None:
            self._end(*stopped)
        elif refused is not None:
            self._end("unproved", f"all criteria are proved, but you said that it isn't done: {refused}")
        elif not verdicts:
            self._end(*self._finished())
        else:
            self._end("unproved", self._why_not(verdicts))

    def _finished(self) -> tuple[Ending, str]:
        """No criteria: nothing that anybody but the model has seen can be proved."""
        if not_done := self._not_done():
            return "unproved", not_done
        proposals = "".join(f"\n  - {_as_yaml(c)}" for c in self.planner.proposals())
        advice = f"; to have it proved, add:\ndone_when:{proposals}" if proposals else ""
        return "finished", f"the goal has no done_when, so nothing could be proved{advice}"

    def _why_not(self, verdicts: list[CriterionChecked]) -> str:
        """Names the criteria that are not proved, and the sub-task that gave up, if one did."""
        parts = [
            f"{v.verdict}: {self.state.criteria[v.number]} ({v.evidence.text.partition(chr(10))[0][:300]})"
            for v in verdicts
            if v.verdict != "proved"
        ]
        if not_done := self._not_done():
            parts.append(not_done)
        return "; ".join(parts)

    def _not_done(self) -> str:
        """The last sub-task of the plan that did not come to its end, and why."""
        plan = self.state.plan
        lanes = [self.state.lane_of(s.id) for s in plan.sub_tasks] if plan is not None else []
        lost = [x for x in lanes if x is not None and x.ended == "failed"] or [
            x for x in lanes if x is not None and x.ended == "skipped"
        ]
        return f"sub-task {lost[-1].sub_task!r} {lost[-1].ended}: {lost[-1].result[:300]}" if lost else ""

    def _end(self, ending: Ending, reason: str) -> None:
        if self.state.ended is None:
            self._stamp(RunEnded(ending=ending, reason=reason, folder=self.ctx.workspace.projected))

    def _stamp(self, *events: Event) -> None:
        """Record what happens to the run, with the time spent until now."""
        seconds = round(self.ctx.meter.take(), 3)
        spent = (TimeSpent(seconds=seconds),) if seconds > 0 else ()
        if spent or events:
            self.ctx.history.record(*spent, *events, sync=True)

    # --- beside the work ----------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Obey commands as they come, and see which questions' time is over.

        Other processes send commands, so this waits in real time.
        """
        while True:
            await asyncio.sleep(_COMMANDS_EVERY_S)
            self._obey()
            self.ctx.asking.expire()

    def _obey(self) -> None:
        """Turn the commands that have come into events."""
        for sent in self.ctx.history.journal.commands(self.state.run_id, self.state.commands):
            self.ctx.history.faults.reached("command read")
            self._take(sent)

    def _take(self, sent: SentCommand) -> None:
        taken = CommandTaken(number=sent.number)
        match sent.command:
            case Approve() | Deny() | Answer():
                self.ctx.asking.obey(sent)
            case RaiseLimits() as raised:
                try:
                    limits = raise_limits(self.state, raised)
                except UsageError as error:
                    self.ctx.history.record(CommandRefused(number=sent.number, why=str(error)))
                else:
                    self.ctx.history.record(LimitsRaised(limits=limits), taken)
            case Tell(text=text):
                self.ctx.history.record(PersonSaid(text=text, by=sent.by), taken, sync=True)
            case Pause() | GoOn() as wanted:
                paused = isinstance(wanted, Pause)
                self.ctx.history.record(PauseSet(paused=paused, by=sent.by), taken, sync=True)
            case Cancel(why=why):
                ended = () if self.state.ended is not None else (cancelled(sent.by, why),)
                self.ctx.history.record(taken, *ended, sync=True)

    async def _watch(self) -> None:
        """End where the run was taken over; the journal itself keeps the lease alive."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.ctx.history.assert_owned()


def cancelled(by: str, why: str) -> RunEnded:
    """The end that somebody asked for."""
    return RunEnded(ending="cancelled", reason=f"cancelled by {by}" + (why and f": {why}"))


def raise_limits(state: RunState, raised: RaiseLimits) -> Limits:
    """The run's limits with those that were given.

    Raises `UsageError` for one that can't be, and for one at which the run would stop at once.
    """
    new = raised.model_dump(exclude={"kind"}, exclude_none=True)
    spent: dict[str, Decimal | float] = {
        "usd": state.usd,
        "steps": state.steps,
        "minutes": state.seconds / 60,
        "tokens": state.tokens,
    }
    for name, limit in new.items():
        if 0 < (used := spent[name]) >= limit:
            shown = used if isinstance(used, int) else f"{used:.2f}"
            raise UsageError(
                f"run {state.run_id} has used {name} {shown} of {getattr(state.limits, name)}; "
                f"with a limit of {limit} it would stop at once: give more"
            )
    try:
        return Limits.model_validate({**state.limits.model_dump(), **new})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"the limit {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _as_yaml(criterion: Criterion) -> str:
    match criterion:
        case FileCriterion(file=file, contains=contains):
            return f"file: {file!r}" + (f"\n    contains: {list(contains)!r}" if contains else "")
        case RunCriterion(run=text):
            return f"run: {text!r}"
        case JudgeCriterion(judge=text):
            return f"judge: {text!r}"
        case HumanCriterion(human=text):
            return f"human: {text!r}"


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end; a cancellation meanwhile goes on once they have ended."""
    for task in tasks:
        task.cancel()
    cancelled = False
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if cancelled:
        raise asyncio.CancelledError
