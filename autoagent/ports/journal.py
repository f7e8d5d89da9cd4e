"""The journal, the objects that its entries name, and who hears of an entry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from autoagent.commands import Command
from autoagent.events import Entry, Forked
from autoagent.messages import Frozen


class RunHead(Frozen):
    """A run as a list shows it."""

    id: str
    workspace: str
    created_at: datetime
    entries: int
    last_at: datetime | None
    last_kind: str | None


class Lease(Frozen):
    """The right to write a run; fenced by its epoch."""

    run_id: str
    workspace: str
    epoch: int
    holder: str
    """Who has it, for people: `host:pid`."""


class SentCommand(Frozen):
    """A command as it stands in the second stream."""

    number: int
    """From 1, without gaps, a run."""
    at: datetime
    by: str
    command: Command


class Verification(Frozen):
    """Whether a run's entries are what was written."""

    run: str
    entries: int
    """How many are good, from the first on without a gap."""
    head: str
    """Link of the last good entry, hex: stands for all entries up to it. Empty where there is none."""
    first_bad: int | None = None
    """The first entry that isn't what was written, or isn't there; `None` where the run is whole."""
    why: str = ""
    kind: str = ""
    """Of the first bad entry, as far as it can be read."""
    at: datetime | None = None
    """As `kind`."""
    blanked: tuple[int, ...] = ()
    """Entries in which a secret was masked; the rest of them is only as sure as the file."""
    unchained: int = 0
    """So many entries were written before there was a chain; one value covers them all."""


class Blanked(Frozen):
    """What `Journal.blank` did."""

    entries: tuple[int, ...]
    commands: tuple[int, ...]
    """Numbers of the commands that held the secret."""


class Objects(Protocol):
    """Immutable bytes named by their SHA-256 (hex).

    An object is readable at once after `put`, and durable no later than any entry appended after it.
    """

    def put(self, data: bytes) -> str: ...

    def put_stream(self, stream: BinaryIO) -> tuple[str, int]:
        """Store all of `stream` without holding it in memory; (hash, size in bytes)."""
        ...

    def get(self, sha256: str) -> bytes:
        """Raises `StoreUnavailable` where it isn't there or its bytes don't match its name; `ObjectBlanked`
        where they were removed on purpose.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """As `get`, for large objects."""
        ...

    def has(self, sha256: str) -> bool: ...


class Journal(Protocol):
    """Append-only entries and commands of runs. One writer a run, many readers.

    Entries form a chain of hashes, so that `verify` finds one that was edited, moved, taken out or put in.
    Reading is synchronous and sees every entry appended through this object. `append` is synchronous and
    returns at once; `durable` waits until all of it is on disk.
    """

    @property
    def objects(self) -> Objects: ...

    def runs(self) -> Sequence[RunHead]:
        """All runs, newest first."""
        ...

    def create(self, run_id: str, workspace: str) -> None:
        """A new, empty run. Raises `UsageError` where the id is taken or isn't printable."""
        ...

    def remove(self, run_id: str) -> None:
        """Forget a run, its entries and commands, for good; objects stay.

        Raises `UsageError` for an unknown run and for one that another was forked from, `RunOwned` where a
        living process carries it.
        """
        ...

    def head(self, run_id: str) -> RunHead:
        """Raises `UsageError` for an unknown run."""
        ...

    def read(self, run_id: str, after: int = 0, upto: int | None = None) -> list[Entry]:
        """Entries with `seq > after`, and `seq <= upto` where it is given, in order.

        Raises `NewerVersion`; `StoreDamaged`; `UsageError` for an unknown run.
        """
        ...

    def link(self, run_id: str) -> str:
        """The link of the last entry that is committed, hex; empty for a run without any."""
        ...

    def verify(self, run_id: str, upto: int | None = None) -> Verification:
        """Check the chain, as far as entry `upto`. Raises `UsageError` for an unknown run."""
        ...

    def fork(self, run_id: str, at: int, new_id: str, forked: Forked) -> None:
        """A new run: the entries of `run_id` up to `at`, which the two share, then `forked`.

        All or nothing, and durable when it returns. The chain goes on from entry `at`. Needs no lease.
        Raises `UsageError` for an unknown run, a taken id and an entry that isn't there; `StoreDamaged`
        where one up to `at` isn't what was written.
        """
        ...

    def blank(self, run_id: str, secret: str, objects: Sequence[str] = ()) -> Blanked:
        """Replace `secret` by `MASK` in what the run's entries and commands say, however JSON escapes it.

        The entries keep their digests and are marked, so that the chain still holds. The bytes of `objects`,
        which can't change without another name, are removed: `get` says that they were blanked. Where the
        journal is on disk the secret is gone from its files when it returns. Raises `RunOwned` where a
        process carries the run; `UsageError` for a secret without which an entry couldn't be read; nothing
        is changed then.
        """
        ...

    def acquire(self, run_id: str, holder: str) -> Lease:
        """The lease of the run and of its folder, with the next epoch.

        A living holder's lease isn't taken: raises `RunOwned`. A dead holder's is, and that of one who wasn't
        heard of for long.
        """
        ...

    def holds(self, lease: Lease) -> bool:
        """Whether the lease holds at this moment, as every process sees it; quick, on any thread."""
        ...

    def renew(self, lease: Lease) -> None:
        """Heartbeat. Raises `JournalConflict` where the lease was lost."""
        ...

    def release(self, lease: Lease) -> None: ...

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        """Queue entries, in order and all or none; with `sync` they are fsynced when `durable` returns.

        Raises `JournalConflict` if the run has other entries than expected or the epoch is stale, here or at
        each later call; `ValueError` for entries that can't be stored (NaN, a time without a zone).
        """
        ...

    async def durable(self) -> None:
        """Return when everything appended so far is committed. Raises what `append` could not."""
        ...

    def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Entry]:
        """Entries as they are committed, by any process, without end."""
        ...

    def send(self, run_id: str, command: Command, by: str) -> SentCommand:
        """Append a command; durable when it returns. Raises `UsageError` for an unknown run."""
        ...

    def commands(self, run_id: str, after: int = 0) -> list[SentCommand]: ...

    def close(self) -> None:
        """Write what is queued, release the leases still held, and let go. Raises what `append` could not."""
        ...


OnEntry = Callable[[Entry], None]
"""Hears each entry after it was appended; must not block."""
