from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from autoagent.errors import StoreUnavailable, UsageError
from autoagent.memory.edge import document_terms
from autoagent.memory.server import IN_PROCESS, ServerMemory
from autoagent.ports import Memory
from autoagent.testing.contracts.memory import MemoryContract, point


class TestServerMemoryInProcess(MemoryContract):
    """The client's emulation of a server: our requests and its answers, without the network."""

    @pytest.fixture
    async def memory(self) -> AsyncIterator[Memory]:
        memory = ServerMemory(IN_PROCESS)
        yield memory
        await memory.close()


class Request:
    """What a server was asked."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        self.body: dict[str, object] = json.loads(body) if body else {}


Answer = Callable[[Request], tuple[int, object]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A loopback server that gives each request the answer of a function; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
            length = next(
                (
                    int(line[15:])
                    for line in head.decode().lower().split("\r\n")
                    if line.startswith("content-length:")
                ),
                0,
            )
            status, body = answer(Request(head, await reader.readexactly(length)))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(data)
            await writer.drain()
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


def qdrant(request: Request) -> tuple[int, object]:
    """The few answers of Qdrant that storing needs."""
    if request.path.endswith("/exists"):
        return 200, {"result": {"exists": True}, "status": "ok", "time": 0}
    return 200, {"result": {"operation_id": 1, "status": "completed"}, "status": "ok", "time": 0}


@asynccontextmanager
async def remote(url: str, key: str | None = None) -> AsyncIterator[ServerMemory]:
    memory = ServerMemory(url, key, timeout_s=1)
    try:
        yield memory
    finally:
        await memory.close()


async def test_points_are_sent_with_key_and_terms() -> None:
    """A store waits for the write, carries the key as a header, and sends the terms of the text."""
    requests: list[Request] = []

    def answer(request: Request) -> tuple[int, object]:
        requests.append(request)
        return qdrant(request)

    stored = point("service one")
    async with server(answer) as url, remote(url, "secret") as memory:
        await memory.store([stored])

    sent = requests[-1]
    assert (sent.method, sent.path) == ("PUT", "/collections/autoagent_memory/points?wait=true")
    assert sent.headers["api-key"] == "secret"
    terms = document_terms(stored.text)
    assert sent.body["points"] == [
        {
            "id": stored.id,
            "vector": {"bm25": {"indices": terms.indices, "values": terms.weights}},
            "payload": stored.model_dump(mode="json"),
        }
    ]


async def test_collection_is_made_once() -> None:
    """The first operation makes the collection that isn't there; one made meanwhile by another is fine."""
    made: list[str] = []

    def answer(request: Request) -> tuple[int, object]:
        if request.path.endswith("/exists"):
            return 200, {"result": {"exists": False}, "status": "ok", "time": 0}
        if request.method == "PUT" and request.path.endswith("/autoagent_memory"):
            made.append(request.path)
            return 409, {"status": {"error": "already exists"}}
        return qdrant(request)

    async with server(answer) as url, remote(url) as memory:
        await asyncio.gather(memory.store([point("a")]), memory.store([point("b")]))

    assert made == ["/collections/autoagent_memory"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"Invalid API key", "refuses the key (401); check the memory's key"),
        (403, {"status": {"error": "forbidden"}}, "refuses the key (403)"),
        (500, b"boom \x1b[2J", "answers 500 X: boom \\x1b[2J"),
        (503, b"", "answers 503"),
        (200, b"<html>hello</html>", "can't be used"),
        (200, {"unexpected": 1}, "can't be used"),
    ],
)
async def test_bad_answers_are_reported(status: int, body: object, words: str) -> None:
    """Who answered, what, and what to check."""
    async with server(lambda request: (status, body)) as url, remote(url, "wrong") as memory:
        with pytest.raises(StoreUnavailable) as caught:
            await memory.search("service")

    assert words in str(caught.value)
    assert url in str(caught.value)
    assert "wrong" not in str(caught.value)


async def test_absent_server_is_reported() -> None:
    """Nobody listens."""
    async with server(qdrant) as url:
        pass
    async with remote(url) as memory:
        with pytest.raises(StoreUnavailable, match="check that it runs"):
            await memory.get("a")


async def test_silent_server_is_reported() -> None:
    """A server that takes the request and never answers is given up on."""
    opened: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with remote(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as memory:
        with pytest.raises(StoreUnavailable, match="can't be used"):
            await memory.forget("a")
    for writer in opened:
        writer.close()
    listener.close()


async def test_server_that_comes_back_is_used_again() -> None:
    """A failure isn't remembered: the next operation tries anew."""
    up = False

    def answer(request: Request) -> tuple[int, object]:
        return qdrant(request) if up else (503, b"")

    async with server(answer) as url, remote(url) as memory:
        with pytest.raises(StoreUnavailable):
            await memory.store([point("a")])
        up = True
        await memory.store([point("a")])


async def test_foreign_point_is_reported() -> None:
    """A collection that another program fills is named as the problem, not misread."""

    def answer(request: Request) -> tuple[int, object]:
        if request.path.endswith("/points"):
            record = {"id": "6f1d4a52-8c1e-5b0e-9d53-2f7f6c1e9a10", "payload": {"title": "x"}}
            return 200, {"result": [record], "status": "ok", "time": 0}
        return qdrant(request)

    async with server(answer) as url, remote(url) as memory:
        with pytest.raises(StoreUnavailable, match="isn't of this autoagent"):
            await memory.get("6f1d4a52-8c1e-5b0e-9d53-2f7f6c1e9a10")


@pytest.mark.parametrize("url", ["localhost:6333", "", "ftp://a", "http://"])
def test_address_must_be_a_url(url: str) -> None:
    """A wrong setting is found before anything connects."""
    with pytest.raises(UsageError, match="http://localhost:6333"):
        ServerMemory(url)
