"""Where our code waits in a replay until the record says that its turn has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from autoagent.errors import LeaseLost
from autoagent.events import Event
from autoagent.past.replay_record import RUN

at_work: ContextVar[str] = ContextVar("at_work", default=RUN)
"""Whose code runs: a lane, or the run's own."""

Kind = Literal["pass", "look", "reply", "ended", "checked"]
"""What is waited for: to go on, to look at the folder, a reply, the end of a call, a verdict."""


class Diverged(Exception):
    """Not an error: our code went another way than the record, which has been noted."""


class Cut(LeaseLost):
    """The recorded process ended here; what it would have done next nobody knows."""


@dataclass(eq=False)
class Gate:
    """Somebody who waits for a turn."""

    kind: Kind
    about: str
    """The request or the call."""
    lane: str
    turn: asyncio.Future[Event | None]


class Gates:
    """All that are shut, the oldest first."""

    def __init__(self) -> None:
        self.stirred = 0
        """Signs of life: while this grows, somebody's code runs."""
        self._shut: list[Gate] = []
        self._closed = False

    def __iter__(self) -> Iterator[Gate]:
        return iter(self._shut)

    async def wait(self, kind: Kind, about: str = "") -> Event | None:
        """The entry that has come; `None` where it was only one's turn, and once the replay is over."""
        if self._closed:
            return None
        gate = Gate(kind, about, at_work.get(), asyncio.get_running_loop().create_future())
        self._shut.append(gate)
        self.stirred += 1
        try:
            return await gate.turn
        finally:
            if gate in self._shut:
                self._shut.remove(gate)

    def passing(self, fits: Callable[[Gate], bool]) -> Gate | None:
        """The first that waits for nothing but its turn."""
        return next((g for g in self._shut if g.kind in ("pass", "look") and fits(g)), None)

    def release(self, gate: Gate, event: Event | None = None) -> None:
        self.stirred += 1
        self._shut.remove(gate)
        if not gate.turn.done():
            gate.turn.set_result(event)

    def release_for(self, kind: Kind, about: str, event: Event) -> bool:
        """Hand over what somebody waits for; `False` where nobody does."""
        gate = next((g for g in self._shut if g.kind == kind and g.about == about), None)
        if gate is not None:
            self.release(gate, event)
        return gate is not None

    def fail(self, gate: Gate, error: Exception) -> None:
        self.stirred += 1
        self._shut.remove(gate)
        gate.turn.set_exception(error)

    def close(self) -> None:
        """Nobody waits for a turn any more."""
        self._closed = True
        for gate in [g for g in self._shut if g.kind in ("pass", "look")]:
            self.release(gate)
