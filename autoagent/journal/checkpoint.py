"""Moving what was committed from the write-ahead log into the database. Owns when; nobody writes meanwhile.

SQLite would do it by itself, after any commit of any process. Up to its version 3.51.2 that can lose
committed pages when another process starts the log anew in the middle of it (sqlite.org/wal.html, "the
WAL-reset bug"). Here it is done while the write lock is held, so no commit and no other checkpoint can run
beside it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from autoagent.journal.database import connect

LIMIT_BYTES = 4 * 1024 * 1024
"""The log is moved when it has grown by this much: some 15 ms of work."""


class Checkpointer:
    """Keeps the log of one database short, on the thread that writes with `connection`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection
        self._log = path.with_name(path.name + "-wal")
        self._due_bytes = LIMIT_BYTES
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA journal_size_limit=0")  # the file is as large as what is in it

    def run_if_due(self) -> None:
        """Move the log's pages where they are many; between transactions."""
        try:
            size_bytes = self._log.stat().st_size
        except FileNotFoundError:
            size_bytes = 0
        if size_bytes < LIMIT_BYTES:
            self._due_bytes = LIMIT_BYTES
        elif size_bytes >= self._due_bytes:
            self._due_bytes = size_bytes + LIMIT_BYTES  # a reader can keep the log from starting anew
            self._run()

    def _run(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            # a connection can't do it inside its own transaction
            with closing(connect(self._path)) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._connection.execute("ROLLBACK")
