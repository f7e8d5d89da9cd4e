"""Removing a run's rows. Its number is never given to another: who thaws must find nothing of it."""

from __future__ import annotations

import sqlite3

from autoagent.errors import UsageError
from autoagent.journal.leases import Claim, refuse_if_held

_ROWS = (("entries", "run"), ("commands", "run"), ("leases", "run"), ("runs", "number"))


def remove(connection: sqlite3.Connection, run: int, claim: Claim) -> None:
    """Everything of a run. Raises `RunOwned` where a living process carries it, `UsageError` for forks."""
    (fork,) = connection.execute("SELECT min(id) FROM runs WHERE parent=?", (run,)).fetchone()
    if fork is not None:
        raise UsageError(f"run {fork!r} was forked from it and shares its entries; remove that one first")
    refuse_if_held(connection, "leases.run=?", (run,), claim)
    for table, column in _ROWS:
        connection.execute(f"DELETE FROM {table} WHERE {column}=?", (run,))
    connection.execute("UPDATE removed SET last_number=max(last_number, ?)", (run,))
