"""Deleting what no run needs: objects that nothing names, and what dead processes left behind.

Alone in the home (`usage`), so nobody stores an object that nothing names yet; marked first, swept in one
transaction which finds the runs as they were marked.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic_ns

from autoagent.errors import StoreDamaged, StoreUnavailable, UsageError
from autoagent.journal.codec import to_us
from autoagent.journal.database import connect, prepare, transaction, unavailable
from autoagent.journal.leases import Claim, refuse_if_held
from autoagent.journal.process import Instant, this_process
from autoagent.journal.references import named_by, named_in, reachable
from autoagent.journal.removing import remove
from autoagent.journal.sqlite import utc_now
from autoagent.journal.turnstile import Turnstile
from autoagent.journal.usage import alone

NEVER_BEGAN_AFTER = timedelta(days=1)
"""A run without an entry is that old when its process has died between creating and beginning it."""

_Marks = dict[int, int]
"""Run -> entries."""


@dataclass(frozen=True)
class Swept:
    """What went, or with `dry_run` would go."""

    objects: int
    """Small ones, in the database."""
    object_bytes: int
    files: int
    """Large ones."""
    file_bytes: int
    leftovers: int
    """Temporary files of dead processes, and caches of workspaces that no run has."""
    leftover_bytes: int
    kept: int
    """Objects."""
    free_inside_bytes: int
    """Free in the database's file, for new entries: there was no room on the disk to write it anew."""


def sweep(home: Path, caches: frozenset[str], at: Instant | None = None, *, dry_run: bool = False) -> Swept:
    """Delete what no run needs. `caches`: names of files in `scans/` that are kept.

    Raises `RunOwned` while a living process carries a run, `UsageError` where one may be about to,
    `StoreDamaged` where an object that a run needs is not what was written.
    """
    path = prepare(home)
    try:
        with alone(home), closing(connect(path)) as connection:
            return _Sweeper(home, path, connection, caches, at).sweep(dry_run)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    except OSError as error:
        raise StoreUnavailable(
            f"{error.filename!r} can't be deleted: {error.strerror}; nothing that a run needs is gone"
        ) from error


class _Sweeper:
    def __init__(
        self,
        home: Path,
        path: Path,
        connection: sqlite3.Connection,
        caches: frozenset[str],
        at: Instant | None,
    ) -> None:
        self._home, self._path, self._connection, self._caches = home, path, connection, caches
        process = this_process()
        self._claim = Claim("", process, at or Instant(utc_now(), process.clock, monotonic_ns()))
        self._turnstile = Turnstile(path)
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA synchronous=FULL")

    def sweep(self, dry_run: bool) -> Swept:
        self._refuse_if_carried()
        runs = self._runs()
        kept = set(reachable(self._roots(), self._names))
        files = [file for file in self._large() if bytes.fromhex(file.name) not in kept]
        leftovers = list(self._leftovers())
        file_bytes, leftover_bytes = _size(files), _size(leftovers)
        if dry_run:
            objects, object_bytes = self._unneeded(kept)
        else:
            objects, object_bytes = self._delete(kept, runs)
            for gone in (*files, *leftovers):
                gone.unlink()
            self._shrink()
        free = 0 if dry_run else self._pragma("freelist_count") * self._pragma("page_size")
        return Swept(
            objects, object_bytes, len(files), file_bytes, len(leftovers), leftover_bytes, len(kept), free
        )

    # --- marking --------------------------------------------------------------------------------------------

    def _refuse_if_carried(self) -> None:
        refuse_if_held(self._connection, "true", (), self._claim)

    def _runs(self) -> _Marks:
        return dict(self._connection.execute("SELECT number, entries FROM runs"))

    def _roots(self) -> set[bytes]:
        found: set[bytes] = set()
        for table in ("entries", "commands"):
            for (body,) in self._connection.execute(f"SELECT CAST(body AS BLOB) FROM {table}"):
                found |= named_in(body)
        return found

    def _names(self, digest: bytes) -> set[bytes] | None:
        """What an object names; `None` where there is none. Raises `StoreDamaged`: nobody knows any more."""
        row = self._connection.execute("SELECT data FROM objects WHERE sha256=?", (digest,)).fetchone()
        if row is not None:
            if hashlib.sha256(row[0]).digest() != digest:
                raise StoreDamaged(
                    f"object {digest.hex()} is not what was written, so nobody can say what it needs; "
                    "nothing was deleted; restore journal.db from a copy (see 'autoagent verify RUN')"
                )
            return named_by(io.BytesIO(row[0]))
        name = digest.hex()
        try:
            with (self._home / "objects" / name[:2] / name).open("rb") as file:
                return named_by(file)
        except FileNotFoundError:
            return None

    def _large(self) -> Iterator[Path]:
        for folder in sorted((self._home / "objects").glob("[0-9a-f][0-9a-f]")):
            yield from (file for file in folder.iterdir() if len(file.name) == 64)

    def _leftovers(self) -> Iterator[Path]:
        """Nobody stores now, so whoever wrote a temporary file is dead."""
        temporary = self._home / "objects" / "tmp"
        if temporary.is_dir():
            yield from temporary.iterdir()
        scans = self._home / "scans"
        for file in scans.iterdir() if scans.is_dir() else ():
            # a key stays: it signs the names of temporary files in a person's folder
            if file.suffix != ".key" and file.name not in self._caches:
                yield file

    def _unneeded(self, kept: set[bytes]) -> tuple[int, int]:
        rows = self._connection.execute("SELECT sha256, length(data) FROM objects")
        sizes = [size for digest, size in rows if digest not in kept]
        return len(sizes), sum(sizes)

    # --- sweeping -------------------------------------------------------------------------------------------

    def _delete(self, kept: set[bytes], runs: _Marks) -> tuple[int, int]:
        with self._turnstile.turn(), transaction(self._connection):
            self._refuse_if_carried()
            if self._runs() != runs:
                raise UsageError("a run went on meanwhile; do it again when nothing runs")
            found = self._unneeded(kept)
            self._connection.execute("CREATE TEMP TABLE kept (sha256 BLOB PRIMARY KEY) WITHOUT ROWID")
            self._connection.executemany("INSERT INTO kept VALUES (?)", ((digest,) for digest in kept))
            self._connection.execute("DELETE FROM objects WHERE sha256 NOT IN (SELECT sha256 FROM kept)")
            self._connection.execute("DROP TABLE kept")
            # whoever thaws now must not go on with objects that it had stored and not named yet
            self._connection.execute("DELETE FROM leases")
            self._forget_stillborn()
        return found

    def _forget_stillborn(self) -> None:
        before_us = to_us(self._claim.at.now - NEVER_BEGAN_AFTER)
        found = self._connection.execute(
            "SELECT number FROM runs WHERE entries=0 AND created_us<?", (before_us,)
        )
        for (run,) in found.fetchall():
            remove(self._connection, run, self._claim)

    def _shrink(self) -> None:
        """Write the database anew without its free pages, where the disk has room for a second one."""
        if shutil.disk_usage(self._home).free < 3 * self._path.stat().st_size:
            return
        with self._turnstile.turn():
            self._connection.execute("VACUUM")
            # alone with the write lock's queue in our hands, nobody starts the log anew beside it
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _pragma(self, name: str) -> int:
        (number,) = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(number)


def _size(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)
