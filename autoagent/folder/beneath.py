"""Opening what is beneath a root without following a link, at any depth.

Each name is opened by itself, relative to the descriptor of the folder before it, with `O_NOFOLLOW`: there is
no path for a swapped link to bend, and none that is too long for the kernel.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from pathlib import Path

from autoagent.errors import Unavailable, UsageError
from autoagent.paths import raw
from autoagent.redact import one_line

KEPT_OPEN = 64
"""Descriptors of folders kept: macOS gives a process 256."""

NOT_A_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What an open answers where there is no such folder, or a file or a link in its place."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a named pipe must not block us


Identity = tuple[int, int]
"""(device, inode)"""


class Root:
    """An open root, and the folders opened last: neighbours are opened from each other, not from the top."""

    def __init__(self, path: Path, expected: Identity | None = None) -> None:
        """Raises `Unavailable` where another folder than the expected one has the path now."""
        self._top = _open_root(path)
        status = os.fstat(self._top)
        self.identity: Identity = (status.st_dev, status.st_ino)
        if expected not in (None, self.identity):
            os.close(self._top)
            raise Unavailable(
                f"the workspace {str(path)!r} was replaced by another folder while it was worked in; nothing "
                "was done to that one; put the first one back, then 'autoagent resume'"
            )
        self._open: OrderedDict[str, int] = OrderedDict()

    def folder(self, path: str) -> int:
        """The descriptor of a folder (`""`: the root), good until the next call. Raises `OSError`."""
        above, names = path, []
        while above and above not in self._open:
            above, _, name = above.rpartition("/")
            names.append(name)
        if above:
            self._open.move_to_end(above)
        fd = self._open[above] if above else self._top
        for name in reversed(names):
            above = f"{above}/{name}" if above else name
            fd = self._open[above] = os.open(raw(name), _FOLDER_FLAGS, dir_fd=fd)
            if len(self._open) > KEPT_OPEN:
                os.close(self._open.popitem(last=False)[1])
        return fd

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (*self._open.values(), self._top):
            os.close(fd)


def open_file(folder: int, name: bytes) -> int | None:
    """The descriptor of a regular file of a folder; `None` where something else has that name now."""
    try:
        fd = os.open(name, _FILE_FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in (*NOT_A_FOLDER, errno.EISDIR, errno.ENXIO):
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


def _open_root(path: Path) -> int:
    try:
        return os.open(path, _FOLDER_FLAGS)
    except FileNotFoundError:
        raise UsageError(f"the workspace {str(path)!r} does not exist; create it, or name another") from None
    except OSError as error:
        if error.errno in NOT_A_FOLDER:  # a link too
            raise UsageError(f"the workspace {str(path)!r} is no folder; name the folder itself") from None
        raise Unavailable(f"the workspace {str(path)!r} can't be opened: {error.strerror}") from error
