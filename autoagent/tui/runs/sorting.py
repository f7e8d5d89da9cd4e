"""Orders and filters of the list of runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Literal, get_args

from autoagent.tui.runs.overview import Seen

Order = Literal["need", "newest", "spent", "goal"]
ORDERS: tuple[Order, ...] = get_args(Order)
_RANKS = ("running", "parked", "interrupted", "stopped", "unavailable")


def by_need(runs: Iterable[Seen]) -> list[Seen]:
    """Those that ask first, then the running ones, then what can go on, then the ended; newest first."""

    def need(run: Seen) -> tuple[int, float]:
        rank = _RANKS.index(run.name) + 1 if run.name in _RANKS else len(_RANKS) + 1
        return (0 if run.waiting else rank), -run.last_at.timestamp()

    return sorted(runs, key=need)


def _by_newest(runs: Iterable[Seen]) -> list[Seen]:
    return sorted(runs, key=lambda run: run.last_at, reverse=True)


def _by_spent(runs: Iterable[Seen]) -> list[Seen]:
    return sorted(by_need(runs), key=lambda run: run.state.usd if run.state else Decimal(0), reverse=True)


def _by_goal(runs: Iterable[Seen]) -> list[Seen]:
    return sorted(by_need(runs), key=lambda run: run.goal.lower())


_SORTED: Mapping[Order, Callable[[Iterable[Seen]], list[Seen]]] = {
    "need": by_need,
    "newest": _by_newest,
    "spent": _by_spent,
    "goal": _by_goal,
}


def in_order(runs: Iterable[Seen], order: Order) -> list[Seen]:
    """The runs by what needs a person, by their last sign of life, by cost, or by their goals' words."""
    return _SORTED[order](runs)


def after(order: Order) -> Order:
    """The next order, round and round."""
    return ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]


def having(runs: Iterable[Seen], words: str) -> list[Seen]:
    """Those that have every one of these words in id, state, goal, folder or what they ask for."""
    wanted = words.lower().split()

    def text(run: Seen) -> str:
        asks = "waits asks" if run.waiting else ""
        return f"{run.id} {run.name} {run.name_in_full} {run.folder} {asks}".lower()

    return [run for run in runs if all(word in text(run) for word in wanted)]
