"""A private copy on disk of a SQLite file of the workspace, which a database can be opened from.

In a folder that only this user can read, gone when the call is over. What a `-wal` file beside the database
holds is part of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from autoagent.door.tools import FilesView, ToolError
from autoagent.paths import spelled

_MAGIC = b"SQLite format 3\0"
_PIECE_BYTES = 8 << 20
_MOST_BYTES = 2 << 30


@contextmanager
def private_copy(files: FilesView, path: str) -> Iterator[Path]:
    """A copy of the database, without write-ahead log. Raises `ToolError` where it is none."""
    _check(files, path)
    with TemporaryDirectory(prefix="autoagent-sql-") as folder:
        copy = Path(folder) / "database"
        _write(files, path, copy)
        log = f"{path}-wal"
        if (entry := files.stat(log)) is not None and entry.kind == "file" and entry.size:
            _write(files, log, copy.with_name("database-wal"))
        _fold_log(copy, path)
        yield copy


@contextmanager
def empty_copy() -> Iterator[Path]:
    """Where a new database can be made."""
    with TemporaryDirectory(prefix="autoagent-sql-") as folder:
        yield Path(folder) / "database"


def content(copy: Path) -> bytes:
    """What has become of a copy."""
    return copy.read_bytes()


def _check(files: FilesView, path: str) -> None:
    entry = files.stat(path)
    head = files.read(path, 0, len(_MAGIC))  # raises where nothing is there, or no file
    assert entry is not None
    if entry.size > _MOST_BYTES:
        raise ToolError(f"{spelled(path)} has {entry.size} bytes; a database of more than 2 GB isn't opened")
    if entry.size and head != _MAGIC:
        raise ToolError(f"{spelled(path)} is no SQLite database")


def _write(files: FilesView, path: str, to: Path) -> None:
    """Piece by piece: a file may be larger than memory."""
    with to.open("wb") as out:
        while piece := files.read(path, out.tell(), _PIECE_BYTES):
            out.write(piece)


def _fold_log(copy: Path, path: str) -> None:
    """Bring the write-ahead log into the database: read-only it couldn't be opened with one."""
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.DatabaseError as error:
        raise ToolError(f"{spelled(path)} can't be opened as a SQLite database: {error}") from None
