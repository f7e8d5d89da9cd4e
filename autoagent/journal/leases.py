"""Leases as rows: who may write a run and its folder. Owns epochs and takeovers.

Each function runs inside the writer's transaction, so no two processes can both be given a lease.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoagent.errors import LeaseLost, RunOwned
from autoagent.journal.codec import from_us, to_us
from autoagent.journal.process import Process, is_alive
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
    now: datetime


def acquire(connection: sqlite3.Connection, run: int, claim: Claim) -> tuple[Lease, int]:
    """The lease, and how many entries the run has. Raises `RunOwned`."""
    run_id, raw, epoch, entries = connection.execute(
        "SELECT id, workspace, epoch + 1, entries FROM runs WHERE number=?", (run,)
    ).fetchone()
    workspace = to_path(raw)
    folder = to_bytes(os.path.realpath(workspace))
    _refuse_if_held(connection, run, folder, claim)
    connection.execute("DELETE FROM leases WHERE run=? OR folder=?", (run, folder))
    connection.execute("UPDATE runs SET epoch=? WHERE number=?", (epoch, run))
    p = claim.process
    connection.execute(
        "INSERT INTO leases VALUES (?,?,?,?,?,?,?,?,?)",
        (run, folder, epoch, p.host, p.boot, p.pid_space, p.pid, p.started, to_us(claim.now)),
    )
    return Lease(run_id=run_id, workspace=workspace, epoch=epoch, holder=claim.holder), entries


def renew(connection: sqlite3.Connection, run: int, lease: Lease, now: datetime) -> None:
    """Move the heartbeat. Raises `LeaseLost`."""
    done = connection.execute(
        "UPDATE leases SET beat_us=? WHERE run=? AND epoch=?", (to_us(now), run, lease.epoch)
    )
    if done.rowcount == 0:
        raise LeaseLost(lease.run_id, lease.epoch)


def release(connection: sqlite3.Connection, run: int, lease: Lease) -> None:
    """Give the lease up; nothing happens where it was lost."""
    connection.execute("DELETE FROM leases WHERE run=? AND epoch=?", (run, lease.epoch))


HOLDER = "SELECT host, boot, pid_space, pid, started, beat_us FROM leases WHERE run=?"


def living(row: tuple[Any, ...] | None, here: Process, now: datetime) -> str | None:
    """Who holds the lease of a row of `HOLDER`, for people; `None` where nobody does who lives."""
    if row is None:
        return None
    host, boot, pid_space, pid, started, beat_us = row
    process = Process(host, boot, pid_space, pid, started)
    return str(process) if is_alive(process, here, from_us(beat_us), now) else None


def _refuse_if_held(connection: sqlite3.Connection, run: int, folder: bytes, claim: Claim) -> None:
    rows = connection.execute(
        "SELECT runs.id, leases.run, host, boot, pid_space, pid, started, beat_us"
        " FROM leases JOIN runs ON runs.number=leases.run WHERE leases.run=? OR folder=?",
        (run, folder),
    )
    for run_id, held_run, host, boot, pid_space, pid, started, beat_us in rows:
        process = Process(host, boot, pid_space, pid, started)
        if is_alive(process, claim.process, from_us(beat_us), claim.now):
            what = f"run {run_id!r}" if held_run == run else f"folder {to_path(folder)!r} (run {run_id!r})"
            raise RunOwned(what, str(process))
