"""Leases as rows: who may write a run and its folder. Owns epochs and takeovers.

Each function that takes a connection runs inside the writer's transaction, so no two processes can both be
given a lease.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from typing import Any

from autoagent.errors import LeaseLost, RunOwned
from autoagent.journal.codec import from_us, to_us
from autoagent.journal.process import STALE_AFTER_S, Instant, Process, is_there
from autoagent.ports import Lease


def to_bytes(path: str) -> bytes:
    """A path as bytes: the database takes no text without UTF-8, a file system does."""
    return path.encode("utf-8", "surrogateescape")


def to_path(raw: bytes) -> str:
    """The inverse of `to_bytes`."""
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Claim:
    """Who wants a lease, and when."""

    holder: str
    """For people."""
    process: Process
    at: Instant
    stale_after_s: float = STALE_AFTER_S


def acquire(connection: sqlite3.Connection, run: int, claim: Claim) -> tuple[Lease, int]:
    """The lease, and how many entries the run has. Raises `RunOwned`."""
    run_id, raw, epoch, entries = connection.execute(
        "SELECT id, workspace, epoch + 1, entries FROM runs WHERE number=?", (run,)
    ).fetchone()
    workspace = to_path(raw)
    folder = to_bytes(os.path.realpath(workspace))
    refuse_if_held(connection, "leases.run=? OR folder=?", (run, folder), claim, run)
    connection.execute("DELETE FROM leases WHERE run=? OR folder=?", (run, folder))
    connection.execute("UPDATE runs SET epoch=? WHERE number=?", (epoch, run))
    p, at = claim.process, claim.at
    connection.execute(
        "INSERT INTO leases"
        " (run, folder, epoch, host, boot, pid_space, pid, started, beat_us, clock, beat_ns)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (run, folder, epoch, p.host, p.boot, p.pid_space, p.pid, p.started, to_us(at.now), at.clock, at.ns),
    )
    return Lease(run_id=run_id, workspace=workspace, epoch=epoch, holder=claim.holder), entries


def renew(connection: sqlite3.Connection, run: int, lease: Lease, at: Instant) -> None:
    """Move the heartbeat. Raises `LeaseLost`."""
    done = connection.execute(
        "UPDATE leases SET beat_us=?, clock=?, beat_ns=? WHERE run=? AND epoch=?",
        (to_us(at.now), at.clock, at.ns, run, lease.epoch),
    )
    if done.rowcount == 0:
        raise LeaseLost(lease.run_id, lease.epoch)


def release(connection: sqlite3.Connection, run: int, lease: Lease) -> None:
    """Give the lease up; nothing happens where it was lost."""
    connection.execute("DELETE FROM leases WHERE run=? AND epoch=?", (run, lease.epoch))


HOLDER = "SELECT host, boot, pid_space, pid, started, beat_us, clock, beat_ns FROM leases"
"""Rows for `Holder.of`."""


@dataclass(frozen=True)
class Holder:
    """A process that was given a lease, and when it was last heard of."""

    process: Process
    beat: Instant

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Holder:
        host, boot, pid_space, pid, started, beat_us, clock, beat_ns = row
        return cls(Process(host, boot, pid_space, pid, started), Instant(from_us(beat_us), clock, beat_ns))

    def lives(self, claim: Claim) -> bool:
        """Whether it may still write: it is there, and was heard of lately."""
        return is_there(self.process, claim.process) and self.silent_s(claim) < claim.stale_after_s

    def silent_s(self, claim: Claim) -> float:
        return claim.at.since_s(self.beat)


def refuse_if_held(
    connection: sqlite3.Connection,
    where: str,
    values: tuple[object, ...],
    claim: Claim,
    run: int | None = None,
) -> None:
    """Raises `RunOwned` where one of these leases is a living process's; `run`: the one that is wanted."""
    rows = connection.execute(
        "SELECT runs.id, leases.run, folder, host, boot, pid_space, pid, started, beat_us, clock, beat_ns"
        f" FROM leases JOIN runs ON runs.number=leases.run WHERE {where}",
        values,
    )
    for run_id, held_run, folder, *row in rows:
        holder = Holder.of(tuple(row))
        if holder.lives(claim):
            is_run = run is None or held_run == run
            what = f"run {run_id!r}" if is_run else f"folder {to_path(folder)!r} (run {run_id!r})"
            silent_s = max(0.0, holder.silent_s(claim))
            raise RunOwned(what, str(holder.process), silent_s, claim.stale_after_s - silent_s)
