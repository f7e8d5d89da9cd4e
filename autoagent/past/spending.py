"""What the money went into: sub-tasks, and the requests that cost most. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from autoagent import events as e
from autoagent.events import Entry
from autoagent.past.heard import named
from autoagent.past.ledger import Ledger
from autoagent.past.step import Step, step

_DEAREST = 5


@dataclass(frozen=True)
class Cost:
    """One charge."""

    entry: Entry
    who: str
    usd: Decimal
    tokens: int
    what: str


def spent_step(ledger: Ledger) -> Step:
    """The sum, then each sub-task or role with its dearest requests, dearest first."""
    groups: dict[str, list[Cost]] = defaultdict(list)
    for cost in _costs(ledger):
        groups[cost.who].append(cost)
    ranked = sorted(groups.items(), key=lambda group: (-_sum(group[1]), group[0]))
    costs = [cost for group in groups.values() for cost in group]
    return Step(
        kind="spent",
        text=f"${_sum(costs):.4f} in all, {_amount(costs)}",
        because=tuple(_group(who, charged) for who, charged in ranked),
    )


def _group(who: str, costs: list[Cost]) -> Step:
    dearest = sorted(costs, key=lambda cost: (-cost.usd, -cost.tokens, cost.entry.seq))[:_DEAREST]
    text = f"{who}: ${_sum(costs):.4f}, {_amount(costs)}"
    led = (step("spent", c.entry, f"${c.usd:.4f}, {c.tokens} tokens: {c.what}") for c in dearest)
    return Step(kind="spent", text=text, because=tuple(led))


def _costs(ledger: Ledger) -> list[Cost]:
    titles = _titles(ledger)
    found = []
    for entry in ledger.entries:
        match entry.event:
            case e.ModelReplied(call=id, lane=lane) as reply:
                called = ledger.requests[id].event
                assert isinstance(called, e.ModelCalled)
                who = titles.get(lane, called.role) if called.role == "worker" else called.role
                what = f"{reply.reply.model or called.model}, reply {called.number}"
                found.append(Cost(entry, who, reply.cost_usd, reply.tokens, what))
            case e.ModelFailed(call=id, lane=lane) as failed if failed.cost_usd or failed.tokens:
                what = f"no reply: {failed.why}"
                found.append(Cost(entry, titles.get(lane, lane), failed.cost_usd, failed.tokens, what))
            case e.CallEnded(call=id, lane=lane, cost_usd=usd) if usd:
                found.append(Cost(entry, titles.get(lane, lane), usd, 0, named(ledger.calls[id].decision)))
            case _:
                pass
    return found


def _titles(ledger: Ledger) -> dict[str, str]:
    """Lane -> its sub-task, in words."""
    plans: dict[str, str] = {}
    found: dict[str, str] = {}
    for entry in ledger.entries:
        match entry.event:
            case e.PlanMade(sub_tasks=sub_tasks):
                plans |= {s.id: f": {s.title}" for s in sub_tasks}
            case e.SubTaskStarted(sub_task=id, lane=lane):
                found[lane] = f"sub-task {id}{plans.get(id, '')}"
            case _:
                pass
    return found


def _amount(costs: list[Cost]) -> str:
    times = "once" if len(costs) == 1 else f"{len(costs)} times"
    return f"{sum(c.tokens for c in costs)} tokens, {times}"


def _sum(costs: list[Cost]) -> Decimal:
    return sum((cost.usd for cost in costs), Decimal(0))
