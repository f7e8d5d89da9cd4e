"""Memory and passages on a Qdrant server. The only importer of `qdrant_client` (0.9 s: inside functions).

Texts become the same BM25 terms as in the embedded store, computed here, so a server needs no models.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from autoagent.errors import StoreUnavailable, UsageError
from autoagent.memory.edge import document_terms, query_terms
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
from autoagent.redact import one_line

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient, models

COLLECTION = "autoagent_memory"
PASSAGES = "autoagent_passages_"
"""Prefix of the collections of passages, one a plugin."""
_BATCH = 256
"""Points of one request."""
IN_PROCESS = ":memory:"
"""Instead of a URL: an emulation by the client, forgotten at the end; for trying out."""


class ServerMemory:
    """Memory in one collection of a Qdrant server, which is made when it is first needed."""

    def __init__(
        self, url: str, api_key: str | None = None, *, collection: str = COLLECTION, timeout_s: int = 10
    ) -> None:
        """Connects to nothing yet. Raises `UsageError` where `url` is no web address."""
        self._at = _Collection(url, api_key, collection, RUN_FIELD, timeout_s)

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        if not points:
            return
        async with self._at.used() as client:
            await client.upsert(self._at.name, [_server_point(point) for point in points], wait=True)

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        from qdrant_client import models

        terms = query_terms(query)
        if limit < 1 or not terms.indices:
            return []
        others = None if without_run is None else models.Filter(must_not=[_any_of(RUN_FIELD, [without_run])])
        async with self._at.used() as client:
            response = await client.query_points(
                self._at.name,
                query=_sparse(terms),
                using=VECTOR,
                limit=limit,
                query_filter=others,
                with_payload=True,
            )
            hits = [
                MemoryHit(stored_point(found.id, found.payload), found.score) for found in response.points
            ]
            return with_neighbours(hits, await self._companions(client, hits, limit), limit)

    async def get(self, point_id: str) -> MemoryPoint | None:
        async with self._at.used() as client:
            found = await client.retrieve(self._at.name, [key(point_id)], with_payload=True)
            return stored_point(found[0].id, found[0].payload) if found else None

    async def forget(self, point_id: str) -> bool:
        async with self._at.used() as client:
            found = await client.retrieve(self._at.name, [key(point_id)], with_payload=False)
            if found:
                await client.delete(self._at.name, [key(point_id)], wait=True)
            return bool(found)

    async def close(self) -> None:
        await self._at.close()

    async def _companions(
        self, client: AsyncQdrantClient, hits: Sequence[MemoryHit], limit: int
    ) -> list[MemoryPoint]:
        from qdrant_client import models

        if len(hits) >= limit or not (runs := runs_of(hits)):
            return []
        in_runs = models.Filter(must=[_any_of(RUN_FIELD, runs)])
        found, _ = await client.scroll(self._at.name, in_runs, limit=MAX_COMPANIONS, with_payload=True)
        return [stored_point(record.id, record.payload) for record in found]


class ServerPassages:
    """Passages in one collection of a Qdrant server, which is made when it is first needed."""

    def __init__(
        self, url: str, api_key: str | None = None, *, collection: str = PASSAGES, timeout_s: int = 30
    ) -> None:
        """As `ServerMemory`."""
        self._at = _Collection(url, api_key, collection, SOURCE_FIELD, timeout_s)

    async def store(self, sources: Sequence[Source]) -> None:
        if not sources:
            return
        sources = last_of_each(sources)
        async with self._at.used() as client:
            await self._remove(client, [source.id for source in sources])
            points = [*passage_points(sources), *marker_points(sources)]
            for start in range(0, len(points), _BATCH):
                batch = [_passage_point(point) for point in points[start : start + _BATCH]]
                await client.upsert(self._at.name, batch, wait=True)

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        if not sources:
            return {}
        async with self._at.used() as client:
            return await self._known(client, sources)

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        from qdrant_client import models

        terms = query_terms(query)
        if limit < 1 or not sources or not terms.indices:
            return []
        async with self._at.used() as client:
            theirs = _of_sources(list(await self._known(client, sources)))
            response = await client.query_points(
                self._at.name,
                query=_sparse(terms),
                using=VECTOR,
                limit=limit,
                query_filter=theirs,
                with_payload=True,
                # as in the embedded store: what else is indexed changes no ranking
                search_params=models.SearchParams(idf=models.IdfCorpusParams(corpus=theirs)),
            )
        return [hit_of(found.payload, found.score) for found in response.points]

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        async with self._at.used() as client:
            if not await self._known(client, [source]):
                return []
            found, _ = await client.scroll(
                self._at.name, _of_sources([source]), limit=MOST_READ, with_payload=True
            )
        passages = in_order(record.payload for record in found)
        return [passage for passage in passages if page is None or passage.page == page]

    async def forget(self, source: str) -> bool:
        async with self._at.used() as client:
            was_there = bool(await self._known(client, [source]))
            if was_there:
                await self._remove(client, [source])
            return was_there

    async def close(self) -> None:
        await self._at.close()

    async def _known(self, client: AsyncQdrantClient, sources: Sequence[str]) -> dict[str, str]:
        found = await client.retrieve(self._at.name, [marker_id(s) for s in sources], with_payload=True)
        return marked(record.payload for record in found)

    async def _remove(self, client: AsyncQdrantClient, sources: Sequence[str]) -> None:
        """Their markers first, so that none of them is ever known in part."""
        from qdrant_client import models

        await client.delete(self._at.name, [marker_id(source) for source in sources], wait=True)
        selected = models.FilterSelector(filter=_of_sources(sources))
        await client.delete(self._at.name, selected, wait=True)


class _Collection:
    """One collection of a server, and the connection to it."""

    def __init__(self, url: str, api_key: str | None, name: str, keyword: str, timeout_s: int) -> None:
        """`keyword` is the payload's field that is filtered by. Raises `UsageError`."""
        parts = urlsplit(url)
        if url != IN_PROCESS and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise UsageError(
                f"the memory's address {one_line(url)!r} is no URL; expected for example http://localhost:6333"
            )
        self.name = name
        self._url, self._api_key = url, api_key
        self._keyword, self._timeout_s = keyword, timeout_s
        # without a user name and password that the URL may hold
        self._where = f"the Qdrant server at {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._client: AsyncQdrantClient | None = None
        self._preparing = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def used(self) -> AsyncIterator[AsyncQdrantClient]:
        """A client whose collection is there; what it raises becomes `StoreUnavailable`."""
        with self._reported():
            yield await self._prepared()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _prepared(self) -> AsyncQdrantClient:
        """A client whose collection is there."""
        async with self._preparing:
            if self._client is None:
                client = self._connected()
                try:
                    await self._make_collection(client)
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

    def _connected(self) -> AsyncQdrantClient:
        from qdrant_client import AsyncQdrantClient

        if self._url == IN_PROCESS:
            return AsyncQdrantClient(IN_PROCESS)
        # as a header, because the client warns of a key on http, also on one's own machine
        headers = {"api-key": self._api_key} if self._api_key else None
        return AsyncQdrantClient(
            url=self._url, headers=headers, timeout=self._timeout_s, check_compatibility=False
        )

    async def _make_collection(self, client: AsyncQdrantClient) -> None:
        from qdrant_client import models
        from qdrant_client.http.exceptions import UnexpectedResponse

        if await client.collection_exists(self.name):
            return
        try:
            await client.create_collection(
                self.name,
                vectors_config={},
                sparse_vectors_config={VECTOR: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another process made it in this moment
                raise
        if self._url != IN_PROCESS:
            await client.create_payload_index(self.name, self._keyword, models.PayloadSchemaType.KEYWORD)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """What the client raises becomes `StoreUnavailable`, in words that say what to do."""
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (ApiException, QdrantException, ValueError, AssertionError) as error:
            # the client asserts that an answer has its parts
            raise StoreUnavailable(f"{self._where} {_said(error)}") from error


def _said(error: Exception) -> str:
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    if isinstance(error, UnexpectedResponse):
        if error.status_code in (401, 403):
            return f"refuses the key ({error.status_code}); check the memory's key in the settings"
        content = one_line(error.content.decode(errors="replace"), 200)
        return f"answers {error.status_code} {error.reason_phrase}: {content}"
    if isinstance(error, ResponseHandlingException):
        cause = one_line(str(error.source) or type(error.source).__name__, 200)
        return f"can't be used: {cause}; check that it runs, and the memory's address in the settings"
    return f"can't be used: {one_line(str(error), 200)}"


def _server_point(point: MemoryPoint) -> models.PointStruct:
    from qdrant_client import models

    return models.PointStruct(
        id=key(point.id), vector={VECTOR: _sparse(document_terms(point.text))}, payload=payload(point)
    )


def _passage_point(point: StoredPoint) -> models.PointStruct:
    from qdrant_client import models

    vector = {} if point.text is None else {VECTOR: _sparse(document_terms(point.text))}
    return models.PointStruct(id=point.id, vector=vector, payload=point.payload)


def _sparse(terms: Terms) -> models.SparseVector:
    from qdrant_client import models

    return models.SparseVector(indices=terms.indices, values=terms.weights)


def _any_of(field: str, values: Sequence[str]) -> models.FieldCondition:
    from qdrant_client import models

    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))


def _of_sources(sources: Sequence[str]) -> models.Filter:
    from qdrant_client import models

    return models.Filter(must=[_any_of(SOURCE_FIELD, sources)])
