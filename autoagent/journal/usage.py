"""Who stores objects in a home: many at the same time, but nobody while unused ones are deleted.

Objects are stored before anything names them, so what nothing names is unused only where nobody is storing.
The kernel lets go of a lock when its process dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from autoagent.errors import StoreUnavailable, UsageError
from autoagent.journal.locks import holder_of

FILE_NAME = "objects.lock"
_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class Usage:
    """One process's share of the objects, from its first use of them to `close`; on any thread."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME
        self._lock = threading.Lock()
        self._file: int | None = None

    def share(self) -> None:
        """Nobody deletes objects from now on. Raises `StoreUnavailable` where that is going on for long."""
        if self._file is not None:
            return
        with self._lock:
            if self._file is None:
                self._file = self._shared(monotonic() + _PATIENCE_S)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _shared(self, deadline: float) -> int:
        file = _open(self._path)
        while not _locked(file, fcntl.LOCK_SH):
            if monotonic() > deadline:
                os.close(file)
                raise StoreUnavailable(
                    "'autoagent gc' is deleting what no run needs; do it again when that is done"
                )
            sleep(_PAUSE_S)
        return file


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Nobody stores objects meanwhile. Raises `UsageError` where somebody might."""
    path = home / FILE_NAME
    file = _open(path)
    try:
        if not _locked(file, fcntl.LOCK_EX):
            raise UsageError(
                f"{holder_of(path)} is working with the files of {str(home)!r}, maybe about to begin a run; "
                "wait for it, or stop it, then do it again"
            )
        yield
    finally:
        os.close(file)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"{str(path)!r} can't be opened: {error.strerror}; set AUTOAGENT_HOME to a folder of yours"
        ) from error


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True
