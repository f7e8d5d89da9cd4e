"""A mail as bytes: the same bytes whenever it is made again of the same parts. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cached_property
from mimetypes import MimeTypes
from pathlib import PurePosixPath

from autoagent.paths import spelled
from autoagent.redact import one_line, visible

_ENCODED = "=?"
"""Begins an encoded word (RFC 2047), which mail programs, and Python's own headers, read as other text: a
line break in one began another header (CVE-2024-6923)."""

_ADDRESS = re.compile(r"""[^\s@<>()\[\],;:\\"]{1,64}@[^\s@<>()\[\],;:\\"]{1,255}""")
_TYPES = MimeTypes(filenames=())
"""Python's own table, without the machine's: the same name has the same type everywhere."""


@dataclass(frozen=True)
class Letter:
    """What is sent, and how it is known again."""

    sender: str
    name: str
    to: tuple[str, ...]
    subject: str
    body: str
    attachments: tuple[tuple[str, bytes], ...]
    """(path, bytes)."""
    key: str
    """Of the call; the Message-ID is made of it."""
    at: datetime
    """Of the first try."""

    @property
    def message_id(self) -> str:
        return message_id(self.key, self.sender)

    @property
    def needs_utf8(self) -> bool:
        """Whether an address holds letters that only a server with SMTPUTF8 takes."""
        return not "".join((self.sender, *self.to)).isascii()

    @cached_property
    def data(self) -> bytes:
        """The whole message; every line ends in CRLF."""
        made = EmailMessage(policy=policy.SMTPUTF8 if self.needs_utf8 else policy.SMTP)
        made["From"] = _header(self.sender, self.name)
        made["To"] = [_header(each) for each in self.to]
        made["Subject"] = self.subject
        made["Date"] = format_datetime(self.at)
        made["Message-ID"] = self.message_id
        made.set_content(self.body, cte="quoted-printable")
        for name, (path, content) in zip(self._file_names, self.attachments, strict=True):
            main, _, sub = media_type(path, content).partition("/")
            params = {"charset": "utf-8"} if main == "text" and _is_text(content) else {}
            made.add_attachment(content, maintype=main, subtype=sub, filename=name, params=params)
        if self.attachments:
            made.set_boundary(f"=_{self._fingerprint}")
        return made.as_bytes()

    @property
    def _file_names(self) -> list[str]:
        """What each file is called: its name, with its folders where two have the same."""
        names = [PurePosixPath(path).name for path, _ in self.attachments]
        paths = [path.replace("/", "_") for path, _ in self.attachments]
        shown = [spelled(p if names.count(n) > 1 else n) for n, p in zip(names, paths, strict=True)]
        return [name.replace(_ENCODED, "=_") for name in shown]

    @property
    def _fingerprint(self) -> str:
        """Of all that is sent, so that nothing of it can hold the line that separates its parts."""
        parts = hashlib.sha256(f"{self.key}\n{self.subject}\n{self.body}".encode())
        for path, content in self.attachments:
            parts.update(path.encode(errors="surrogateescape") + hashlib.sha256(content).digest())
        return parts.hexdigest()[:40]


def _header(address: str, name: str = "") -> Address:
    """Two parts: `addr_spec` in one takes no letters but ASCII's."""
    user, _, domain = address.rpartition("@")
    return Address(name, username=user, domain=domain)


def message_id(key: str, sender: str) -> str:
    """What a call's mail is known by: the same at every try, and of no other call."""
    domain = sender.rpartition("@")[2]
    return f"<{key}@{domain if domain.isascii() else 'autoagent.invalid'}>"


def media_type(path: str, content: bytes) -> str:
    """What a file is, by its name, else by whether it is text."""
    kind, encoding = _TYPES.guess_type(PurePosixPath(path).name)
    if kind is None and encoding is None and _is_text(content):
        return "text/plain"
    if kind is None or encoding is not None or kind.startswith(("message/", "multipart/")):
        return "application/octet-stream"
    return kind


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


# --- what a header may hold: a line break in one would begin another ----------------------------------------


def addresses(values: Iterable[str]) -> list[str]:
    """Each address, once. Raises `ValueError`."""
    return list(dict.fromkeys(address(value) for value in values))


def address(value: str) -> str:
    """`value` if it is one mail address and nothing else. Raises `ValueError`."""
    if visible(value) != value or not _ADDRESS.fullmatch(value) or _ENCODED in value:
        raise ValueError(f"{one_line(value, 100)!r} is no address like anna@example.org; give it alone")
    return value


def one_line_only(value: str) -> str:
    """`value` if it is one line of visible text, and stands for nothing else. Raises `ValueError`."""
    if _ENCODED in value:
        raise ValueError(
            f"{one_line(value, 100)!r} holds '=?', which begins an encoded text; write the text itself"
        )
    if visible(value) != value or "\n" in value or "\t" in value:
        raise ValueError(f"{one_line(value, 100)!r} holds a line break or a control character; leave it out")
    return value


def sendable(value: str) -> str:
    """`value` if a mail can hold it. Raises `ValueError`."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            "it holds half a character (a lone surrogate), which no mail can; leave it out"
        ) from None
    if "\0" in value:
        raise ValueError("it holds a NUL character, which no mail can; leave it out")
    return value
