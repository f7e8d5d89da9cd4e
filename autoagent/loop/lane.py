"""A lane: one sub-task, from its first request to its end. Reflect, act, observe.

Everything that a lane knows is in the journal; a new `Lane` over the same state goes on where the last one
stopped, in the middle of a reply's calls too.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial

from autoagent.door.tools import Tool
from autoagent.events import (
    CallDecided,
    CallEnded,
    Event,
    FinishRefuted,
    ModelReplied,
    Observed,
    TimeSpent,
)
from autoagent.goal import Criterion, HumanCriterion, JudgeCriterion
from autoagent.loop import checkpoints, ladder
from autoagent.loop.calls import Calls
from autoagent.loop.context import RunContext
from autoagent.loop.controls import CONTROLS
from autoagent.loop.lane_view import LaneView
from autoagent.loop.preview import preview
from autoagent.loop.progress import stuck
from autoagent.loop.prompt import offered, sub_task_of, worker_messages
from autoagent.loop.proof import Prover, failures
from autoagent.loop.requests import complete
from autoagent.loop.scripts import Scripts
from autoagent.loop.shortening import shortened
from autoagent.messages import Reply, RequestedCall
from autoagent.ports import Model
from autoagent.questions import Subject
from autoagent.redact import cut
from autoagent.state import LaneState, RunState
from autoagent.trees import diff
from autoagent.turns import SCRIPT, Transcript

Merge = Callable[[str, Callable[[str], tuple[Event, ...]]], Awaitable[bool]]
"""Bring a forked lane's files into `main`; `False` where they conflict and the lane must go on.

The function says what is recorded with the conflict, given the lane's new tree.
"""

REFUTED_AT_MOST = 3
_GO_ON = {
    "code": "Find out why, and reply with a better script in a ```python block.",
    "tools": "Find out why, and go on with a tool.",
}
_CONFLICT = "The files conflict with another sub-task's."


class Lane:
    """Carries one sub-task."""

    def __init__(self, ctx: RunContext, name: str, merge: Merge) -> None:
        self.ctx = ctx
        self.name = name
        self.view = LaneView(ctx, name)
        self.merge = merge
        self.calls = Calls(ctx, name)
        self.scripts = Scripts(self.calls)
        self.prover = Prover(ctx)
        self.transcript = Transcript()
        self.reply: Reply | None = None
        """The last one that this process has seen."""

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    @property
    def me(self) -> LaneState:
        return self.view.me

    async def until_done(self) -> None:
        """Raises `Parked`, `LimitReached`, and what the operator must know."""
        try:
            await checkpoints.before_sub_task(self.view)
            while self.view.is_open:
                if self.me.pending:
                    await self.observe(self.me.pending[0])
                elif (reply := self.unheeded()) is not None:
                    await self.heed(reply)
                else:
                    await self.reflect()
                    await self.look()
                    await self.act()
        finally:
            self.calls.executor.close()

    async def held_still(self) -> None:
        """While a person has paused the run; that time isn't the run's."""
        if self.state.paused:
            with self.ctx.meter.waiting():
                await self.ctx.history.until(lambda s: not s.paused or s.ended is not None)

    # --- reflect, act -------------------------------------------------------------------------------------

    async def reflect(self) -> None:
        """Count the time, and climb the ladder where nothing moves."""
        if (seconds := self.ctx.meter.take(at_least=1.0)) > 0:
            self.ctx.history.record(TimeSpent(seconds=round(seconds, 3)))
        if why := stuck(self.me):
            await ladder.climb(self.view, why)

    async def look(self) -> None:
        """Before each step: the person's edits, the checkpoints, the room in the context."""
        if not self.view.is_open:
            return
        await self.held_still()
        if self.me.on_main:
            await self.ctx.workspace.adopt(self.ctx.asking)
        await checkpoints.before_step(self.view)
        for text in self.state.said[self.me.steered :]:
            told = f"The person says: {text}"
            self.ctx.history.record(Observed(lane=self.name, text=told, source="steer"))
        if (shorter := shortened(self.me, self.ctx.models.context_tokens)) is not None:
            self.ctx.history.record(shorter)

    async def act(self) -> None:
        """One request, and its reply in the record."""
        if not self.view.is_open:
            return
        tools = offered(self.state, self.me, self.ctx.tools)
        abilities = self.ctx.sandbox.abilities if self.ctx.sandbox is not None else None
        self.reply = await complete(
            self.ctx,
            "worker",
            self.name,
            worker_messages(self.state, self.me, self.ctx.tools, abilities, self.transcript),
            tools if self.me.style == "tools" else (),
            model=self.model,
            # the same words at temperature 0 give the same mistake
            temperature=0.0 if self.me.failures == 0 and not self.me.rungs else 0.5,
        )

    @property
    def model(self) -> Model:
        models = self.ctx.models
        return models.stronger if "stronger" in self.me.rungs and models.stronger else models.worker

    # --- observe ------------------------------------------------------------------------------------------

    async def observe(self, call: RequestedCall) -> None:
        """Bring one call of the reply to its end."""
        if call.name == SCRIPT and self.me.style == "code":
            await self.scripts.carry_out(call)
        elif call.name in CONTROLS:
            await self.steer(call)
        else:
            await self.calls.carry_out(call)

    async def steer(self, call: RequestedCall) -> None:
        """A call that is about the lane itself."""
        text = _text_argument(call)
        if call.id not in self.state.calls:
            event = CallDecided(
                call=call.id,
                lane=self.name,
                tool=call.name,
                args={"text": text},
                effect="read",
                decision="allow",
                why="a control",
            )
            self.ctx.history.record(event)
        match call.name:
            case "finish":
                await self.finish(text, call.id)
            case "give_up":
                self.end_with(call.id, "noted", self.view.over("failed", text))
            case "ask_human":
                await self.ask_human(call.id, text)
            case _:
                self.end_with(call.id, self.read_again(text))

    async def ask_human(self, call: str, question: str) -> None:
        subject = Subject(run=self.state.run_id, kind="question", call=call, args=question)
        answer = await self.view.ask(subject, "the agent has a question", choices=())
        said = answer.text or "no answer"
        self.end_with(call, f"Nobody answered: {said}" if answer.by == "nobody" else said)

    def read_again(self, handle: str) -> str:
        for turn in self.me.turns:
            if turn.kind == "result" and turn.call_id == handle.strip("'\" "):
                return turn.text
        return f"there is no result with the handle {handle[:80]!r}"

    def end_with(self, call: str, output: str, *events: Event) -> None:
        self.ctx.history.record(self.ended(call, output), *events, sync=bool(events))

    def ended(self, call: str, output: str, *, ok: bool = True) -> CallEnded:
        return CallEnded(call=call, lane=self.name, ok=ok, output=output)

    # --- a reply in words ---------------------------------------------------------------------------------

    def unheeded(self) -> Reply | None:
        """A reply without a call that nothing has followed yet."""
        last = self.me.turns[-1] if self.me.turns else None
        if last is None or last.kind != "reply" or last.calls:
            return None
        return self.reply or self._recorded()

    def _recorded(self) -> Reply:
        """The lane's last reply, which a former process saw."""
        for entry in reversed(self.ctx.history.journal.read(self.ctx.history.run_id)):
            if isinstance(entry.event, ModelReplied) and entry.event.lane == self.name:
                return entry.event.reply
        raise AssertionError(f"lane {self.name!r} has a turn without its reply")

    async def heed(self, reply: Reply) -> None:
        """Take a reply without a call as `finish` where a file or a command can refute it.

        Small models say that they are done instead of calling it. Only after something was written, so that
        an announcement of the first step doesn't count, and not again before the next change.
        """
        claim = "" if reply.finish_reason == "length" else reply.text.strip().partition("\n")[0]
        if claim and self.has_written and not self.me.refuted and self.can_refute:
            await self.finish(claim)
        else:
            note = Observed(lane=self.name, text=_no_call(reply, self.me.style), source="reply")
            self.ctx.history.record(note)

    @property
    def has_written(self) -> bool:
        """Whether a script or another write has ended well, even one that left the files as they were."""
        done = (t.tool for t in self.me.turns if t.kind == "result" and t.ok)
        return any(name == SCRIPT or _writes(self.ctx.tools.get(name)) for name in done)

    @property
    def can_refute(self) -> bool:
        """Whether a criterion that costs nothing to check stands between a claim and the end."""
        own = sub_task_of(self.state, self.me.sub_task).done_when
        criteria = (*own, *(self.state.criteria if self.is_last else ()))
        return any(not _asks(c) for c in criteria)

    # --- done ---------------------------------------------------------------------------------------------

    async def finish(self, result: str, call: str | None = None) -> None:
        """The worker says done: check, merge, and believe only the evidence."""
        why = await self.refutation()
        conflict = partial(self.said, call, _CONFLICT)
        if why is None and not self.me.on_main and not await self.merge(self.name, conflict):
            return
        if why is None and self.is_last:
            why = await self.goal_refutation()
        if why is None:
            over = self.view.over("done", result)
            accepted = () if call is None else (self.ended(call, "accepted"),)
            self.ctx.history.record(*accepted, over, sync=True)
            return
        events: list[Event] = [FinishRefuted(lane=self.name, sub_task=self.me.sub_task, tree=self.me.tree)]
        if self.me.refuted + 1 >= REFUTED_AT_MOST:
            reason = f"finish was refuted {REFUTED_AT_MOST} times without a change: {cut(why, 500)}"
            events.append(self.view.over("failed", reason))
        self.ctx.history.record(*self.said(call, why, self.me.tree), *events, sync=True)

    def said(self, call: str | None, text: str, tree: str) -> tuple[Event, ...]:
        """What the worker reads against its claim: as the call's result, or as a note where it made none.

        `tree` is the lane's when it reads that.
        """
        if self.me.style == "code":
            text += f"{self.written(tree)}\n{self.task_again}"
        if call is not None:
            return (self.ended(call, text, ok=False),)
        return (Observed(lane=self.name, text=f"{text}\n{_GO_ON[self.me.style]}", source="finish"),)

    def written(self, tree: str) -> str:
        """How the files begin that this lane has changed: a model that writes scripts rarely looks."""
        workspace, goal = self.ctx.workspace, self.state.goal
        start, now = workspace.tree(self.me.start), workspace.tree(tree)
        changed = {p: x for p in diff(start, now).paths if (x := now.entries.get(p)) is not None}
        text, _ = preview(changed, workspace.objects, goal.private)
        return f"\nWhat you have written so far:\n{text}" if text else ""

    @property
    def task_again(self) -> str:
        """The task in its own words: a small model goes by what it read last."""
        about = sub_task_of(self.state, self.me.sub_task)
        return f"Your task, again: {about.title} {about.instructions}".strip()

    async def refutation(self) -> str | None:
        """What the sub-task's own criteria say against it; those that a model proposed say it only once."""
        criteria = sub_task_of(self.state, self.me.sub_task).done_when
        if self.are_proposed:
            criteria = () if self.me.refuted else tuple(c for c in criteria if not _asks(c))
        if not criteria:
            return None
        verdicts = await self.prover.prove(criteria, self.me.tree, self.me.sub_task)
        if self.are_proposed:  # what can't be checked here is no objection: only a model wanted it
            verdicts = [v for v in verdicts if v.verdict == "refuted"]
        text = failures(criteria, verdicts)
        return f"Not done yet:\n{text}" if text else None

    @property
    def are_proposed(self) -> bool:
        """Whether the sub-tasks' criteria are only a model's; no judge or person is troubled with them."""
        return self.state.plan is not None and self.state.plan.source == "model"

    async def goal_refutation(self) -> str | None:
        """What the goal's criteria, and then the person, say against it."""
        criteria = self.state.criteria
        text = failures(criteria, await self.prover.prove(criteria, self.me.tree))
        if text:
            checkpoints.no_end_yet(self.ctx, "the goal's criteria don't hold any more")
            return f"The goal isn't reached yet:\n{text}"
        why = await checkpoints.before_end(self.ctx, self.me.tree, self.name)
        return None if why is None else f"The person says it isn't done: {why}"

    @property
    def is_last(self) -> bool:
        """Whether every other sub-task is over."""
        plan = self.state.plan
        others = [s.id for s in plan.sub_tasks if s.id != self.me.sub_task] if plan is not None else []
        return all(self.state.outcome(id) in ("done", "failed", "skipped") for id in others)


def _writes(tool: Tool | None) -> bool:
    return tool is not None and tool.effect == "write"


def _asks(criterion: Criterion) -> bool:
    """Whether a model is paid, or a person troubled, for its verdict."""
    return isinstance(criterion, JudgeCriterion | HumanCriterion)


def _no_call(reply: Reply, style: str) -> str:
    """What a reply that asks for nothing is told."""
    if reply.finish_reason == "length":
        return "Your reply was cut because it was too long. Do it in smaller pieces."
    if style == "code":
        return (
            "Your reply had no ```python block, so nothing ran. Reply with one script in a ```python block."
        )
    return "Your reply called no tool, so nothing happened. Call a tool; call finish when all is done."


def _text_argument(call: RequestedCall) -> str:
    """The one text of a control, however the model wrapped it."""
    try:
        value = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments
    if isinstance(value, dict):
        texts = [v if isinstance(v, str) else json.dumps(v) for v in value.values()]
        return texts[0] if texts else ""
    return value if isinstance(value, str) else json.dumps(value)
