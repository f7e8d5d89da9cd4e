"""What a lane had read before an entry: what its model could have written from. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoagent import events as e
from autoagent.events import Entry, Label
from autoagent.past.ledger import Ledger


@dataclass(frozen=True)
class Heard:
    """A text that a model was given."""

    entry: Entry
    source: str
    """What it came from, in words."""
    text: str
    labels: tuple[Label, ...] = ()
    is_call: bool = False


def heard(ledger: Ledger, lane: str, before: int) -> tuple[Heard, ...]:
    """In order, from where the lane's conversation began."""
    begun = ledger.last(e.SubTaskStarted, before, lane=lane)
    reset = ledger.last(e.LaneReset, before, lane=lane)
    since = max((found[0].seq for found in (begun, reset) if found is not None), default=1)
    given = _given(ledger, begun[1].sub_task if begun is not None else "", before)
    said = (x for entry in ledger.entries[since : before - 1] for x in _said(ledger, entry, lane))
    return (*given, *said)


def _given(ledger: Ledger, sub_task: str, before: int) -> Iterator[Heard]:
    """What a sub-task is told when it begins."""
    first = ledger.entries[0]
    if isinstance(first.event, e.RunStarted):
        yield Heard(first, "the goal", first.event.goal.goal)
    if (plan := ledger.last(e.PlanMade, before)) is None:
        return
    entry, made = plan
    mine = next((s for s in made.sub_tasks if s.id == sub_task), None)
    if mine is None:
        return
    yield Heard(entry, f"the plan, sub-task {mine.id}", f"{mine.title}\n{mine.instructions}")
    for other in mine.depends_on:
        if (ended := ledger.last(e.SubTaskEnded, before, sub_task=other)) is not None:
            yield Heard(ended[0], f"the result of sub-task {other}", ended[1].result)


def _said(ledger: Ledger, entry: Entry, lane: str) -> Iterator[Heard]:
    match entry.event:
        case e.CallEnded(call=id, ok=True) as ended if ended.lane == lane and id in ledger.calls:
            decided = ledger.calls[id].decision
            if decided.effect == "read" or ended.labels:
                yield Heard(entry, named(decided), ended.output, ended.labels, True)
        case e.Observed(lane=name, text=text, source="person" | "steer") if name == lane:
            yield Heard(entry, "what the person said", text)
        case _:
            return


def named(decided: e.CallDecided) -> str:
    """A call in words: the tool, and whom it reaches or what it is used on."""
    target = decided.destination or ""
    for name in ("path", "query", "pattern", "url"):
        if not target and isinstance(value := decided.args.get(name), str):
            target = value
    return f"{decided.tool} {target}".strip()
