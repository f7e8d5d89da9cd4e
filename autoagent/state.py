"""The state of a run: `fold(events)`. Pure: no clock, no I/O, no randomness.

Everything that decides what happens next is here; what a process holds besides (sockets, containers, tasks)
can be lost at any instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, TypeVar, assert_never

from autoagent import events as e
from autoagent.goal import Criterion, Goal, Limits, SubTask
from autoagent.messages import RequestedCall
from autoagent.questions import Question
from autoagent.turns import Style, Turn, requested_calls

K = TypeVar("K")
V = TypeVar("V")
MAIN = "main"
_RECENT = 8


@dataclass(frozen=True)
class CallState:
    """A call that was decided and hasn't ended."""

    decided: e.CallDecided
    started: e.CallStarted | None = None
    ended: e.CallEnded | None = None
    """Only kept for the calls inside a script that hasn't ended."""


@dataclass(frozen=True)
class LaneState:
    """One sub-task at work."""

    name: str
    sub_task: str
    tree: str
    """Head of the lane; for a lane on main the same as main's."""
    base: str
    """The tree of `main` that it started from, for the merge."""
    start: str
    """The tree to go back to."""
    listing: str
    style: Style
    tools: tuple[str, ...]
    on_main: bool
    turns: tuple[Turn, ...] = ()
    pending: tuple[RequestedCall, ...] = ()
    """Calls of the last reply that haven't ended, in order."""
    outcomes: tuple[bool, ...] = ()
    """How the calls of the last reply ended so far."""
    replies: int = 0
    prompt_tokens: int = 0
    """Of the last settled request, as far as the server said."""
    prompt_bytes: int = 0
    compacted: int = 0
    """Turns before this index are shortened."""
    signatures: tuple[str, ...] = ()
    """The last calls with their results, since the last rung."""
    failures: int = 0
    """Calls in a row that ended badly, or replies without a call."""
    still: int = 0
    """Replies since the tree, the plan or the evidence last changed."""
    rungs: tuple[str, ...] = ()
    """Of the ladder, as climbed."""
    refuted: int = 0
    """Refuted finishes since the tree last changed."""
    conflicts: int = 0
    ended: Literal["done", "failed", "skipped"] | None = None
    result: str = ""


@dataclass(frozen=True)
class QuestionState:
    """A question and what became of it."""

    question: Question
    asked_at: datetime
    answer: e.QuestionAnswered | None = None
    voided: str | None = None

    @property
    def is_open(self) -> bool:
        return self.answer is None and self.voided is None


@dataclass(frozen=True)
class Standing:
    """What is left of a `y -N`."""

    tool: str
    destination: str | None
    why: str
    left: int


@dataclass(frozen=True)
class Plan:
    """The plan as it stands."""

    version: int
    source: str
    sub_tasks: tuple[SubTask, ...]
    approved: bool = False


@dataclass(frozen=True)
class Held:
    """A reservation of a request under way."""

    lane: str
    role: str
    usd: Decimal
    tokens: int


def _empty() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class RunState:
    """Everything known of a run after an entry."""

    run_id: str
    seq: int = 0
    epoch: int = 0
    started: e.RunStarted | None = None
    started_at: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    criteria: tuple[Criterion, ...] = ()
    main: str = ""
    before_main: str = ""
    """`main`'s former head: what the folder may still hold after a crash."""
    start_tree: str = ""
    recalled: tuple[str, ...] | None = None
    plan: Plan | None = None
    plan_notes: tuple[str, ...] = ()
    """Why plans were refused since the last good one."""
    replans: int = 0
    lanes: Mapping[str, LaneState] = field(default_factory=_empty)
    calls: Mapping[str, CallState] = field(default_factory=_empty)
    questions: Mapping[str, QuestionState] = field(default_factory=_empty)
    standing: tuple[Standing, ...] = ()
    held: Mapping[str, Held] = field(default_factory=_empty)
    replies: Mapping[tuple[str, str], int] = field(default_factory=_empty)
    """(lane, role) -> replies so far."""
    usd: Decimal = Decimal(0)
    tokens: int = 0
    steps: int = 0
    seconds: float = 0
    commands: int = 0
    outside: bool = False
    private: bool = False
    urls: frozenset[str] = frozenset()
    verdicts: Mapping[int, e.CriterionChecked] = field(default_factory=_empty)
    """The last verdict on each criterion of the goal."""
    remembered: frozenset[str] = frozenset()
    """Lanes whose outcome stands in long-term memory."""
    sent: tuple[str, ...] = ()
    """`tool destination` of each external effect that ended well."""
    ended: e.RunEnded | None = None
    parked: tuple[str, ...] | None = None
    interrupted: bool = False
    sandbox: str = ""
    model: str = ""
    attended: bool = False

    @property
    def goal(self) -> Goal:
        assert self.started is not None
        return self.started.goal

    @property
    def waiting(self) -> tuple[QuestionState, ...]:
        """Open questions, oldest first."""
        return tuple(q for q in self.questions.values() if q.is_open)

    @property
    def labels(self) -> tuple[e.Label, ...]:
        found: list[e.Label] = []
        if self.outside:
            found.append("outside")
        if self.private:
            found.append("private")
        return tuple(found)

    def lane_of(self, sub_task: str) -> LaneState | None:
        """The last lane in which the plan's present sub-task ran or runs."""
        lanes = [x for x in self.lanes.values() if x.sub_task == sub_task]
        return lanes[-1] if lanes else None

    def outcome(self, sub_task: str) -> str:
        """`done`, `failed`, `skipped`, `running` or `to come`."""
        lane = self.lane_of(sub_task)
        return "to come" if lane is None else lane.ended or "running"


def _put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return {**mapping, key: value}


def _drop(mapping: Mapping[K, V], *keys: K) -> Mapping[K, V]:
    return {k: v for k, v in mapping.items() if k not in keys}


def fold(run_id: str, entries: Iterable[e.Entry]) -> RunState:
    """The state after `entries`; a prefix and then the rest gives the same as all at once."""
    state = RunState(run_id)
    for entry in entries:
        state = advance(state, entry)
    return state


def advance(state: RunState, entry: e.Entry) -> RunState:
    """The state after one more entry. Raises `ValueError` if the sequence has a gap."""
    if entry.seq != state.seq + 1:
        raise ValueError(f"run {state.run_id!r}: entry {entry.seq} follows entry {state.seq}")
    state = apply(state, entry.event)
    started_at = state.started_at or entry.at
    return replace(state, seq=entry.seq, epoch=entry.epoch, started_at=started_at)


def apply(state: RunState, event: e.Event) -> RunState:
    """The state after `event`: what it says of lanes and calls, of the plan, of people, of the run."""
    match event:
        case e.ModelCalled() | e.ModelReplied() | e.ModelFailed():
            return _model(state, event)
        case e.CallDecided() | e.CallStarted() | e.CallEnded():
            return _call(state, event)
        case (
            e.SubTaskStarted()
            | e.SubTaskEnded()
            | e.LaneMerged()
            | e.LaneConflicted()
            | e.Observed()
            | e.LaneReset()
            | e.LadderClimbed()
            | e.ContextCompacted()
            | e.FinishRefuted()
        ):
            return _lane(state, event)
        case e.QuestionAsked() | e.QuestionAnswered() | e.QuestionVoided():
            return _question(state, event)
        case e.MemoryRecalled() | e.PlanMade() | e.PlanRefused() | e.PlanApproved() | e.CriterionChecked():
            return _plan(state, event)
        case (
            e.RunStarted()
            | e.OwnerChanged()
            | e.LimitsRaised()
            | e.CommandTaken()
            | e.CommandRefused()
            | e.FolderChanged()
            | e.TimeSpent()
            | e.RunParked()
            | e.RunInterrupted()
            | e.RunEnded()
            | e.MemoryIndexed()
            | e.MemoryDeferred()
        ):
            return _run(state, event)
        case _:
            assert_never(event)


# --- requests -----------------------------------------------------------------------------------------------


def _model(state: RunState, event: e.ModelCalled | e.ModelReplied | e.ModelFailed) -> RunState:
    match event:
        case e.ModelCalled():
            held = Held(event.lane, event.role, event.reserved_usd, event.reserved_tokens)
            return replace(state, held=_put(state.held, event.call, held))
        case e.ModelFailed():
            return _settle(state, event.call, event.cost_usd, event.tokens)
        case e.ModelReplied():
            role = state.held[event.call].role
            state = _settle(state, event.call, event.cost_usd, event.tokens)
            key, lane = (event.lane, role), state.lanes.get(event.lane)
            state = replace(state, replies=_put(state.replies, key, state.replies.get(key, 0) + 1))
            if lane is None or role != "worker":  # planner and judge talk outside any lane's conversation
                return state
            return _put_lane(state, _heard(lane, event), steps=state.steps + 1)
        case _:
            assert_never(event)


def _settle(state: RunState, call: str, usd: Decimal, tokens: int) -> RunState:
    held = _drop(state.held, call)
    return replace(state, held=held, usd=state.usd + usd, tokens=state.tokens + tokens)


def _heard(lane: LaneState, event: e.ModelReplied) -> LaneState:
    reply = event.reply
    calls = requested_calls(reply, lane.style, event.call)
    turn = Turn("reply", reply.text, lane.style, calls=calls)
    return replace(
        lane,
        turns=(*lane.turns, turn),
        pending=calls,
        outcomes=(),
        replies=lane.replies + 1,
        prompt_tokens=reply.usage.prompt_tokens or lane.prompt_tokens,
        prompt_bytes=event.prompt_bytes if reply.usage.prompt_tokens else lane.prompt_bytes,
        still=lane.still + 1,
    )


def _put_lane(state: RunState, lane: LaneState, **changes: Any) -> RunState:
    return replace(state, lanes=_put(state.lanes, lane.name, lane), **changes)


# --- calls --------------------------------------------------------------------------------------------------


def _call(state: RunState, event: e.CallDecided | e.CallStarted | e.CallEnded) -> RunState:
    match event:
        case e.CallDecided():
            return replace(state, calls=_put(state.calls, event.call, CallState(event)))
        case e.CallStarted():
            call = replace(state.calls[event.call], started=event)
            return replace(state, calls=_put(state.calls, event.call, call))
        case e.CallEnded():
            return _call_ended(state, event)
        case _:
            assert_never(event)


def _call_ended(state: RunState, event: e.CallEnded) -> RunState:
    call = state.calls[event.call]
    state = replace(
        state,
        outside=state.outside or "outside" in event.labels,
        private=state.private or "private" in event.labels,
        urls=state.urls | set(event.urls) if event.urls else state.urls,
        usd=state.usd + event.cost_usd,
    )
    if call.decided.script is not None:  # kept until its script ends: a second try reads it
        return replace(state, calls=_put(state.calls, event.call, replace(call, ended=event)))
    inside = [k for k, c in state.calls.items() if c.decided.script == event.call]
    state = replace(state, calls=_drop(state.calls, event.call, *inside))
    if call.decided.effect == "external" and event.ok:
        sent = f"{call.decided.tool} {call.decided.destination or ''}".strip()
        state = replace(state, sent=(*state.sent, sent))
    lane = state.lanes.get(event.lane)
    return state if lane is None else _observed_call(state, lane, call.decided, event)


def _observed_call(state: RunState, lane: LaneState, decided: e.CallDecided, event: e.CallEnded) -> RunState:
    turn = Turn("result", event.output, lane.style, event.call, decided.tool, event.ok)
    moved = event.tree is not None and event.tree != lane.tree
    signature = f"{decided.tool}{sorted(decided.args.items())!r}{event.ok}{event.output}"
    pending = tuple(c for c in lane.pending if c.id != event.call)
    lane = replace(
        lane,
        turns=(*lane.turns, turn),
        pending=(*pending, *event.queued),
        outcomes=(*lane.outcomes, event.ok),
        tree=event.tree or lane.tree,
        signatures=(*lane.signatures[-_RECENT:], str(hash_text(signature))),
        failures=0 if event.ok else lane.failures + 1,
        still=0 if moved else lane.still,
        refuted=0 if moved else lane.refuted,
    )
    if lane.on_main and moved:
        state = _move_main(state, lane.tree)
    return _put_lane(state, lane)


def hash_text(text: str) -> str:
    """A short, stable fingerprint (Python's own `hash` differs from process to process)."""
    import hashlib

    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _move_main(state: RunState, tree: str) -> RunState:
    """`main` has a new head; lanes that work on it follow."""
    lanes = {n: replace(x, tree=tree) if x.on_main and x.ended is None else x for n, x in state.lanes.items()}
    return replace(state, main=tree, before_main=state.main, lanes=lanes)


# --- lanes --------------------------------------------------------------------------------------------------

_LaneEvent = (
    e.SubTaskStarted
    | e.SubTaskEnded
    | e.LaneMerged
    | e.LaneConflicted
    | e.Observed
    | e.LaneReset
    | e.LadderClimbed
    | e.ContextCompacted
    | e.FinishRefuted
)


def _lane(state: RunState, event: _LaneEvent) -> RunState:
    match event:
        case e.SubTaskStarted():
            outside, private = "outside" in event.labels, "private" in event.labels
            state = replace(state, outside=state.outside or outside, private=state.private or private)
            return _put_lane(state, _new_lane(event))
        case e.SubTaskEnded() if event.lane not in state.lanes:  # skipped before it began
            return _put_lane(state, _unborn(state, event))
        case _:
            pass
    lane = state.lanes[event.lane]
    match event:
        case e.SubTaskEnded():
            return _put_lane(state, replace(lane, ended=event.outcome, result=event.result, pending=()))
        case e.LaneMerged():
            lane = replace(lane, tree=event.tree, base=event.tree)
            return _move_main(_put_lane(state, lane), event.tree)
        case e.LaneConflicted():
            kept = ", ".join(f"{p!r} (your version: {k!r})" for p, k in sorted(event.kept.items()))
            note = Turn("note", _CONFLICT.format(kept=kept), lane.style)
            conflicts = lane.conflicts + 1
            lane = _noted(replace(lane, tree=event.tree, base=event.base, conflicts=conflicts), note)
            return _put_lane(state, lane)
        case e.Observed():
            lane = _noted(lane, Turn("note", event.text, lane.style))
            failed = lane.failures + (event.source == "reply")
            return _put_lane(state, replace(lane, failures=failed))
        case e.LaneReset():
            return _reset(state, lane, event)
        case e.LadderClimbed():
            lane = replace(lane, rungs=(*lane.rungs, event.rung), signatures=(), failures=0, still=0)
            return _put_lane(state, lane)
        case e.ContextCompacted():
            return _put_lane(state, replace(lane, compacted=event.upto))
        case e.FinishRefuted():
            return _put_lane(state, replace(lane, refuted=lane.refuted + 1))
        case e.SubTaskStarted():
            raise AssertionError("handled above")
        case _:
            assert_never(event)


_CONFLICT = (
    "While you worked, another sub-task changed the same files. Nothing of yours was merged. "
    "The workspace now holds its versions; yours are kept beside them: {kept}. "
    "Bring both together in the original paths, delete the kept copies, then finish again."
)


def _new_lane(event: e.SubTaskStarted) -> LaneState:
    return LaneState(
        name=event.lane,
        sub_task=event.sub_task,
        tree=event.tree,
        base=event.tree,
        start=event.tree,
        listing=event.listing,
        style=event.style,
        tools=event.tools,
        on_main=event.on_main,
    )


def _unborn(state: RunState, event: e.SubTaskEnded) -> LaneState:
    return LaneState(
        event.lane,
        event.sub_task,
        state.main,
        state.main,
        state.main,
        "",
        "tools",
        (),
        True,
        ended=event.outcome,
        result=event.result,
    )


def _noted(lane: LaneState, note: Turn) -> LaneState:
    return replace(lane, turns=(*lane.turns, note))


def _reset(state: RunState, lane: LaneState, event: e.LaneReset) -> RunState:
    note = Turn("note", event.why, lane.style)
    calls = {k: c for k, c in state.calls.items() if c.decided.lane != lane.name}
    lane = replace(lane, tree=event.tree, turns=(note,), pending=(), outcomes=(), compacted=0, refuted=0)
    state = replace(_put_lane(state, lane), calls=calls)
    return _move_main(state, event.tree) if lane.on_main and event.tree != state.main else state


# --- questions ----------------------------------------------------------------------------------------------


def _question(state: RunState, event: e.QuestionAsked | e.QuestionAnswered | e.QuestionVoided) -> RunState:
    match event:
        case e.QuestionAsked():
            asked = QuestionState(event.question, event.asked_at)
            return replace(state, questions=_put(state.questions, event.question.id, asked), parked=None)
        case e.QuestionVoided():
            voided = replace(state.questions[event.question], voided=event.why)
            return replace(state, questions=_put(state.questions, event.question, voided))
        case e.QuestionAnswered():
            known = state.questions[event.question]
            answered = replace(known, answer=event)
            state = replace(state, questions=_put(state.questions, event.question, answered))
            return replace(state, standing=_stand(state.standing, known.question, event))
        case _:
            assert_never(event)


def _stand(
    standing: tuple[Standing, ...], question: Question, answer: e.QuestionAnswered
) -> tuple[Standing, ...]:
    subject = question.subject
    mine = (subject.tool, subject.destination)
    others = tuple(s for s in standing if (s.tool, s.destination) != mine)
    if answer.by == "rule":
        used = [replace(s, left=s.left - 1) for s in standing if (s.tool, s.destination) == mine]
        return (*others, *(s for s in used if s.left > 0))
    if answer.verdict == "yes" and answer.covers > 1 and subject.tool is not None:
        return (*others, Standing(subject.tool, subject.destination, question.why, answer.covers - 1))
    return others


# --- plan and proof -----------------------------------------------------------------------------------------

_PlanEvent = e.MemoryRecalled | e.PlanMade | e.PlanRefused | e.PlanApproved | e.CriterionChecked


def _plan(state: RunState, event: _PlanEvent) -> RunState:
    match event:
        case e.MemoryRecalled():
            outside = state.outside or "outside" in event.labels
            private = state.private or "private" in event.labels
            return replace(state, recalled=event.texts, outside=outside, private=private)
        case e.PlanMade():
            plan = Plan(event.version, event.source, event.sub_tasks)
            return replace(state, plan=plan, plan_notes=(), replans=state.replans + event.is_replan)
        case e.PlanRefused():
            return replace(state, plan_notes=(*state.plan_notes, event.why))
        case e.PlanApproved():
            assert state.plan is not None
            criteria = state.criteria or event.criteria
            return replace(state, plan=replace(state.plan, approved=True), criteria=criteria)
        case e.CriterionChecked():
            if event.sub_task is not None:
                return state
            return replace(state, verdicts=_put(state.verdicts, event.number, event))
        case _:
            assert_never(event)


# --- the run ------------------------------------------------------------------------------------------------

_RunEvent = (
    e.RunStarted
    | e.OwnerChanged
    | e.LimitsRaised
    | e.CommandTaken
    | e.CommandRefused
    | e.FolderChanged
    | e.TimeSpent
    | e.RunParked
    | e.RunInterrupted
    | e.RunEnded
    | e.MemoryIndexed
    | e.MemoryDeferred
)


def _run(state: RunState, event: _RunEvent) -> RunState:
    match event:
        case e.RunStarted():
            return _started(state, event)
        case e.OwnerChanged():
            state = replace(state, sandbox=event.sandbox, model=event.model, attended=event.attended)
            ended = None if state.ended and state.ended.ending == "limit" else state.ended
            return replace(state, parked=None, interrupted=False, ended=ended)
        case e.LimitsRaised():
            return replace(state, limits=event.limits)
        case e.CommandTaken() | e.CommandRefused():
            return replace(state, commands=max(state.commands, event.number))
        case e.FolderChanged():
            return _move_main(state, event.tree)
        case e.TimeSpent():
            return replace(state, seconds=state.seconds + event.seconds)
        case e.RunParked():
            return replace(state, parked=event.waiting)
        case e.RunInterrupted():
            return replace(state, interrupted=True)
        case e.RunEnded():
            return replace(state, ended=event, parked=None)
        case e.MemoryIndexed():
            return replace(state, remembered=state.remembered | {event.sub_task})
        case e.MemoryDeferred():
            return state
        case _:
            assert_never(event)


def _started(state: RunState, event: e.RunStarted) -> RunState:
    return replace(
        state,
        started=event,
        limits=event.goal.limits,
        criteria=event.goal.done_when,
        main=event.tree,
        before_main=event.tree,
        start_tree=event.tree,
        sandbox=event.sandbox,
        model=event.model,
    )
