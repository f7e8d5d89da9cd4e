"""An index of passages that a plugin keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from autoagent.messages import Frozen


class Passage(Frozen):
    """A piece of a source's text, and where it stands there."""

    page: str = ""
    """The part of the source that holds it whole: a page's number, a sheet, a heading."""
    start: int = Field(default=0, ge=0)
    """Its first character, counted from 0 in the page's text; its last follows from the text."""
    line: int = Field(default=1, ge=1)
    """The line in which it begins."""
    text: str


class Source(Frozen):
    """A text as it is stored: an immutable thing, named by its content."""

    id: str
    note: str = ""
    """What its writer wants to know of it again."""
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class PassageHit:
    """A passage that was found, and how well it fits (larger is better)."""

    source: str
    passage: Passage
    score: float


class Passages(Protocol):
    """A searchable index of texts, for one plugin: a cache, which may be emptied at any time.

    Storing a source twice is storing it once. Raises `StoreUnavailable` when it is locked or down.
    """

    async def store(self, sources: Sequence[Source]) -> None:
        """Each source whole, durable when it returns; one with a known id replaces the old one.

        After a crash in the middle a source is known only if all of its passages are there.
        """
        ...

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        """Those of these sources that are stored -> their notes."""
        ...

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        """The passages of these sources, and of no others, that fit best, best first."""
        ...

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        """The passages of a source, or of one page of it, in the order in which they stand there."""
        ...

    async def forget(self, source: str) -> bool:
        """Whether it was there."""
        ...

    async def close(self) -> None: ...
