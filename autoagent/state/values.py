"""What is known of a run: immutable values, made by `autoagent.state.fold` and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from autoagent import events as e
from autoagent.goal import Criterion, Goal, Limits, SubTask
from autoagent.growing import Log, Seen
from autoagent.messages import RequestedCall
from autoagent.questions import HAPPENED, Question
from autoagent.turns import Style, Turn

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
MAIN = "main"


@dataclass(frozen=True)
class CallState:
    """A call that was decided and hasn't ended."""

    decided: e.CallDecided
    started: e.CallStarted | None = None
    ended: e.CallEnded | None = None
    """Only kept for the calls inside a script that hasn't ended."""
    is_inherited: bool = False
    """Decided, maybe started, by the run that this one was forked from, which may have gone on with it."""


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
    task: SubTask
    """As the plan had it when the lane began: what the worker is told of it never changes."""
    results: tuple[tuple[str, str], ...] = ()
    """(sub-task, its result) of those that it depends on."""
    is_leaf: bool = False
    """Nothing in the plan builds on it, so the goal's own criteria are its too."""
    turns: Log[Turn] = field(default_factory=Log)
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
    dropped: int = 0
    """Turns before this index are not sent at all."""
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
    steered: int = 0
    """How many of `RunState.said` its worker has read."""
    ended: Literal["done", "failed", "skipped"] | None = None
    result: str = ""


@dataclass(frozen=True)
class Origin:
    """What first gave a run one of its labels."""

    step: int
    """How many replies there were."""
    what: str
    """The page, file or tool; may hold names from outside."""


@dataclass(frozen=True)
class QuestionState:
    """A question and what became of it."""

    question: Question
    asked_at: datetime
    step: int = 0
    """How many replies there were."""
    answer: e.QuestionAnswered | None = None
    voided: str | None = None

    @property
    def is_open(self) -> bool:
        return self.answer is None and self.voided is None

    def is_word_on(self, call: str) -> bool:
        """Whether its answer is a person's word that this call, which was lost, had happened."""
        subject, stands = self.question.subject, self.answer is not None and self.voided is None
        is_about = stands and (subject.kind, subject.call) == ("recovery", call)
        return is_about and self.answer is not None and self.answer.text == HAPPENED

    def denier_of(self, call: str) -> str:
        """Who said no to this call here; empty where nobody did."""
        subject = self.question.subject
        is_about = self.voided is None and (subject.kind, subject.call) == ("call", call)
        return self.answer.by if is_about and self.answer is not None and self.answer.verdict == "no" else ""


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


@dataclass(frozen=True)
class RunState:
    """Everything known of a run after an entry."""

    run_id: str
    seq: int = 0
    epoch: int = 0
    started: e.RunStarted | None = None
    started_at: datetime | None = None
    workspace: str = ""
    """The user's folder, absolute; a fork has one of its own."""
    forked: e.Forked | None = None
    """Where this run left the one that it was forked from; the last fork counts."""
    limits: Limits = field(default_factory=Limits)
    criteria: tuple[Criterion, ...] = ()
    protected_since: tuple[str, ...] = ()
    """Paths of criteria that were accepted with a plan."""
    main: str = ""
    before_main: str = ""
    """What the folder may still hold after a crash: `main`'s former head, or what it was known to hold."""
    start_tree: str = ""
    recalled: tuple[str, ...] | None = None
    plan: Plan | None = None
    plan_notes: tuple[str, ...] = ()
    """Why plans were refused since the last good one."""
    replans: int = 0
    lanes: Mapping[str, LaneState] = field(default_factory=dict)
    calls: Mapping[str, CallState] = field(default_factory=dict)
    questions: Mapping[str, QuestionState] = field(default_factory=dict)
    standing: tuple[Standing, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    replies: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(lane, role) -> replies so far."""
    usd: Decimal = Decimal(0)
    tokens: int = 0
    steps: int = 0
    seconds: float = 0
    commands: int = 0
    said: tuple[str, ...] = ()
    """What a person told the agent unasked, in order."""
    paused: bool = False
    outside: bool = False
    private: bool = False
    origins: Mapping[e.Label, Origin] = field(default_factory=dict)
    """Of each label that the run has: what it read first."""
    urls: Seen[str] = field(default_factory=Seen)
    """URLs that stand verbatim in what was read."""
    verdicts: Mapping[int, e.CriterionChecked] = field(default_factory=dict)
    """The last verdict on each criterion of the goal."""
    remembered: frozenset[str] = frozenset()
    """Lanes whose outcome stands in long-term memory."""
    reported: frozenset[tuple[str, str]] = frozenset()
    """(plugin, question) that a plugin was told of; with an empty question: of how this process ended."""
    undone: e.Undone | None = None
    """The last undo, where nothing was concluded since: verdicts are about what was before it."""
    sent: tuple[str, ...] = ()
    """`tool destination` of each external effect that ended well."""
    on_word: tuple[str, ...] = ()
    """Those of `sent` of which only a person's word is known, after a crash."""
    unsure: tuple[str, ...] = ()
    """The same of each that failed, or was under way when the run ended, and may have happened."""
    ended: e.RunEnded | None = None
    parked: tuple[str, ...] | None = None
    interrupted: bool = False
    unavailable: str = ""
    """What the run stopped for, where something could not be had."""
    sandbox: str = ""
    model: str = ""
    server: str = ""
    """The address that the worker is asked at, as the last owner said it."""
    attended: bool = False
    opened: Mapping[str, e.ToolsOpened] = field(default_factory=dict)
    """Plugin -> the tools that it last opened."""
    changed: Mapping[str, str] = field(default_factory=dict)
    """Tool -> how it has changed in this run, as long as no person has allowed a call of it since."""

    def is_on_word(self, call: str) -> bool:
        """Whether a person said that a lost call had happened: all that is known of its end."""
        return any(q.is_word_on(call) for q in self.questions.values())

    def denied_by(self, call: str) -> str:
        """Who said no to a call, as an answer's `by`; empty where nobody did."""
        return next((by for q in self.questions.values() if (by := q.denier_of(call))), "")

    @property
    def goal(self) -> Goal:
        assert self.started is not None
        return self.started.goal

    @property
    def protected(self) -> tuple[str, ...]:
        """Paths that nothing may write, and that a proof uses as they were at the start."""
        return (*(self.started.protected if self.started is not None else ()), *self.protected_since)

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

    @property
    def begun(self) -> tuple[SubTask, ...]:
        """Sub-tasks of the present plan that are done or at work."""
        plan, begun = self.plan, ("done", "running")
        return () if plan is None else tuple(s for s in plan.sub_tasks if self.outcome(s.id) in begun)

    def lane_of(self, sub_task: str) -> LaneState | None:
        """The last lane in which the plan's present sub-task ran or runs."""
        lanes = [x for x in self.lanes.values() if x.sub_task == sub_task]
        return lanes[-1] if lanes else None

    def outcome(self, sub_task: str) -> str:
        """`done`, `failed`, `skipped`, `running` or `to come`."""
        lane = self.lane_of(sub_task)
        return "to come" if lane is None else lane.ended or "running"


# --- how one value is made of another -----------------------------------------------------------------------


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """`mapping` with one more, or another, value."""
    return {**mapping, key: value}


def drop(mapping: Mapping[K, V], *keys: K) -> Mapping[K, V]:
    """`mapping` without `keys`."""
    return {k: v for k, v in mapping.items() if k not in keys}


if TYPE_CHECKING:
    from dataclasses import replace as replace
else:

    def replace(value: T, **changes: Any) -> T:
        """As `dataclasses.replace`, for frozen values without `__post_init__`: 3 µs where that takes 23."""
        made = object.__new__(type(value))
        made.__dict__.update(value.__dict__)
        made.__dict__.update(changes)
        return made
