"""Cuts a page's text into passages and puts it together again. Pure.

A passage is a slice of the page, so its span is exact. It ends where a paragraph ends, else a line, a
sentence, a word; the next one begins a little before that, so that what stands across the cut is found too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autoagent.ports import Passage
from autoagent_documents.pages import Page

LEAST, MOST = 800, 1_200
"""Characters of a passage; the last one of a page may be shorter."""
OVERLAP = 200
"""At most so many characters of a passage stand in the one before it too."""

_ENDS = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"[.!?…。！？]\s*", r"\s+"))
"""Where a text may be cut, best first: after a paragraph, a line, a sentence, a word."""


def passages(page: Page) -> Iterator[Passage]:
    """The page's passages in order; none where it has no text."""
    if not page.text.strip():
        return
    line, counted = page.line, 0
    for start, end in _spans(page.text):
        line, counted = line + page.text.count("\n", counted, start), start
        yield Passage(page=page.name, start=start, line=line, text=page.text[start:end])


def stitched(found: Iterable[Passage]) -> str:
    """The text of a page from all its passages, in order."""
    text = ""
    for passage in found:
        text += passage.text[len(text) - passage.start :]
    return text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > MOST:
        end = _last_cut(text, start + LEAST, start + MOST)
        yield start, end
        start = _first_cut(text, max(end - OVERLAP, start + 1), end)
    yield start, len(text)


def _last_cut(text: str, least: int, most: int) -> int:
    """The last good place for an end between the two."""
    for pattern in _ENDS:
        if found := [match.end() for match in pattern.finditer(text, least, most)]:
            return found[-1]
    return most


def _first_cut(text: str, least: int, most: int) -> int:
    """The first good place for a beginning between the two."""
    for pattern in _ENDS[1:]:
        if match := pattern.search(text, least, most):
            return match.end()
    return most
