"""SQLite connections that can only do what they are for: the engine itself is asked to refuse the rest.

`reading`: the file is opened read-only, the connection is told `query_only`, and an authorizer lets nothing
but SELECT through. `changing`: rows, and no other file. Nothing runs past its deadline, and `stop` ends it
from any thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage
from urllib.parse import quote

_STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: well below 10 ms."""
_BUSY_S = 5.0
_LONGEST_VALUE_BYTES = 64 << 20
_LARGEST_BYTES = 2 << 30
"""Of a file that is built: it is held in memory in the end."""
_MOST_SPILLED_BYTES = 4 << 30
"""Of temporary files, which a sort of a few large rows can make without end; at most half of what is free."""

_READS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
    }
)
_CHANGES = _READS | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_NEVER = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
"""Another file: also what VACUUM INTO would write."""
_LOOKING = frozenset(
    {
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "data_version",
        "read_uncommitted",
    }
)
"""Pragmas that tell what is there; the last two are asked by full-text search and by SQLAlchemy."""
_BUILDING = _LOOKING | frozenset(
    {"foreign_keys", "user_version", "application_id", "encoding", "foreign_key_check"}
)
_FUNCTIONS_NEVER = frozenset({"load_extension", "fts3_tokenizer", "writefile", "edit"})


class Line:
    """A connection with a deadline, and an end to what it may spill to disk."""

    def __init__(
        self, connection: sqlite3.Connection, timeout_s: float, most_spilled: int = _MOST_SPILLED_BYTES
    ) -> None:
        self.connection = connection
        free = _free_bytes()
        self._least_free = free - min(most_spilled, free // 2)
        self._deadline = time.monotonic() + timeout_s
        self._stopped = threading.Event()
        connection.set_progress_handler(self._is_over, _STEPS)

    def stop(self) -> None:
        """End what runs, and let nothing more run. From any thread."""
        self._stopped.set()
        try:
            self.connection.interrupt()
        except sqlite3.ProgrammingError:  # it is closed: nothing runs
            return

    def _is_over(self) -> bool:
        is_late = self._stopped.is_set() or time.monotonic() > self._deadline
        return is_late or _free_bytes() < self._least_free


def reading(path: Path, timeout_s: float) -> Line:
    """A line on which nothing can be written."""
    connection = _opened(path, "ro")
    connection.execute("PRAGMA query_only=1")
    _guard(connection, _READS, _LOOKING)
    return Line(connection, timeout_s)


def changing(path: Path, timeout_s: float) -> Line:
    """A line on which rows can be changed, and nothing else."""
    connection = _opened(path, "rw")
    connection.execute("PRAGMA foreign_keys=1")
    _guard(connection, _CHANGES, _LOOKING)
    return Line(connection, timeout_s)


def building(path: Path, timeout_s: float, largest: int = _LARGEST_BYTES) -> Line:
    """A line on a file of one's own: everything in it may be changed, and no other file reached.

    It grows to `largest` bytes and no further.
    """
    connection = _opened(path, "rwc")
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count={largest // page_bytes}").fetchone()
    connection.execute("PRAGMA journal_mode=DELETE")
    _guard(connection, None, _BUILDING)
    return Line(connection, timeout_s)


def _free_bytes() -> int:
    """Where SQLite puts its temporary files."""
    named = (os.environ.get("SQLITE_TMPDIR", ""), os.environ.get("TMPDIR", ""), "/var/tmp", "/tmp")
    for folder in filter(None, named):
        with suppress(OSError):  # it isn't there: SQLite takes the next one
            return disk_usage(folder).free
    return disk_usage(".").free


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    """No transaction begins by itself; values longer than 64 MB are refused."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA trusted_schema=0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
    return connection


def _guard(connection: sqlite3.Connection, allowed: Collection[int] | None, pragmas: Collection[str]) -> None:
    """Let SQLite refuse, while it prepares a statement, what isn't allowed. `None`: only other files."""

    def answer(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            return _verdict(str(first).lower() in pragmas)
        if action == sqlite3.SQLITE_FUNCTION:
            return _verdict(str(second).lower() not in _FUNCTIONS_NEVER)
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            return (
                sqlite3.SQLITE_OK
            )  # a virtual table tells its columns this way; a statement can't change it
        return _verdict(action not in _NEVER if allowed is None else action in allowed)

    connection.set_authorizer(answer)


def _verdict(is_fine: bool) -> int:
    return sqlite3.SQLITE_OK if is_fine else sqlite3.SQLITE_DENY
