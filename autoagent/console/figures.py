"""Amounts as people read them: money, durations, ages, sizes. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal


def money(usd: Decimal) -> str:
    """Two decimals, four where two would say nothing."""
    return f"${usd:.4f}" if 0 < usd < Decimal("0.01") else f"${usd:.2f}"


def clock(seconds: float) -> str:
    """`0:09`, `12:40`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(then: datetime, now: datetime) -> str:
    """`now`, `40 s`, `4 min`, `3 h`, `2 d`."""
    seconds = (now - then).total_seconds()
    if seconds < 5:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def size(count: int) -> str:
    """`212 B`, `8.1 KB`, `3.0 MB`."""
    if count < 1000:
        return f"{count} B"
    for limit, unit in ((1e6, "KB"), (1e9, "MB")):
        if count < limit:
            return f"{count / limit * 1000:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def several(count: int, noun: str, plural: str = "") -> str:
    """`1 file`, `3 files`; with a plural of its own `1 entry`, `3 entries`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def local(at: datetime) -> str:
    """Time of day on this machine."""
    return f"{at.astimezone():%H:%M:%S}"
