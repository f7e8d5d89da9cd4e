"""What the interpreter's file calls mean on a working copy. No file of the host is opened here or reachable.

Paths come absolute and normalised; those under `/workspace` are the working copy's, everywhere else is
nothing to read and nowhere to write. Errors are the ones that CPython raises, with the working copy's hints.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from autoagent.errors import ToolError
from autoagent.paths import MOUNT, ROOT, join, parent, workspace_path
from autoagent.trees import TreeEntry, WorkingCopy


@dataclass(frozen=True)
class FileLimits:
    """What one job may do to the host's memory through files."""

    written_bytes: int = 256 << 20
    """All writes of a job together."""
    read_bytes: int = 64 << 20
    """One file that is read as a whole, as the interpreter always does."""
    entries: int = 100_000
    """Files and folders that a job may make, and what one listing may return."""


class Found(NamedTuple):
    """One entry of a listing, relative to where it began; the shape that the interpreter expects."""

    path: str
    is_dir: bool
    is_file: bool
    is_symlink: bool


class Stat(NamedTuple):
    """`os.stat_result`. A tree knows no times: they are those of the job's start."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_atime: float
    st_mtime: float
    st_ctime: float


class GuestFiles:
    """A working copy as the interpreter's file system.

    Content that is being appended to is held back until `flush`, so that a file written line by line is
    stored once, not once a line.
    """

    def __init__(self, copy: WorkingCopy, limits: FileLimits) -> None:
        self._copy = copy
        self._limits = limits
        self._growing: dict[str, bytearray] = {}
        self._written_bytes = 0
        self._made = 0
        self._born = time.time()

    def flush(self) -> None:
        """Put everything into the working copy."""
        for path, data in self._growing.items():
            self._copy.write(path, bytes(data))
        self._growing.clear()

    # --- looking

    def exists(self, path: PurePosixPath) -> bool:
        entry = self._find(path)
        return entry is not None and entry.kind != "link"

    def is_file(self, path: PurePosixPath) -> bool:
        return self._is(path, "file")

    def is_dir(self, path: PurePosixPath) -> bool:
        return self._is(path, "folder")

    def is_symlink(self, path: PurePosixPath) -> bool:
        return self._is(path, "link")

    def stat(self, path: PurePosixPath) -> Stat:
        entry = self._entry(path)
        name = self._inside(path)
        size = len(self._growing[name]) if name in self._growing else entry.size
        kind = {"folder": 0o040000, "file": 0o100000, "link": 0o120000}[entry.kind]
        return Stat(kind | entry.mode, 0, 0, 1, 0, 0, size, self._born, self._born, self._born)

    def iterdir(self, path: PurePosixPath) -> list[PurePosixPath]:
        return [path / _shown(name) for name in self._copy.names(self._folder(path))]

    def scan(self, path: PurePosixPath, max_depth: int | None = None, **_: object) -> list[Found]:
        """An entry and what is beneath it, `max_depth` levels down. Links are never followed."""
        top = self._inside(path)
        found = [_found("", self._entry(path))]
        pending = [(top, "", 0)] if found[0].is_dir else []
        while pending:
            folder, prefix, depth = pending.pop()
            if max_depth is not None and depth >= max_depth:
                continue
            for name in self._copy.names(folder):
                inner = join(folder, name)
                found.append(_found(prefix + _shown(name), self._known(inner)))
                if found[-1].is_dir:
                    pending.append((inner, f"{found[-1].path}/", depth + 1))
            if len(found) > self._limits.entries:
                raise OSError(75, f"more than {self._limits.entries} entries under", str(path))
        return found

    def read(self, path: PurePosixPath) -> bytes:
        name = self._inside(path)
        if name in self._growing:
            return bytes(self._growing[name])
        entry = self._entry(path)
        if entry.kind == "folder":
            raise IsADirectoryError(21, "Is a directory", str(path))
        if entry.size > self._limits.read_bytes:
            raise OSError(27, f"File is larger than the {self._limits.read_bytes} bytes read here", str(path))
        with _os_error(PermissionError):
            return self._copy.read(name)

    # --- changing

    def open(self, path: PurePosixPath, mode: str) -> None:
        """What opening does at once: fail, make the file, or empty it."""
        if mode.startswith("r"):
            if self._entry(path).kind == "folder":
                raise IsADirectoryError(21, "Is a directory", str(path))
        elif mode.startswith("w") or self._find(path) is None:
            self.write(path, b"")
        else:
            self.append(path, b"")

    def write(self, path: PurePosixPath, data: bytes) -> None:
        name = self._target(path)
        if self._copy.stat(name) is None:
            self._count(1)
        self._charge(len(data))
        with _os_error(PermissionError):
            self._copy.write(name, b"")  # refuses what can't be written, and shows the file from now on
        self._growing[name] = bytearray(data)

    def append(self, path: PurePosixPath, data: bytes) -> None:
        name = self._inside(path)
        if name not in self._growing:
            self.write(path, self.read(path) if self._find(path) else b"")
        self._charge(len(data))
        self._growing[name] += data

    def mkdir(self, path: PurePosixPath, parents: bool = False, exist_ok: bool = False) -> None:
        entry = self._find(path)
        if entry is not None:
            if exist_ok and entry.kind == "folder":
                return
            raise FileExistsError(17, "File exists", str(path))
        name = self._target(path, parents=parents)
        self._count(len(PurePosixPath(name).parts))
        with _os_error(NotADirectoryError):
            self._copy.make_folder(name)

    def unlink(self, path: PurePosixPath) -> None:
        if self._entry(path).kind == "folder":
            raise IsADirectoryError(21, "Is a directory", str(path))
        name = self._inside(path)
        self._growing.pop(name, None)
        self._copy.delete(name)

    def rmdir(self, path: PurePosixPath) -> None:
        folder = self._folder(path)
        if self._copy.names(folder):
            raise OSError(39, "Directory not empty", str(path))
        with _os_error(PermissionError):
            self._copy.delete(folder)

    def rename(self, path: PurePosixPath, to: PurePosixPath) -> None:
        """As POSIX: a file replaces a file, a folder replaces an empty folder."""
        entry, there = self._entry(path), self._find(to)
        name, target = self._inside(path), self._target(to)
        if name == target:
            return
        self.flush()
        if there is not None:
            self._make_way(entry, there, to)
        with _os_error(OSError):
            self._copy.move(name, target)

    def _make_way(self, entry: TreeEntry, there: TreeEntry, to: PurePosixPath) -> None:
        if entry.kind == "folder" and there.kind != "folder":
            raise NotADirectoryError(20, "Not a directory", str(to))
        if entry.kind != "folder" and there.kind == "folder":
            raise IsADirectoryError(21, "Is a directory", str(to))
        self.rmdir(to) if there.kind == "folder" else self.unlink(to)

    # --- inside

    def _inside(self, path: PurePosixPath) -> str:
        """The workspace path; `FileNotFoundError` for what lies outside."""
        if (text := str(path)) == MOUNT:
            return ROOT
        if not text.startswith(f"{MOUNT}/"):
            raise FileNotFoundError(2, f"No such file or directory (there is nothing outside {MOUNT})", text)
        return text[len(MOUNT) + 1 :]

    def _find(self, path: PurePosixPath) -> TreeEntry | None:
        try:
            return self._copy.stat(self._inside(path))
        except FileNotFoundError:
            return None

    def _entry(self, path: PurePosixPath) -> TreeEntry:
        name = self._inside(path)
        if self._copy.stat(name) is None:
            with _os_error(FileNotFoundError, "[Errno 2] No such file or directory: "):
                self._copy.read(name)
        return self._known(name)

    def _known(self, name: str) -> TreeEntry:
        entry = self._copy.stat(name)
        assert entry is not None
        return entry

    def _is(self, path: PurePosixPath, kind: str) -> bool:
        entry = self._find(path)
        return entry is not None and entry.kind == kind

    def _folder(self, path: PurePosixPath) -> str:
        if self._entry(path).kind != "folder":
            raise NotADirectoryError(20, "Not a directory", str(path))
        return self._inside(path)

    def _target(self, path: PurePosixPath, parents: bool = False) -> str:
        """The workspace path of something to be written, its folder there already unless `parents`."""
        if not path.is_relative_to(MOUNT):
            raise PermissionError(13, f"Permission denied (only {MOUNT} can be written)", str(path))
        with _os_error(OSError, "[Errno 36] File name too long: "):
            name = workspace_path(str(path))
        if name == ROOT:
            raise IsADirectoryError(21, "Is a directory", str(path))
        if not parents and self._copy.stat(parent(name)) is None:
            raise FileNotFoundError(2, f"No such folder: {parent(name)!r}; make it first", str(path))
        return name

    def _charge(self, size_bytes: int) -> None:
        self._written_bytes += size_bytes
        if self._written_bytes > self._limits.written_bytes:
            raise OSError(28, f"No space left: a job may write {self._limits.written_bytes} bytes")

    def _count(self, entries: int) -> None:
        self._made += entries
        if self._made > self._limits.entries:
            raise OSError(28, f"No space left: a job may make {self._limits.entries} files and folders")


@contextmanager
def _os_error(kind: type[OSError], prefix: str = "") -> Iterator[None]:
    """A working copy's `ToolError` as the error that Python code expects."""
    try:
        yield
    except ToolError as error:
        raise kind(prefix + str(error)) from None


def _found(path: str, entry: TreeEntry) -> Found:
    return Found(path, entry.kind == "folder", entry.kind == "file", entry.kind == "link")


def _shown(name: str) -> str:
    """A name as text; bytes that are no UTF-8, which the interpreter can't hold, are spelled out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
