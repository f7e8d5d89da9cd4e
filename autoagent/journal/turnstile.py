"""Taking turns at the write lock: a process that has waited for a while is let in next.

SQLite's own wait is a poll with pauses of up to 100 ms, in which whoever comes at the right moment wins: with
four processes on a slow disk one can lose for longer than the whole time-out. The kernel's lock wakes who
waits, in turn; but each hand-over costs more than an entry does. So a process first tries for some
milliseconds, then queues. There are two locks, as a turnstile has two sides: who queues holds `next`, and
nobody gets `turn` without it, so whoever has just had a turn comes behind, however quick it is.
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

from autoagent.errors import StoreUnavailable
from autoagent.journal.database import BUSY_TIMEOUT_S
from autoagent.journal.locks import holder_of

TRIES_S = (0.0, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01)
"""Pauses before a process queues. With eight that write at once: twice the events a second, and no wait of
more than a tenth of one."""


class Turnstile:
    """The turns of one process, on the thread that writes to the database at `path`."""

    def __init__(self, path: Path, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._next = _Gate(path.with_name(path.name + "-next"))
        self._turn = _Gate(path.with_name(path.name + "-turn"))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone among all processes that write. Raises `StoreUnavailable` where it takes too long."""
        self._take()
        try:
            yield
        finally:
            self._turn.leave()

    def close(self) -> None:
        self._next.close()
        self._turn.close()

    def _take(self) -> None:
        deadline = monotonic() + self._timeout_s
        try:
            if not any(self._try(pause_s) for pause_s in TRIES_S):
                self._queue(deadline)
        except TimeoutError:
            raise StoreUnavailable(
                f"journal {str(self._path)!r}: {self._turn.holder()} kept it locked for "
                f"{self._timeout_s:.0f} s; end it if it hangs, then resume"
            ) from None
        except OSError as error:
            raise StoreUnavailable(
                f"journal {str(self._path)!r} can't be locked: {error.strerror or error}; "
                "set AUTOAGENT_HOME to a local folder of yours"
            ) from error

    def _try(self, pause_s: float) -> bool:
        if pause_s:
            sleep(pause_s)
        if not self._next.try_to_take():
            return False
        try:
            return self._turn.try_to_take()
        finally:
            self._next.leave()

    def _queue(self, deadline: float) -> None:
        self._next.take(deadline)
        try:
            self._turn.take(deadline)
        finally:
            self._next.leave()


class _Gate:
    """A file that one process locks at a time; the kernel lets go of it when that one dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self, deadline: float) -> None:
        """Raises `TimeoutError`."""
        if not self.try_to_take():
            assert self._file is not None
            waiter = _Waiter(self._file)
            if not waiter.got_within(deadline - monotonic()):
                self._file = None  # the waiter's now: a lock that comes late must not be taken for ours
                raise TimeoutError

    def try_to_take(self) -> bool:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return False
        return True

    def holder(self) -> str:
        """Who has it, for people."""
        return holder_of(self._path)

    def leave(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _Waiter:
    """Waits on a thread of its own, because the kernel's wait knows no deadline."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._is_given_up = False
        self._error: OSError | None = None
        threading.Thread(target=self._work, name="journal turn", daemon=True).start()

    def got_within(self, seconds: float) -> bool:
        """Whether the lock came in time; if not, it is let go of as soon as it comes."""
        self._ended.wait(max(0.0, seconds))
        with self._lock:
            self._is_given_up = not self._ended.is_set()
        if self._error is not None:
            raise self._error
        return not self._is_given_up

    def _work(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            self._error = error
        with self._lock:
            self._ended.set()
            if self._is_given_up:
                os.close(self._file)
