"""Taking a leaked secret out of a database: out of what rows say, and of the bytes that SQLite leaves behind.

Works on a connection of its own, in one transaction. A page that was freed or moved keeps what it held,
and so does the log; so the whole file is written anew, and the log emptied, before it is said to be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from autoagent.errors import StoreUnavailable
from autoagent.journal.chain import digest_of
from autoagent.journal.codec import COMMANDS, EVENTS, Stored, to_us
from autoagent.journal.database import connect, transaction, unavailable
from autoagent.journal.entries import Part
from autoagent.journal.leases import Claim, refuse_if_held
from autoagent.journal.masking import forms_of, masked
from autoagent.ports import Blanked

_READERS_MS = 1_000
"""How long the log waits to be emptied for those who read; a look takes milliseconds."""


def blank(path: Path, parts: Sequence[Part], secret: str, claim: Claim, objects: Sequence[str]) -> Blanked:
    """Mask `secret` in the rows of a run, and remove small objects.

    Raises `RunOwned`, `UsageError`, `StoreUnavailable`.
    """
    forms = forms_of(secret)
    with scrubbing(path) as connection:
        refuse_if_held(connection, "leases.run=?", (parts[-1].run,), claim)
        entries = [seq for part in parts for seq in _entries(connection, part, forms)]
        commands = [*_commands(connection, parts[-1].run, forms)]
        for sha256 in objects:
            _remove(connection, sha256, to_us(claim.at.now))
    return Blanked(entries=tuple(entries), commands=tuple(commands))


@contextmanager
def scrubbing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction after which nothing that it removed is left in the database's files."""
    try:
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")
            with transaction(connection):
                yield connection
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA busy_timeout={_READERS_MS}")
            # takes the write lock by itself, so nobody starts the log anew in the middle (see `checkpoint`)
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    if is_busy:
        raise StoreUnavailable(
            f"journal {str(path)!r}: the secret is masked, but the log still holds the old bytes while "
            "another process reads it; end that process, then do the same again"
        )


def _entries(connection: sqlite3.Connection, part: Part, forms: Sequence[str]) -> Iterator[int]:
    found = connection.execute(
        "SELECT seq, kind, version, body FROM entries WHERE run=? AND seq>? AND seq<=?",
        (part.run, part.after, 2**62 if part.upto is None else part.upto),
    ).fetchall()
    for seq, kind, version, body in found:
        new = masked(Stored(kind, version, body), EVENTS, forms, seq)
        if new is None:
            continue
        # of an entry from before there was a chain, the digest of the original is kept from now on
        original, digest = (digest_of(kind, version, text.encode()) for text in (body, new.body))
        connection.execute(
            "UPDATE entries SET body=?, blanked=?, digest=coalesce(digest, ?) WHERE run=? AND seq=?",
            (new.body, digest, original, part.run, seq),
        )
        yield seq


def _commands(connection: sqlite3.Connection, run: int, forms: Sequence[str]) -> Iterator[int]:
    found = connection.execute("SELECT number, kind, version, body FROM commands WHERE run=?", (run,))
    for number, kind, version, body in found.fetchall():
        new = masked(Stored(kind, version, body), COMMANDS, forms, number)
        if new is not None:
            connection.execute("UPDATE commands SET body=? WHERE run=? AND number=?", (new.body, run, number))
            yield number


def _remove(connection: sqlite3.Connection, sha256: str, now_us: int) -> None:
    key = bytes.fromhex(sha256)
    connection.execute("DELETE FROM objects WHERE sha256=?", (key,))
    connection.execute("INSERT OR REPLACE INTO blanked_objects VALUES (?, ?)", (key, now_us))
