"""The journals keep their contract, and the one in memory can be killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autoagent.commands import Cancel
from autoagent.errors import LeaseLost
from autoagent.journal.chain import StoredEntry
from autoagent.journal.sqlite import SqliteJournal
from autoagent.ports import Journal
from autoagent.testing.contracts.journal import JournalContract
from autoagent.testing.contracts.journal_chain import Change
from autoagent.testing.contracts.journal_entries import entries, entry, owned
from autoagent.testing.journal import MemoryJournal

ACQUIRE_AND_DIE = """
import os, sys
from pathlib import Path
from autoagent.journal.chain import StoredEntry
from autoagent.journal.sqlite import SqliteJournal
assert SqliteJournal(Path(sys.argv[1])).acquire(sys.argv[2], "dead").epoch == 1
os._exit(0)
"""


class TestSqliteJournal(JournalContract):
    """The journal on disk keeps the contract."""

    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        self.home = tmp_path
        journal = SqliteJournal(tmp_path)
        yield journal
        journal.close()

    def acquired_by_the_dead(self, journal: Journal, run_id: str) -> Journal:
        subprocess.run([sys.executable, "-c", ACQUIRE_AND_DIE, str(self.home), run_id], check=True)
        return journal

    def rewritten(self, journal: Journal, run_id: str, change: Change) -> None:
        with closing(sqlite3.connect(self.home / "journal.db")) as connection, connection:
            (run,) = connection.execute("SELECT number FROM runs WHERE id=?", (run_id,)).fetchone()
            columns = "seq, at_us, epoch, kind, version, CAST(body AS BLOB), digest, link, blanked"
            found = connection.execute(f"SELECT {columns} FROM entries WHERE run=? ORDER BY seq", (run,))
            rows = change([StoredEntry._make(row) for row in found])
            connection.execute("DELETE FROM entries WHERE run=?", (run,))
            values = f"({run},?,?,?,?,?,CAST(? AS TEXT),?,?,?)"
            connection.executemany(f"INSERT INTO entries VALUES {values}", rows)


class TestMemoryJournal(JournalContract):
    """The journal in memory keeps the contract."""

    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()

    def acquired_by_the_dead(self, journal: Journal, run_id: str) -> Journal:
        assert isinstance(journal, MemoryJournal)
        journal.acquire(run_id, "dead")
        return journal.after_kill()

    def rewritten(self, journal: Journal, run_id: str, change: Change) -> None:
        assert isinstance(journal, MemoryJournal)
        journal.rewrite(run_id, change)


def test_after_a_kill_a_prefix_is_there() -> None:
    """`after_kill` keeps the first entries, the commands and the objects, and no lease is alive."""
    journal = MemoryJournal()
    journal.append(owned(journal), entries(1, 5))
    journal.send("r", Cancel(), "terminal")
    sha256 = journal.objects.put(b"bytes")
    after = journal.after_kill(keep=3)

    assert after.read("r") == entries(1, 3)
    assert after.commands("r") == journal.commands("r")
    assert after.objects.get(sha256) == b"bytes"
    assert after.acquire("r", "next:1").epoch == 2


def test_the_killed_journal_is_left_alone() -> None:
    """The journal that was killed and the one after share nothing."""
    journal = MemoryJournal()
    lease = owned(journal)
    journal.append(lease, [entry(1)])
    after = journal.after_kill()
    after.append(after.acquire("r", "next:1"), [entry(2, epoch=2)])
    journal.append(lease, [entry(2)])

    assert after.read("r") == [entry(1), entry(2, epoch=2)]
    assert journal.read("r") == entries(1, 2)


def test_closing_releases_the_leases() -> None:
    """A closed journal in memory writes no more, as the one on disk."""
    journal = MemoryJournal()
    lease = owned(journal)
    journal.close()

    with pytest.raises(LeaseLost):
        journal.append(lease, [entry(1)])
