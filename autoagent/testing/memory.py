"""A memory and an index of passages for tests: dictionaries, with the promises of the real ones."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from autoagent.errors import StoreUnavailable
from autoagent.memory.points import runs_of, with_neighbours
from autoagent.ports import MemoryHit, MemoryPoint, Passage, PassageHit, Source

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
        fit = _Fit(wanted, [point.text for point in self.points.values()])
        hits = [MemoryHit(point, score) for point in points if (score := fit.of(point.text)) > 0]
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


class DictPassages:
    """Passages as long as it lives. `down` makes it raise `StoreUnavailable`."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.down = False

    async def store(self, sources: Sequence[Source]) -> None:
        self._answer()
        self.sources.update({source.id: source for source in sources})

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        self._answer()
        return {id: self.sources[id].note for id in sources if id in self.sources}

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        self._answer()
        wanted = set(_words(query))
        theirs = [
            (id, p) for id in dict.fromkeys(sources) if id in self.sources for p in self.sources[id].passages
        ]
        fit = _Fit(wanted, [passage.text for _, passage in theirs])
        hits = [PassageHit(id, p, score) for id, p in theirs if (score := fit.of(p.text)) > 0]
        return sorted(hits, key=lambda hit: hit.score, reverse=True)[: max(limit, 0)]

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        self._answer()
        found = self.sources[source].passages if source in self.sources else ()
        return [passage for passage in found if page is None or passage.page == page]

    async def forget(self, source: str) -> bool:
        self._answer()
        return self.sources.pop(source, None) is not None

    async def close(self) -> None:
        """Nothing is open."""

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("the index of passages is down")


class _Fit:
    """How well texts fit: words that are rare among all count more, repeated ones less than their number."""

    def __init__(self, wanted: set[str], texts: Sequence[str]) -> None:
        holding = Counter(word for text in texts for word in wanted.intersection(_words(text)))
        self._rarity = {word: math.log(1 + len(texts) / number) for word, number in holding.items()}

    def of(self, text: str) -> float:
        """The score of one of them."""
        counts = Counter(word for word in _words(text) if word in self._rarity)
        return sum(self._rarity[word] * number / (number + 1) for word, number in counts.items())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
