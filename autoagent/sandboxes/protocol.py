"""What a sandbox runner may say, and how little of it is believed.

The runner's stream carries untrusted bytes: every frame is capped while it is read and checked before it is
used. Whatever breaks the rules raises `BadGuest`, and its container must be thrown away.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from autoagent.errors import ToolError
from autoagent.messages import Frozen
from autoagent.paths import ROOT, from_raw, raw, workspace_path
from autoagent_sandbox import wire

__all__ = [
    "BadGuest",
    "Call",
    "Ended",
    "GuestGone",
    "Hello",
    "Part",
    "Stream",
    "is_inside",
    "read_call",
    "read_frame",
    "read_parts",
    "read_paths",
]

Size = Annotated[int, Field(ge=0, le=1 << 40)]
Word = Annotated[str, StringConstraints(pattern=r"^\w[\w.+-]{0,60}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=5000)]
_Row = tuple[Name, Literal["f", "l", "d"], Annotated[int, Field(ge=0, le=0o7777)], Size, Size, Size]
_ROWS = TypeAdapter(list[_Row], config=ConfigDict(strict=True))
_NAMES = TypeAdapter(list[Name], config=ConfigDict(strict=True))

PNG = b"\x89PNG\r\n\x1a\n"


class BadGuest(Exception):
    """The other end of the stream does not keep to the protocol; the text is a clause about `it`."""


class GuestGone(BadGuest):
    """The other end of the stream has closed."""


class Stream(Protocol):
    """Both directions of a runner's stream, as `asyncio` has them."""

    async def readexactly(self, size: int) -> bytes:
        """Raises `asyncio.IncompleteReadError` or `OSError` when the guest is gone."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def is_gone(self) -> bool:
        """Whether the other end is known to have closed."""
        ...

    def close(self) -> None: ...


class Hello(Frozen):
    """A runner is ready."""

    version: int
    python: Word
    packages: Annotated[tuple[Word, ...], Field(max_length=100)] = ()


class Ended(Frozen):
    """How a job ended; see `autoagent_sandbox.runner.Ended`."""

    how: Literal["exited", "signaled", "flooded", "stopped", "unfit"]
    code: Annotated[int, Field(ge=0, le=255)]
    cut_bytes: Size
    out_of_memory: bool
    out_of_processes: bool
    refused: Annotated[str, StringConstraints(max_length=2000)]
    removed: tuple[Name, ...]
    lost: tuple[Name, ...]
    clean: bool


@dataclass(frozen=True)
class Call:
    """A script asks for a tool."""

    name: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Part:
    """A folder, a link, a file, or a part of a file."""

    path: str
    kind: Literal["file", "link", "folder"]
    mode: int
    size: int
    offset: int
    content: bytes

    @property
    def is_last(self) -> bool:
        return self.offset + len(self.content) == self.size


async def read_frame(stream: Stream) -> tuple[bytes, bytes]:
    """One frame: its kind and payload. Raises `BadGuest`."""
    try:
        kind, size = wire.HEADER.unpack(await stream.readexactly(wire.HEADER.size))
        if size > wire.FRAME_LIMIT_BYTES:
            raise BadGuest(f"it announced a frame of {size} bytes")
        return kind, await stream.readexactly(size)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise GuestGone("it is gone") from error


def read_parts(payload: bytes) -> Iterator[Part]:
    """The members of a frame of files, each checked for itself. Raises `BadGuest`."""
    kinds: dict[str, Literal["file", "link", "folder"]] = {"f": "file", "l": "link", "d": "folder"}
    try:
        head, content = wire.split_members(payload)
        rows = _ROWS.validate_json(head)
    except (wire.WireError, ValidationError) as error:
        raise BadGuest("it sent files that can't be read") from error
    at = 0
    for name, letter, mode, size, offset, length in rows:
        part = Part(_path(name), kinds[letter], mode & 0o777, size, offset, content[at : at + length])
        at += length
        _check(part, length)
        yield part
    if at != len(content):
        raise BadGuest("it sent content without a name")


def read_paths(names: tuple[str, ...] | list[str]) -> list[str]:
    """Workspace paths by their names on the wire. Raises `BadGuest`."""
    return [_path(name) for name in names]


def read_removed(payload: bytes) -> list[str]:
    """The paths of a `DELETE` frame. Raises `BadGuest`."""
    try:
        return read_paths(_NAMES.validate_json(payload))
    except ValidationError as error:
        raise BadGuest("it sent paths that can't be read") from error


def read_call(payload: bytes) -> Call:
    """Raises `BadGuest`. Text may hold lone surrogates, which pydantic refuses and names of files need."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadGuest("it sent a call that can't be read") from error
    if not isinstance(value, dict) or set(value) != {"name", "arguments"}:
        raise BadGuest("it sent a call without name or arguments")
    name, arguments = value["name"], value["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise BadGuest("it sent a call of the wrong types")
    return Call(name, arguments)


def is_inside(path: str, target: bytes) -> bool:
    """Whether a link stays in the workspace, whatever other such links it leads through.

    It must be relative, and climb only at its beginning, from its own real folder: a `..` after a name could
    climb from wherever a link of that name leads.
    """
    names = target.split(b"/")
    climbs = 0
    while climbs < len(names) and names[climbs] == b"..":
        climbs += 1
    return bool(target) and names[0] != b"" and climbs <= path.count("/") and b".." not in names[climbs:]


def _path(name: str) -> str:
    try:
        path = from_raw(wire.from_wire(name))
        if path == ROOT or workspace_path(path) != path or raw(path) != wire.from_wire(name):
            raise BadGuest(f"it sent the path {path!r}")
    except (ToolError, wire.WireError) as error:
        raise BadGuest(f"it sent a path that is none: {error}") from error
    return path


def _check(part: Part, length: int) -> None:
    whole = part.offset + length
    if length != len(part.content) or whole > part.size or (part.kind != "file" and whole != part.size):
        raise BadGuest(f"it sent {part.path!r} with sizes that don't fit")
    if (part.kind == "folder" and part.size) or (part.kind == "link" and b"\0" in part.content):
        raise BadGuest(f"it sent {part.path!r} with content that it can't have")
