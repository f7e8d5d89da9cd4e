"""Memory that is found by its words first, and by meaning in the room that words leave.

What words and their neighbours find keeps its place: on LoCoMo's dialogues they recall .69 at 10, the best
offline vectors alone .50, and both with equal weights less than words alone. So vectors can only add, behind.
They are an index of this machine's; without them, or while they can't be made, words do alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from autoagent.door.providers import Embedder
from autoagent.errors import StoreUnavailable
from autoagent.ids import fingerprint
from autoagent.memory.edge import EdgeVectors
from autoagent.ports import Memory, MemoryHit, MemoryPoint
from autoagent.redact import one_line

_TIMEOUT_S = 30.0
_LONGEST_TEXT = 8_000
"""Characters of a text that a vector is made of."""
_log = logging.getLogger("autoagent.memory")


class MeaningMemory:
    """A memory, and vectors of what it holds. Implements `ports.Memory`."""

    def __init__(self, words: Memory, embedder: Embedder, folder: Path) -> None:
        """In `folder` each embedder has an index of its own."""
        self._words, self._embedder = words, embedder
        self._vectors = EdgeVectors(folder / fingerprint(embedder.id))

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        await self._words.store(points)
        vectors = await self._embedded([point.text for point in points])
        if vectors is not None:
            await self._indexed(points, vectors)

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        hits = await self._words.search(query, limit, without_run)
        room = limit - len(hits)
        if room < 1 or not query.strip() or (vectors := await self._embedded([query])) is None:
            return hits
        try:
            near = await self._vectors.search(vectors[0], limit, without_run)
        except StoreUnavailable as error:
            _log.warning("memory is searched by words alone: %s", error)
            return hits
        return [*hits, *await self._behind(hits, near, room)]

    async def _behind(
        self, hits: Sequence[MemoryHit], near: Sequence[tuple[str, float]], room: int
    ) -> list[MemoryHit]:
        """The nearest that words did not find and that are near enough; all score less than these."""
        known, weakest = {hit.point.id for hit in hits}, hits[-1].score if hits else 1.0
        found: list[MemoryHit] = []
        for point_id, cosine in near:
            if len(found) < room and cosine >= self._embedder.least and point_id not in known:
                point = await self._words.get(point_id)
                if point is not None:
                    found.append(MemoryHit(point, weakest * cosine / 2))
        return found

    async def get(self, point_id: str) -> MemoryPoint | None:
        return await self._words.get(point_id)

    async def forget(self, point_id: str) -> bool:
        await self._vectors.forget(point_id)  # first: a vector whose text is gone must not stay
        return await self._words.forget(point_id)

    async def close(self) -> None:
        await self._words.close()

    async def _indexed(self, points: Sequence[MemoryPoint], vectors: Sequence[Sequence[float]]) -> None:
        try:
            await self._vectors.store(points, vectors)
        except StoreUnavailable as error:
            _log.warning("%d outcomes are found by their words alone: %s", len(points), error)

    async def _embedded(self, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """A vector each; `None` where there are none to be had, which is logged."""
        if not texts:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                vectors = await self._embedder.embed([text[:_LONGEST_TEXT] for text in texts])
            if len(vectors) != len(texts) or len({len(v) for v in vectors}) != 1:
                raise ValueError(
                    f"{len(texts)} texts gave {len(vectors)} vectors, or such of several lengths"
                )
        except Exception as error:  # the embedder is a plugin's code
            said = one_line(f"{type(error).__name__}: {error}", 200)
            _log.warning("no vectors can be had, so memory goes by words alone: %s", said)
            return None
        return vectors
