"""Long-term memory: what earlier runs found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autoagent.messages import Frozen


class MemoryPoint(Frozen):
    """One remembered outcome, with where it comes from."""

    id: str
    text: str
    run: str
    sub_task: str | None = None
    source: str
    """`outcome`, `remembered`, `person`."""
    labels: tuple[str, ...] = ()
    goal: str = ""
    sha256: str = ""
    at: datetime


@dataclass(frozen=True)
class MemoryHit:
    """A point and how well it fits (larger is better)."""

    point: MemoryPoint
    score: float
    beside: str | None = None
    """Not found itself: the outcome just before or after this point in its run."""


class Memory(Protocol):
    """Long-term memory; storing a point twice is storing it once.

    Raises `StoreUnavailable` when it is locked or down.
    """

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        """All of them, durable when it returns; a point with a known id replaces the old one."""
        ...

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        """The points that fit best, best first, none of `without_run`; in the room left, their neighbours."""
        ...

    async def get(self, point_id: str) -> MemoryPoint | None: ...

    async def forget(self, point_id: str) -> bool:
        """Whether it was there."""
        ...

    async def close(self) -> None: ...
