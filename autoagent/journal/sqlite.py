"""The journal of a home, in SQLite. Owns what this process has queued but not yet committed.

Everything is written by one thread (`writer`), in the order in which it was asked for. asyncio is imported
where it is awaited: listing runs must not pay for it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoagent import garbage
from autoagent.commands import Command
from autoagent.errors import AutoagentError, JournalConflict, LeaseLost, StoreDamaged, UsageError
from autoagent.events import Entry, Forked
from autoagent.faults import NO_FAULTS, Faults
from autoagent.journal import blanking, chain, leases
from autoagent.journal import entries as rows
from autoagent.journal.codec import COMMANDS, Stored, from_us, to_us
from autoagent.journal.database import NEXT_NUMBER, Reader, prepare
from autoagent.journal.heart import Heart
from autoagent.journal.leases import to_bytes, to_path
from autoagent.journal.objects import SqliteObjects
from autoagent.journal.process import STALE_AFTER_S, Instant, Process, this_process
from autoagent.journal.removing import remove
from autoagent.journal.writer import Writer
from autoagent.ports import Blanked, Lease, RunHead, SentCommand, Verification

POLL_S = 0.05
"""How long a follower sleeps; a look costs 5 µs while nothing was committed."""
CHUNK = 500
"""Entries that a follower reads before it lets others run: 5 ms."""

_HEADS = "SELECT id, workspace, created_us, entries, last_us, last_kind FROM runs"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Held:
    """A lease of this object, and what it knows of the run."""

    lease: Lease
    run: int
    """The run's number in the database."""
    entries: int
    """How many the run has, with those that are queued."""
    error: Exception | None = None
    """Why entries could not be written; final for this lease."""


class SqliteJournal:
    """Implements `autoagent.ports.Journal` on `home`/journal.db.

    Cheap to open. Write on one thread; objects, reading, `holds` and sending may be used on any. While it
    holds leases a thread keeps them alive. `close` releases those that are still held, and raises what could
    not be written.
    """

    def __init__(
        self,
        home: Path,
        *,
        process: Process | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        stale_after_s: float = STALE_AFTER_S,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """`stale_after_s`: how long a holder may be silent before its runs are taken over."""
        path = prepare(home)
        self._known_process, self._now, self._monotonic_ns = process, now, monotonic_ns
        self._stale_after_s, self._faults = stale_after_s, faults
        self._reader, self._writer = Reader(path), Writer(path, faults)
        self._objects = SqliteObjects(home / "objects", self._reader, self._writer, faults)
        self._lock = threading.Lock()
        self._parts: dict[int, tuple[rows.Part, ...]] = {}
        self._held: dict[str, _Held] = {}
        self._pending: dict[str, deque[Entry]] = {}
        self._heart = Heart(_beating(weakref.ref(self)), stale_after_s / 12)
        # runs at the interpreter's exit too: what was queued is written though nobody called `close`
        self._let_go = weakref.finalize(self, _let_go, self._heart, self._writer, self._reader, self._objects)

    @property
    def objects(self) -> SqliteObjects:
        return self._objects

    # --- runs -----------------------------------------------------------------------------------------------

    def runs(self) -> Sequence[RunHead]:
        pending = self._last_pending()
        heads = self._reader.rows(f"{_HEADS} ORDER BY created_us DESC, number DESC")
        return [_head(row, pending.get(row[0])) for row in heads]

    def create(self, run_id: str, workspace: str) -> None:
        _check_id(run_id)
        row = (run_id, to_bytes(workspace), to_us(self._now()))

        def insert(connection: sqlite3.Connection) -> None:
            _refuse_taken(connection, run_id)
            connection.execute(
                f"INSERT INTO runs (number, id, workspace, created_us) VALUES ({NEXT_NUMBER},?,?,?)", row
            )

        self._writer.call(insert)

    def remove(self, run_id: str) -> None:
        number, claim = self._number(run_id), self._claim("")
        self._writer.call(lambda connection: remove(connection, number, claim))

    def head(self, run_id: str) -> RunHead:
        number, pending = self._number(run_id), self._last_pending()
        (row,) = self._reader.rows(f"{_HEADS} WHERE number=?", number)
        return _head(row, pending.get(run_id))

    def _number(self, run_id: str) -> int:
        """The row of a run, which any process may have removed. Raises `UsageError`."""
        # what isn't printable may not even be text to SQLite, and names no run
        found = run_id.isprintable() and self._reader.rows("SELECT number FROM runs WHERE id=?", run_id)
        if not found:
            raise UsageError(f"there is no run {run_id!r}; 'autoagent runs' lists them")
        return int(found[0][0])

    def _last_pending(self) -> dict[str, Entry]:
        with self._lock:
            return {run_id: pending[-1] for run_id, pending in self._pending.items()}

    # --- reading --------------------------------------------------------------------------------------------

    def read(self, run_id: str, after: int = 0, upto: int | None = None) -> list[Entry]:
        with self._lock:  # before the committed ones: an entry is taken from here once it is there
            pending = list(self._pending.get(run_id, ()))
        entries = rows.read(self._reader, self._parts_of(run_id), after, upto=upto)
        last = entries[-1].seq if entries else after
        return entries + [e for e in pending if e.seq > last and (upto is None or e.seq <= upto)]

    def read_kinds(self, run_id: str, *kinds: str) -> list[Entry]:
        """The committed entries of some kinds, in order: far quicker than all. Raises as `read`."""
        return rows.read_kinds(self._reader, self._parts_of(run_id), kinds)

    def holding(self, run_id: str, text: str, kinds: Sequence[str], after: int, upto: int) -> list[Entry]:
        """The committed entries of these kinds, in a range, in which `text` may stand, in whatever case.

        Looked for by the database, so of 100,000 entries only these are read.
        """
        return rows.holding(self._reader, self._parts_of(run_id), text, kinds, after, upto)

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Entry]:
        """Yields what is committed, so that nothing shown is ever taken back."""
        import asyncio

        seen = None
        while True:
            if (version := self._reader.version()) != seen:
                while entries := rows.read(self._reader, self._parts_of(run_id), after, CHUNK):
                    for entry in entries:
                        yield entry
                    after = entries[-1].seq
                    await asyncio.sleep(0)
                seen = version
            await asyncio.sleep(POLL_S)

    def _parts_of(self, run_id: str) -> tuple[rows.Part, ...]:
        number = self._number(run_id)
        if number not in self._parts:
            self._parts[number] = rows.parts_of(self._reader, number)
        return self._parts[number]

    # --- the chain ------------------------------------------------------------------------------------------

    def link(self, run_id: str) -> str:
        row = self._reader.row("SELECT link, entries FROM runs WHERE number=?", self._number(run_id))
        assert row is not None
        link, entries = row
        # a run from before there was a chain, to which nothing has been added since
        return link.hex() if link is not None else self.verify(run_id).head if entries else ""

    def verify(self, run_id: str, upto: int | None = None) -> Verification:
        self._await_queued(run_id)
        stretches = rows.stretches(self._reader, self._parts_of(run_id), upto)
        with garbage.put_off():
            return chain.verify(run_id, list(stretches))

    def fork(self, run_id: str, at: int, new_id: str, forked: Forked) -> None:
        _check_id(new_id)
        self._await_queued(run_id)
        prefix = self._good_prefix(run_id, at)
        (before,) = rows.read(self._reader, self._parts_of(run_id), at - 1, 1)
        now = self._now()
        fork = rows.NewFork(
            run_id=new_id,
            workspace=to_bytes(forked.workspace),
            created_us=to_us(now),
            parent=next(p.run for p in self._parts_of(run_id) if p.upto is None or at <= p.upto),
            at=at,
            link=bytes.fromhex(prefix.head),
            own=rows.stored_entry(Entry(seq=at + 1, at=now, epoch=before.epoch + 1, event=forked)),
        )

        def insert(connection: sqlite3.Connection) -> None:
            _refuse_taken(connection, new_id)
            rows.insert_fork(connection, fork)

        self._writer.call(insert)

    def blank(self, run_id: str, secret: str, objects: Sequence[str] = ()) -> Blanked:
        self._await_queued(run_id)
        parts = self._parts_of(run_id)
        blanked = blanking.blank(self._reader.path, parts, secret, self._claim(""), objects)
        self._objects.remove_large(objects)
        return blanked

    def _good_prefix(self, run_id: str, at: int) -> Verification:
        """The entries up to `at`, checked."""
        entries = self.head(run_id).entries
        if not 1 <= at <= entries:
            raise UsageError(f"run {run_id!r} has entries 1 to {entries}, and no entry {at}")
        prefix = self.verify(run_id, at)
        if prefix.first_bad is not None:
            raise StoreDamaged(f"run {run_id!r}: entry {prefix.first_bad} is broken: {prefix.why}")
        return prefix

    def _await_queued(self, run_id: str) -> None:
        """Wait until what this process has queued for the run is written."""
        with self._lock:
            is_pending = run_id in self._pending
        if is_pending:
            self._writer.barrier().result()

    # --- the lease ------------------------------------------------------------------------------------------

    def acquire(self, run_id: str, holder: str) -> Lease:
        number, claim = self._number(run_id), self._claim(holder)
        lease, entries = self._writer.call(lambda connection: leases.acquire(connection, number, claim))
        self._held[run_id] = _Held(lease, number, entries)
        self._heart.start()
        return lease

    def holds(self, lease: Lease) -> bool:
        found = self._reader.row(
            "SELECT 1 FROM leases JOIN runs ON runs.number=leases.run WHERE runs.id=? AND leases.epoch=?",
            lease.run_id,
            lease.epoch,
        )
        return found is not None

    def renew(self, lease: Lease) -> None:
        number, at = self._number(lease.run_id), self._instant()
        self._writer.call(lambda connection: leases.renew(connection, number, lease, at), sync=False)

    def release(self, lease: Lease) -> None:
        held = self._held.get(lease.run_id)
        number = self._number(lease.run_id) if held is None else held.run
        if held is not None and held.lease.epoch == lease.epoch:
            del self._held[lease.run_id]  # first: a beat that comes behind the release has lost nothing
        self._writer.call(lambda connection: leases.release(connection, number, lease))

    def holder(self, run_id: str) -> str | None:
        """The living process that carries the run, for people; `None` where there is none."""
        row = self._reader.row(f"{leases.HOLDER} WHERE run=?", self._number(run_id))
        holder = leases.Holder.of(row) if row is not None else None
        return str(holder.process) if holder is not None and holder.lives(self._claim("")) else None

    def _beat(self) -> None:
        """Renew what is held; a lease that was lost is so for good, and the next `append` says it."""
        for held in list(self._held.values()):
            try:
                self.renew(held.lease)
            except (LeaseLost, UsageError):  # taken over; or released meanwhile, and even removed
                if self._held.get(held.lease.run_id) is held:
                    held.error = held.error or LeaseLost(held.lease.run_id, held.lease.epoch)

    def _instant(self) -> Instant:
        return Instant(self._now(), self._process().clock, self._monotonic_ns())

    def _claim(self, holder: str) -> leases.Claim:
        return leases.Claim(holder, self._process(), self._instant(), self._stale_after_s)

    def _process(self) -> Process:
        self._known_process = self._known_process or this_process()
        return self._known_process

    # --- writing --------------------------------------------------------------------------------------------

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        if not entries:
            return
        held = self._expecting(lease, entries)
        stored, last_seq = [rows.stored_entry(entry) for entry in entries], entries[-1].seq
        with self._lock:
            self._pending.setdefault(lease.run_id, deque()).extend(entries)
        held.entries += len(entries)

        def insert(connection: sqlite3.Connection) -> None:
            rows.insert(connection, held.run, lease, stored)

        def settled(error: Exception | None) -> None:
            self._settle(held, last_seq, error)

        try:
            self._writer.queue(insert, settled, sync=sync)
        except AutoagentError as error:
            settled(error)
            raise
        self._faults.reached("entries queued")

    def _expecting(self, lease: Lease, entries: Sequence[Entry]) -> _Held:
        """What is known of the run, into which `entries` fit."""
        held = self._held.get(lease.run_id)
        if held is None or held.lease.epoch != lease.epoch:
            raise LeaseLost(lease.run_id, lease.epoch)
        if held.error is not None:
            raise held.error
        first = entries[0].seq
        if first != held.entries + 1:
            raise JournalConflict(lease.run_id, first, held.entries)
        if any(e.seq != first + i or e.epoch != lease.epoch for i, e in enumerate(entries)):
            raise ValueError(
                f"entries of run {lease.run_id!r} must count up from {first} in epoch {lease.epoch}"
            )
        return held

    def _settle(self, held: _Held, last_seq: int, error: Exception | None) -> None:
        """Forget entries that are committed, or that never will be. On the writer's thread."""
        run_id = held.lease.run_id
        with self._lock:
            pending = self._pending.setdefault(run_id, deque())
            if error is not None:  # what was queued behind it fails as well
                held.error = held.error or error
                pending.clear()
            while pending and pending[0].seq <= last_seq:
                pending.popleft()
            if not pending:
                del self._pending[run_id]

    async def durable(self) -> None:
        import asyncio

        await asyncio.wrap_future(self._writer.barrier())
        self._raise_errors(self._held.values())

    def _raise_errors(self, runs: Iterable[_Held]) -> None:
        for held in runs:
            if held.error is not None:
                raise held.error

    # --- commands -------------------------------------------------------------------------------------------

    def send(self, run_id: str, command: Command, by: str) -> SentCommand:
        run, at, stored = self._number(run_id), self._now(), COMMANDS.encode(command)
        by = by.encode(errors="backslashreplace").decode()

        def insert(connection: sqlite3.Connection) -> int:
            (last,) = connection.execute("SELECT max(number) FROM commands WHERE run=?", (run,)).fetchone()
            number = (last or 0) + 1
            row = (run, number, to_us(at), by, stored.kind, stored.version, stored.body)
            connection.execute("INSERT INTO commands VALUES (?,?,?,?,?,?,?)", row)
            return number

        return SentCommand(number=self._writer.call(insert), at=at, by=by, command=command)

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]:
        found = self._reader.rows(
            "SELECT number, at_us, by, kind, version, body FROM commands"
            " WHERE run=? AND number>? ORDER BY number",
            self._number(run_id),
            after,
        )
        return [_command(run_id, *row) for row in found]

    def close(self) -> None:
        held = list(self._held.values())
        try:
            for each in held:
                self.release(each.lease)
            self._raise_errors(held)
        finally:
            self._let_go()


def _beating(journal: weakref.ref[SqliteJournal]) -> Callable[[], None]:
    """A heartbeat that keeps no journal alive that nobody uses any more."""

    def beat() -> None:
        if (alive := journal()) is not None:
            alive._beat()

    return beat


def _let_go(heart: Heart, writer: Writer, reader: Reader, objects: SqliteObjects) -> None:
    heart.stop()
    try:
        writer.close()
    finally:
        reader.close()
        objects.close()


def _check_id(run_id: str) -> None:
    if not run_id or not run_id.isprintable():
        raise UsageError(f"{run_id!r} can't name a run; use letters and digits")


def _refuse_taken(connection: sqlite3.Connection, run_id: str) -> None:
    if connection.execute("SELECT 1 FROM runs WHERE id=?", (run_id,)).fetchone():
        raise UsageError(f"there is already a run {run_id!r}; choose another id")


def _command(
    run_id: str, number: int, at_us: int, by: str, kind: str, version: int, body: str
) -> SentCommand:
    command = COMMANDS.decode(Stored(kind, version, body), run_id, number)
    return SentCommand(number=number, at=from_us(at_us), by=by, command=command)


def _head(row: tuple[Any, ...], pending: Entry | None) -> RunHead:
    """A run as stored, and as `pending`, its last entry on the way to the disk, makes it."""
    run_id, workspace, created_us, entries, last_us, last_kind = row
    if pending is not None and pending.seq > entries:
        entries, last_us, last_kind = pending.seq, to_us(pending.at), pending.event.kind
    return RunHead(
        id=run_id,
        workspace=to_path(workspace),
        created_at=from_us(created_us),
        entries=entries,
        last_at=None if last_us is None else from_us(last_us),
        last_kind=last_kind,
    )
