"""Opening what is beneath a root without following a link, at any depth.

Linux 5.6 resolves a whole path beneath a descriptor in one call (`openat2`). Elsewhere, and where a filter
refuses that call, each name is opened by itself, relative to the folder before it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from autoagent.errors import Unavailable, UsageError
from autoagent.paths import raw
from autoagent.redact import one_line

OpenBeneath = Callable[[int, bytes], int]
"""(descriptor of a root, relative path) -> descriptor of that folder. Raises `OSError`."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not block us

_SYS_OPENAT2 = 437  # the same on every architecture that Python runs on but alpha
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08
_HOW = struct.pack("QQQ", _FOLDER_FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
_PIECE_BYTES = 4000  # a path given to the kernel ends at 4,096 bytes

NOT_A_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What an open answers where there is no such folder, or a file or a link in its place."""


def open_by_walk(root: int, path: bytes) -> int:
    """Name by name, each without following a link."""
    here = os.open(b".", _FOLDER_FLAGS, dir_fd=root)
    for name in path.split(b"/") if path else ():
        try:
            there = os.open(name, _FOLDER_FLAGS, dir_fd=here)
        finally:
            os.close(here)
        here = there
    return here


def open_by_kernel(root: int, path: bytes) -> int:
    """In one call, or one for each 4,000 bytes of path."""
    here = root
    for piece in _pieces(path or b"."):
        try:
            there = _openat2(here, piece)
        finally:
            if here != root:
                os.close(here)
        here = there
    return here


@cache
def best_open() -> OpenBeneath:
    """The kernel's way where it works here, else the walk."""
    if not sys.platform.startswith("linux"):
        return open_by_walk
    here = os.open(b"/", _FOLDER_FLAGS)
    try:
        os.close(open_by_kernel(here, b"."))
    except OSError:
        return open_by_walk  # ENOSYS on an old kernel, EPERM under a filter
    finally:
        os.close(here)
    return open_by_kernel


@cache
def _syscall() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    return function


def _openat2(folder: int, path: bytes) -> int:
    while True:
        found = _syscall()(
            ctypes.c_long(_SYS_OPENAT2), ctypes.c_int(folder), path, _HOW, ctypes.c_size_t(len(_HOW))
        )
        if found >= 0:
            return found
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a rename raced with the resolution
            raise OSError(number, os.strerror(number), path)


def _pieces(path: bytes) -> Iterator[bytes]:
    while len(path) > _PIECE_BYTES:
        cut = path.rindex(b"/", 0, _PIECE_BYTES)
        yield path[:cut]
        path = path[cut + 1 :]
    yield path


class Root:
    """An open root. `folder` keeps the descriptor it gave last, for many names of one folder in a row."""

    def __init__(self, path: Path, opener: OpenBeneath) -> None:
        self._open_beneath = opener
        self._fd = _open_root(path)
        self._last: tuple[str, int] | None = None

    def folder(self, path: str) -> int:
        """The descriptor of a folder (`""`: the root), good until the next call. Raises `OSError`."""
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        self._forget()
        fd = self._open_beneath(self._fd, raw(path))
        self._last = (path, fd)
        return fd

    def close(self) -> None:
        self._forget()
        os.close(self._fd)

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None


def open_file(folder: int, name: bytes) -> int | None:
    """The descriptor of a regular file of a folder; `None` where something else has that name now."""
    try:
        fd = os.open(name, _FILE_FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in (*NOT_A_FOLDER, errno.EISDIR, errno.ENXIO, errno.EMLINK):
            return None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd


def set_folder_mode(folder: int, name: bytes, mode: int) -> None:
    """Through a descriptor: a mode set by name would follow a link. Raises `OSError`."""
    fd = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _open_root(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"the workspace {str(path)!r} does not exist; create it, or name another") from None
    except NotADirectoryError:
        raise UsageError(f"the workspace {str(path)!r} is no folder; name the folder that holds it") from None
    except OSError as error:
        raise Unavailable(f"the workspace {str(path)!r} can't be opened: {error.strerror}") from error


def trouble(doing: str, path: str, error: OSError) -> Unavailable:
    """What to tell the operator when the disk says no."""
    advice = {
        errno.EACCES: "make it accessible to you",
        errno.EPERM: "make it accessible to you",
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some space",
        errno.EROFS: "make the disk writable",
    }.get(error.errno or 0, "look at the disk")
    return Unavailable(
        f"can't {doing} '{one_line(path or '.', 300)}' in the workspace: {error.strerror}; "
        f"{advice}, then 'autoagent resume' (nothing is lost)"
    )
