"""What each sub-task has taken, and what is under way: read off the entries as they are folded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from autoagent import events as e
from autoagent.events import Entry
from autoagent.state import RunState
from autoagent.state.values import replace


@dataclass(frozen=True)
class Pace:
    """A sub-task's share of the run; of those side by side each has all of their time."""

    began_s: float
    """Active seconds of the run when it began."""
    usd: Decimal = Decimal(0)
    ended_s: float | None = None

    def seconds(self, now_s: float) -> float:
        """Active seconds that it took, or has taken until `now_s`."""
        return max((self.ended_s if self.ended_s is not None else now_s) - self.began_s, 0)


@dataclass(frozen=True)
class Request:
    """A request to a model that is under way."""

    lane: str
    role: str
    model: str
    at: datetime


@dataclass(frozen=True)
class Steered:
    """What a person said last, unasked."""

    text: str
    before_step: int | None = None
    """The step before which a worker read it first; `None`: none has yet."""


@dataclass(frozen=True)
class Pulse:
    """What is under way, and how it goes."""

    paces: Mapping[str, Pace] = field(default_factory=dict)
    """By sub-task."""
    requests: Mapping[str, Request] = field(default_factory=dict)
    """By call."""
    calls: Mapping[str, datetime] = field(default_factory=dict)
    """Those that are under way: when each was started."""
    counted_at: datetime | None = None
    """Until when the run's active seconds are counted; `None` while no process has it."""
    context_tokens: int = 0
    """What the model reads at most; 0: not known."""
    steered: Steered | None = None


def pulse(known: Pulse, entry: Entry, after: RunState) -> Pulse:
    """What is under way after an entry that led to `after`."""
    paces = paced(known.paces, entry.event, after)
    if paces is not known.paces:
        known = replace(known, paces=paces)
    event = entry.event
    match event:
        case e.ModelCalled(call=call):
            request = Request(event.lane, event.role, event.model, entry.at)
            return replace(known, requests={**known.requests, call: request})
        case e.ModelReplied(call=call) | e.ModelFailed(call=call) if call in known.requests:
            return replace(known, requests={k: v for k, v in known.requests.items() if k != call})
        case e.CallStarted(call=call):
            return replace(known, calls={**known.calls, call: entry.at})
        case e.CallEnded(call=call) if call in known.calls:
            return replace(known, calls={k: v for k, v in known.calls.items() if k != call})
        case e.LaneReset():
            return replace(known, calls={k: v for k, v in known.calls.items() if k in after.calls})
        case e.OwnerChanged(equipment=equipment):
            tokens = equipment.context_tokens if equipment is not None else known.context_tokens
            return replace(known, requests={}, calls={}, counted_at=entry.at, context_tokens=tokens)
        case e.PauseSet(paused=False) if not known.requests and not known.calls:
            return replace(known, counted_at=entry.at)  # while it was held still no time was counted
        case e.TimeSpent():
            return replace(known, counted_at=entry.at)
        case e.RunParked() | e.RunInterrupted() | e.RunEnded():
            return replace(known, requests={}, calls={}, counted_at=None)
        case e.PersonSaid(text=text):
            return replace(known, steered=Steered(text))
        case e.Observed(source="steer") if known.steered and known.steered.before_step is None:
            return replace(known, steered=replace(known.steered, before_step=after.steps + 1))
        case _:
            return known


def paced(paces: Mapping[str, Pace], event: e.Event, after: RunState) -> Mapping[str, Pace]:
    """The sub-tasks' shares after an event that led to `after`."""
    match event:
        case e.SubTaskStarted(sub_task=id):
            spent = paces[id].usd if id in paces else Decimal(0)
            return {**paces, id: Pace(after.seconds, spent)}
        case e.SubTaskEnded(sub_task=id) if id in paces:
            return {**paces, id: replace(paces[id], ended_s=after.seconds)}
        case e.ModelReplied(lane=lane, cost_usd=usd) if usd and lane in after.lanes:
            id = after.lanes[lane].sub_task
            return {**paces, id: replace(paces[id], usd=paces[id].usd + usd)} if id in paces else paces
        case _:
            return paces
