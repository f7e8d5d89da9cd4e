"""Objects, in SQLite and files and in memory: the contract, and what only a disk can show."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.journal.large_objects import LEFTOVER_AFTER_S
from autoagent.journal.sqlite import SqliteJournal
from autoagent.ports import Objects
from autoagent.testing.contracts.objects import ObjectsContract, some_bytes
from autoagent.testing.objects import MemoryObjects

LARGE = 200_000


class TestMemoryObjects(ObjectsContract):
    """The fake keeps the contract."""

    @pytest.fixture
    def objects(self) -> Objects:
        return MemoryObjects()

    def damage(self, objects: Objects, sha256: str) -> None:
        assert isinstance(objects, MemoryObjects)
        objects.data[sha256] = bytes(len(objects.data[sha256]))


class TestSqliteObjects(ObjectsContract):
    """The store on disk keeps the contract."""

    @pytest.fixture
    def objects(self, tmp_path: Path) -> Iterator[Objects]:
        self.home = tmp_path
        self.journal = SqliteJournal(tmp_path)
        yield self.journal.objects
        self.journal.close()

    def damage(self, objects: Objects, sha256: str) -> None:
        self.journal.create("after", "/")  # returns when what was queued is committed
        path = self.home / "objects" / sha256[:2] / sha256
        if path.exists():
            path.write_bytes(bytes(path.stat().st_size))
        else:
            connection = sqlite3.connect(self.home / "journal.db", isolation_level=None)
            connection.execute(
                "UPDATE objects SET data=zeroblob(length(data)) WHERE hex(sha256)=upper(?)", [sha256]
            )
            connection.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "home")
    yield journal
    journal.close()


def files_in(home: Path) -> list[Path]:
    return sorted(path for path in (home / "objects").rglob("*") if path.is_file())


def test_objects_outlive_the_process(tmp_path: Path) -> None:
    """Small and large objects are there after the journal was closed and opened again."""
    journal = SqliteJournal(tmp_path)
    names = [journal.objects.put(some_bytes(size)) for size in (0, 100, LARGE)]
    journal.close()
    journal = SqliteJournal(tmp_path)

    assert [len(journal.objects.get(name)) for name in names] == [0, 100, LARGE]
    journal.close()


def test_another_journal_sees_a_large_object_at_once(tmp_path: Path, journal: SqliteJournal) -> None:
    """A large object is on disk when `put` returns."""
    sha256 = journal.objects.put(some_bytes(LARGE))
    other = SqliteJournal(tmp_path / "home")

    assert other.objects.get(sha256) == some_bytes(LARGE)
    other.close()


async def test_a_small_object_is_committed_by_durable(tmp_path: Path, journal: SqliteJournal) -> None:
    """`durable` covers the objects put before it."""
    sha256 = journal.objects.put(b"small")
    await journal.durable()
    other = SqliteJournal(tmp_path / "home")

    assert other.objects.get(sha256) == b"small"
    other.close()


def test_a_large_object_is_one_file_for_its_owner_only(tmp_path: Path, journal: SqliteJournal) -> None:
    """A large object is one file named by its hash, which others can't read; no temporary file is left."""
    sha256 = journal.objects.put(some_bytes(LARGE))
    journal.objects.put_stream(io.BytesIO(some_bytes(LARGE)))

    (path,) = files_in(tmp_path / "home")
    assert path.name == sha256
    assert path.stat().st_mode & 0o077 == 0


def test_a_truncated_file_is_mended_by_putting_it_again(tmp_path: Path, journal: SqliteJournal) -> None:
    """A file of another size than its bytes is written anew."""
    sha256 = journal.objects.put(some_bytes(LARGE))
    (path,) = files_in(tmp_path / "home")
    os.truncate(path, 10)

    with pytest.raises(StoreUnavailable, match="bytes don't match"):
        journal.objects.get(sha256)
    journal.objects.put(some_bytes(LARGE))
    assert journal.objects.get(sha256) == some_bytes(LARGE)


def test_a_file_is_checked_again_after_it_changed(tmp_path: Path, journal: SqliteJournal) -> None:
    """A file that was read once and then damaged is found out."""
    sha256 = journal.objects.put(some_bytes(LARGE))
    journal.objects.get(sha256)
    (path,) = files_in(tmp_path / "home")
    path.write_bytes(bytes(LARGE))

    with pytest.raises(StoreUnavailable, match="bytes don't match"):
        journal.objects.get(sha256)


def test_leftovers_of_killed_processes_are_swept(tmp_path: Path, journal: SqliteJournal) -> None:
    """An old temporary file goes when the next large object comes; a young one may be in use and stays."""
    folder = tmp_path / "home" / "objects" / "tmp"
    folder.mkdir(parents=True)
    old, young = folder / "old", folder / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - LEFTOVER_AFTER_S - 60
    os.utime(old, (long_ago, long_ago))
    journal.objects.put(some_bytes(LARGE))

    assert not old.exists()
    assert young.exists()


def test_a_folder_that_is_none_is_a_clear_error(tmp_path: Path, journal: SqliteJournal) -> None:
    """Where a large object can't be written, the error names the folder and says what to do."""
    (tmp_path / "home" / "objects").write_text("in the way")

    with pytest.raises(StoreUnavailable, match=r"objects '.*' can't be written: .*set AUTOAGENT_HOME"):
        journal.objects.put(some_bytes(LARGE))


def test_more_than_the_queue_holds_is_stored(tmp_path: Path) -> None:
    """Putting faster than the disk writes waits for it, and loses nothing."""
    journal = SqliteJournal(tmp_path)
    names = [journal.objects.put(some_bytes(65_536, seed)) for seed in range(700)]
    journal.close()
    journal = SqliteJournal(tmp_path)

    assert all(hashlib.sha256(journal.objects.get(name)).hexdigest() == name for name in names)
    journal.close()
