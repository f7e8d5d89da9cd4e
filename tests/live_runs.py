"""Replies that come in when a test says so, and those who watch them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autoagent.live.place import connect
from autoagent.live.replies import Replies, heard
from autoagent.live.wire import Lines, Message, ReplyGrew
from autoagent.ports import Coming

WITHIN_S = 30.0
AT = datetime(2026, 11, 20, 14, 2, 31, tzinfo=UTC)


def coming(id: str = "a.1", lane: str = "a", number: int = 1) -> Coming:
    return Coming(id, lane, "worker", number, AT)


@dataclass
class Gate:
    """A server's `gate`: a chunk goes out for each that a test lets go."""

    _let: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _is_open: bool = False

    async def __call__(self) -> None:
        if not self._is_open:
            await self._let.acquire()

    def let(self, chunks: int) -> None:
        for _ in range(chunks):
            self._let.release()

    def open(self) -> None:
        """All that is left."""
        self._is_open = True
        self.let(1_000)


class Watcher:
    """One who watches a run over its socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.messages: list[Message] = []
        self.replies: Replies = {}
        self._lines = Lines()

    async def until(self, holds: Callable[[], object]) -> None:
        """Read until it holds; raises `EOFError` where the other side ends before."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                if not (data := await self.reader.read(65_536)):
                    raise EOFError
                for message in self._lines.take(data):
                    self.messages.append(message)
                    self.replies = heard(self.replies, message)

    async def gone(self) -> bool:
        """Whether the other side ends the line."""
        try:
            await self.until(lambda: False)
        except (EOFError, ConnectionResetError):
            return True
        return False

    def text(self, reply: str, call: int | None = None) -> str:
        """All that was heard of a reply, since it was begun last."""
        pieces: list[str] = []
        for message in self.messages:
            if message.kind == "begun" and message.reply == reply:
                pieces.clear()
            elif isinstance(message, ReplyGrew) and (message.reply, message.call) == (reply, call):
                pieces.append(message.text)
        return "".join(pieces)


@asynccontextmanager
async def watching(home: Path, run: str) -> AsyncIterator[Watcher]:
    """Attend a run, as soon as its socket is there."""
    line = connect(home, run)
    for _ in range(int(WITHIN_S / 0.02)):
        if line is not None:
            break
        await asyncio.sleep(0.02)
        line = connect(home, run)
    assert line is not None, f"nobody serves {run}"
    reader, writer = await asyncio.open_unix_connection(sock=line)
    try:
        yield Watcher(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
