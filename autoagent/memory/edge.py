"""Memory without a server: Qdrant's engine in this process. The only importer of `qdrant_edge`.

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
from autoagent.memory.points import (
    MAX_COMPANIONS,
    MAX_QUERY_CHARACTERS,
    RUN_FIELD,
    VECTOR,
    Terms,
    key,
    payload,
    runs_of,
    stored_point,
    with_neighbours,
)
from autoagent.ports import MemoryHit, MemoryPoint

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
        self._path, self._wait_s = path, wait_s

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        if points:
            await asyncio.to_thread(self._within, functools.partial(_store, points))

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        if limit < 1 or not self._exists:
            return []
        return await asyncio.to_thread(self._within, functools.partial(_search, query, limit, without_run))

    async def get(self, point_id: str) -> MemoryPoint | None:
        if not self._exists:
            return None
        return await asyncio.to_thread(self._within, functools.partial(_get, point_id))

    async def forget(self, point_id: str) -> bool:
        if not self._exists:
            return False
        return await asyncio.to_thread(self._within, functools.partial(_forget, point_id))

    async def close(self) -> None:
        """Nothing is open between operations."""

    @property
    def _exists(self) -> bool:
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
            raise StoreUnavailable(f"the memory at {self._path} can't be used: {error}") from error
        except BaseException as error:
            # the engine raises bare `Exception`s, and over damaged files panics, which is a `BaseException`
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise StoreUnavailable(
                f"the memory at {self._path} can't be used: {error}; "
                "move that folder away to start with an empty memory"
            ) from error

    def _look_for_room(self) -> None:
        """Raises `StoreUnavailable`."""
        home = self._path.parent
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
        if free < _ROOM_BYTES:
            raise StoreUnavailable(
                f"the memory at {self._path} isn't used while its disk has {free / 1e6:.1f} MB free; "
                f"free some space, so that it has {_ROOM_BYTES / 1e6:.0f} MB"
            )

    def _opened(self) -> qdrant_edge.EdgeShard:
        import qdrant_edge

        if not self._exists:
            self._create()
        return qdrant_edge.EdgeShard.load(str(self._path))

    def _create(self) -> None:
        """A new shard, put in place whole, so that a kill leaves none half made."""
        import qdrant_edge

        config = qdrant_edge.EdgeConfig(
            sparse_vectors={VECTOR: qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)},
            wal_enabled=True,
        )
        unfinished = self._path.with_name(self._path.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        with contextlib.closing(qdrant_edge.EdgeShard.create(str(unfinished), config)) as shard:
            by_run = qdrant_edge.UpdateOperation.create_field_index(
                RUN_FIELD, qdrant_edge.PayloadSchemaType.Keyword
            )
            shard.update(by_run)
            shard.flush()
        unfinished.rename(self._path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
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
                        f"the memory at {self._path} is in use by process {holder}, for more than "
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
    others = None if without_run is None else qdrant_edge.Filter(must_not=[_of_runs([without_run])])
    request = qdrant_edge.QueryRequest(limit=limit, query=nearest, with_payload=True, filter=others)
    hits = [MemoryHit(stored_point(found.id, found.payload), found.score) for found in shard.query(request)]
    return with_neighbours(hits, _companions(hits, limit, shard), limit)


def _companions(hits: Sequence[MemoryHit], limit: int, shard: qdrant_edge.EdgeShard) -> list[MemoryPoint]:
    import qdrant_edge

    if len(hits) >= limit or not (runs := runs_of(hits)):
        return []
    in_runs = qdrant_edge.Filter(must=[_of_runs(runs)])
    found, _ = shard.scroll(
        qdrant_edge.ScrollRequest(limit=MAX_COMPANIONS, filter=in_runs, with_payload=True)
    )
    return [stored_point(record.id, record.payload) for record in found]


def _of_runs(runs: list[str]) -> qdrant_edge.FieldCondition:
    import qdrant_edge

    return qdrant_edge.FieldCondition(RUN_FIELD, match=qdrant_edge.MatchAny(runs))


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
