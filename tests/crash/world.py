"""The world outside: a post office on loopback that counts letters and mails, and who sends letters to it.

Mails are sent by the mail plugin, by SMTP.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as AS_SENT
from types import TracebackType
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP

from autoagent.door.tools import Plugin, ToolContext, tool


@dataclass
class Post:
    """What has reached the office from one run."""

    letters: list[tuple[str, str]] = field(default_factory=list)
    """(tool, text) of each letter that was delivered."""
    keys: set[str] = field(default_factory=set)
    again: int = 0
    """Letters that came with a key that was there already, and were dropped."""
    mails: dict[str, list[bytes]] = field(default_factory=dict)
    """Message-ID -> the bytes of each mail that came with it."""

    def texts(self) -> list[str]:
        return [text for _, text in self.letters]

    def mailed(self) -> list[EmailMessage]:
        """One of each Message-ID, as a mailbox that drops the others shows them."""
        parsed = [message_from_bytes(tries[0], policy=AS_SENT) for tries in self.mails.values()]
        return [cast(EmailMessage, mail) for mail in parsed]


class Office:
    """Serves `POST /RUN/TOOL`, `GET /RUN/key/KEY` and `GET /RUN/page`; `async with Office() as office`.

    Mail comes by SMTP at `mail_port`, from an address at `RUN.example.org`.

    A letter by `post_keyed` whose key is known is dropped, as its receiver promises; all others are counted
    each time they come.
    """

    def __init__(self) -> None:
        self.port = self.mail_port = 0
        self.runs: dict[str, Post] = {}
        self._open = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Office:
        loop = asyncio.get_running_loop()
        letters = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        mails = await loop.create_server(lambda: _Mailing(self, self._count), "127.0.0.1", 0)
        for server in (letters, mails):
            await self._stack.enter_async_context(server)
        self.port, self.mail_port = (s.sockets[0].getsockname()[1] for s in (letters, mails))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def of(self, run: str) -> Post:
        return self.runs.setdefault(run, Post())

    async def settled(self) -> None:
        """What a process sent before it was killed has been counted."""
        while True:
            for _ in range(5):  # a connection that the kernel holds is taken up in the next rounds
                await asyncio.sleep(0.001)
            if not self._open:
                return

    def _count(self, change: int) -> None:
        self._open += change

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail, as aiosmtpd's handlers do."""
        run = envelope.mail_from.partition("@")[2].partition(".")[0]
        content: bytes = envelope.original_content
        name = message_from_bytes(content, policy=AS_SENT)["Message-ID"]
        self.of(run).mails.setdefault(name, []).append(content)
        return "250 OK"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            lengths = [line for line in head if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0].partition(":")[2])) if lengths else b""
            status, text = self._answer(method, path, body)
            data = text.encode()
            writer.write(f"HTTP/1.1 {status} OK\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # its sender was killed: what hadn't come whole was never posted
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        _, run, what, *key = path.split("/")
        post = self.of(run)
        if method == "GET":
            return 200, "a page" if what == "page" else str(key[0] in post.keys)
        letter = json.loads(body)
        if what == "post_keyed" and letter["key"] in post.keys:
            post.again += 1
        else:
            post.letters.append((what, letter["text"]))
            post.keys.add(letter["key"])
        return 200, "delivered"


class _Mailing(SMTP):
    """A line by which mail comes, counted while it is open."""

    def __init__(self, office: Office, count: Callable[[int], None]) -> None:
        super().__init__(office, hostname="mail.example.org")
        self._counted = count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counted(+1)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._counted(-1)


def plugin(port: int, run: str) -> Plugin:
    """Named `post`: three tools that send a letter, by what is known of it after a crash, and a page."""

    def ask(method: str, path: str, body: str | None = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, f"/{run}/{path}", body)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def deliver(ctx: ToolContext, name: str, to: str, text: str) -> str:
        return ask("POST", name, json.dumps({"key": ctx.key, "to": to, "text": text}))

    async def happened(ctx: ToolContext, to: str, text: str) -> Literal["done", "not_done", "unknown"]:
        return "done" if ask("GET", f"key/{ctx.key}") == "True" else "not_done"

    @tool(effect="external", destination="to")
    async def post_plain(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter."""
        return deliver(ctx, "post_plain", to, text)

    @tool(effect="external", destination="to", probe=happened)
    async def post_probed(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter that can be looked up."""
        return deliver(ctx, "post_probed", to, text)

    @tool(effect="external", destination="to", idempotency_key=lambda args: "")
    async def post_keyed(ctx: ToolContext, to: str, text: str) -> str:
        """Send a letter; the office drops a second one with the same key."""
        return deliver(ctx, "post_keyed", to, text)

    @tool(effect="read", destination="url")
    async def page_read(ctx: ToolContext, url: str) -> str:
        """Get a page."""
        return ask("GET", "page")

    return Plugin("post", [post_plain, post_probed, post_keyed, page_read])
