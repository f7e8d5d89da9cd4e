"""A lane: one sub-task, from its first request to its end. Act, observe, reflect.

Everything that a lane knows is in the journal; a new `Lane` over the same state goes on where the last one
stopped, in the middle of a reply's calls too.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Literal

from autoagent import budget
from autoagent.calls import Calls
from autoagent.context import RunContext
from autoagent.controls import CONTROLS
from autoagent.events import (
    CallDecided,
    CallEnded,
    ContextCompacted,
    Event,
    FinishRefuted,
    LadderClimbed,
    LaneReset,
    Observed,
    QuestionAnswered,
    RunEnded,
    SubTaskEnded,
    TimeSpent,
)
from autoagent.goal import Criterion, HumanCriterion, JudgeCriterion
from autoagent.messages import Reply, RequestedCall
from autoagent.ports import Model
from autoagent.progress import next_rung, stuck
from autoagent.prompt import offered, sub_task_of, worker_messages
from autoagent.proof import Prover, failures
from autoagent.questions import Subject
from autoagent.redact import cut
from autoagent.requests import complete
from autoagent.scripts import Scripts
from autoagent.state import LaneState, RunState
from autoagent.turns import SCRIPT

Merge = Callable[[str], Awaitable[bool]]
"""Bring a forked lane's files into `main`; `False` where they conflict and the lane must go on."""

REFUTED_AT_MOST = 3
_GO_ON = {
    "code": "Find out why, and reply with a better script in a ```python block.",
    "tools": "Find out why, and go on with a tool.",
}
_CONTEXT_SHARE = 0.7
_KEPT_TURNS = 6
_BYTES_A_TOKEN = 3


class Lane:
    """Carries one sub-task."""

    def __init__(self, ctx: RunContext, name: str, merge: Merge) -> None:
        self.ctx = ctx
        self.name = name
        self.merge = merge
        self.calls = Calls(ctx, name)
        self.scripts = Scripts(self.calls)
        self.prover = Prover(ctx)

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    @property
    def me(self) -> LaneState:
        return self.state.lanes[self.name]

    async def until_done(self) -> None:
        """Raises `Parked`, `LimitReached`, and what the operator must know."""
        try:
            await self.checkpoint_task()
            while self.is_open:
                if not self.me.pending:
                    await self.look()
                    await self.act()
                while self.me.pending and self.is_open:
                    await self.observe(self.me.pending[0])
                await self.reflect()
        finally:
            self.calls.thread.close()

    @property
    def is_open(self) -> bool:
        return self.me.ended is None and self.state.ended is None

    # --- act ----------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Before each step: the person's edits, the checkpoints, the room in the context."""
        if self.me.on_main:
            await self.ctx.workspace.adopt(self.ctx.asking)
        await self.checkpoints()
        self.compact()

    async def act(self) -> Reply | None:
        """One request, and its reply in the record; `None` where a checkpoint ended it all first."""
        if not self.is_open:
            return None
        tools = offered(self.state, self.me, self.ctx.tools)
        abilities = self.ctx.sandbox.abilities if self.ctx.sandbox is not None else None
        reply = await complete(
            self.ctx,
            "worker",
            self.name,
            worker_messages(self.state, self.me, self.ctx.tools, abilities),
            tools if self.me.style == "tools" else (),
            model=self.model,
            # the same words at temperature 0 give the same mistake
            temperature=0.0 if self.me.failures == 0 and not self.me.rungs else 0.5,
        )
        if not self.me.pending and not await self.finish_in_words(reply):
            self.note(_no_call(reply, self.me.style), "reply")
        return reply

    async def finish_in_words(self, reply: Reply) -> bool:
        """Take a reply without a call as `finish` where a file or a command can refute it.

        Small models say that they are done instead of calling it. Only after something was changed, so that
        an announcement of the first step doesn't count, and not again before the next change.
        """
        plain = reply.finish_reason != "length" and bool(reply.text.strip())
        if not plain or self.me.tree == self.me.start or self.me.refuted or not self.can_refute:
            return False
        why = await self.refuted()
        if why is None:
            self.ctx.history.record(self.over("done", reply.text.strip()), sync=True)
        else:
            refuted = FinishRefuted(lane=self.name, sub_task=self.me.sub_task, tree=self.me.tree)
            text = f"{why}\n{_GO_ON[self.me.style]}"
            self.ctx.history.record(Observed(lane=self.name, text=text, source="finish"), refuted)
        return True

    @property
    def can_refute(self) -> bool:
        """Whether a criterion that costs nothing to check stands between a claim and the end."""
        own = sub_task_of(self.state, self.me.sub_task).done_when
        criteria = (*own, *(self.state.criteria if self.is_last else ()))
        return any(not _asks(c) for c in criteria)

    @property
    def model(self) -> Model:
        models = self.ctx.models
        climbed = "stronger" in self.me.rungs and models.stronger is not None
        return models.stronger if climbed and models.stronger is not None else models.worker

    def compact(self) -> None:
        """Shorten old results once most of the context is full; goal, plan and rules stay as they are."""
        me, room = self.me, self.ctx.models.context_tokens * _CONTEXT_SHARE
        recent = me.turns[me.compacted :]
        estimate = sum(len(t.text) for t in recent) / _BYTES_A_TOKEN + me.compacted * 100
        if max(estimate, me.prompt_tokens if len(recent) > _KEPT_TURNS else 0) < room:
            return
        upto = len(me.turns) - _KEPT_TURNS
        if upto > me.compacted:
            self.ctx.history.record(ContextCompacted(lane=self.name, upto=upto))

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
        decided = self.state.calls.get(call.id)
        if decided is None:
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
                await self.finish(call.id, text)
            case "give_up":
                self.end_with(call.id, "noted", self.over("failed", text))
            case "ask_human":
                await self.ask_human(call.id, text)
            case _:
                self.end_with(call.id, self.read_again(text))

    async def finish(self, call: str, result: str) -> None:
        """The worker says done: merge, check, and believe only the evidence."""
        why = await self.refuted()
        if why is None:
            self.end_with(call, "accepted", self.over("done", result))
            return
        refuted = FinishRefuted(lane=self.name, sub_task=self.me.sub_task, tree=self.me.tree)
        self.end_with(call, why, refuted, ok=False)
        self.give_up_after_refutations(why)

    async def refuted(self) -> str | None:
        """Why the sub-task isn't done, in words; `None` where it is, and its files are in `main`."""
        why = await self.refutation()
        if why is None and not self.me.on_main:
            why = None if await self.merge(self.name) else "The files conflict with another sub-task's."
        if why is None and self.is_last:
            why = await self.goal_refutation()
        return why

    def give_up_after_refutations(self, why: str) -> None:
        if self.me.refuted >= REFUTED_AT_MOST:
            reason = f"finish was refuted {REFUTED_AT_MOST} times without a change: {cut(why, 500)}"
            self.ctx.history.record(self.over("failed", reason))

    async def refutation(self) -> str | None:
        """What the sub-task's own criteria say against it; those that a model proposed say it only once."""
        criteria = tuple(c for c in sub_task_of(self.state, self.me.sub_task).done_when if not _asks(c))
        if not criteria or (self.me.refuted and self._only_proposed):
            return None
        text = failures(criteria, await self.prover.prove(criteria, self.me.tree, self.me.sub_task))
        return f"Not done yet:\n{text}" if text else None

    @property
    def _only_proposed(self) -> bool:
        return self.state.plan is not None and self.state.plan.source == "model"

    async def goal_refutation(self) -> str | None:
        """What the goal's criteria, and then the person, say against it."""
        criteria = self.state.criteria
        text = failures(criteria, await self.prover.prove(criteria, self.me.tree))
        if text:
            return f"The goal isn't reached yet:\n{text}"
        if "finish" in self.state.goal.ask:
            subject = Subject(run=self.state.run_id, kind="finish", tree=self.me.tree)
            why = "you wanted to be asked before the run ends"
            answer = await self.ask(subject, why)
            if answer.verdict == "no":
                return f"The person says it isn't done: {answer.text or 'look again'}"
        return None

    @property
    def is_last(self) -> bool:
        """Whether every other sub-task is over."""
        plan = self.state.plan
        others = [s.id for s in plan.sub_tasks if s.id != self.me.sub_task] if plan is not None else []
        return all(self.state.outcome(id) in ("done", "failed", "skipped") for id in others)

    async def ask_human(self, call: str, question: str) -> None:
        subject = Subject(run=self.state.run_id, kind="question", call=call, args=question)
        answer = await self.ask(subject, "the agent has a question", choices=())
        said = answer.text or "no answer"
        self.end_with(call, f"Nobody answered: {said}" if answer.by == "nobody" else said)

    async def ask(
        self, subject: Subject, why: str, choices: tuple[str, ...] | None = None
    ) -> QuestionAnswered:
        if choices is None:
            return await self.ctx.asking.ask(subject, why, lane=self.name, sub_task=self.me.sub_task)
        return await self.ctx.asking.ask(
            subject, why, choices=choices, lane=self.name, sub_task=self.me.sub_task
        )

    def read_again(self, handle: str) -> str:
        for turn in self.me.turns:
            if turn.kind == "result" and turn.call_id == handle.strip("'\" "):
                return turn.text
        return f"there is no result with the handle {handle[:80]!r}"

    def end_with(self, call: str, output: str, *events: Event, ok: bool = True) -> None:
        self.ctx.history.record(
            CallEnded(call=call, lane=self.name, ok=ok, output=output), *events, sync=bool(events)
        )

    def over(self, outcome: Literal["done", "failed", "skipped"], result: str) -> SubTaskEnded:
        return SubTaskEnded(sub_task=self.me.sub_task, lane=self.name, outcome=outcome, result=result)

    def note(self, text: str, source: str) -> None:
        self.ctx.history.record(Observed.model_validate({"lane": self.name, "text": text, "source": source}))

    # --- reflect ------------------------------------------------------------------------------------------

    async def reflect(self) -> None:
        """Count the time, and climb the ladder where nothing moves."""
        if (seconds := self.ctx.meter.take(at_least=1.0)) > 0:
            self.ctx.history.record(TimeSpent(seconds=round(seconds, 3)))
        if self.me.ended is None and (why := stuck(self.me)):
            await self.climb(why)

    async def climb(self, why: str) -> None:
        """The next rung that can be climbed: nudge, reset, re-plan, stronger model, ask."""
        rung = next_rung(self.me)
        climbed = LadderClimbed.model_validate({"lane": self.name, "rung": rung, "why": why})
        match rung:
            case "nudge":
                text = f"You make no progress: {why}. Say what you know, then try something else."
                self.ctx.history.record(climbed, Observed(lane=self.name, text=text, source="nudge"))
            case "reset":
                await self.reset(climbed, f"An earlier try at this led nowhere: {why}. Take another way.")
            case "replan":
                self.ctx.history.record(climbed)
                if (
                    self.state.plan is not None
                    and self.state.plan.source != "goal"
                    and not self.state.replans
                ):
                    failed = self.over("failed", f"no progress: {why}")
                    self.ctx.history.record(failed)
                else:
                    await self.climb(why)
            case "stronger":
                if self.ctx.models.stronger is None:
                    self.ctx.history.record(climbed)
                    await self.climb(why)
                else:
                    await self.reset(climbed, f"Another model's try led nowhere: {why}.")
            case _:
                await self.ask_for_help(climbed, why)

    async def reset(self, climbed: LadderClimbed, why: str) -> None:
        """Head and conversation go back to the sub-task's start."""
        async with self.ctx.workspace.moving(self.me.on_main):
            start = self.me.start
            self.ctx.history.record(climbed, LaneReset(lane=self.name, tree=start, why=why), sync=True)
            if self.me.on_main:
                await self.ctx.history.durable()
                await self.ctx.workspace.project(self.ctx.asking)

    async def ask_for_help(self, climbed: LadderClimbed, why: str) -> None:
        """The last rung: a person reads the diagnosis. Without an answer the sub-task has failed."""
        times = self.me.rungs.count("ask")
        subject = Subject(
            run=self.state.run_id, kind="question", call=f"{self.name}.stuck{times}", args=f"Stuck: {why}"
        )
        answer = await self.ask(subject, f"sub-task {self.me.sub_task!r} is stuck: {why}", choices=())
        if answer.by == "nobody":
            self.ctx.history.record(climbed, self.over("failed", f"stuck: {why}"))
        else:
            note = Observed(lane=self.name, text=f"The person says: {answer.text}", source="person")
            self.ctx.history.record(climbed, note)

    # --- checkpoints --------------------------------------------------------------------------------------

    async def checkpoint_task(self) -> None:
        """`task`: asked before a sub-task's first step."""
        if "task" not in self.state.goal.ask or self.me.replies or self.me.ended is not None:
            return
        about = sub_task_of(self.state, self.me.sub_task)
        subject = Subject(run=self.state.run_id, kind="task", args=about.model_dump(mode="json"))
        answer = await self.ask(subject, "you wanted to be asked before each sub-task")
        if answer.verdict == "no":
            result = f"not started: {answer.text or 'the person said no'}"
            self.ctx.history.record(self.over("skipped", result))

    async def checkpoints(self) -> None:
        """`spend:N%` and `every:N`: going on needs a yes."""
        for mark in self.state.goal.ask:
            name, _, number = mark.partition(":")
            due = self._due(name, number)
            if due is None:
                continue
            subject = Subject(run=self.state.run_id, kind="spend", args={"checkpoint": mark, "at": due})
            spent = f"{self.state.steps} steps and {self.state.usd:.4f} USD spent"
            answer = await self.ask(subject, f"checkpoint {mark}: {spent}; go on?")
            if answer.verdict == "no" and self.state.ended is None:
                reason = f"stopped at the checkpoint {mark}: {answer.text or 'the person said no'}"
                self.ctx.history.record(RunEnded(ending="cancelled", reason=reason))

    def _due(self, name: str, number: str) -> int | None:
        """Which crossing of the mark the run stands at; `None` before the first."""
        if name == "every":
            return self.state.steps // int(number) or None
        if name != "spend":
            return None
        return 1 if budget.share_spent(self.state) * 100 >= int(number.rstrip("%")) else None


def _asks(criterion: Criterion) -> bool:
    """Judge and person are asked about the goal, not about each sub-task."""
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
