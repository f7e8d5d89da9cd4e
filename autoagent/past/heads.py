"""Which tree `main`, and each fork of it, held after which entry. Pure: the fold, watched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autoagent.events import CallEnded, Entry, LaneConflicted, LaneReset, RunStarted
from autoagent.state import MAIN, RunState, advance


@dataclass(frozen=True)
class Head:
    """One move of a head: from a tree to another, by one entry."""

    entry: Entry
    lane: str
    """`main`, or the fork that moved; a lane that works on main moves `main`."""
    before: str
    """Tree id; the same as `after` for the run's first entry, which changes nothing."""
    after: str

    @property
    def seq(self) -> int:
        return self.entry.seq

    @property
    def is_main(self) -> bool:
        return self.lane == MAIN


def heads(run_id: str, entries: Iterable[Entry]) -> tuple[Head, ...]:
    """Every move of a head, in order; the first is the run's start."""
    return tuple(_moves(RunState(run_id), entries))


def main_at(moves: Sequence[Head], seq: int) -> str:
    """The tree of `main` after an entry."""
    return next(head.after for head in reversed(moves) if head.is_main and head.seq <= seq)


def _moves(state: RunState, entries: Iterable[Entry]) -> Iterator[Head]:
    for entry in entries:
        before, state = state, advance(state, entry)
        match entry.event:
            case RunStarted(tree=tree):
                yield Head(entry, MAIN, tree, tree)
            case _ if state.main != before.main:
                yield Head(entry, MAIN, before.main, state.main)
            case CallEnded(lane=lane) | LaneConflicted(lane=lane) | LaneReset(lane=lane):
                was, now = before.lanes.get(lane), state.lanes.get(lane)
                if was is not None and now is not None and not now.on_main and was.tree != now.tree:
                    yield Head(entry, lane, was.tree, now.tree)
            case _:
                pass
