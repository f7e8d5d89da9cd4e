"""Checkpoints: where the goal wants a person's yes before the run goes on.

`plan` is the planner's, `send` is policy's; here are the others.
"""

from __future__ import annotations

from decimal import Decimal

from autoagent import budget
from autoagent.events import QuestionAnswered, QuestionVoided, RunEnded
from autoagent.loop.context import RunContext
from autoagent.loop.lane_view import LaneView
from autoagent.loop.prompt import sub_task_of
from autoagent.questions import Subject
from autoagent.state import RunState


async def before_sub_task(lane: LaneView) -> None:
    """`task`: asked before a sub-task's first step; a no skips it. Raises `Parked`."""
    if "task" not in lane.state.goal.ask or lane.me.replies or lane.me.ended is not None:
        return
    about = sub_task_of(lane.state, lane.me.sub_task)
    subject = Subject(run=lane.state.run_id, kind="task", args=about.model_dump(mode="json"))
    answer = await lane.ask(subject, "you wanted to be asked before each sub-task")
    if answer.verdict == "no":
        result = f"not started: {answer.text or 'the person said no'}"
        lane.ctx.history.record(lane.over("skipped", result))


async def before_step(lane: LaneView) -> None:
    """`spend:N%` and `every:N`: going on needs a yes, a no ends the run. Raises `Parked`."""
    for mark in lane.state.goal.ask:
        if (due := _due(lane, mark)) is None:
            continue
        subject = Subject(run=lane.state.run_id, kind="spend", args={"checkpoint": mark, "at": due})
        answer = await lane.ask(subject, f"{_reached(lane.state, mark)} (checkpoint {mark}); go on?")
        if answer.verdict == "no" and lane.state.ended is None:
            reason = f"stopped at the checkpoint {mark}: {answer.text or 'the person said no'}"
            lane.ctx.history.record(RunEnded(ending="cancelled", reason=reason), sync=True)
            return


async def before_end(ctx: RunContext, tree: str, lane: str | None = None) -> str | None:
    """`finish`: asked once all criteria hold. What the person says against it; `None` for yes.

    With nobody there (`skip`) the evidence stands alone. Raises `Parked`.
    """
    state = ctx.history.state
    if "finish" not in state.goal.ask:
        return None
    answer: QuestionAnswered = await ctx.asking.ask(
        Subject(run=state.run_id, kind="finish", tree=tree),
        "you wanted to be asked before the run ends",
        lane=lane,
    )
    if answer.verdict == "yes" or answer.by == "nobody":
        return None
    return answer.text or "the person said no"


def no_end_yet(ctx: RunContext, why: str) -> None:
    """Criteria don't hold any more: an open question whether the run may end is about nothing."""
    for asked in ctx.history.state.waiting:
        if asked.question.subject.kind == "finish":
            ctx.history.record(QuestionVoided(question=asked.question.id, why=why), sync=True)


def _reached(state: RunState, mark: str) -> str:
    """What brought it about: the money or the tokens that are spent of what the goal allows, or the steps."""
    if mark.startswith("every:"):
        return "1 step is done" if state.steps == 1 else f"{state.steps} steps are done"
    share, limits = budget.share_spent(state) * 100, state.limits
    if limits.usd and float(state.usd / limits.usd) * 100 >= share:
        usd = f"${state.usd:.2f}" if state.usd >= Decimal("0.01") else f"${state.usd:.4f}"
        return f"{usd} of ${limits.usd:.2f} is spent, {share:.0f} %"
    return f"{state.tokens:,} of {limits.tokens:,} tokens are spent, {share:.0f} %"


def _due(lane: LaneView, mark: str) -> int | None:
    """Which crossing of the mark the run stands at; `None` before the first."""
    name, _, number = mark.partition(":")
    if name == "every":
        return lane.state.steps // int(number) or None
    if name != "spend":
        return None
    return 1 if budget.share_spent(lane.state) * 100 >= int(number.rstrip("%")) else None
