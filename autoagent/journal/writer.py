"""The one thread of a process that writes to the database. Owns order, batches and fsync; knows no tables.

Jobs are done first in, first out, as many as are waiting in one transaction. So what was queued earlier is
never durable later.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autoagent.errors import AutoagentError, StoreUnavailable
from autoagent.faults import NO_FAULTS, Faults
from autoagent.journal.checkpoint import Checkpointer
from autoagent.journal.database import Place, connect, transaction, unavailable
from autoagent.journal.turnstile import Turnstile

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], T]
"""Runs in a transaction shared with other jobs, so it raises an `AutoagentError` only before it wrote."""

BATCH = 1_000
"""Jobs in one transaction at most."""
BACKLOG_BYTES = 32 * 1024 * 1024
"""Queued bytes beyond which `queue` waits for the disk: a scan can be faster than it."""


def _ignore(error: Exception | None) -> None:
    """For jobs whose outcome somebody waits for."""


@dataclass(frozen=True)
class _Job:
    work: Work[Any]
    settled: Callable[[Exception | None], None]
    """Called on the writer's thread once it is committed, or has failed."""
    sync: bool
    size_bytes: int
    result: Future[Any] | None


class Writer:
    """Does jobs in order on a thread and a connection of its own, both started by the first job.

    When jobs that nobody waits for could not be committed, everything after them fails too, for good: what
    comes later must not be durable without them.
    """

    def __init__(self, path: Path, faults: Faults = NO_FAULTS) -> None:
        """`path` has its database already."""
        self._path, self._faults = path, faults
        self._turnstile = Turnstile(path)
        self._place = Place.of(path)
        self._jobs: deque[_Job] = deque()
        self._backlog_bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._checkpointer: Checkpointer | None = None
        self._level = ""
        """The connection's durability."""
        self._failure: Exception | None = None
        self._closed = False

    def queue(
        self,
        work: Work[None],
        settled: Callable[[Exception | None], None],
        *,
        sync: bool = False,
        size_bytes: int = 0,
    ) -> None:
        """Do `work` soon; with `sync` it is fsynced. Raises `StoreUnavailable` after an earlier failure."""
        self._put(_Job(work, settled, sync, size_bytes, None))

    def call(self, work: Work[T], *, sync: bool = True) -> T:
        """Do `work` after everything queued, and return what it returns, committed. Raises what it raises."""
        result: Future[T] = Future()
        self._put(_Job(work, _ignore, sync, 0, result))
        return result.result()

    def barrier(self) -> Future[None]:
        """Is done when everything queued so far is committed; fails where it could not be."""
        result: Future[None] = Future()
        self._put(_Job(_nothing, _ignore, False, 0, result))
        return result

    def close(self) -> None:
        """Do what is queued and let go. Raises what could not be done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _put(self, job: _Job) -> None:
        with self._changed:
            while self._backlog_bytes > BACKLOG_BYTES and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise StoreUnavailable(f"journal {str(self._path)!r} is closed; open it again")
            self._jobs.append(job)
            self._backlog_bytes += job.size_bytes
            self._changed.notify_all()
            if self._thread is None:
                # a daemon: a program that forgot `close` ends all the same, and its exit hook writes the rest
                self._thread = threading.Thread(target=self._work, name="journal writer", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        try:
            while self._write_batch():
                pass
        finally:
            if self._connection is not None:
                self._connection.close()
            self._turnstile.close()

    def _write_batch(self) -> bool:
        """Whether there was one; False ends the thread."""
        if not (batch := self._take()):
            return False
        try:
            outcomes = self._commit(batch)
        except sqlite3.Error as error:
            self._fail(batch, unavailable(self._path, error))
        except Exception as error:  # no turn, or a bug of ours: kept here, callers would wait for ever
            self._fail(batch, error)
        else:
            self._settle(batch, outcomes)
        return True

    def _commit(self, batch: list[_Job]) -> list[object]:
        if self._connection is None or self._checkpointer is None:
            self._connection = connect(self._path)
            self._checkpointer = Checkpointer(self._path, self._connection)
        # NORMAL survives the death of the process, FULL that of the machine; an fsync costs 0.7 to 2.3 ms
        level = "FULL" if any(job.sync for job in batch) else "NORMAL"
        if level != self._level:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._level = level
        with self._turnstile.turn():
            self._place.refuse_if_gone()
            self._checkpointer.run_if_due()
            with transaction(self._connection):
                outcomes = [_attempt(self._connection, job) for job in batch]
                self._faults.reached("about to commit")
        self._faults.reached("committed")
        return outcomes

    def _take(self) -> list[_Job]:
        """The jobs of the next transaction; none when closed and all is done."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            return [self._jobs.popleft() for _ in range(min(BATCH, len(self._jobs)))]

    def _settle(self, batch: list[_Job], outcomes: list[object]) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            job.settled(outcome if isinstance(outcome, Exception) else None)
            _resolve(job.result, outcome)
        self._free(batch)

    def _fail(self, batch: list[_Job], failure: Exception) -> None:
        with self._changed:
            if any(job.result is None for job in batch):
                self._failure = failure
                batch = [*batch, *self._jobs]
                self._jobs.clear()
        for job in batch:
            job.settled(failure)
            _resolve(job.result, failure)
        self._free(batch)

    def _free(self, batch: list[_Job]) -> None:
        with self._changed:
            self._backlog_bytes -= sum(job.size_bytes for job in batch)
            self._changed.notify_all()


def _attempt(connection: sqlite3.Connection, job: _Job) -> object:
    try:
        return job.work(connection)
    except AutoagentError as error:
        return error


def _resolve(result: Future[Any] | None, outcome: object) -> None:
    if result is None or not result.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Exception):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)


def _nothing(connection: sqlite3.Connection) -> None:
    """A job that only marks a place in the queue."""
