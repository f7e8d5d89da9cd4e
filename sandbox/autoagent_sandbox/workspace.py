"""The container's workspace: takes files in, tells what a job changed, puts it back.

Owns `/workspace` and `/tmp`. Runs while no guest process does (they are killed or stopped), with no more
rights than a guest has, so following a planted path gains nothing. Names are bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autoagent_sandbox.wire import CHUNK_BYTES, ROWS_OF_A_FRAME, Row, from_wire, pack_members, to_wire

ROOT = b"/workspace"
SCRATCH = (b"/tmp", b"/dev/shm", b"/dev/mqueue")
"""What a guest can write besides the workspace; emptied after each job."""

PATH_LIMIT_BYTES = 4000

YOUNG_NS = 20_000_000
"""File times step by a kernel tick (1 to 10 ms): a file this young may have changed again within its tick."""

_CREATE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL
_APPEND = os.O_WRONLY | os.O_NOFOLLOW | os.O_APPEND

_KINDS = {stat.S_IFREG: "f", stat.S_IFLNK: "l", stat.S_IFDIR: "d"}
_ODD = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}

Stamp = tuple[int, int, int, int, int]
"""Mode, size, mtime, ctime and inode; of a folder only the mode counts."""


@dataclass(frozen=True)
class Quota:
    """What the host takes back of one job."""

    size_bytes: int
    files: int


@dataclass
class Changes:
    """What a job did to the files."""

    changed: list[tuple[bytes, os.stat_result]] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    refused: str = ""
    """Why the changes can't be taken, as a clause; empty where they can."""


class Workspace:
    """The files as the host knows them, and how they differ now."""

    def __init__(self) -> None:
        self._known: dict[bytes, Stamp] = {}

    def delete(self, names: Sequence[str]) -> None:
        for name in (from_wire(n) for n in names):
            remove(_at(name))
            self._forget(name)

    def put(self, rows: Sequence[Row], content: bytes) -> None:
        """Write what the host sent; parts of a file come in order."""
        at = 0
        for wire_name, kind, mode, size, offset, length in rows:
            name, part = from_wire(wire_name), content[at : at + length]
            at += length
            if kind == "f":
                self._known[name] = _stamp(_write(_at(name), mode, part, offset, size))
            else:
                _make(_at(name), kind, mode, part)
                self._known[name] = _stamp(os.lstat(_at(name)))

    def changes(self, since_ns: int, quota: Quota) -> Changes:
        """What differs from what the host knows, where guests ran last from `since_ns` on."""
        found = Changes()
        seen: set[bytes] = set()
        size = 0
        for name, status in _walk():
            seen.add(name)
            if self._is_known(name, status, since_ns):
                continue
            found.changed.append((name, status))
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            found.refused = found.refused or _why_refused(name, status)
        found.removed = [name for name in self._known if name not in seen]
        if not found.refused and size > quota.size_bytes:
            found.refused = f"its files hold {size} bytes; the sandbox takes {quota.size_bytes}"
        if not found.refused and len(seen) > quota.files:
            found.refused = f"there are {len(seen)} paths; the sandbox takes {quota.files}"
        return found

    def accept(self, found: Changes) -> Iterator[bytes]:
        """The changed files as frames; from here on the host knows them."""
        rows: list[Row] = []
        content: list[bytes] = []
        size = 0
        for name, status in sorted(found.changed, key=lambda item: item[0]):
            for row, part in _parts(name, status):
                rows.append(row)
                content.append(part)
                size += len(part)
                if size >= CHUNK_BYTES or len(rows) >= ROWS_OF_A_FRAME:
                    yield pack_members(rows, b"".join(content))
                    rows, content, size = [], [], 0
            self._known[name] = _stamp(os.lstat(_at(name)))
        if rows:
            yield pack_members(rows, b"".join(content))
        for name in found.removed:
            self._known.pop(name, None)

    def revert(self, found: Changes) -> list[bytes]:
        """Take changed files away again; the known paths that the host must send anew."""
        lost = set(found.removed)
        for name, status in reversed(found.changed):  # what is in a folder comes after it
            known = self._known.get(name)
            if known and stat.S_ISDIR(known[0]) and stat.S_ISDIR(status.st_mode):
                os.chmod(_at(name), stat.S_IMODE(known[0]))
                continue
            remove(_at(name))
            if known:
                lost.add(name)
        for name in lost:
            self._known.pop(name, None)
        return sorted(lost)

    def _is_known(self, name: bytes, status: os.stat_result, since_ns: int) -> bool:
        if self._known.get(name) != _stamp(status):
            return False
        return stat.S_ISDIR(status.st_mode) or status.st_ctime_ns < since_ns - YOUNG_NS

    def _forget(self, name: bytes) -> None:
        gone = self._known.pop(name, None)
        if gone and stat.S_ISDIR(gone[0]):
            for inner in [n for n in self._known if n.startswith(name + b"/")]:
                del self._known[inner]


def empty_scratch() -> None:
    """Nothing but files of the workspace outlives a job. Raises `OSError`."""
    for folder in SCRATCH:
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                remove(folder + b"/" + name)


def remove(path: bytes) -> None:
    """Remove whatever is there, however deep and whatever its modes. Raises `OSError`."""
    if not _is_folder(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    pending = [path]
    while pending:
        folder = pending[-1]
        os.chmod(folder, 0o700)
        inner = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                else:
                    os.unlink(entry.path)
        if inner:
            pending += inner
        else:
            os.rmdir(pending.pop())


def _write(path: bytes, mode: int, part: bytes, offset: int, size: int) -> os.stat_result:
    """One part of a file; what was there goes with the first one."""
    is_last = offset + len(part) == size
    fd = _create(path, mode if is_last else 0o600) if offset == 0 else os.open(path, _APPEND)
    try:
        while part:
            part = part[os.write(fd, part) :]
        if is_last and offset:
            os.fchmod(fd, mode)
        return os.fstat(fd)
    finally:
        os.close(fd)


def _create(path: bytes, mode: int) -> int:
    try:
        return os.open(path, _CREATE, mode)
    except FileExistsError:
        remove(path)
        return os.open(path, _CREATE, mode)


def _make(path: bytes, kind: str, mode: int, target: bytes) -> None:
    """A folder or a link."""
    if kind == "l":
        remove(path)
        os.symlink(target, path)
        return
    if not _is_folder(path):
        remove(path)
        os.mkdir(path)
    os.chmod(path, mode | 0o700)  # the runner itself must get in


def _at(name: bytes) -> bytes:
    return ROOT + b"/" + name


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _stamp(status: os.stat_result) -> Stamp:
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode, 0, 0, 0, 0)
    return (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _walk() -> Iterator[tuple[bytes, os.stat_result]]:
    """Everything in the workspace, a folder before what it holds; links are not followed."""
    pending = [b""]
    while pending:
        folder = pending.pop()
        path = _at(folder) if folder else ROOT
        for entry in _entries(path):
            status = entry.stat(follow_symlinks=False)
            name = folder + b"/" + entry.name if folder else entry.name
            yield name, status
            if stat.S_ISDIR(status.st_mode):
                pending.append(name)


def _entries(path: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except PermissionError:  # a guest took its own rights away
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, mode | 0o700)
        with os.scandir(path) as entries:
            return list(entries)


def _why_refused(name: bytes, status: os.stat_result) -> str:
    shown = ascii(name[:200].decode("utf-8", "replace"))
    kind = stat.S_IFMT(status.st_mode)
    if kind not in _KINDS:
        return f"{shown} is {_ODD.get(kind, 'no file')}; only files, folders and links can be kept"
    if len(name) > PATH_LIMIT_BYTES:
        return f"the path {shown}… is longer than {PATH_LIMIT_BYTES} bytes"
    return ""


def _parts(name: bytes, status: os.stat_result) -> Iterator[tuple[Row, bytes]]:
    """A path as rows with their contents; a large file in several."""
    wire_name, mode = to_wire(name), stat.S_IMODE(status.st_mode)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    if kind == "d":
        yield (wire_name, kind, mode, 0, 0, 0), b""
    elif kind == "l":
        target = os.readlink(_at(name))
        yield (wire_name, kind, 0o777, len(target), 0, len(target)), target
    else:
        offset = 0
        for part in _content(_at(name), status):
            yield (wire_name, kind, mode, status.st_size, offset, len(part)), part
            offset += len(part)


def _content(path: bytes, status: os.stat_result) -> Iterator[bytes]:
    """Exactly as many bytes as the status says, in parts; one empty part of an empty file."""
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o400:
        os.chmod(path, mode | 0o400)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        left = status.st_size
        while left or left == status.st_size:
            part = os.read(fd, min(left, CHUNK_BYTES))
            if not part and left:
                raise OSError(errno.EIO, "a file became shorter while it was read")
            yield part
            left -= len(part)
            if not left:
                return
    finally:
        os.close(fd)
        if not mode & 0o400:
            os.chmod(path, mode)
