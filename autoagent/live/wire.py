"""What goes over a run's socket: lines of JSON, one message each. Owns the format.

The first message is `hello`. Who reads takes anything for bad input: bytes that are no message, half a line,
a line without end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from autoagent.messages import Frozen

VERSION = 1
LINE_BYTES = 65_536
"""A longer line is no message."""
PIECE_CHARS = 4_096
"""Of a reply in one message: a line is never too long, whatever JSON makes of them."""


class Hello(Frozen):
    """Who serves, and how it speaks."""

    kind: Literal["hello"] = "hello"
    version: int = VERSION
    run: str


class ReplyBegun(Frozen):
    """A reply comes in; said again of the same one, what was said of it is void."""

    kind: Literal["begun"] = "begun"
    reply: str
    """Its request, as the journal names it."""
    lane: str
    role: str
    number: int
    at: datetime
    """When it was asked for."""


class ReplyGrew(Frozen):
    """More of a reply: of its text, or of the arguments of one of its calls."""

    kind: Literal["grew"] = "grew"
    reply: str
    text: str
    call: int | None = None
    """Which one, from 0; `None`: the reply's own text."""
    tool: str = ""
    """The call's, as far as it is known."""


class TryFailed(Frozen):
    """A try gave no reply, and another follows; who doesn't know this message does well without it."""

    kind: Literal["failed"] = "failed"
    reply: str
    tries: int
    """How many have failed."""
    why: str
    """A clause; may hold a server's words."""
    again_at: datetime
    """When the next begins."""


class ReplyOver(Frozen):
    """No more comes."""

    kind: Literal["over"] = "over"
    reply: str
    entry: int
    """The run's entries up to this one say what became of it."""


Message = Annotated[Hello | ReplyBegun | ReplyGrew | TryFailed | ReplyOver, Field(discriminator="kind")]


def written(message: Hello | ReplyBegun | ReplyGrew | TryFailed | ReplyOver) -> bytes:
    """A line."""
    return message.model_dump_json(exclude_defaults=False).encode("utf-8", "replace") + b"\n"


@cache
def _message() -> TypeAdapter[Message]:
    return TypeAdapter(Message)


class Lines:
    """Messages out of bytes that come in pieces, cut anywhere; what is none is left out."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_endless = False
        """The line that comes is too long to be one."""

    def take(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` ends."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            line, self._held = bytes(self._held), bytearray()
            if not self._is_endless and (message := _read(line)) is not None:
                yield message
            self._is_endless = False
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        if len(self._held) + len(piece) > LINE_BYTES:
            self._is_endless = True
            self._held.clear()
        elif not self._is_endless:
            self._held += piece


def _read(line: bytes) -> Message | None:
    try:
        return _message().validate_json(line)
    except (ValidationError, RecursionError):
        return None
