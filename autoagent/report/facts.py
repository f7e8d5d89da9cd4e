"""What a report says of a run, gathered from its entries and stored objects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from autoagent import events as e
from autoagent.console.events import changed_limits
from autoagent.console.question import answers, whole
from autoagent.errors import StoreUnavailable
from autoagent.events import Entry
from autoagent.outcome import CriterionResult, Outcome, again, is_ending_past, is_taken_back
from autoagent.past.changes import PathChange, changes
from autoagent.past.heard import named
from autoagent.past.ledger import At, Ledger
from autoagent.past.patch import Patch, patch
from autoagent.ports import Verification
from autoagent.questions import answerer
from autoagent.report.steps import Step, steps_of
from autoagent.state import CallState, RunState
from autoagent.trees import ObjectSource, load_tree

ON_WORD = "you said that it had happened"
_ORDER = {"refuted": 0, "unchecked": 1, "proved": 2}
_MOST_FILES = 200
_MOST_QUESTIONS = 200


@dataclass(frozen=True)
class Check:
    """A criterion with its evidence, and how somebody else checks it again."""

    result: CriterionResult
    quotes: tuple[tuple[str, str], ...]
    """(path, exact text)."""
    again: str
    """A command, to be typed in the workspace; empty where only a person or a model can say."""
    is_past: bool = False
    """The files that the verdict was about were taken back since."""


@dataclass(frozen=True)
class Sent:
    """An external call that was begun: what left the house, or may have."""

    entry: int
    at: datetime
    call: str
    destination: str
    files: tuple[tuple[str, int | None], ...]
    """(path, bytes; `None` where the store can't tell)."""
    text_bytes: int
    """Of the arguments, as JSON."""
    labels: tuple[str, ...]
    """What the run had read by then."""
    allowed: Permission
    became: str
    """`sent`, `failed`, `ON_WORD`, what may have happened, what is under way."""


@dataclass(frozen=True)
class Read:
    """A source outside that was read."""

    entry: int
    what: str
    times: int
    size: int
    """Characters of all its observations."""


@dataclass(frozen=True)
class Asked:
    """A question, word for word, and what became of it."""

    id: str
    entry: int
    at: datetime
    digest: str
    lines: tuple[str, ...]
    answer: str
    by: str
    answered_at: datetime | None
    commands: str
    """That answer it, while it is open."""


@dataclass(frozen=True)
class Mishap:
    """A failure, or how the run went on after one."""

    entry: int
    at: datetime
    what: str
    said: str


@dataclass(frozen=True)
class Report:
    """Everything that the page says."""

    state: RunState
    outcome: Outcome
    ledger: Ledger
    checks: tuple[Check, ...]
    sent: tuple[Sent, ...]
    reads: tuple[Read, ...]
    files: tuple[tuple[PathChange, Patch | None], ...]
    """`None`: its content can't be read any more."""
    more_files: int
    questions: tuple[Asked, ...]
    steps: tuple[Step, ...]
    mishaps: tuple[Mishap, ...]
    denials: tuple[Mishap, ...]
    """What was not allowed: by whom, and why."""
    raised: tuple[Mishap, ...]
    """New limits, with what they were."""
    parked: int
    """How often it stood still because nobody was there to answer."""
    taken_over: int
    """How often another process went on with it."""
    plans: tuple[tuple[Entry, e.PlanMade], ...]
    chain: Verification
    holder: str | None
    written_at: datetime

    @property
    def anchors(self) -> frozenset[int]:
        """Entries that the page has a place for."""
        return frozenset([*(step.entry for step in self.steps), *(asked.entry for asked in self.questions)])

    @property
    def is_past(self) -> bool:
        """Whether files that verdicts were about were taken back since the end."""
        return is_ending_past(self.state)

    @property
    def has_labels(self) -> bool:
        """Whether anything was sent after the run had read what is outside or private."""
        return any(sent.labels for sent in self.sent)

    @property
    def waiting(self) -> tuple[Asked, ...]:
        return tuple(each for each in self.questions if each.commands)


def gathered(
    entries: list[Entry],
    state: RunState,
    outcome: Outcome,
    chain: Verification,
    objects: ObjectSource,
    *,
    holder: str | None,
    now: datetime,
) -> Report:
    """The report of a run that has begun."""
    ledger = Ledger(state.run_id, entries)
    found, more = _files(state, objects)
    return Report(
        state=state,
        outcome=outcome,
        ledger=ledger,
        checks=tuple(sorted(_checks(state, outcome), key=lambda each: _ORDER[each.result.verdict])),
        sent=tuple(_sent(ledger, objects)),
        reads=tuple(_reads(ledger)),
        files=found,
        more_files=more,
        questions=tuple(_questions(ledger, _with_calls(state, ledger), objects))[:_MOST_QUESTIONS],
        steps=steps_of(ledger),
        mishaps=tuple(_mishaps(ledger)),
        denials=tuple(_denials(ledger)),
        raised=tuple(_raised(ledger)),
        parked=sum(isinstance(x.event, e.RunParked) for x in entries),
        taken_over=max(sum(isinstance(x.event, e.OwnerChanged) for x in entries) - 1, 0),
        plans=tuple((x, x.event) for x in entries if isinstance(x.event, e.PlanMade)),
        chain=chain,
        holder=holder,
        written_at=now,
    )


# --- proof --------------------------------------------------------------------------------------------------


def _checks(state: RunState, outcome: Outcome) -> Iterator[Check]:
    for number, result in enumerate(outcome.criteria):
        verdict = state.verdicts.get(number)
        quotes = () if verdict is None else verdict.evidence.quotes
        is_past = is_taken_back(state, number)
        yield Check(result, quotes, "" if is_past else again(state.criteria[number]), is_past)


# --- what went out and what came in -------------------------------------------------------------------------


def _sent(ledger: Ledger, objects: ObjectSource) -> Iterator[Sent]:
    labels = _labels(ledger)
    for at in ledger.calls.values():
        if at.decision.effect != "external" or not at.started:
            continue
        begun = at.started[-1]
        yield Sent(
            entry=at.decided[0].seq,
            at=begun.at,
            call=at.decision.tool,
            destination=at.decision.destination or "somebody unknown",
            files=tuple((path, _size(sha, objects)) for path, sha in at.decision.files.items()),
            text_bytes=len(_as_json(at.decision.args).encode()),
            labels=labels(begun.seq),
            allowed=_permission(ledger, at),
            became=ON_WORD if ledger.is_on_word(at.decision.call) else _became(at),
        )


def _labels(ledger: Ledger) -> _Labels:
    return _Labels({x.seq: x.event.labels for x in ledger.entries if _has_labels(x.event)})  # type: ignore[union-attr]


def _has_labels(event: e.Event) -> bool:
    return bool(getattr(event, "labels", ()))


@dataclass(frozen=True)
class _Labels:
    """Which labels the run had before an entry."""

    given: Mapping[int, tuple[str, ...]]

    def __call__(self, seq: int) -> tuple[str, ...]:
        found = [label for at, labels in self.given.items() if at < seq for label in labels]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Permission:
    """Who let a call through, and when."""

    by: str
    """Your goal's words, or who answered."""
    at: datetime
    question: str = ""
    """The one that was answered; empty where nobody had to be asked."""


def _permission(ledger: Ledger, at: At) -> Permission:
    for asked in reversed(ledger.questions_of_call.get(at.decision.call, [])):
        answered = None if asked.answered is None else asked.answered.event
        if isinstance(answered, e.QuestionAnswered) and answered.verdict == "yes" and asked.voided is None:
            assert asked.answered is not None
            rule = answered.text.removeprefix("covered by ")
            who = rule if answered.by == "grant" else answerer(answered.by)
            return Permission(who, asked.answered.at, asked.question.question.id)
    return Permission(at.decision.why, at.decided[-1].at)


def _became(at: At) -> str:
    result = at.result
    if result is None:
        return "under way, or lost"
    if result.ok:
        return "sent"
    return "failed; it may have happened all the same" if result.in_doubt else "failed"


def _reads(ledger: Ledger) -> Iterator[Read]:
    """Each source once: pages, searches, files that aren't marked as yours."""
    found: dict[str, Read] = {}
    for at in ledger.calls.values():
        result = at.result
        if result is None or not result.ok or at.decision.effect == "external":
            continue
        if at.decision.destination is None and "outside" not in result.labels:
            continue
        is_code = at.decision.effect == "write"  # it can have opened every file
        what = f"files of the workspace, by {at.decision.tool}" if is_code else named(at.decision)
        known = found.get(what, Read(at.decided[0].seq, what, 0, 0))
        found[what] = Read(known.entry, what, known.times + 1, known.size + len(result.output))
    yield from found.values()


def _files(state: RunState, objects: ObjectSource) -> tuple[tuple[tuple[PathChange, Patch | None], ...], int]:
    try:
        all_changes = changes(load_tree(state.start_tree, objects), load_tree(state.main, objects))
    except StoreUnavailable:
        return (), 0
    shown = all_changes[:_MOST_FILES]
    return tuple((each, _patch(each, objects)) for each in shown), len(all_changes) - len(shown)


def _patch(change: PathChange, objects: ObjectSource) -> Patch | None:
    try:
        return patch(change, objects)
    except StoreUnavailable:  # blanked, or lost: the path is told all the same
        return None


def _size(sha256: str, objects: ObjectSource) -> int | None:
    try:
        return len(objects.get(sha256))
    except StoreUnavailable:
        return None


def _as_json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


# --- people -------------------------------------------------------------------------------------------------


def _with_calls(state: RunState, ledger: Ledger) -> RunState:
    """With the calls that have ended, too: a question names what its call would have done."""
    ended = {id: CallState(at.decision) for id, at in ledger.calls.items()}
    return replace(state, calls={**ended, **state.calls})


def _questions(ledger: Ledger, state: RunState, objects: ObjectSource) -> Iterator[Asked]:
    for id, asked in ledger.questions.items():
        question = asked.question.question
        known = state.questions.get(id)
        answered = None if asked.answered is None else asked.answered.event
        said, by = "", ""
        if isinstance(answered, e.QuestionAnswered):
            said = answered.text if answered.verdict == "text" else answered.verdict
            said += f": {answered.text}" if answered.verdict != "text" and answered.text else ""
            said += " (with edited arguments)" if answered.edit is not None else ""
            by = answerer(answered.by)
        if asked.voided is not None:
            assert isinstance(asked.voided.event, e.QuestionVoided)
            said = f"no longer stands: {asked.voided.event.why}"
        yield Asked(
            id=id,
            entry=asked.asked.seq,
            at=asked.asked.at,
            digest=question.digest,
            lines=tuple(str(each) for each in whole(question, state, objects)),
            answer=said,
            by=by,
            answered_at=None if asked.answered is None else asked.answered.at,
            commands=answers(question) if known is not None and known.is_open else "",
        )


# --- failures and recoveries --------------------------------------------------------------------------------


def _mishaps(ledger: Ledger) -> Iterator[Mishap]:
    is_at_work = False
    for entry in ledger.entries:
        event = entry.event
        if isinstance(event, e.OwnerChanged) and is_at_work:
            yield Mishap(entry.seq, entry.at, "a process was lost, and another went on", event.holder)
        if isinstance(event, e.ModelCalled | e.CallStarted):
            is_at_work = True
        elif isinstance(event, e.RunParked | e.RunInterrupted | e.RunEnded | e.Forked | e.OwnerChanged):
            is_at_work = False
        if isinstance(event, e.CallEnded) and (_is_finish(ledger, event) or _denier(ledger, event)):
            continue  # why it may not end is an entry of its own, and a no is no failure
        if (told := _mishap(event)) is not None:
            yield Mishap(entry.seq, entry.at, *told)


def _raised(ledger: Ledger) -> Iterator[Mishap]:
    limits = ledger.goal.limits
    for entry in ledger.entries:
        if isinstance(entry.event, e.LimitsRaised):
            said = changed_limits(limits, entry.event.limits)
            limits = entry.event.limits
            if said:
                yield Mishap(entry.seq, entry.at, "new limits", said)


def _denials(ledger: Ledger) -> Iterator[Mishap]:
    for entry in ledger.entries:
        event = entry.event
        if isinstance(event, e.CallEnded) and (by := _denier(ledger, event)):
            at = ledger.calls[event.call]
            why = at.decision.why if at.decision.decision == "deny" else event.output.partition(": ")[2]
            yield Mishap(entry.seq, entry.at, f"{named(at.decision)}, by {by}", why[:300])


def _denier(ledger: Ledger, ended: e.CallEnded) -> str:
    """Who didn't allow a call, in words; empty where it was allowed, or is no call at all."""
    at = ledger.calls.get(ended.call)
    if at is None or ended.ok or not at.decision.understood:
        return ""
    by = ledger.denied_by(ended.call)
    return answerer(by) if by else "the goal's rules" if at.decision.decision == "deny" else ""


def _is_finish(ledger: Ledger, ended: e.CallEnded) -> bool:
    at = ledger.calls.get(ended.call)
    return at is not None and at.decision.tool == "finish"


def _mishap(event: e.Event) -> tuple[str, str] | None:
    """What happened, and in what words the record has it; `None` for what is no mishap."""
    match event:
        case e.ModelFailed(why=why):
            return "the model gave no usable reply", why
        case e.CallEnded(ok=False, output=output):
            return "a call failed", output.partition("\n")[0][:300]
        case e.RunInterrupted(unavailable=why):
            return "the run was interrupted", why or "by a signal"
        case e.LaneReset(why=why):
            return "back to the sub-task's start", why
        case e.LadderClimbed(rung=rung, why=why):
            return f"no progress: {rung}", why
        case e.LaneConflicted(kept=kept):
            return "two sub-tasks changed the same paths", ", ".join(kept)
        case e.FinishRefuted(sub_task=sub_task):
            return "it said done, and a criterion said otherwise", f"sub-task {sub_task}"
        case e.FolderChanged(paths=paths):
            return "you changed files meanwhile", ", ".join(paths[:20])
        case e.Undone(to=to, projected=False):
            return "you took the folder back", f"to entry {to}"
        case e.PlanRefused(why=why):
            return "a plan was refused", why
        case e.MemoryDeferred(why=why):
            return "memory could not be had", why
        case _:
            return None


def spent(entries: tuple[Entry, ...]) -> Iterator[tuple[Entry, Decimal, int]]:
    """After each charge: the entry, dollars and tokens so far."""
    usd, tokens = Decimal(0), 0
    for entry in entries:
        event = entry.event
        if isinstance(event, e.ModelReplied | e.ModelFailed):
            usd, tokens = usd + event.cost_usd, tokens + event.tokens
        elif isinstance(event, e.CallEnded) and event.cost_usd:
            usd += event.cost_usd
        else:
            continue
        yield entry, usd, tokens
