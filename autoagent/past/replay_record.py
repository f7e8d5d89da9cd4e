"""A run's record as a replay reads it: whose an entry is, what came from outside, who began where. Pure.

What came from outside (answers, orders, time that passed) is given again at its place. Everything else our
own code must bring about by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoagent import events as e
from autoagent.equipment import Equipment
from autoagent.events import Entry, Event

PLAN, PROOF, MEMORY, RUN = "the plan", "the proof", "the memory", "the run"
"""What is nobody's lane; a sub-task's name holds no space."""


@dataclass(frozen=True)
class Noted:
    """One entry and where it belongs."""

    entry: Entry
    lane: str
    is_given: bool
    """It came from outside."""

    @property
    def event(self) -> Event:
        return self.entry.event

    @property
    def is_of_a_lane(self) -> bool:
        """Of a sub-task's own lane, which nobody else writes."""
        return " " not in self.lane


@dataclass(frozen=True)
class Leg:
    """What one process recorded: entries from index `first` up to `last`, without it."""

    first: int
    last: int
    is_carried: bool
    """A process that carried the run; else one that only noted something."""
    is_cut: bool
    """It was killed or stopped in the middle, or goes on: nothing says what would have come next."""
    equipment: Equipment | None
    owner: e.OwnerChanged | None


def noted(entries: Sequence[Entry]) -> list[Noted]:
    """The entries with their lanes."""
    known: dict[str, str] = {}
    found: list[Noted] = []
    for index, entry in enumerate(entries):
        event = entry.event
        lane = lane_by(event, known)
        if isinstance(event, e.ModelCalled):
            known[event.call] = lane
        elif isinstance(event, e.QuestionAsked):
            known[event.question.id] = lane
        before = entries[index - 1] if index else None
        found.append(Noted(entry, lane, _is_given(entry, before)))
    return found


def lane_by(event: Event, known: Mapping[str, str]) -> str:
    """The lane of an event; `known` has those of requests and questions."""
    match event:
        case e.ModelCalled(role="planner"):
            return PLAN
        case e.ModelCalled(role="judge", lane=lane):
            return PROOF if lane == "proof" else f"{PROOF} of {lane}"
        case e.ModelReplied(call=call) | e.ModelFailed(call=call):
            return known.get(call, event.lane)
        case e.CriterionChecked(sub_task=sub_task):
            return PROOF if sub_task is None else f"{PROOF} of {sub_task}"
        case e.MemoryRecalled() | e.PlanMade() | e.PlanRefused() | e.PlanApproved():
            return PLAN
        case e.MemoryIndexed(sub_task=sub_task) | e.MemoryDeferred(sub_task=sub_task):
            return f"{MEMORY} of {sub_task}"  # in which order outcomes are stored says nothing
        case e.QuestionAsked(question=question):
            by_kind = {"plan": PLAN, "criterion": PROOF}.get(question.subject.kind, RUN)
            return question.lane or by_kind
        case e.QuestionAnswered(question=id) | e.QuestionVoided(question=id):
            return known.get(id, RUN)
        case _:
            return getattr(event, "lane", RUN)


def _is_given(entry: Entry, before: Entry | None) -> bool:
    match entry.event:
        case (
            e.RunStarted()
            | e.Forked()
            | e.OwnerChanged()
            | e.ToolsOpened()
            | e.LimitsRaised()
            | e.PersonSaid()
            | e.PauseSet()
            | e.CommandTaken()
            | e.CommandRefused()
            | e.TimeSpent()
            | e.Undone()
            | e.HookFailed()
            | e.Reported()
        ):
            return True
        case e.QuestionAnswered(by=by):
            return by not in ("rule", "grant", "nobody")
        case e.QuestionVoided(why=why):
            return " expired at " in why
        case e.RunEnded(ending="cancelled", reason=reason):
            taken = before is not None and isinstance(before.event, e.CommandTaken)
            return taken and reason.startswith("cancelled by ")
        case _:
            return False


def legs(record: Sequence[Noted]) -> Iterator[Leg]:
    """The record process by process."""
    starts = [
        i
        for i, one in enumerate(record)
        if i == 0 or isinstance(one.event, e.OwnerChanged) or one.entry.epoch != record[i - 1].entry.epoch
    ]
    for first, last in zip(starts, [*starts[1:], len(record)], strict=True):
        owner = next((x.event for x in record[first:last] if isinstance(x.event, e.OwnerChanged)), None)
        yield Leg(
            first=first,
            last=last,
            is_carried=owner is not None,
            is_cut=not _is_over(record[first:last]),
            equipment=None if owner is None else owner.equipment,
            owner=owner,
        )


def _is_over(record: Sequence[Noted]) -> bool:
    for one in reversed(record):
        match one.event:
            case e.RunEnded() | e.RunParked():
                return True
            case (
                e.MemoryIndexed()
                | e.MemoryDeferred()
                | e.TimeSpent()
                | e.CommandTaken()
                | e.CommandRefused()
                | e.QuestionAnswered()
                | e.HookFailed()
                | e.Reported()
            ):
                continue
            case _:
                return False
    return False
