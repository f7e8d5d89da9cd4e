"""Memory and passages without a server: Qdrant's engine in this process. The only importer of `qdrant_edge`.

The engine lets one process at a time in, and tells the next one "WouldBlock". So a file lock of our own is
held for one operation, in which the shard is opened, used, flushed and closed: 12 ms to search 500 points,
60 ms to search 50,000. What `store` has acknowledged survives a kill at any instant.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autoagent.errors import StoreUnavailable
from autoagent.memory.passages import (
    MOST_READ,
    SOURCE_FIELD,
    StoredPoint,
    hit_of,
    in_order,
    last_of_each,
    marked,
    marker_id,
    marker_points,
    passage_points,
)
from autoagent.memory.points import (
    MAX_COMPANIONS,
    MAX_QUERY_CHARACTERS,
    MEANING,
    RUN_FIELD,
    VECTOR,
    Terms,
    key,
    payload,
    runs_of,
    stored_point,
    with_neighbours,
)
from autoagent.ports import MemoryHit, MemoryPoint, Passage, PassageHit, Source

if TYPE_CHECKING:
    import qdrant_edge

T = TypeVar("T")

_ROOM_BYTES = 16 * 1024 * 1024
"""The engine writes through memory maps of files with holes; where the disk has no page for a hole, the
kernel ends the process with SIGBUS. A new memory takes 0.6 MB, a point some pages."""


def document_terms(text: str) -> Terms:
    """A text to be found, as BM25 weights. Finds words of languages that put no spaces between them too."""
    vector = _bm25().embed_document(text)
    return Terms(vector.indices, vector.values)


def query_terms(text: str) -> Terms:
    """A text to search for; no terms where it holds no word."""
    vector = _bm25().embed_query(text[:MAX_QUERY_CHARACTERS])
    return Terms(vector.indices, vector.values)


@functools.cache
def _bm25() -> qdrant_edge.Bm25:
    import qdrant_edge

    # the default tokenizer finds 6 % of Chinese, this one 91 %
    return qdrant_edge.Bm25(qdrant_edge.Bm25Config(tokenizer=qdrant_edge.TokenizerType.Multilingual))


class EdgeMemory:
    """Memory in a folder of its own; several processes may share it."""

    def __init__(self, path: Path, *, wait_s: float = 5) -> None:
        """`wait_s`: how long an operation waits for other processes before it raises `StoreUnavailable`."""
        self._shard = _Shard(path, wait_s, "memory", RUN_FIELD)

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        if points:
            await self._shard.do(functools.partial(_store, points))

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        if limit < 1 or not self._shard.exists:
            return []
        return await self._shard.do(functools.partial(_search, query, limit, without_run))

    async def get(self, point_id: str) -> MemoryPoint | None:
        if not self._shard.exists:
            return None
        return await self._shard.do(functools.partial(_get, point_id))

    async def forget(self, point_id: str) -> bool:
        if not self._shard.exists:
            return False
        return await self._shard.do(functools.partial(_forget, point_id))

    async def close(self) -> None:
        """Nothing is open between operations."""


class EdgePassages:
    """Passages in a folder of their own; several processes may share it."""

    def __init__(self, path: Path, *, wait_s: float = 30) -> None:
        """`wait_s`: as `EdgeMemory`'s; longer, since what others store here is larger."""
        self._shard = _Shard(path, wait_s, "index of passages", SOURCE_FIELD)

    async def store(self, sources: Sequence[Source]) -> None:
        if sources:
            await self._shard.do(functools.partial(_store_sources, last_of_each(sources)))

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        if not sources or not self._shard.exists:
            return {}
        return await self._shard.do(functools.partial(_known, sources))

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        if limit < 1 or not sources or not self._shard.exists:
            return []
        return await self._shard.do(functools.partial(_search_sources, query, sources, limit))

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        if not self._shard.exists:
            return []
        return await self._shard.do(functools.partial(_read_source, source, page))

    async def forget(self, source: str) -> bool:
        if not self._shard.exists:
            return False
        return await self._shard.do(functools.partial(_forget_source, source))

    async def close(self) -> None:
        """Nothing is open between operations."""


class EdgeVectors:
    """Vectors of memory's points, without their texts; of one length, which the first ones fix."""

    def __init__(self, path: Path, *, wait_s: float = 5) -> None:
        """`wait_s`: as `EdgeMemory`'s."""
        self._path, self._wait_s = path, wait_s

    async def store(self, points: Sequence[MemoryPoint], vectors: Sequence[Sequence[float]]) -> None:
        await self._shard(len(vectors[0])).do(functools.partial(_store_vectors, points, vectors))

    async def search(
        self, vector: Sequence[float], limit: int, without_run: str | None
    ) -> list[tuple[str, float]]:
        """(point's id, cosine) of the nearest, best first."""
        shard = self._shard(len(vector))
        if not shard.exists:
            return []
        return await shard.do(functools.partial(_nearest, vector, limit, without_run))

    async def forget(self, point_id: str) -> bool:
        shard = self._shard(1)
        return shard.exists and await shard.do(functools.partial(_forget, point_id))

    def _shard(self, length: int) -> _Shard:
        return _Shard(self._path, self._wait_s, "memory's vectors", RUN_FIELD, length)


class _Shard:
    """A folder of the engine's, opened for one operation at a time."""

    def __init__(self, path: Path, wait_s: float, name: str, keyword: str, length: int = 0) -> None:
        """`name` says in errors what is in there; `keyword` is the payload's field that is filtered by.

        With a `length` it holds vectors of that many numbers, in place of words.
        """
        self._path, self._wait_s, self._keyword, self._length = path, wait_s, keyword, length
        self._named = f"the {name} at {path}"
        self._name = name

    async def do(self, work: Callable[[qdrant_edge.EdgeShard], T]) -> T:
        """What `work` gives, in a thread: see `_within`."""
        return await asyncio.to_thread(self._within, work)

    @property
    def exists(self) -> bool:
        return self._path.is_dir()

    def _within(self, work: Callable[[qdrant_edge.EdgeShard], T]) -> T:
        """What `work` gives, in an open shard that no other process has open."""
        try:
            self._look_for_room()
            with self._locked(), contextlib.closing(self._opened()) as shard:
                return work(shard)
        except StoreUnavailable:
            raise
        except OSError as error:
            raise StoreUnavailable(f"{self._named} can't be used: {error}") from error
        except BaseException as error:
            # the engine raises bare `Exception`s, and over damaged files panics, which is a `BaseException`
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise StoreUnavailable(
                f"{self._named} can't be used: {error}; "
                f"move that folder away to start with an empty {self._name}"
            ) from error

    def _look_for_room(self) -> None:
        """Raises `StoreUnavailable`."""
        home = self._path.parent
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # texts of your files, in plain
        free = shutil.disk_usage(home).free
        if free < _ROOM_BYTES:
            raise StoreUnavailable(
                f"{self._named} isn't used while its disk has {free / 1e6:.1f} MB free; "
                f"free some space, so that it has {_ROOM_BYTES / 1e6:.0f} MB"
            )

    def _opened(self) -> qdrant_edge.EdgeShard:
        import qdrant_edge

        if not self.exists:
            self._create()
        return qdrant_edge.EdgeShard.load(str(self._path))

    def _create(self) -> None:
        """A new shard, put in place whole, so that a kill leaves none half made."""
        import qdrant_edge

        words = {VECTOR: qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)}
        dense = {MEANING: qdrant_edge.EdgeVectorParams(self._length, qdrant_edge.Distance.Cosine)}
        config = qdrant_edge.EdgeConfig(
            vectors=dense if self._length else None,
            sparse_vectors=None if self._length else words,
            wal_enabled=True,
        )
        unfinished = self._path.with_name(self._path.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        with contextlib.closing(qdrant_edge.EdgeShard.create(str(unfinished), config)) as shard:
            by_keyword = qdrant_edge.UpdateOperation.create_field_index(
                self._keyword, qdrant_edge.PayloadSchemaType.Keyword
            )
            shard.update(by_keyword)
            shard.flush()
        unfinished.rename(self._path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._wait_for(lock)
            yield
        finally:
            os.close(lock)  # lets go of the lock

    def _wait_for(self, lock: int) -> None:
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(lock, 20, 0).decode(errors="replace") or "unknown"
                    raise StoreUnavailable(
                        f"{self._named} is in use by process {holder}, for more than "
                        f"{self._wait_s:g} s; try again when that is done"
                    ) from None
                time.sleep(0.01)
            else:
                os.ftruncate(lock, 0)
                os.pwrite(lock, str(os.getpid()).encode(), 0)
                return


# --- what is done in an open shard --------------------------------------------------------------------------


def _store(points: Sequence[MemoryPoint], shard: qdrant_edge.EdgeShard) -> None:
    import qdrant_edge

    shard.update(qdrant_edge.UpdateOperation.upsert_points([_edge_point(point) for point in points]))
    shard.flush()  # the only fsync
    # 0.05 ms where there is nothing to do; without it 50,000 points take 150 ms to open, with it 60
    shard.optimize()


def _edge_point(point: MemoryPoint) -> qdrant_edge.Point:
    import qdrant_edge

    indices, weights = document_terms(point.text)
    vector: dict[str, Any] = {VECTOR: qdrant_edge.SparseVector(indices, weights)}
    return qdrant_edge.Point(key(point.id), vector, payload(point))


def _search(query: str, limit: int, without_run: str | None, shard: qdrant_edge.EdgeShard) -> list[MemoryHit]:
    import qdrant_edge

    indices, weights = query_terms(query)
    if not indices:
        return []
    nearest = qdrant_edge.Query.Nearest(qdrant_edge.SparseVector(indices, weights), using=VECTOR)
    others = None if without_run is None else qdrant_edge.Filter(must_not=[_any_of(RUN_FIELD, [without_run])])
    request = qdrant_edge.QueryRequest(limit=limit, query=nearest, with_payload=True, filter=others)
    hits = [MemoryHit(stored_point(found.id, found.payload), found.score) for found in shard.query(request)]
    return with_neighbours(hits, _companions(hits, limit, shard), limit)


def _store_vectors(
    points: Sequence[MemoryPoint], vectors: Sequence[Sequence[float]], shard: qdrant_edge.EdgeShard
) -> None:
    import qdrant_edge

    rows = [
        qdrant_edge.Point(key(point.id), {MEANING: list(vector)}, {"id": point.id, RUN_FIELD: point.run})
        for point, vector in zip(points, vectors, strict=True)
    ]
    shard.update(qdrant_edge.UpdateOperation.upsert_points(rows))
    shard.flush()
    shard.optimize()


def _nearest(
    vector: Sequence[float], limit: int, without_run: str | None, shard: qdrant_edge.EdgeShard
) -> list[tuple[str, float]]:
    import qdrant_edge

    others = None
    if without_run is not None:
        others = qdrant_edge.Filter(must_not=[_any_of(RUN_FIELD, [without_run])])
    nearest = qdrant_edge.Query.Nearest(list(vector), using=MEANING)
    request = qdrant_edge.QueryRequest(limit=limit, query=nearest, with_payload=True, filter=others)
    return [(str((found.payload or {})["id"]), found.score) for found in shard.query(request)]


def _companions(hits: Sequence[MemoryHit], limit: int, shard: qdrant_edge.EdgeShard) -> list[MemoryPoint]:
    import qdrant_edge

    if len(hits) >= limit or not (runs := runs_of(hits)):
        return []
    in_runs = qdrant_edge.Filter(must=[_any_of(RUN_FIELD, runs)])
    found, _ = shard.scroll(
        qdrant_edge.ScrollRequest(limit=MAX_COMPANIONS, filter=in_runs, with_payload=True)
    )
    return [stored_point(record.id, record.payload) for record in found]


def _any_of(field: str, values: Sequence[str]) -> qdrant_edge.FieldCondition:
    import qdrant_edge

    return qdrant_edge.FieldCondition(field, match=qdrant_edge.MatchAny(list(values)))


def _get(point_id: str, shard: qdrant_edge.EdgeShard) -> MemoryPoint | None:
    found = shard.retrieve([key(point_id)], True, False)
    return stored_point(found[0].id, found[0].payload) if found else None


def _forget(point_id: str, shard: qdrant_edge.EdgeShard) -> bool:
    import qdrant_edge

    if not shard.retrieve([key(point_id)], False, False):
        return False
    shard.update(qdrant_edge.UpdateOperation.delete_points([key(point_id)]))
    shard.flush()
    return True


# --- and in one of passages ---------------------------------------------------------------------------------


def _store_sources(sources: Sequence[Source], shard: qdrant_edge.EdgeShard) -> None:
    import qdrant_edge

    update = qdrant_edge.UpdateOperation
    ids = [source.id for source in sources]
    if known := list(_known(ids, shard)):
        shard.update(update.delete_points([marker_id(source) for source in known]))
    # also what a crash left of them
    shard.update(update.delete_points_by_filter(_of_sources(ids)))
    for points in (passage_points(sources), marker_points(sources)):
        if points:
            shard.update(update.upsert_points([_passage_point(point) for point in points]))
    shard.flush()
    shard.optimize()


def _passage_point(point: StoredPoint) -> qdrant_edge.Point:
    import qdrant_edge

    if point.text is None:
        return qdrant_edge.Point(point.id, {}, point.payload)
    vector: dict[str, Any] = {VECTOR: qdrant_edge.SparseVector(*document_terms(point.text))}
    return qdrant_edge.Point(point.id, vector, point.payload)


def _known(sources: Sequence[str], shard: qdrant_edge.EdgeShard) -> dict[str, str]:
    return marked(record.payload for record in shard.retrieve([marker_id(s) for s in sources], True, False))


def _search_sources(
    query: str, sources: Sequence[str], limit: int, shard: qdrant_edge.EdgeShard
) -> list[PassageHit]:
    import qdrant_edge

    indices, weights = query_terms(query)
    if not indices:
        return []
    theirs = _of_sources(list(_known(sources, shard)))
    request = qdrant_edge.QueryRequest(
        limit=limit,
        query=qdrant_edge.Query.Nearest(qdrant_edge.SparseVector(indices, weights), using=VECTOR),
        with_payload=True,
        filter=theirs,
        # how rare a word is counts among these sources: what else is indexed changes no ranking
        params=qdrant_edge.SearchParams(idf=qdrant_edge.IdfParams(theirs)),
    )
    return [hit_of(found.payload, found.score) for found in shard.query(request)]


def _read_source(source: str, page: str | None, shard: qdrant_edge.EdgeShard) -> list[Passage]:
    import qdrant_edge

    if not _known([source], shard):
        return []
    request = qdrant_edge.ScrollRequest(limit=MOST_READ, filter=_of_sources([source]), with_payload=True)
    found = in_order(record.payload for record in shard.scroll(request)[0])
    return [passage for passage in found if page is None or passage.page == page]


def _forget_source(source: str, shard: qdrant_edge.EdgeShard) -> bool:
    import qdrant_edge

    if not _known([source], shard):
        return False
    update = qdrant_edge.UpdateOperation
    shard.update(update.delete_points([marker_id(source)]))
    shard.update(update.delete_points_by_filter(_of_sources([source])))
    shard.flush()
    return True


def _of_sources(sources: Sequence[str]) -> qdrant_edge.Filter:
    import qdrant_edge

    return qdrant_edge.Filter(must=[_any_of(SOURCE_FIELD, sources)])
