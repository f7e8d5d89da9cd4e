"""Parts of a text that stand word for word in other texts, found in bounded work. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

SHORTEST = 20
"""Characters; shorter runs say nothing."""
_GRAM = SHORTEST // 2
"""Wherever a run of `SHORTEST` begins, it holds one whole gram of the source, cut side by side."""
_WRITTEN = 100_000
_SOURCE = 500_000
"""Characters that are looked at."""
_PLACES = 8
"""Of one gram in what was written."""
_RUNS = 200
"""Of one source; the others are shorter."""
_LETTERS = 10
"""What a run must hold: lines of dashes are no quotation."""


class Written:
    """A text, ready to be compared with many."""

    def __init__(self, text: str) -> None:
        self._text = text[:_WRITTEN]
        self._places: dict[str, list[int]] = defaultdict(list)
        for at in range(len(self._text) - _GRAM + 1):
            places = self._places[self._text[at : at + _GRAM]]
            if len(places) < _PLACES:
                places.append(at)

    def runs_in(self, source: str) -> list[str]:
        """The longest common runs, longest first; none lies within another."""
        kept: list[str] = []
        found = sorted(set(self._found(source[:_SOURCE])), key=lambda run: (-len(run), run))
        for run in found[:_RUNS]:
            if not any(run in longer for longer in kept):
                kept.append(run)
        return kept

    def _found(self, source: str) -> Iterator[str]:
        at = 0
        while at + _GRAM <= len(source):
            longest = 0
            for place in self._places.get(source[at : at + _GRAM], ()):
                begin, end = self._extended(source, at, place)
                longest = max(longest, end)
                if end - begin >= SHORTEST and _says_something(text := source[begin:end].strip()):
                    yield text
            at = max(at + _GRAM, longest - longest % _GRAM)

    def _extended(self, source: str, at: int, place: int) -> tuple[int, int]:
        """Where in the source the run around a common gram begins and ends."""
        back, text = 0, self._text
        while back < min(at, place) and source[at - back - 1] == text[place - back - 1]:
            back += 1
        ahead, most = _GRAM, min(len(source) - at, len(text) - place)
        while ahead < most and source[at + ahead] == text[place + ahead]:
            ahead += 1
        return at - back, at + ahead


def _says_something(text: str) -> bool:
    return len(text) >= SHORTEST and sum(c.isalnum() for c in text) >= _LETTERS
