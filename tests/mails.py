"""A real SMTP server on loopback, and a stage whose config.toml names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP
from loops import Stage

import autoagent_mail

GOAL = """
goal: tell Anna
allow: {send: {mail: [anna@example.org]}}
plugins: [files]
done_when: [{file: done.txt}]
"""


@dataclass
class Post:
    """Takes mail, as aiosmtpd's handlers do, and keeps it."""

    taken: list[tuple[list[str], bytes]] = field(default_factory=list)
    """(recipients, the whole message)."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Recipient -> the answer to it."""
    answer: str = "250 OK: queued as 7"
    on_taken: Callable[[asyncio.Transport], None] = lambda transport: None
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, options: Any) -> str:
        if to in self.refused:
            return self.refused[to]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.taken.append((envelope.rcpt_tos, envelope.original_content))
        self.on_taken(server.transport)
        return self.answer

    @property
    def messages(self) -> list[EmailMessage]:
        """What was taken, as mail programs read it."""
        parser = BytesParser(EmailMessage, policy=policy.default)
        return [parser.parsebytes(data) for _, data in self.taken]


@asynccontextmanager
async def serving(
    post: Post, factory: Callable[[], asyncio.Protocol] | None = None, **options: Any
) -> AsyncIterator[Post]:
    """`post` behind a port of this machine."""
    loop = asyncio.get_running_loop()
    made = factory or (lambda: SMTP(post, hostname="mail.example.org", loop=loop, **options))
    server = await loop.create_server(made, "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await server.wait_closed()


def config(home: Path, port: int, more: str = "", host: str = "127.0.0.1", tls: str = "none") -> None:
    """Lay a config.toml that names the server."""
    home.mkdir(exist_ok=True)
    table = f'[plugins.mail]\nhost = "{host}"\nport = {port}\nfrom = "agent@example.org"\ntls = "{tls}"\n'
    (home / "config.toml").write_text(f"{table}timeout_s = 20\n{more}\n", encoding="utf-8")


def mailing(tmp_path: Path, port: int, more: str = "", files: Mapping[str, str] | None = None) -> Stage:
    stage = Stage.at(tmp_path, files, plugins=[autoagent_mail.plugin])
    config(stage.home, port, more)
    return stage


@asynccontextmanager
async def sent_folder(held: Sequence[str], folder: str = "Sent") -> AsyncIterator[int]:
    """The port of an IMAP server whose folder of sent mail holds these Message-IDs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        while text := (await reader.readline()).decode().strip():
            tag, command, *rest = text.split(" ", 2)
            said = ["* BYE"] if command == "LOGOUT" else []
            status = "OK done"
            match command:
                case "CAPABILITY":
                    said = ["* CAPABILITY IMAP4rev1"]
                case "LOGIN" if rest != ['agent "s3cret-word"']:
                    status = "NO wrong password"
                case "EXAMINE" if rest != [f'"{folder}"']:
                    status = "NO no such folder"
                case "UID":
                    sought = rest[0].partition('Message-ID "')[2].rstrip('"')
                    said = ["* SEARCH" + "".join(f" {n}" for n, id in enumerate(held, 1) if id == sought)]
            writer.write("".join(f"{each}\r\n" for each in (*said, f"{tag} {status}")).encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
