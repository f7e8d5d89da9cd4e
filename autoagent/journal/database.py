"""The one SQLite file of a home: its tables, its connections, and what its errors mean to people.

Nothing else in the project knows the file's name or opens it. WAL mode, so readers never wait for a writer.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from autoagent.errors import NewerVersion, StoreDamaged, StoreUnavailable

FILE_NAME = "journal.db"
BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process's; theirs take milliseconds."""

# Each step takes the schema one version up; a step that was released is never edited.
# runs.entries, last_us and last_kind repeat what entries say, so that a list of 10,000 runs is one scan.
SCHEMA: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            workspace BLOB NOT NULL,
            created_us INTEGER NOT NULL,
            epoch INTEGER NOT NULL DEFAULT 0,
            entries INTEGER NOT NULL DEFAULT 0,
            last_us INTEGER,
            last_kind TEXT)""",
        """CREATE TABLE entries (
            run INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            at_us INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            kind TEXT NOT NULL,
            version INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (run, seq)) WITHOUT ROWID""",
        """CREATE TABLE commands (
            run INTEGER NOT NULL,
            number INTEGER NOT NULL,
            at_us INTEGER NOT NULL,
            by TEXT NOT NULL,
            kind TEXT NOT NULL,
            version INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (run, number)) WITHOUT ROWID""",
        """CREATE TABLE leases (
            run INTEGER PRIMARY KEY,
            folder BLOB NOT NULL,
            epoch INTEGER NOT NULL,
            host TEXT NOT NULL,
            boot TEXT NOT NULL,
            pid_space TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started TEXT NOT NULL,
            beat_us INTEGER NOT NULL)""",
        "CREATE TABLE objects (sha256 BLOB PRIMARY KEY, data BLOB NOT NULL)",
    ),
    # 2: the chain (`chain`), forks (`entries`), blanked objects (`objects`)
    (
        "ALTER TABLE entries ADD COLUMN digest BLOB",
        "ALTER TABLE entries ADD COLUMN link BLOB",
        "ALTER TABLE entries ADD COLUMN blanked BLOB",
        "ALTER TABLE runs ADD COLUMN link BLOB",
        "ALTER TABLE runs ADD COLUMN unchained INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN anchor BLOB",
        "ALTER TABLE runs ADD COLUMN parent INTEGER",
        "ALTER TABLE runs ADD COLUMN parent_at INTEGER NOT NULL DEFAULT 0",
        "UPDATE runs SET unchained=entries",
        "CREATE TABLE blanked_objects (sha256 BLOB PRIMARY KEY, at_us INTEGER NOT NULL)",
    ),
    # 3: the beat on the boot's clock (`leases`), removed runs (`removing`)
    (
        "ALTER TABLE leases ADD COLUMN clock TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE leases ADD COLUMN beat_ns INTEGER NOT NULL DEFAULT 0",
        # a number is never used again, or a process that thaws would take another run for its own
        "CREATE TABLE removed (last_number INTEGER NOT NULL)",
        "INSERT INTO removed VALUES (0)",
    ),
)

NEXT_NUMBER = "max((SELECT coalesce(max(number), 0) FROM runs), (SELECT last_number FROM removed)) + 1"
"""SQL: the number of a new run."""

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space, then resume",
    sqlite3.SQLITE_BUSY: f"another process kept it locked for {BUSY_TIMEOUT_S:.0f} s; stop it, then resume",
    sqlite3.SQLITE_LOCKED: f"another process kept it locked for {BUSY_TIMEOUT_S:.0f} s; stop it, then resume",
    sqlite3.SQLITE_READONLY: "it or its folder can't be written; set AUTOAGENT_HOME to a folder of yours",
    sqlite3.SQLITE_CANTOPEN: "it or its folder can't be opened; set AUTOAGENT_HOME to a folder of yours",
    sqlite3.SQLITE_PERM: "it may not be opened; set AUTOAGENT_HOME to a folder of yours",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database; move it away, or restore it from a copy",
    sqlite3.SQLITE_CORRUPT: "it is damaged; move it away, or restore it from a copy",
}
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def unavailable(path: Path, error: sqlite3.Error) -> StoreUnavailable:
    """What an error of SQLite means, and what to do about it."""
    code = getattr(error, "sqlite_errorcode", 0)
    advice = _ADVICE.get(code & 0xFF)  # the low byte; the rest says where in SQLite it arose
    kind = StoreDamaged if code & 0xFF in _DAMAGE else StoreUnavailable
    return kind(f"journal {str(path)!r}: {error}" + (f": {advice}" if advice else ""))


def prepare(home: Path) -> Path:
    """The path of the home's database, which now exists with today's schema.

    Raises `StoreUnavailable`, and `NewerVersion` for the schema of a newer autoagent.
    """
    path = home / FILE_NAME
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(home):
            if not path.exists():
                # SQLite would create it readable by all; -wal and -shm take over its mode. Where it exists it
                # is never opened but by SQLite: closing it drops all of this process's locks on it (POSIX)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _migrate(path)
    except OSError as error:
        raise StoreUnavailable(
            f"journal {str(path)!r} can't be written: {error.strerror}; "
            "set AUTOAGENT_HOME to a folder of yours"
        ) from error
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    return path


@dataclass(frozen=True)
class Place:
    """Which file a path led to when it was opened.

    A file that was deleted can be written as before, and everything in it is lost with the process.
    """

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Place:
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def refuse_if_gone(self) -> None:
        """Raises `StoreUnavailable` where the path leads to no file, or to another one. Takes 2 µs."""
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != (self.device, self.inode):
            what = "was removed" if found is None else "was replaced by another file"
            raise StoreUnavailable(
                f"journal {str(self.path)!r} {what} while this process used it, so nothing can be recorded "
                "any more; restore the home from a copy, then 'autoagent resume'"
            )


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time: turning WAL on doesn't wait for others, it fails."""
    descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def connect(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time. Raises `StoreUnavailable`."""
    try:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at the start, so nothing read inside can be stale."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(path: Path) -> None:
    with closing(connect(path)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > len(SCHEMA):
            raise NewerVersion(f"journal {str(path)!r}", found, len(SCHEMA))
        if found == len(SCHEMA):
            return
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise StoreUnavailable(
                f"journal {str(path)!r}: its file system has no shared memory (a network folder?); "
                "set AUTOAGENT_HOME to a local folder"
            )
        with transaction(connection):
            for statement in chain(*SCHEMA[found:]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={len(SCHEMA)}")


class Reader:
    """A connection for reading, shared by threads. Sees what was committed, by any process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = connect(path)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows at once: an open cursor would keep the WAL from being truncated."""
        with self._lock:
            if self._connection is None:
                raise StoreUnavailable(f"journal {str(self.path)!r} is closed; open it again")
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise unavailable(self.path, error) from error

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        """The first row."""
        rows = self.rows(sql, *parameters)
        return rows[0] if rows else None

    def version(self) -> int:
        """A number that changes whenever another connection, ours or a process's, has committed."""
        row = self.row("PRAGMA data_version")
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
