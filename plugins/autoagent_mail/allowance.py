"""How many recipients were written to in 24 hours, over all runs: kept in a file of the plugin's folder.

A mail takes its share before it is handed over, by the key of its call, so that a second try takes nothing
more; it gives it back where it certainly wasn't sent. Where the file can't be used nothing is sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autoagent.door.hooks import CallOutcome, HeardCall, HookContext
from autoagent_mail.settings import MailSettings

FILE = "sent.db"
_DAY = timedelta(hours=24)
_WAIT_S = 5.0
"""For another process's look into the file."""


def take(path: Path, key: str, recipients: int, limit: int, now: datetime) -> str | None:
    """Take the share of one mail, once for a key; why there is no room for it, or `None`."""
    with _opened(path) as table:
        table.execute("DELETE FROM taken WHERE at <= ?", ((now - _DAY).timestamp(),))
        rows = table.execute("SELECT key, recipients, at FROM taken ORDER BY at").fetchall()
        if any(known == key for known, _, _ in rows):
            return None
        used = sum(count for _, count, _ in rows)
        if used + recipients > limit:
            return _no_room(used, recipients, limit, rows)
        table.execute("INSERT INTO taken VALUES (?, ?, ?)", (key, recipients, now.timestamp()))
        return None


def give_back(path: Path, key: str) -> None:
    """Its mail wasn't sent. Nothing where it took nothing."""
    with _opened(path) as table:
        table.execute("DELETE FROM taken WHERE key = ?", (key,))


def _no_room(used: int, recipients: int, limit: int, rows: list[tuple[str, int, float]]) -> str:
    said = f"at most {limit} recipients in 24 hours, and {used} were written to; this mail has {recipients}"
    left = used + recipients - limit
    for _, count, at in rows:
        if (left := left - count) <= 0:
            then = datetime.fromtimestamp(at, UTC) + _DAY
            return f"{said}. There is room again from {then:%Y-%m-%d %H:%M} UTC"
    return f"{said}. It never fits: send it to fewer"


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The table, for one step, as one transaction that is on disk afterwards."""
    with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as table:
        table.execute("PRAGMA synchronous = FULL")
        table.execute("BEGIN IMMEDIATE")
        table.execute("CREATE TABLE IF NOT EXISTS taken (key TEXT PRIMARY KEY, recipients INTEGER, at REAL)")
        yield table
        table.execute("COMMIT")


# --- hooks --------------------------------------------------------------------------------------------------


async def within_limit(ctx: HookContext, call: HeardCall) -> str | None:
    """Why a mail must wait until another day; `None` for all that is no mail."""
    limit, to = _limit(ctx), call.args.get("to")
    if call.plugin != ctx.plugin or limit is None or not isinstance(to, list):
        return None
    return take(ctx.folder / FILE, call.key, len(to), limit, datetime.now(UTC))


async def count(ctx: HookContext, call: HeardCall, outcome: CallOutcome) -> None:
    """What certainly wasn't sent doesn't count."""
    if call.plugin == ctx.plugin and _limit(ctx) is not None and not outcome.may_have_happened:
        give_back(ctx.folder / FILE, call.key)


def _limit(ctx: HookContext) -> int | None:
    assert isinstance(ctx.settings, MailSettings)
    return ctx.settings.at_most_a_day
