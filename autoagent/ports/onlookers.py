"""Whoever watches replies come in. Loses nothing that matters: each reply is recorded whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autoagent.ports.model import Listener, ModelRole
from autoagent.secrecy import Strike


@dataclass(frozen=True)
class Coming:
    """A reply that was asked for."""

    id: str
    """Of the request, as the record has it; all its tries have the same."""
    lane: str
    role: ModelRole
    number: int
    """Counts the replies of (lane, role), from 1."""
    at: datetime


class Heard(Listener, Protocol):
    """One reply, heard from its first word to its end."""

    def over(self, entry: int) -> None:
        """No more comes: the run's entries up to this one say what became of it."""
        ...


class Onlookers(Protocol):
    """Hears the replies of a run, several at a time. Never waits and never raises."""

    def reply(self, coming: Coming) -> Heard:
        """Hears this reply."""
        ...


OpenOnlookers = Callable[[str, Strike], AbstractContextManager[Onlookers]]
"""Lets people watch a run of this name; without the secrets that its record is without."""


class Nobody:
    """Nobody watches. Implements `Onlookers` and `Heard`."""

    def reply(self, coming: Coming) -> Heard:
        return self

    def anew(self) -> None:
        """Nobody hears it."""

    def text(self, piece: str) -> None:
        """Nobody hears it."""

    def call(self, number: int, name: str, piece: str) -> None:
        """Nobody hears it."""

    def failed(self, why: str, wait_s: float) -> None:
        """Nobody hears it."""

    def over(self, entry: int) -> None:
        """Nobody hears it."""


NOBODY = Nobody()


@contextmanager
def nobody(run_id: str, strike: Strike) -> Iterator[Onlookers]:
    """`OpenOnlookers` of a run that nobody can watch."""
    yield NOBODY
