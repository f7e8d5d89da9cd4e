"""What the folder holds at one path at this moment, and whether it still does."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from typing import Literal

from autoagent.folder.beneath import open_file
from autoagent.folder.cache import Key, key_of
from autoagent.trees import TreeEntry

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Held:
    """What is there now."""

    kind: Literal["nothing", "file", "link", "folder", "other"]
    sha256: str = ""
    """Of a file's content or a link's target; `?` where it is none of those asked about."""
    status: os.stat_result | None = None

    @property
    def mode(self) -> int:
        return 0 if self.status is None else stat.S_IMODE(self.status.st_mode)

    def holds(self, entry: TreeEntry | None) -> bool:
        """The same kind and content; modes are compared apart."""
        if entry is None:
            return self.kind == "nothing"
        return self.kind == entry.kind and self.sha256 == entry.sha256

    def is_still_in(self, folder: int, name: bytes) -> bool:
        """Whether nobody touched it since: the last thing to ask before it is replaced."""
        status = _lstat(folder, name)
        if status is None or self.status is None:
            return status is None and self.status is None
        return key_of(status) == key_of(self.status)


NOTHING = Held("nothing")


def look(
    folder: int, name: bytes, asked: tuple[TreeEntry | None, ...], known: Mapping[Key, TreeEntry]
) -> Held:
    """What a folder holds under a name. A file is read only if it may be one of those asked about."""
    status = _lstat(folder, name)
    if status is None:
        return NOTHING
    if stat.S_ISDIR(status.st_mode):
        return Held("folder", status=status)
    if stat.S_ISLNK(status.st_mode):
        return Held("link", new_sha256(os.readlink(name, dir_fd=folder)).hexdigest(), status)
    if not stat.S_ISREG(status.st_mode):
        return Held("other", "?", status)
    if (entry := known.get(key_of(status))) is not None:
        return Held("file", entry.sha256, status)
    may_be = any(e is not None and e.kind == "file" and e.size == status.st_size for e in asked)
    return Held("file", _hash(folder, name, status) if may_be else "?", status)


def _hash(folder: int, name: bytes, status: os.stat_result) -> str:
    """Of a file's content; `?` where it changes meanwhile."""
    fd = open_file(folder, name)
    if fd is None:
        return "?"
    hashed, left = new_sha256(), status.st_size + 1
    with open(fd, "rb") as stream:  # noqa: PTH123  # a descriptor
        while left > 0 and (block := stream.read(min(left, BLOCK_BYTES))):
            hashed.update(block)
            left -= len(block)
        return hashed.hexdigest() if key_of(os.fstat(fd)) == key_of(status) else "?"


def _lstat(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
