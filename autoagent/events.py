"""Every fact of a run: a closed union. An event never changes, never draws itself, never knows who reads it.

The state of a run is `autoagent.state.fold` over these. A stored event carries its kind and the version of
that kind (`VERSIONS`); `autoagent.journal.codec` reads old versions by upcasting and never rewrites them.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from autoagent.equipment import Equipment
from autoagent.goal import Criterion, Goal, Limits, SubTask
from autoagent.messages import Frozen, Reply, RequestedCall
from autoagent.questions import Question

Effect = Literal["read", "write", "external"]
Label = Literal["outside", "private"]


# --- the life of a run --------------------------------------------------------------------------------------


class RunStarted(Frozen):
    """The first entry of every run."""

    kind: Literal["run_started"] = "run_started"
    goal: Goal
    workspace: str
    """The user's folder, absolute."""
    tree: str
    """The folder as it was found; also the source of protected files."""
    goal_digest: str
    model: str
    """Name of the worker model, or `recorded`."""
    sandbox: str
    """What runs code: `docker`, `monty`."""
    version: str
    recorded: bool = False
    plugins: dict[str, str] = Field(default_factory=dict)
    """Enabled plugin -> content hash."""
    protected: tuple[str, ...] = ()
    """Paths that no tool of this run may write; proof uses them as they were at the start."""


class Forked(Frozen):
    """The first entry that is a fork's own: what stands before it is the history of another run."""

    kind: Literal["forked"] = "forked"
    source: str
    """The run that it was forked from."""
    at: int = Field(ge=1)
    """The last entry that the two share."""
    workspace: str
    """The fork's own folder, absolute; it holds `main`'s tree."""
    model: str = ""
    """The model to go on with, as the caller named it; empty: as before."""


class OwnerChanged(Frozen):
    """A process took the lease: at the start, at a resume, at a takeover."""

    kind: Literal["owner_changed"] = "owner_changed"
    epoch: int
    holder: str
    attended: bool = False
    """Whether a person can answer at this process's terminal."""
    sandbox: str = ""
    model: str = ""
    equipment: Equipment | None = None
    """Models and sandbox in full; `None` in entries of versions that did not say."""


class ToolsOpened(Frozen):
    """Which tools a plugin has that are known only when it is opened: where that stands in no entry yet."""

    kind: Literal["tools_opened"] = "tools_opened"
    plugin: str
    hash: str
    """The plugin's content hash from here on."""
    tools: str
    """The object that holds them, as JSON."""
    changed: dict[str, str] = Field(default_factory=dict)
    """Tool -> how it differs from what it was in this run, in words: its next call asks, whatever it does."""
    labels: tuple[Label, ...] = ()
    """`outside` where the model reads of them in words that somebody outside wrote."""


class LimitsRaised(Frozen):
    """The limits from now on, whole."""

    kind: Literal["limits_raised"] = "limits_raised"
    limits: Limits


class PersonSaid(Frozen):
    """Words of a person for the agent, not asked for."""

    kind: Literal["person_said"] = "person_said"
    text: str
    by: str


class PauseSet(Frozen):
    """A person wants the run to hold still before each next step, or to go on; a new owner goes on."""

    kind: Literal["pause_set"] = "pause_set"
    paused: bool
    by: str


class CommandTaken(Frozen):
    """The run has read its command stream up to here; no command is obeyed twice."""

    kind: Literal["command_taken"] = "command_taken"
    number: int


class CommandRefused(Frozen):
    """A command could not be obeyed."""

    kind: Literal["command_refused"] = "command_refused"
    number: int
    why: str


class FolderChanged(Frozen):
    """A person changed the workspace; the change is theirs and now part of `main`."""

    kind: Literal["folder_changed"] = "folder_changed"
    tree: str
    paths: tuple[str, ...]
    folder: str = ""
    """The tree that the user's folder held then, as far as this process knew; empty where it didn't."""
    chosen: str = ""
    """`mine`, `theirs`, `both`: nobody edited; the person's choice between two versions made this tree."""


class Undone(Frozen):
    """A person took `main` back to what it was after an earlier entry; then the folder follows."""

    kind: Literal["undone"] = "undone"
    to: int
    """That entry."""
    tree: str
    """`main`'s new head: that entry's tree, with what the person has changed since."""
    paths: tuple[str, ...]
    """What this changes."""
    kept: dict[str, str] = Field(default_factory=dict)
    """Paths that stay as the person has them -> where their version of that entry is; empty: in no file."""
    projected: bool = False
    """Recorded a second time, so, once the folder holds the tree."""


class TimeSpent(Frozen):
    """Active seconds of this owner since its last such entry; waiting for a person does not count."""

    kind: Literal["time_spent"] = "time_spent"
    seconds: float = Field(ge=0)


class RunParked(Frozen):
    """Every lane waits for a person. Not an end: an answer and `resume` go on."""

    kind: Literal["run_parked"] = "run_parked"
    waiting: tuple[str, ...]
    folder: str = ""
    """As `FolderChanged.folder`."""


class RunInterrupted(Frozen):
    """Stopped by Ctrl-C or SIGTERM, or because something could not be had; `resume` goes on."""

    kind: Literal["run_interrupted"] = "run_interrupted"
    unavailable: str = ""
    """What could not be had, in words; empty where a person stopped it."""
    folder: str = ""
    """As `FolderChanged.folder`."""


Ending = Literal["proved", "finished", "unproved", "limit", "cancelled"]


class RunEnded(Frozen):
    """The verdict on the whole run. After `limit`, raised limits and `resume` go on."""

    kind: Literal["run_ended"] = "run_ended"
    ending: Ending
    reason: str
    result: str = ""
    folder: str = ""
    """As `FolderChanged.folder`."""


# --- plan ---------------------------------------------------------------------------------------------------


class Recalled(Frozen):
    """Where a recalled text comes from, and why it was taken."""

    run: str
    sub_task: str | None = None
    at: datetime
    goal: str = ""
    """Of that run; it is alike enough to this one's, or not known."""
    score: float = 0
    """How well it fitted among what memory holds; larger is better."""
    beside: str | None = None
    """Not found itself: it stands before or after this point in its run."""


class MemoryRecalled(Frozen):
    """What earlier runs did for goals like this."""

    kind: Literal["memory_recalled"] = "memory_recalled"
    texts: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    sources: tuple[Recalled, ...] = ()
    """Of the last texts, one each; none where the version that recorded it did not say."""


class PlanMade(Frozen):
    """A checked plan replaces the former one."""

    kind: Literal["plan_made"] = "plan_made"
    version: int
    source: Literal["goal", "model", "person"]
    sub_tasks: tuple[SubTask, ...]
    why: str = ""
    """What made this version necessary."""
    is_replan: bool = False
    """Made because a sub-task failed."""


class PlanRefused(Frozen):
    """The model's plan was wrong, or a person said no; the planner reads why."""

    kind: Literal["plan_refused"] = "plan_refused"
    why: str


class PlanApproved(Frozen):
    """The plan of this version may be carried out (by a person, or because nobody wanted to be asked)."""

    kind: Literal["plan_approved"] = "plan_approved"
    version: int
    criteria: tuple[Criterion, ...] = ()
    """Proposed criteria that a person accepted with it; they count as the goal's."""
    protected: tuple[str, ...] = ()
    """Paths that these criteria protect, besides those of `RunStarted`."""


class SubTaskStarted(Frozen):
    """A sub-task begins in a lane, from a tree."""

    kind: Literal["sub_task_started"] = "sub_task_started"
    sub_task: str
    lane: str
    tree: str
    listing: str
    """The workspace as the worker is told of it, as of now."""
    style: Literal["tools", "code"]
    tools: tuple[str, ...] = ()
    """Names of the tools offered."""
    on_main: bool = True
    """It works on `main` itself, alone; otherwise in a fork that is merged when it ends."""
    labels: tuple[Label, ...] = ()
    """What the listing shows of files' contents."""


class SubTaskEnded(Frozen):
    """A sub-task is over."""

    kind: Literal["sub_task_ended"] = "sub_task_ended"
    sub_task: str
    lane: str
    outcome: Literal["done", "failed", "skipped"]
    result: str = ""
    """For the sub-tasks that depend on it, and for memory."""


class LaneMerged(Frozen):
    """A lane's tree became part of `main`."""

    kind: Literal["lane_merged"] = "lane_merged"
    lane: str
    tree: str
    """`main`'s new head."""


class LaneConflicted(Frozen):
    """Two lanes changed the same paths; nothing was merged. The sub-task goes on from the new `main`."""

    kind: Literal["lane_conflicted"] = "lane_conflicted"
    lane: str
    tree: str
    """The lane's new head: `main` with the lane's own versions kept beside it."""
    base: str
    """`main`'s head that the lane now starts from."""
    kept: dict[str, str]
    """Path in conflict -> path where the lane's own version is."""


# --- a lane: act, observe, reflect --------------------------------------------------------------------------


class ModelCalled(Frozen):
    """A request is about to be sent; its cost is reserved."""

    kind: Literal["model_called"] = "model_called"
    call: str
    lane: str
    role: Literal["planner", "worker", "judge"]
    model: str
    number: int
    """Counts the requests of this lane and role, from 1; what a recording matches."""
    reserved_usd: Decimal = Decimal(0)
    reserved_tokens: int = 0
    prompt: str = ""
    """SHA-256 that covers all messages and tools as they went to the wire; empty in older entries."""
    head: str = ""
    """The object that holds what doesn't change from step to step, as JSON: two messages and the tools."""


class ModelReplied(Frozen):
    """A request is settled by a whole reply."""

    kind: Literal["model_replied"] = "model_replied"
    call: str
    lane: str
    reply: Reply
    tokens: int
    """What the request is charged: as the server counted, or as reserved where that can't be believed."""
    cost_usd: Decimal
    prompt_bytes: int = 0


class ModelFailed(Frozen):
    """A request ended without a usable reply."""

    kind: Literal["model_failed"] = "model_failed"
    call: str
    lane: str
    why: str
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0


class CallDecided(Frozen):
    """A tool call was read, its effect determined, and policy has spoken."""

    kind: Literal["call_decided"] = "call_decided"
    call: str
    lane: str
    tool: str
    args: dict[str, JsonValue]
    effect: Effect
    destination: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    """Files to be sent: path -> SHA-256, fixed now and read from the store later."""
    decision: Literal["allow", "ask", "deny"]
    why: str
    script: str | None = None
    """The script call that made this one; `None` for the model's own."""
    key: str = ""
    """Idempotency key: the same in every try of this call."""
    understood: bool = True
    """False: no such tool, or arguments that can't be read. Policy wasn't asked; `why` says what is wrong."""
    plugin_hash: str | None = None
    """Content hash of the plugin as it was; with another one, what hasn't begun is decided anew."""


class CallStarted(Frozen):
    """The effect may begin: durable before it does; consumes the call's approval."""

    kind: Literal["call_started"] = "call_started"
    call: str
    lane: str
    tree: str
    """The head that it works on."""
    began_at: datetime | None = None
    """Of an external call: when its first try was started."""


class CallEnded(Frozen):
    """A call's observation."""

    kind: Literal["call_ended"] = "call_ended"
    call: str
    lane: str
    ok: bool
    output: str
    """What the model will read; cut to the tool's limit."""
    tree: str | None = None
    """The lane's new head, where a write ended well."""
    labels: tuple[Label, ...] = ()
    paths: tuple[str, ...] | None = None
    """The files that the output was taken from; `None` where the tool doesn't say: all that it could read."""
    seconds: float = 0
    cost_usd: Decimal = Decimal(0)
    urls: tuple[str, ...] = ()
    """URLs of the output that may be fetched without a question, since the agent can't have put them there.

    Of a web read (a page, a search) all but those in the call's own arguments. Of a tool that reads workspace
    files those that stand whole in one of the files, where that is as the run found it at its start. Of
    everything else (writes, sends, code, scripts, memory, what ended badly) none.
    """
    queued: tuple[RequestedCall, ...] = ()
    """What a script asked for that runs after it: external calls, and how it wants to end."""
    in_doubt: bool | None = None
    """Of an external call that didn't end well: whether it may have happened all the same.

    Else `None`, and where the version that recorded it did not say.
    """


class Observed(Frozen):
    """Something that isn't a tool's result but that the worker must read next."""

    kind: Literal["observed"] = "observed"
    lane: str
    text: str
    source: Literal["reply", "finish", "person", "steer", "folder", "conflict", "nudge", "reset", "limit"]
    """`steer`: what a person said unasked; each of `PersonSaid` comes to a lane once."""


class LaneReset(Frozen):
    """No progress: the lane's head and conversation go back to the sub-task's start, told why."""

    kind: Literal["lane_reset"] = "lane_reset"
    lane: str
    tree: str
    why: str


class LadderClimbed(Frozen):
    """No progress was made: the next rung of the ladder."""

    kind: Literal["ladder_climbed"] = "ladder_climbed"
    lane: str
    rung: Literal["nudge", "reset", "replan", "stronger", "ask"]
    why: str


class ContextCompacted(Frozen):
    """Observations up to a message are handles from now on that can be reopened; the first are left out."""

    kind: Literal["context_compacted"] = "context_compacted"
    lane: str
    upto: int
    """Index into the lane's messages."""
    dropped: int = 0
    """Index of the first message that is still sent; a reply, unless it is 0."""


# --- questions ----------------------------------------------------------------------------------------------


class QuestionAsked(Frozen):
    """A person is asked; only the lane waits."""

    kind: Literal["question_asked"] = "question_asked"
    question: Question
    asked_at: datetime


class QuestionAnswered(Frozen):
    """The first answer wins."""

    kind: Literal["question_answered"] = "question_answered"
    question: str
    digest: str
    verdict: Literal["yes", "no", "text"]
    text: str = ""
    edit: JsonValue = None
    covers: int = 1
    by: str
    """`terminal`, `command`, `approver`, `nobody` (if_nobody_answers), `rule` (an earlier y -N), `grant`."""
    grant: str = ""
    """The id of the person's *always* that answered, where one did; `text` is what it says."""


class QuestionVoided(Frozen):
    """The question no longer stands as it was shown."""

    kind: Literal["question_voided"] = "question_voided"
    question: str
    why: str


# --- proof and memory ---------------------------------------------------------------------------------------


class Evidence(Frozen):
    """Why a criterion has its verdict, so that someone else can check it again."""

    text: str
    by: str
    """Who judged: `file check`, `sandbox (docker)`, the judge model's name, `person`."""
    quotes: tuple[tuple[str, str], ...] = ()
    """(path, exact text)."""


class CriterionChecked(Frozen):
    """A verdict on one criterion over one tree."""

    kind: Literal["criterion_checked"] = "criterion_checked"
    number: int
    """Index into the criteria of the goal, or of the sub-task where one is named."""
    sub_task: str | None = None
    verdict: Literal["proved", "refuted", "unchecked"]
    evidence: Evidence
    tree: str


class FinishRefuted(Frozen):
    """The worker said done, and a criterion says otherwise."""

    kind: Literal["finish_refuted"] = "finish_refuted"
    lane: str
    sub_task: str
    tree: str


class MemoryIndexed(Frozen):
    """An outcome stands in long-term memory."""

    kind: Literal["memory_indexed"] = "memory_indexed"
    sub_task: str
    point: str


class MemoryDeferred(Frozen):
    """Memory is locked or down; the outcome is indexed later."""

    kind: Literal["memory_deferred"] = "memory_deferred"
    sub_task: str
    why: str


# --- plugins that take part ---------------------------------------------------------------------------------


class HookFailed(Frozen):
    """A plugin's hook raised, took too long or gave nonsense. Nothing that was recorded changes by it."""

    kind: Literal["hook_failed"] = "hook_failed"
    plugin: str
    hook: Literal["pre_call", "post_call", "report"]
    problem: str
    call: str | None = None
    """The call that it was to hear of; `None` for a report."""


class Reported(Frozen):
    """A plugin has been told of something, or failed over it: it isn't told again after a restart."""

    kind: Literal["reported"] = "reported"
    plugin: str
    about: str
    """A question's id; empty: how the run ended or stopped."""


Event = Annotated[
    RunStarted
    | Forked
    | OwnerChanged
    | ToolsOpened
    | LimitsRaised
    | PersonSaid
    | PauseSet
    | CommandTaken
    | CommandRefused
    | FolderChanged
    | Undone
    | TimeSpent
    | RunParked
    | RunInterrupted
    | RunEnded
    | MemoryRecalled
    | PlanMade
    | PlanRefused
    | PlanApproved
    | SubTaskStarted
    | SubTaskEnded
    | LaneMerged
    | LaneConflicted
    | ModelCalled
    | ModelReplied
    | ModelFailed
    | CallDecided
    | CallStarted
    | CallEnded
    | Observed
    | LaneReset
    | LadderClimbed
    | ContextCompacted
    | QuestionAsked
    | QuestionAnswered
    | QuestionVoided
    | CriterionChecked
    | FinishRefuted
    | MemoryIndexed
    | MemoryDeferred
    | HookFailed
    | Reported,
    Field(discriminator="kind"),
]

VERSIONS: dict[str, int] = {
    "memory_recalled": 2,
    "call_decided": 2,
    "call_started": 2,
    "question_asked": 3,
    "question_answered": 2,
    "folder_changed": 2,
    "call_ended": 2,
}
"""Kind -> version, where it isn't 1. Raise it when a kind's fields change, and add an upcaster."""


class Entry(Frozen):
    """An event as it stands in a run's journal."""

    seq: int = Field(ge=1)
    """From 1, without gaps."""
    at: datetime
    epoch: int = Field(ge=1)
    """Which owner wrote it."""
    event: Event
