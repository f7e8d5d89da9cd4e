"""An HTTP server on loopback that keeps what it is asked and answers as a test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""Status, JSON, headers."""


@dataclass
class Answering:
    """What it was asked, and what it answers."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        self.asked.append(Asked(method, path, headers, body))
        status, said, *more = self.answer(self.asked[-1])
        content = json.dumps(said).encode()
        own = {"Content-Type": "application/json", "Connection": "close", "Content-Length": str(len(content))}
        rows = [f"{k}: {v}" for k, v in {**own, **(more[0] if more else {})}.items()]
        writer.write("\r\n".join([f"HTTP/1.1 {status} So", *rows, "", ""]).encode() + content)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def answering(answer: Callable[[Asked], Answer]) -> AsyncIterator[Answering]:
    """Serves while it is entered."""
    made = Answering(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
