"""A document as the parsers give it: named pages of text. For the process that parses: stdlib only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

KINDS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
}
"""Suffix, in lower case -> what a file is taken for."""
PAGE_NOUN = {"pdf": "page", "pptx": "slide", "xlsx": "sheet", "text": ""}
"""What a page of it is called; of the others it is a section, named by its heading."""
MOST_CHARACTERS = 2_000_000
"""Of one page; the rest of it is left out."""
_NAME_CHARACTERS = 120


def kind_of(path: str) -> str | None:
    """What the file is by its name; `None` for what isn't read here."""
    return KINDS.get(PurePosixPath(path).suffix.lower())


@dataclass(frozen=True)
class Page:
    """What a document is divided into: a page, a slide, a sheet, the text under a heading."""

    name: str
    text: str
    line: int = 1
    """Which line of the file its first line is; 1 where a file has no lines of its own."""
    problem: str = ""
    """Why its text is missing, or not whole."""


class Unreadable(Exception):
    """A document can't be read; the text says why, for people."""


class Document(Protocol):
    """A document that was opened; its pages are parsed when they are asked for."""

    @property
    def total(self) -> int: ...

    def page(self, index: int) -> Page:
        """The page at `index`, counted from 0."""
        ...


class Parsed:
    """A document whose pages are all there: no two with the same name, none without end."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages: list[Page] = []
        taken: dict[str, int] = {}
        for page in pages:
            page = replace(page, name=page.name[:_NAME_CHARACTERS])
            taken[page.name] = number = taken.get(page.name, 0) + 1
            named = page if number == 1 else replace(page, name=f"{page.name} ({number})")
            self._pages.append(limited(named))

    @property
    def total(self) -> int:
        return len(self._pages)

    def page(self, index: int) -> Page:
        return self._pages[index]


def limited(page: Page) -> Page:
    """The page with at most `MOST_CHARACTERS`, and no half characters, which JSON can't carry."""
    text = page.text.encode("utf-8", "replace").decode()
    if len(text) <= MOST_CHARACTERS:
        return replace(page, text=text)
    return replace(
        page, text=text[:MOST_CHARACTERS], problem=f"only its first {MOST_CHARACTERS:,} characters are read"
    )


def joined(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")
