"""Frames between host, runner and job: one letter, a length, a payload. Owns the format, trusts nobody.

A file's name travels as text with one character for each of its bytes (Latin-1), so any name survives JSON.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence

VERSION = 1
HEADER = struct.Struct(">cI")
FRAME_LIMIT_BYTES = 16 << 20
"""No frame is larger; contents of files are split long before."""
CHUNK_BYTES = 1 << 20
"""As much content as one frame of files carries, but for a last part that goes over it."""
ROWS_OF_A_FRAME = 500

# host -> runner
DELETE = b"D"  # JSON: [name]
MEMBERS = b"M"  # files, both ways: see `pack_members`
JOB = b"J"  # JSON: see `job.Spec`
ANSWER = b"A"  # JSON: {"text"} or {"error"}; the runner hands it to the job unread
KILL = b"K"  # end the job now
# runner -> host
HELLO = b"H"  # JSON: {"version", "python", "packages"}
OUTPUT = b"O"  # bytes that the job printed, from the start
TAIL = b"T"  # bytes that it printed last, where the middle is cut
ENDED = b"E"  # JSON: see `runner.Ended`; always the last frame of a job
# job -> runner -> host, unread by the runner
CALL = b"C"  # JSON: {"name", "arguments"}
IMAGE = b"P"  # one PNG

Row = tuple[str, str, int, int, int, int]
"""name, kind (`f`, `l`, `d`), mode, size of the whole, offset of this part, length of this part."""


class WireError(Exception):
    """The other side does not speak this protocol."""


class Frames:
    """Bytes in, whole frames out."""

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that `data` completes. Raises `WireError` for a frame over the limit."""
        self._held += data
        while len(self._held) >= HEADER.size:
            kind, size = HEADER.unpack_from(self._held)
            if size > self._limit:
                raise WireError(f"a frame of {size} bytes; the limit is {self._limit}")
            end = HEADER.size + size
            if len(self._held) < end:
                return
            payload = bytes(self._held[HEADER.size : end])
            del self._held[:end]
            yield kind, payload


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def pack_json(kind: bytes, value: object) -> bytes:
    return pack(kind, json.dumps(value, separators=(",", ":")).encode())


def pack_members(rows: Sequence[Row], content: bytes) -> bytes:
    """One frame of files: their rows as JSON, then the contents in the same order."""
    head = json.dumps(rows, separators=(",", ":")).encode()
    return pack(MEMBERS, len(head).to_bytes(4, "big") + head + content)


def split_members(payload: bytes) -> tuple[bytes, bytes]:
    """(rows as JSON, contents) of a frame of files. Raises `WireError`."""
    size = int.from_bytes(payload[:4], "big")
    if len(payload) < 4 or len(payload) < 4 + size:
        raise WireError("a frame of files is shorter than it says")
    return payload[4 : 4 + size], payload[4 + size :]


def to_wire(name: bytes) -> str:
    return name.decode("latin-1")


def from_wire(text: str) -> bytes:
    """Raises `WireError` for what is no name."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise WireError(f"{text[:80]!r} is no name") from None
