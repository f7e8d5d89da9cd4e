"""`Overheard`: onlookers that tell a test, or a program, each piece of text as it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from autoagent.ports import Coming, Heard, Onlookers
from autoagent.secrecy import Strike

OnText = Callable[[str, str], None]
"""Hears (lane, piece)."""


@dataclass(frozen=True)
class Overheard:
    """Implements `Onlookers`. What it hears is as the model wrote it, secrets too."""

    on_text: OnText

    @contextmanager
    def __call__(self, run_id: str, strike: Strike) -> Iterator[Onlookers]:
        """As `Parts.onlookers` opens them."""
        yield self

    def reply(self, coming: Coming) -> Heard:
        return _Reply(coming.lane, self.on_text)


@dataclass(frozen=True)
class _Reply:
    lane: str
    on_text: OnText

    def anew(self) -> None:
        """What was heard stays heard."""

    def text(self, piece: str) -> None:
        self.on_text(self.lane, piece)

    def call(self, number: int, name: str, piece: str) -> None:
        """Calls aren't texts."""

    def failed(self, why: str, wait_s: float) -> None:
        """A try without words."""

    def over(self, entry: int) -> None:
        """No more comes."""
