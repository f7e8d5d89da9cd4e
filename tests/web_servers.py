"""HTTP servers on loopback that say exactly the bytes they are told to, for tests of the guarded client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


Say = Callable[[bytes], Awaitable[None]]
Answer = Callable[[Asked, Say], Awaitable[None]]


def reply(body: bytes = b"hello", status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer; `content_type="text/html"` is a header."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class WebServer:
    """Answers each request by `pages`, by path; what isn't there by 404."""

    pages: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                asked = await _read(reader)
                self.asked.append(asked)
                page = self.pages.get(asked.target.partition("?")[0], reply(b"no", "404 Not Found"))
                await (say(page) if isinstance(page, bytes) else page(asked, say))
            finally:
                writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


@asynccontextmanager
async def web_server(
    pages: dict[str, bytes | Answer] | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[WebServer]:
    """Listens until the block is left; what still talks then is stopped."""
    web = WebServer(dict(pages or {}))
    talking: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        with suppress(asyncio.CancelledError):
            await web._serve(reader, writer)
        talking.discard(task)

    server = await asyncio.start_server(serve, host, 0)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()
        for task in list(talking):
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
