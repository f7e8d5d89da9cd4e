"""Entries as rows: written behind one another in a chain, read where they stand.

A fork's first entries are rows of the run that it comes from; its own follow. What writes here runs inside
the writer's transaction.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autoagent import garbage
from autoagent.errors import JournalConflict, LeaseLost, StoreDamaged, UsageError
from autoagent.events import Entry
from autoagent.journal.chain import NOTHING, StoredEntry, Stretch, chained, digest_of, link_of
from autoagent.journal.codec import EVENTS, Stored, from_us, to_us
from autoagent.journal.database import NEXT_NUMBER, Reader
from autoagent.ports import Lease

_CHUNK = 2_000
"""Rows that are checked at once: some megabytes."""
_LAST = 2**62
"""More than any entry's number."""
# as a blob: bytes that are no UTF-8 any more must be an error about their entry, not about the query
_ROWS = (
    "SELECT seq, at_us, epoch, kind, version, CAST(body AS BLOB), digest, link, blanked FROM entries"
    " WHERE run=? AND seq>? AND seq<=? ORDER BY seq LIMIT ?"
)
_INSERT = (
    "INSERT INTO entries (run, seq, at_us, epoch, kind, version, body, digest, link)"
    " VALUES (?,?,?,?,?,?,CAST(? AS TEXT),?,?)"
)


def stored_entry(entry: Entry) -> StoredEntry:
    """The row of an entry, not chained yet. Raises `ValueError` for what can't be stored."""
    stored = EVENTS.encode(entry.event)
    at_us = to_us(entry.at)
    return StoredEntry(entry.seq, at_us, entry.epoch, stored.kind, stored.version, stored.body.encode())


def loaded_entry(run_id: str, row: StoredEntry) -> Entry:
    """The inverse. Raises `NewerVersion`, and `StoreDamaged` for what isn't an entry."""
    try:
        body = row.body.decode()
    except UnicodeDecodeError as error:
        raise StoreDamaged(
            f"run {run_id!r}: event {row.seq}, of kind {row.kind!r}, can't be read: it is no text any more; "
            "restore the journal from a copy; other runs are not touched"
        ) from error
    event = EVENTS.decode(Stored(row.kind, row.version, body), run_id, row.seq)
    return Entry(seq=row.seq, at=from_us(row.at_us), epoch=row.epoch, event=event)


# --- reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """The entries of a run that stand under one run's number in the database."""

    run: int
    run_id: str
    after: int
    upto: int | None
    """`None`: all that come."""


def parts_of(reader: Reader, run: int) -> tuple[Part, ...]:
    """Where a run's entries stand, in order: its ancestors' up to the fork, then its own."""
    found: list[Part] = []
    upto: int | None = None
    number: int | None = run
    while number is not None:
        row = reader.row("SELECT id, parent, parent_at FROM runs WHERE number=?", number)
        if row is None:
            raise StoreDamaged(f"a run that others were forked from is gone (its number was {number})")
        run_id, parent, parent_at = row
        found.append(Part(number, run_id, parent_at, upto))
        number, upto = parent, parent_at
    return tuple(reversed(found))


def read(
    reader: Reader, parts: Sequence[Part], after: int, limit: int = -1, upto: int | None = None
) -> list[Entry]:
    """Entries with `seq > after`, up to `upto` and at most `limit`."""
    found: list[Entry] = []
    for part in parts:
        if part.upto is not None and part.upto <= after:
            continue
        last = min(_LAST if end is None else end for end in (part.upto, upto))
        left = limit if limit < 0 else limit - len(found)
        rows = reader.rows(_ROWS, part.run, max(after, part.after), last, left)
        with garbage.put_off():
            found += [loaded_entry(parts[-1].run_id, StoredEntry._make(row)) for row in rows]
        if len(found) == limit:
            break
    return found


def read_kinds(reader: Reader, parts: Sequence[Part], kinds: Sequence[str]) -> list[Entry]:
    """The entries of some kinds: those of others are neither decoded nor checked."""
    query = _ROWS.replace(" ORDER BY", f" AND kind IN ({','.join('?' * len(kinds))}) ORDER BY")
    found: list[Entry] = []
    for part in parts:
        last = _LAST if part.upto is None else part.upto
        for row in reader.rows(query, part.run, part.after, last, *kinds, -1):
            found.append(loaded_entry(parts[-1].run_id, StoredEntry._make(row)))
    return found


def holding(
    reader: Reader, parts: Sequence[Part], text: str, kinds: Sequence[str], after: int, upto: int
) -> list[Entry]:
    """Entries of these kinds with `after < seq <= upto` whose stored form has `text`, in any case."""
    # SQLite knows the case of ASCII letters only
    spelled = dict.fromkeys(_pattern(each) for each in (text, text.lower(), text.upper(), text.title()))
    likes = " OR ".join(["body LIKE ? ESCAPE '\\'"] * len(spelled))
    sql = _ROWS.replace(" ORDER BY", f" AND kind IN ({','.join('?' * len(kinds))}) AND ({likes}) ORDER BY")
    found: list[Entry] = []
    for part in parts:
        first, last = max(after, part.after), min(upto, _LAST if part.upto is None else part.upto)
        if first < last:
            rows = reader.rows(sql, part.run, first, last, *kinds, *spelled, -1)
            found += [loaded_entry(parts[-1].run_id, StoredEntry._make(row)) for row in rows]
    return found


def _pattern(text: str) -> str:
    """What a stored text that holds `text` is LIKE."""
    stored = json.dumps(text, ensure_ascii=False)[1:-1]
    return "%" + re.sub(r"([\\%_])", r"\\\1", stored) + "%"


def stretches(reader: Reader, parts: Sequence[Part], upto: int | None) -> Iterator[Stretch]:
    """What is to be checked of a run, as far as entry `upto`."""
    for part in parts:
        ends = [end for end in (part.upto, upto) if end is not None]
        end = min(ends) if ends else None
        if end is None or end > part.after or part.run == parts[0].run:
            yield _stretch(reader, part, end)
        if upto is not None and part.upto is not None and upto <= part.upto:
            return


def _stretch(reader: Reader, part: Part, end: int | None) -> Stretch:
    entries, link, unchained, anchor, parent_at, last_row = _ends(reader, part.run)
    last = entries if end is None else min(end, entries)
    return Stretch(
        run_id=part.run_id,
        entries=_stored(reader, part, max(last, last_row or 0) if end is None else last),
        last=last,
        unchained=unchained,
        anchored_at=parent_at or unchained,
        anchor=anchor,
        head=link if last == entries else None,
    )


def _ends(reader: Reader, run: int) -> tuple[Any, ...]:
    """What a run says of its entries, and the last that is there whatever it says; at one moment."""
    said = "SELECT entries, link, unchained, anchor, parent_at, {last} FROM runs WHERE number=?"
    try:
        row = reader.row(said.format(last="(SELECT max(seq) FROM entries WHERE run=number)"), run)
    except StoreDamaged:  # the damage is met again, by its entry
        row = reader.row(said.format(last="0"), run)
    assert row is not None
    return row


def _stored(reader: Reader, part: Part, upto: int) -> Iterator[StoredEntry]:
    """Rows as they are; where a page is damaged, those before it, then `StoreDamaged`."""
    for after in range(part.after, upto, _CHUNK):
        last = min(after + _CHUNK, upto)
        try:
            rows = reader.rows(_ROWS, part.run, after, last, -1)
        except StoreDamaged:
            for seq in range(after, last):
                yield from map(StoredEntry._make, reader.rows(_ROWS, part.run, seq, seq + 1, -1))
        else:
            yield from map(StoredEntry._make, rows)


# --- writing ------------------------------------------------------------------------------------------------


def insert(connection: sqlite3.Connection, run: int, lease: Lease, rows: list[StoredEntry]) -> None:
    """Add entries to their run. Raises `LeaseLost`, `JournalConflict`."""
    found = connection.execute(
        "SELECT entries, link FROM runs JOIN leases ON leases.run=number WHERE number=? AND leases.epoch=?",
        (run, lease.epoch),
    ).fetchone()
    if found is None:
        raise LeaseLost(lease.run_id, lease.epoch)
    entries, link = found
    if entries != rows[0].seq - 1:
        raise JournalConflict(lease.run_id, rows[0].seq, entries)
    if link is None and entries:
        link = _anchor(connection, run, lease.run_id)
    put(connection, run, lease.run_id, link or NOTHING, rows)


def put(
    connection: sqlite3.Connection, run: int, run_id: str, previous: bytes, rows: list[StoredEntry]
) -> None:
    """Chain `rows` to the entry whose link is `previous`."""
    done = list(chained(previous, run_id, rows))
    connection.executemany(_INSERT, [(run, *row[:8]) for row in done])
    last = done[-1]
    connection.execute(
        "UPDATE runs SET entries=?, last_us=?, last_kind=?, link=? WHERE number=?",
        (last.seq, last.at_us, last.kind, last.link, run),
    )


def _anchor(connection: sqlite3.Connection, run: int, run_id: str) -> bytes:
    """Begin the chain of a run that was written before there was one: once, behind what is there."""
    link = NOTHING
    for row in map(StoredEntry._make, connection.execute(_ROWS, (run, 0, _LAST, -1))):
        digest = row.digest or digest_of(row.kind, row.version, row.body)  # one that was blanked has its own
        link = link_of(link, run_id, row, digest)
    connection.execute("UPDATE runs SET anchor=? WHERE number=?", (link, run))
    return link


@dataclass(frozen=True)
class NewFork:
    """A run that is to begin with another one's entries."""

    run_id: str
    workspace: bytes
    created_us: int
    parent: int
    """The number of the run under which entry `at` stands."""
    at: int
    link: bytes
    """Of entry `at`."""
    own: StoredEntry


def insert_fork(connection: sqlite3.Connection, fork: NewFork) -> None:
    """The whole fork: its row, and its first own entry. Raises `UsageError` where its parent is gone."""
    if connection.execute("SELECT 1 FROM runs WHERE number=?", (fork.parent,)).fetchone() is None:
        raise UsageError("the run to fork from was removed in this moment")
    cursor = connection.execute(
        "INSERT INTO runs (number, id, workspace, created_us, epoch, entries, parent, parent_at, anchor)"
        f" VALUES ({NEXT_NUMBER},?,?,?,?,?,?,?,?)",
        (
            fork.run_id,
            fork.workspace,
            fork.created_us,
            fork.own.epoch,
            fork.at,
            fork.parent,
            fork.at,
            fork.link,
        ),
    )
    assert cursor.lastrowid is not None
    put(connection, cursor.lastrowid, fork.run_id, fork.link, [fork.own])
