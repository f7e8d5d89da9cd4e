"""The chain on disk: what an older database becomes, what a damaged one says, what blanking leaves behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autoagent.errors import StoreDamaged, StoreUnavailable
from autoagent.events import Entry, Forked, Observed
from autoagent.journal.codec import EVENTS, to_us
from autoagent.journal.database import SCHEMA
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal_entries import entries, entry, owned

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path)
    yield journal
    journal.close()


def run_sql(home: Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(home / "journal.db")) as connection, connection:
        connection.execute(sql, parameters)


# --- runs from before there was a chain ---------------------------------------------------------------------


def of_version_1(home: Path, written: list[Entry]) -> None:
    """A home as the first version of autoagent left it."""
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for statement in SCHEMA[0]:
            connection.execute(statement)
        last = written[-1]
        connection.execute(
            "INSERT INTO runs VALUES (1, 'r', x'2f746d70', 0, 1, ?, ?, ?)",
            (last.seq, to_us(last.at), last.event.kind),
        )
        for each in written:
            stored = EVENTS.encode(each.event)
            row = (1, each.seq, to_us(each.at), each.epoch, stored.kind, stored.version, stored.body)
            connection.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?)", row)
        connection.execute("PRAGMA user_version=1")


async def test_old_entries_stay_readable_and_the_chain_begins_behind_them(tmp_path: Path) -> None:
    """They are counted as unchained; what comes later is chained to all of them."""
    of_version_1(tmp_path, entries(1, 20))
    journal = SqliteJournal(tmp_path)
    before = journal.verify("r")
    lease = journal.acquire("r", "here:1")
    journal.append(lease, [entry(21, epoch=lease.epoch)])
    await journal.durable()
    after = journal.verify("r")

    assert journal.read("r")[:20] == entries(1, 20)
    assert (before.first_bad, before.entries, before.unchained) == (None, 20, 20)
    assert (after.first_bad, after.entries, after.unchained) == (None, 21, 20)
    assert journal.verify("r", upto=20).head == before.head
    journal.close()


async def test_an_old_entry_that_changes_once_there_is_a_chain_is_found(tmp_path: Path) -> None:
    """One value covers all of them, so nobody can say which it was."""
    of_version_1(tmp_path, entries(1, 20))
    journal = SqliteJournal(tmp_path)
    lease = journal.acquire("r", "here:1")
    journal.append(lease, [entry(21, epoch=lease.epoch)])
    await journal.durable()
    run_sql(tmp_path, "UPDATE entries SET at_us=at_us+1 WHERE seq=7")
    found = journal.verify("r")

    assert (found.first_bad, found.entries, found.head) == (1, 0, "")
    assert "one of the entries 1 to 20, which were written before there was a chain" in found.why
    journal.close()


async def test_an_old_run_is_forked_and_blanked(tmp_path: Path) -> None:
    """A fork's chain covers the old entries that it shares; a masked one keeps its digest."""
    written = [entry(n, Observed(lane="main", text=SECRET, source="nudge")) for n in range(1, 6)]
    of_version_1(tmp_path, written)
    journal = SqliteJournal(tmp_path)
    journal.fork("r", 3, "f", Forked(source="r", at=3, workspace="/tmp/f"))
    blanked = journal.blank("r", SECRET)

    assert blanked.entries == (1, 2, 3, 4, 5)
    assert [journal.verify(run).first_bad for run in ("r", "f")] == [None, None]
    run_sql(tmp_path, "UPDATE entries SET blanked=NULL WHERE seq=2")
    assert journal.verify("f").first_bad == 1
    journal.close()


async def test_a_shortened_run_is_found_out(tmp_path: Path, journal: SqliteJournal) -> None:
    """Also where its count was lowered with it: the head is that of the entry that is gone."""
    journal.append(owned(journal), entries(1, 9))
    await journal.durable()
    run_sql(tmp_path, "DELETE FROM entries WHERE seq=9")
    run_sql(tmp_path, "UPDATE runs SET entries=8")
    found = journal.verify("r")

    assert (found.first_bad, found.entries, found.why) == (9, 8, "entries behind 8 were taken out")


# --- damage -------------------------------------------------------------------------------------------------


def page_of_entries(path: Path) -> int:
    """The offset of a page in the middle of the table."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    offsets = [at for at in range(0, len(data), size) if b'{"kind":"time_spent"' in data[at : at + size]]
    return offsets[len(offsets) // 2]


async def test_a_page_of_zeros_is_found_and_what_stands_before_it_is_kept(tmp_path: Path) -> None:
    """The first entry on it is named, and the run can be forked before it."""
    journal = SqliteJournal(tmp_path)
    journal.append(owned(journal), entries(1, 3_000))
    journal.close()
    at = page_of_entries(tmp_path / "journal.db")
    with (tmp_path / "journal.db").open("r+b") as file:
        file.seek(at)
        file.write(bytes(4096))
    journal = SqliteJournal(tmp_path)
    found = journal.verify("r")

    assert found.first_bad is not None
    assert "it is damaged; move it away, or restore it from a copy" in found.why
    good = found.first_bad - 1
    assert journal.verify("r", upto=good).first_bad is None
    journal.fork("r", good, "f", Forked(source="r", at=good, workspace="/tmp/f"))
    assert journal.read("f")[:-1] == entries(1, good)
    with pytest.raises(StoreDamaged, match="it is damaged"):
        journal.read("r")
    journal.close()


@pytest.mark.parametrize("body", ["CAST(x'ff' AS TEXT)", "'{'", '\'{"kind":"time_spent"}\'', "x'00'"])
async def test_a_body_that_can_not_be_read_is_named(
    tmp_path: Path, journal: SqliteJournal, body: str
) -> None:
    """Reading says which entry and what to do; the chain says that it was changed."""
    journal.append(owned(journal), entries(1, 5))
    await journal.durable()
    run_sql(tmp_path, f"UPDATE entries SET body={body} WHERE seq=3")

    with pytest.raises(StoreDamaged, match=r"event 3, of kind 'time_spent', can't be read: .*from a copy"):
        journal.read("r")
    assert journal.verify("r").first_bad == 3


# --- bytes --------------------------------------------------------------------------------------------------


def raw(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


async def test_a_blanked_secret_is_in_no_file(tmp_path: Path, journal: SqliteJournal) -> None:
    """Neither in the database nor in its log, wherever pages were split, moved and freed."""
    lease = owned(journal)
    for n in range(1, 200):
        text = f"{n} {SECRET} " * (n % 40)
        journal.append(lease, [entry(n, Observed(lane="main", text=text, source="reply"))])
        await journal.durable()
    journal.release(lease)
    assert SECRET.encode() in raw(tmp_path)
    journal.blank("r", SECRET)

    assert SECRET.encode() not in raw(tmp_path)
    assert journal.verify("r").first_bad is None
    assert len(journal.read("r")) == 199


async def test_a_reader_that_keeps_the_log_is_told_of(tmp_path: Path, journal: SqliteJournal) -> None:
    """While another process reads, the log can't be emptied; done again, it is."""
    lease = owned(journal)
    journal.append(lease, [entry(1, Observed(lane="main", text=SECRET, source="reply"))])
    await journal.durable()
    journal.release(lease)
    reader = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM entries").fetchone()

    with pytest.raises(StoreUnavailable, match="the log still holds the old bytes while another process"):
        journal.blank("r", SECRET)
    reader.execute("COMMIT")
    reader.close()
    journal.blank("r", SECRET)
    assert SECRET.encode() not in raw(tmp_path)
