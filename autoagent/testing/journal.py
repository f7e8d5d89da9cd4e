"""A journal in memory, for tests: the whole port, nothing on disk, no thread, no waiting.

`MemoryJournal.after_kill` is what the next process finds: with it a test can stop a run after any entry and
resume it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from autoagent.clock import Clock, SystemClock
from autoagent.commands import Command
from autoagent.errors import JournalConflict, LeaseLost, RunOwned, StoreDamaged, UsageError
from autoagent.events import Entry, Forked
from autoagent.journal.chain import NOTHING, StoredEntry, Stretch, chained, digest_of, verify
from autoagent.journal.codec import COMMANDS, EVENTS, Stored, from_us
from autoagent.journal.entries import loaded_entry, stored_entry
from autoagent.journal.masking import forms_of, masked
from autoagent.ports import Blanked, Lease, RunHead, SentCommand, Verification
from autoagent.testing.objects import MemoryObjects


@dataclass
class _Run:
    id: str
    workspace: str
    created_at: datetime
    epoch: int = 0
    lease: Lease | None = None
    parent: _Run | None = None
    parent_at: int = 0
    anchor: bytes | None = None
    rows: list[StoredEntry] = field(default_factory=list)
    """Its own, behind those of its parent."""
    count: int = 0
    """Entries, with those of its parent."""
    head: bytes | None = None
    commands: list[SentCommand] = field(default_factory=list)

    def all_rows(self) -> list[StoredEntry]:
        before = self.parent.all_rows()[: self.parent_at] if self.parent is not None else []
        return before + self.rows

    def put(self, rows: Sequence[StoredEntry]) -> None:
        self.rows += chained(self.head or NOTHING, self.id, rows)
        self.count, self.head = self.rows[-1].seq, self.rows[-1].link

    def stretches(self, upto: int | None) -> Iterator[Stretch]:
        if self.parent is not None:
            yield from self.parent.stretches(self.parent_at if upto is None else min(upto, self.parent_at))
        if upto is not None and upto <= self.parent_at:
            return
        last = self.count if upto is None else min(upto, self.count)
        yield Stretch(
            run_id=self.id,
            entries=[row for row in self.rows if upto is None or row.seq <= upto],
            last=last,
            anchored_at=self.parent_at,
            anchor=self.anchor,
            head=self.head if last == self.count else None,
        )


class MemoryJournal:
    """Implements `autoagent.ports.Journal`. Leases live until they are released or `after_kill`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._objects = MemoryObjects()
        self._runs: dict[str, _Run] = {}
        self._grown = asyncio.Event()

    @property
    def objects(self) -> MemoryObjects:
        return self._objects

    def after_kill(self, keep: int | None = None) -> MemoryJournal:
        """A journal as the next process finds it when this one's is killed now.

        No lease is alive; of each run's entries the first `keep` are there, all of them with `None`. Objects
        and commands are kept. The two journals share nothing from then on.
        """
        copy = MemoryJournal(self._clock)
        copy._objects.data.update(self._objects.data)
        copy._objects.blanked |= self._objects.blanked
        for run in self._runs.values():  # a parent stands before its forks
            kept = [row for row in run.rows if keep is None or row.seq <= keep]
            copy._runs[run.id] = replace(
                run,
                lease=None,
                parent=None if run.parent is None else copy._runs[run.parent.id],
                rows=kept,
                count=kept[-1].seq if kept else run.parent_at,
                head=kept[-1].link if kept else run.anchor,
                commands=[*run.commands],
            )
        return copy

    # --- runs -----------------------------------------------------------------------------------------------

    def runs(self) -> Sequence[RunHead]:
        oldest_first = sorted(self._runs.values(), key=lambda run: run.created_at)
        return [_head(run) for run in reversed(oldest_first)]

    def create(self, run_id: str, workspace: str) -> None:
        self._refuse_taken(run_id)
        self._runs[run_id] = _Run(run_id, workspace, self._clock.now())

    def _refuse_taken(self, run_id: str) -> None:
        if not run_id or not run_id.isprintable():
            raise UsageError(f"{run_id!r} can't name a run; use letters and digits")
        if run_id in self._runs:
            raise UsageError(f"there is already a run {run_id!r}; choose another id")

    def remove(self, run_id: str) -> None:
        run = self._run(run_id)
        if run.lease is not None:
            raise RunOwned(f"run {run_id!r}", run.lease.holder)
        if fork := next((each.id for each in self._runs.values() if each.parent is run), None):
            raise UsageError(f"run {fork!r} was forked from it and shares its entries; remove that one first")
        del self._runs[run_id]

    def head(self, run_id: str) -> RunHead:
        return _head(self._run(run_id))

    def _run(self, run_id: str) -> _Run:
        if run_id not in self._runs:
            raise UsageError(f"there is no run {run_id!r}; 'autoagent runs' lists them")
        return self._runs[run_id]

    # --- entries --------------------------------------------------------------------------------------------

    def read(self, run_id: str, after: int = 0, upto: int | None = None) -> list[Entry]:
        return [loaded_entry(run_id, row) for row in self._run(run_id).all_rows()[after:upto]]

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Entry]:
        """Woken by `append`; never polls."""
        run = self._run(run_id)
        while True:
            grown = self._grown
            while after < run.count:
                after += 1
                yield loaded_entry(run_id, run.all_rows()[after - 1])
            await grown.wait()

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        if not entries:
            return
        run = self._held(lease)
        first = entries[0].seq
        if first != run.count + 1:
            raise JournalConflict(run.id, first, run.count)
        if any(e.seq != first + i or e.epoch != lease.epoch for i, e in enumerate(entries)):
            raise ValueError(f"entries of run {run.id!r} must count up from {first} in epoch {lease.epoch}")
        run.put([stored_entry(entry) for entry in entries])
        self._grown.set()
        self._grown = asyncio.Event()

    async def durable(self) -> None:
        # a turn of the loop, as in every journal that has something to wait for
        await asyncio.sleep(0)

    # --- the chain ------------------------------------------------------------------------------------------

    def link(self, run_id: str) -> str:
        return (self._run(run_id).head or b"").hex()

    def verify(self, run_id: str, upto: int | None = None) -> Verification:
        return verify(run_id, [*self._run(run_id).stretches(upto)])

    def fork(self, run_id: str, at: int, new_id: str, forked: Forked) -> None:
        parent = self._run(run_id)
        self._refuse_taken(new_id)
        if not 1 <= at <= parent.count:
            raise UsageError(f"run {run_id!r} has entries 1 to {parent.count}, and no entry {at}")
        prefix, now = self.verify(run_id, at), self._clock.now()
        if prefix.first_bad is not None:
            raise StoreDamaged(f"run {run_id!r}: entry {prefix.first_bad} is broken: {prefix.why}")
        epoch, link = parent.all_rows()[at - 1].epoch + 1, bytes.fromhex(prefix.head)
        fork = _Run(new_id, forked.workspace, now, epoch, None, parent, at, link, count=at, head=link)
        fork.put([stored_entry(Entry(seq=at + 1, at=now, epoch=epoch, event=forked))])
        self._runs[new_id] = fork

    def blank(self, run_id: str, secret: str, objects: Sequence[str] = ()) -> Blanked:
        run, forms = self._run(run_id), forms_of(secret)
        if run.lease is not None:
            raise RunOwned(f"run {run_id!r}", run.lease.holder)
        new = {row.seq: row for old in run.all_rows() if (row := _masked(old, forms)) is not None}
        changed = {
            sent.number: COMMANDS.decode(stored, run_id, sent.number)
            for sent in run.commands
            if (stored := masked(COMMANDS.encode(sent.command), COMMANDS, forms, sent.number))
        }
        self._replace(run, new, run.count)
        run.commands = [
            sent.model_copy(update={"command": changed.get(sent.number, sent.command)})
            for sent in run.commands
        ]
        self._objects.blank(objects)
        return Blanked(entries=tuple(new), commands=tuple(changed))

    def rewrite(self, run_id: str, change: Callable[[list[StoredEntry]], list[StoredEntry]]) -> None:
        """Damage a run: its own rows become what `change` makes of them, and nothing is told."""
        run = self._run(run_id)
        run.rows = change(run.rows)

    def _replace(self, run: _Run, new: dict[int, StoredEntry], upto: int) -> None:
        """Put other rows in the place of a run's, its parents' too."""
        run.rows = [new.get(row.seq, row) if row.seq <= upto else row for row in run.rows]
        if run.parent is not None:
            self._replace(run.parent, new, min(upto, run.parent_at))

    # --- the lease ------------------------------------------------------------------------------------------

    def acquire(self, run_id: str, holder: str) -> Lease:
        run = self._run(run_id)
        for other in self._runs.values():
            if other.lease is not None and (other is run or other.workspace == run.workspace):
                what = f"run {run_id!r}" if other is run else f"folder {run.workspace!r} (run {other.id!r})"
                raise RunOwned(what, other.lease.holder)
        run.epoch += 1
        run.lease = Lease(run_id=run_id, workspace=run.workspace, epoch=run.epoch, holder=holder)
        return run.lease

    def holds(self, lease: Lease) -> bool:
        run = self._runs.get(lease.run_id)
        return run is not None and run.lease is not None and run.lease.epoch == lease.epoch

    def renew(self, lease: Lease) -> None:
        self._held(lease)

    def release(self, lease: Lease) -> None:
        run = self._run(lease.run_id)
        if run.lease is not None and run.lease.epoch == lease.epoch:
            run.lease = None

    def _held(self, lease: Lease) -> _Run:
        run = self._run(lease.run_id)
        if run.lease is None or run.lease.epoch != lease.epoch:
            raise LeaseLost(lease.run_id, lease.epoch)
        return run

    # --- commands -------------------------------------------------------------------------------------------

    def send(self, run_id: str, command: Command, by: str) -> SentCommand:
        commands = self._run(run_id).commands
        number = len(commands) + 1
        stored = COMMANDS.decode(COMMANDS.encode(command), run_id, number)
        sent = SentCommand(number=number, at=self._clock.now(), by=by, command=stored)
        commands.append(sent)
        return sent

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]:
        return self._run(run_id).commands[after:]

    def close(self) -> None:
        for run in self._runs.values():
            run.lease = None


def _head(run: _Run) -> RunHead:
    rows = run.all_rows()
    last = rows[-1] if rows else None
    return RunHead(
        id=run.id,
        workspace=run.workspace,
        created_at=run.created_at,
        entries=run.count,
        last_at=None if last is None else from_us(last.at_us),
        last_kind=None if last is None else last.kind,
    )


def _masked(row: StoredEntry, forms: Sequence[str]) -> StoredEntry | None:
    """The row without a secret; `None` where it doesn't hold it."""
    new = masked(Stored(row.kind, row.version, row.body.decode()), EVENTS, forms, row.seq)
    if new is None:
        return None
    body = new.body.encode()
    return row._replace(body=body, blanked=digest_of(row.kind, row.version, body))
