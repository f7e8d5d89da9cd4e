"""The run as this process carries it: its state, and the one way to change it.

`record` is synchronous on the loop's thread: between reading the state and recording a decision there is no
`await`, so two lanes never decide on the same facts. Durability is awaited only before an effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from autoagent.clock import Clock
from autoagent.errors import LeaseLost
from autoagent.events import Entry, Event
from autoagent.faults import NO_FAULTS, Faults
from autoagent.ports import Lease, Objects, OnEntry, SentCommand
from autoagent.secrecy import Strike
from autoagent.state import RunState, advance, fold

T = TypeVar("T")


class RunJournal(Protocol):
    """What a run needs of its journal; `ports.Journal` says what each promises."""

    @property
    def objects(self) -> Objects: ...

    def read(self, run_id: str, after: int = 0) -> list[Entry]: ...

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None: ...

    async def durable(self) -> None: ...

    def renew(self, lease: Lease) -> None: ...

    def holds(self, lease: Lease) -> bool: ...

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]: ...


class History:
    """State and journal of one run, moving together."""

    def __init__(
        self,
        journal: RunJournal,
        lease: Lease,
        clock: Clock,
        on_entry: OnEntry | None = None,
        faults: Faults = NO_FAULTS,
        strike: Strike | None = None,
    ) -> None:
        self.journal = journal
        self.lease = lease
        self.clock = clock
        self.faults = faults
        """Hears of each gap between an effect and its record."""
        self.strike = strike or Strike({})
        """Strikes the person's secrets out of everything that is recorded."""
        self._on_entry = on_entry or (lambda entry: None)
        self._waiting: list[asyncio.Future[None]] = []
        self.state: RunState = fold(lease.run_id, journal.read(lease.run_id))

    @property
    def run_id(self) -> str:
        return self.lease.run_id

    def record(self, *events: Event, sync: bool = False) -> RunState:
        """Append facts, all or none, and return the state after them. No secret stands in them.

        With `sync` they survive a power cut once `durable` returns.
        """
        now, first = self.clock.now(), self.state.seq + 1
        entries = [
            Entry(seq=first + i, at=now, epoch=self.lease.epoch, event=self.strike.model(event))
            for i, event in enumerate(events)
        ]
        state = self.state
        for entry in entries:
            state = advance(state, entry)
        self.journal.append(self.lease, entries, sync=sync)
        self.state = state
        self._tell(entries)
        return state

    def assert_owned(self) -> None:
        """The last thing before anything outside is touched; on any thread. Raises `LeaseLost`.

        A process that was frozen must not go on where it stopped: another may carry the run by now.
        """
        if not self.journal.holds(self.lease):
            raise LeaseLost(self.lease.run_id, self.lease.epoch)

    async def durable(self) -> None:
        """Everything recorded so far is on disk."""
        await self.journal.durable()

    async def until(self, test: Callable[[RunState], T | None]) -> T:
        """Wait until `test` finds something true in the state, and return it."""
        while not (found := test(self.state)):
            await self.until_next()
        return found

    async def until_next(self) -> None:
        """Wait for the next entry, or for `wake`."""
        changed = asyncio.get_running_loop().create_future()
        self._waiting.append(changed)
        await changed

    def wake(self) -> None:
        """Let everything that waits in `until` look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _tell(self, entries: Sequence[Entry]) -> None:
        self.wake()
        for entry in entries:
            self._on_entry(entry)
