"""A journal in memory, for tests: the whole port, nothing on disk, no thread, no waiting.

`MemoryJournal.after_kill` is what the next process finds: with it a test can stop a run after any entry and
resume it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from autoagent.clock import Clock, SystemClock
from autoagent.commands import Command
from autoagent.errors import JournalConflict, LeaseLost, RunOwned, UsageError
from autoagent.events import Entry
from autoagent.journal.codec import COMMANDS, EVENTS, from_us, to_us
from autoagent.ports import Lease, RunHead, SentCommand
from autoagent.testing.objects import MemoryObjects


@dataclass
class _Run:
    id: str
    workspace: str
    created_at: datetime
    epoch: int = 0
    lease: Lease | None = None
    entries: list[Entry] = field(default_factory=list)
    commands: list[SentCommand] = field(default_factory=list)


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
        for run in self._runs.values():
            copy._runs[run.id] = _Run(
                run.id, run.workspace, run.created_at, run.epoch, None, run.entries[:keep], [*run.commands]
            )
        return copy

    # --- runs -----------------------------------------------------------------------------------------------

    def runs(self) -> Sequence[RunHead]:
        oldest_first = sorted(self._runs.values(), key=lambda run: run.created_at)
        return [_head(run) for run in reversed(oldest_first)]

    def create(self, run_id: str, workspace: str) -> None:
        if not run_id or not run_id.isprintable():
            raise UsageError(f"{run_id!r} can't name a run; use letters and digits")
        if run_id in self._runs:
            raise UsageError(f"there is already a run {run_id!r}; choose another id")
        self._runs[run_id] = _Run(run_id, workspace, self._clock.now())

    def head(self, run_id: str) -> RunHead:
        return _head(self._run(run_id))

    def _run(self, run_id: str) -> _Run:
        if run_id not in self._runs:
            raise UsageError(f"there is no run {run_id!r}; 'autoagent runs' lists them")
        return self._runs[run_id]

    # --- entries --------------------------------------------------------------------------------------------

    def read(self, run_id: str, after: int = 0) -> list[Entry]:
        return self._run(run_id).entries[after:]

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Entry]:
        """Woken by `append`; never polls."""
        run = self._run(run_id)
        while True:
            grown = self._grown
            while after < len(run.entries):
                after += 1
                yield run.entries[after - 1]
            await grown.wait()

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        if not entries:
            return
        run = self._held(lease)
        first = entries[0].seq
        if first != len(run.entries) + 1:
            raise JournalConflict(run.id, first, len(run.entries))
        if any(e.seq != first + i or e.epoch != lease.epoch for i, e in enumerate(entries)):
            raise ValueError(f"entries of run {run.id!r} must count up from {first} in epoch {lease.epoch}")
        run.entries.extend([_as_stored(run.id, entry) for entry in entries])
        self._grown.set()
        self._grown = asyncio.Event()

    async def durable(self) -> None:
        # a turn of the loop, as in every journal that has something to wait for
        await asyncio.sleep(0)

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
    last = run.entries[-1] if run.entries else None
    return RunHead(
        id=run.id,
        workspace=run.workspace,
        created_at=run.created_at,
        entries=len(run.entries),
        last_at=None if last is None else last.at,
        last_kind=None if last is None else last.event.kind,
    )


def _as_stored(run_id: str, entry: Entry) -> Entry:
    """The entry as it comes back from a disk: a test must see what a resumed run would see."""
    event = EVENTS.decode(EVENTS.encode(entry.event), run_id, entry.seq)
    return entry.model_copy(update={"event": event, "at": from_us(to_us(entry.at))})
