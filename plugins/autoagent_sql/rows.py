"""Rows as text: CSV, cut to what a model can read, and every cut is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from autoagent.redact import visible

CELL_CHARS = 500
"""Of one cell; the rest is left out, and an ellipsis stands for it."""
_TEXT_CHARS = 15_000
"""Of all rows: below the limit of a tool's output, so that rows are never cut in the middle."""


@dataclass(frozen=True)
class Rows:
    """What a query gave."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    has_more: bool = False
    """There were more, which nobody fetched."""


def as_csv(found: Rows) -> str:
    """A line of names, then a line a row: NULL is an empty field, an empty text is `""`.

    The only field of a row is never left empty: there NULL is `NULL`. Where something was left out, an empty
    line and a note follow.
    """
    lines, room = [_line(found.columns)], _TEXT_CHARS
    for row in found.rows:
        line = _line(row)
        room -= len(line) + 1
        if room < 0 and len(lines) > 1:
            break
        lines.append(line)
    shown = len(lines) - 1
    notes = []
    if found.has_more or shown < len(found.rows):
        notes.append(
            f"the first {shown} rows, there are more: aggregate, narrow it with WHERE, or page with LIMIT "
            "and OFFSET"
        )
    if any(len(_text(value)) > CELL_CHARS for row in found.rows[:shown] for value in row):
        notes.append(f"cells with … are cut to {CELL_CHARS} characters: substr() shows more of one")
    if not found.rows:
        notes.append("no row fits")
    return "\n".join(lines) + "".join(f"\n\n({note})" for note in notes)


def _line(values: Sequence[object]) -> str:
    return "NULL" if list(values) == [None] else ",".join(_field(value) for value in values)


def _field(value: object) -> str:
    if value is None:
        return ""
    text = _text(value)
    text = visible(text if len(text) <= CELL_CHARS else text[: CELL_CHARS - 1] + "…")
    if text in ("", "NULL") or text != text.strip() or any(sign in text for sign in ',"\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _text(value: object) -> str:
    """A value as a model writes it in SQL: dates in ISO form, bytes in hex."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes() | bytearray() | memoryview():
            return bytes(value[: CELL_CHARS + 1]).hex()
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case Mapping():
            return json.dumps(value, ensure_ascii=False, default=_text)
        case str():
            return value
        case Sequence():
            return json.dumps(list(value), ensure_ascii=False, default=_text)
        case _:
            return str(value)
