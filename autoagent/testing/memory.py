"""A memory for tests: a dictionary, with the promises of the real ones."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from autoagent.errors import StoreUnavailable
from autoagent.memory.points import runs_of, with_neighbours
from autoagent.ports import MemoryHit, MemoryPoint

# a word, or one sign of a script without spaces
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W\u2e80-\u9fff\uac00-\ud7af]+")


class DictMemory:
    """Memory as long as it lives. `down` makes it raise `StoreUnavailable`, as a server that is down does."""

    def __init__(self) -> None:
        self.points: dict[str, MemoryPoint] = {}
        self.down = False

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        self._answer()
        self.points.update({point.id: point for point in points})

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        self._answer()
        wanted = set(_words(query))
        points = [point for point in self.points.values() if point.run != without_run]
        hits = [MemoryHit(point, score) for point in points if (score := self._score(wanted, point)) > 0]
        hits = sorted(hits, key=lambda hit: hit.score, reverse=True)[: max(limit, 0)]
        runs = runs_of(hits)
        return with_neighbours(hits, [point for point in points if point.run in runs], max(limit, 0))

    async def get(self, point_id: str) -> MemoryPoint | None:
        self._answer()
        return self.points.get(point_id)

    async def forget(self, point_id: str) -> bool:
        self._answer()
        return self.points.pop(point_id, None) is not None

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("the memory is down")

    def _score(self, wanted: set[str], point: MemoryPoint) -> float:
        """Rare words count more, repeated ones less than their number."""
        counts = Counter(_words(point.text))
        return sum(self._rarity(word) * counts[word] / (counts[word] + 1) for word in wanted & counts.keys())

    def _rarity(self, word: str) -> float:
        holding = sum(word in _words(point.text) for point in self.points.values())
        return math.log(1 + len(self.points) / holding)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
