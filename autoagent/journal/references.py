"""Which objects what is stored names: every 64 hex digits might be a name, so none can be overlooked.

It is not asked which field of which event holds a name: a field that is added later, a plugin's argument or a
quoted digest counts as well. What was no name costs nothing, for there is no such object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from autoagent.trees.tree import HEADER

_NAME = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CHUNK_BYTES = 1 << 20
_OVERLAP = 66
"""A name, and a character on either side."""


def named_in(data: bytes) -> set[bytes]:
    """The names of objects in these bytes, as digests."""
    return {bytes.fromhex(found.decode()) for found in _NAME.findall(data)}


def named_by(stream: BinaryIO) -> set[bytes]:
    """The names in an object, where it is a manifest of a tree or begins like one; read a chunk at a time."""
    found: set[bytes] = set()
    chunk = stream.read(_CHUNK_BYTES)
    if not chunk.startswith(HEADER):
        return found
    before = b""
    while chunk:
        found |= named_in(before + chunk)
        before = (before + chunk)[-_OVERLAP:]
        chunk = stream.read(_CHUNK_BYTES)
    return found


def reachable(roots: Iterable[bytes], names: Callable[[bytes], Iterable[bytes] | None]) -> Iterator[bytes]:
    """What is there of `roots` and of all that they lead to; `names` gives `None` for what isn't there."""
    pending, seen = list(roots), set(roots)
    while pending:
        digest = pending.pop()
        if (found := names(digest)) is None:
            continue
        yield digest
        for each in found:
            if each not in seen:
                seen.add(each)
                pending.append(each)
