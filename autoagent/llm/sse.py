"""Server-sent events out of a stream's bytes (the standard's "event stream interpretation"). Pure.

Only the data of an event is kept: chat completions give no meaning to its other fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autoagent.llm.assembly import REPLY_LIMIT_CHARS, MalformedReply

_LINE_END = re.compile(rb"\r\n|\r(?!\Z)|\n")
"""A CR at the end of what came so far may be half of a CR LF."""


class EventReader:
    """Takes the bytes of one stream in pieces, cut anywhere; an event that is never ended is left out."""

    def __init__(self) -> None:
        self._line = bytearray()
        """The line that has no end yet."""
        self._data: list[bytes] = []

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that `piece` ends. Raises `MalformedReply` for a line without end."""
        self._line += piece
        if b"\n" not in piece and b"\r" not in self._line:
            if len(self._line) > REPLY_LIMIT_CHARS:
                raise MalformedReply(f"a line of the stream is longer than {REPLY_LIMIT_CHARS:,} bytes")
            return
        *lines, rest = _LINE_END.split(bytes(self._line))
        self._line = bytearray(rest)
        for line in lines:
            if line:
                self._take_line(line)
            elif self._data:
                data, self._data = b"\n".join(self._data), []
                yield data

    def _take_line(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
