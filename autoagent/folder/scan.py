"""From a folder to a tree: every path of it, or an error that names the one that can't be.

Left out is nothing but our own temporary files and links (`autoagent.folder.temp`).
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import time
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from autoagent.errors import UsageError
from autoagent.folder.beneath import NOT_A_FOLDER, Root, open_file, trouble
from autoagent.folder.cache import Key, is_trusted, key_of, link_entry
from autoagent.folder.temp import TempNames
from autoagent.paths import from_raw, raw
from autoagent.ports import Objects
from autoagent.redact import one_line
from autoagent.trees import Tree, TreeEntry, build_tree

SMALL_BYTES = 1 << 20
"""Up to here a file is read whole; larger ones go through the store's stream."""

_NAMES_ARE_UTF8 = sys.getfilesystemencoding() == "utf-8"


class Unsettled(Exception):
    """A path was no longer what it had been a moment before; look again."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass
class Found:
    """What one pass over the folder collects."""

    entries: dict[str, TreeEntry] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[Key, TreeEntry] = field(default_factory=dict)
    """Rows for the cache."""
    learned: list[int] = field(default_factory=list)
    """Sizes of the files and links that were read for a row."""
    changed: set[str] = field(default_factory=set)
    """Folders that are not as in the last tree."""
    temps: set[str] = field(default_factory=set)
    """Folders with temporary files that a killed projection left."""
    odd: list[str] = field(default_factory=list)
    """Paths that no tree can hold, with what they are."""


class Scan:
    """One pass. Raises `Unsettled` where the folder changed under it."""

    def __init__(
        self, root: Root, objects: Objects, known: dict[Key, TreeEntry], last: Tree, temps: TempNames
    ) -> None:
        """`known` gets the rows of what is read, so that the next pass needn't."""
        self._root, self._objects, self._known, self._last = root, objects, known, last
        self._temps = temps
        self._found = Found()
        self._folder_entries: dict[int, TreeEntry] = {}

    def run(self) -> Found:
        pending = [""]
        while pending:
            pending += self._folder(pending.pop())
        if self._found.odd:
            raise UsageError(_refusal(self._found.odd))
        return self._found

    def _folder(self, folder: str) -> list[str]:
        """Take in one folder; the folders in it."""
        try:
            fd = self._root.folder(folder)
            return self._names(folder, fd)
        except OSError as error:
            if folder and error.errno in NOT_A_FOLDER:
                raise Unsettled(folder) from None
            raise trouble("read the folder", folder, error) from error

    def _names(self, folder: str, fd: int) -> list[str]:
        found, last = self._found, self._last
        prefix = f"{folder}/" if folder else ""
        names = found.names[folder] = []
        inner: list[str] = []
        is_same = True
        with os.scandir(fd) as items:
            for item in items:
                name = item.name if _NAMES_ARE_UTF8 else from_raw(os.fsencode(item.name))
                path = prefix + name
                if self._temps.owns(name) and (item.is_file(follow_symlinks=False) or item.is_symlink()):
                    found.temps.add(folder)
                elif (entry := self._entry(fd, item, name, path)) is not None:
                    names.append(name)
                    found.entries[path] = entry
                    before = last.entries.get(path)
                    is_same = is_same and (before is entry or before == entry)
                    if entry.kind == "folder":
                        inner.append(path)
        if not is_same or folder not in last.folders or len(last.folders[folder].names) != len(names):
            found.changed.add(folder)
        return inner

    def _entry(self, fd: int, item: os.DirEntry[str], name: str, path: str) -> TreeEntry | None:
        try:
            status = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            raise Unsettled(path) from None
        if stat.S_ISDIR(status.st_mode):
            return self._folder_entry(stat.S_IMODE(status.st_mode))
        key = key_of(status)
        if (cached := self._known.get(key)) is None:
            return self._read(fd, name, path, status)
        self._found.rows[key] = cached
        return cached

    def _folder_entry(self, mode: int) -> TreeEntry:
        if mode not in self._folder_entries:
            self._folder_entries[mode] = TreeEntry("folder", mode, 0, "")
        return self._folder_entries[mode]

    def _read(self, fd: int, name: str, path: str, status: os.stat_result) -> TreeEntry | None:
        """Store what isn't known; `None` where no tree can hold it."""
        now_ns = time.time_ns()
        if stat.S_ISREG(status.st_mode):
            entry, key = self._read_file(fd, name, path)
        elif stat.S_ISLNK(status.st_mode):
            entry, key = self._read_link(fd, name, path), key_of(status)
        else:
            self._found.odd.append(f"'{one_line(path, 300)}' ({_kind(status.st_mode)})")
            return None
        if is_trusted(key, now_ns):
            self._known[key] = self._found.rows[key] = entry
            self._found.learned.append(entry.size)
        return entry

    def _read_file(self, folder: int, name: str, path: str) -> tuple[TreeEntry, Key]:
        try:
            fd = open_file(folder, raw(name))
        except OSError as error:
            raise trouble("read", path, error) from error
        if fd is None:
            raise Unsettled(path)
        with open(fd, "rb", buffering=0) as stream:  # noqa: PTH123  # a descriptor
            before = key_of(os.fstat(fd))
            try:
                sha256, size = self._store(stream, before[2])
            except OSError as error:
                raise trouble("read", path, error) from error
            if size != before[2] or key_of(os.fstat(fd)) != before:
                raise Unsettled(path)
        return TreeEntry("file", stat.S_IMODE(before[5]), size, sha256), before

    def _store(self, stream: io.FileIO, size: int) -> tuple[str, int]:
        if size <= SMALL_BYTES:
            data = _read_all(stream, size)
            return self._objects.put(data), len(data)
        return self._objects.put_stream(cast(BinaryIO, _Capped(stream, size)))

    def _read_link(self, folder: int, name: str, path: str) -> TreeEntry:
        try:
            target = os.readlink(raw(name), dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL):
                raise Unsettled(path) from None
            raise trouble("read the link", path, error) from error
        return link_entry(len(target), self._objects.put(target))


def tree_of(found: Found, last: Tree) -> Tree:
    """The tree of a pass; folders that are as in `last` are taken over with their manifests."""
    if not found.changed:
        return last
    changed = {""}
    for folder in found.changed:
        while folder not in changed:
            changed.add(folder)
            folder = folder.rpartition("/")[0]
    same = {folder: last.folders[folder] for folder in found.names if folder not in changed}
    return build_tree(found.entries, found.names, same)


class _Capped(io.RawIOBase):
    """A file's bytes up to one more than it had: a file that grows is seen to, and ends."""

    def __init__(self, stream: io.FileIO, size: int) -> None:
        self._stream, self._left = stream, size + 1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)[: self._left]  # type: ignore[arg-type]
        count = self._stream.readinto(view) or 0
        self._left -= count
        return count


def _read_all(stream: BinaryIO | io.FileIO, size: int) -> bytes:
    """`size` bytes and, where there are more, one of them."""
    parts: list[bytes] = []
    left = size + 1
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "of an unknown kind")


def _refusal(odd: list[str]) -> str:
    more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
    return (
        f"the workspace holds {', '.join(sorted(odd)[:5])}{more}: only files, folders and links can be kept; "
        "remove it or move it out of the workspace"
    )
