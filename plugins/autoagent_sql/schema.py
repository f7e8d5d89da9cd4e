"""Tables and columns as values, as text for a model, and the names nearest to one that isn't there.

Names, types and comments are whatever somebody called things: data, made visible and cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from autoagent.redact import one_line

_NAME_CHARS, _TYPE_CHARS, _COMMENT_CHARS = 64, 40, 60
_HINT_CHARS = 1_500


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    is_key: bool = False
    points_to: str = ""
    """`table.column`, of a foreign key."""
    comment: str = ""


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    is_view: bool = False


@dataclass(frozen=True)
class Schema:
    tables: tuple[Table, ...]
    engine: str
    """Whose SQL it speaks: `PostgreSQL`, `SQLite`."""
    has_more: bool = False
    """There are more tables, which weren't looked at."""


def as_text(schema: Schema, limit: int) -> str:
    """One line a table, whole lines only, at most `limit` characters; says how many tables were left out."""
    lines: list[str] = []
    room = limit
    for table in schema.tables:
        line = _table(table)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    left_out = [one_line(table.name, _NAME_CHARS) for table in schema.tables[len(lines) :]]
    if left_out or schema.has_more:
        named = one_line(", ".join(left_out), max(room, 200))
        lines.append(f"(more tables{': ' if named else ''}{named})")
    return "\n".join(lines) or "(no tables)"


def _table(table: Table) -> str:
    columns = ", ".join(_column(column) for column in table.columns)
    return f"{quoted(table.name)}({columns})" + (" -- a view" if table.is_view else "")


def _column(column: Column) -> str:
    parts = [quoted(column.name), one_line(column.type, _TYPE_CHARS)]
    if column.is_key:
        parts.append("primary key")
    if column.points_to:
        parts.append(f"-> {one_line(column.points_to, 2 * _NAME_CHARS)}")
    if column.comment:
        parts.append(f"/* {one_line(column.comment, _COMMENT_CHARS).replace('*/', '* /')} */")
    return " ".join(part for part in parts if part)


def quoted(name: str) -> str:
    """A name as SQL takes it: in double quotes where it needs them."""
    shown = one_line(name, _NAME_CHARS)
    return shown if re.fullmatch(r"[a-z_][a-z0-9_.]*|[A-Za-z_][A-Za-z0-9_]*", shown) else f'"{shown}"'


_NO_TABLE = re.compile(
    r"no such table: (?:main\.)?(\S+)|relation \"([^\"]+)\" does not exist"
    r"|missing FROM-clause entry for table \"([^\"]+)\""
)
_NO_COLUMN = re.compile(
    r"no such column: (\S+)|has no column named (\S+)"
    r"|column \"?([^\s\"]+)\"? (?:of relation \S+ )?does not exist"
)


def hint(problem: str, schema: Schema) -> str:
    """What is there with a name like the one that a database didn't know; empty for other problems."""
    tables: dict[str, list[str]] = {}
    columns: dict[str, list[str]] = {}
    for table in schema.tables:
        tables.setdefault(_last(table.name), []).append(quoted(table.name))
        for column in table.columns:
            columns.setdefault(_last(column.name), []).append(f"{quoted(table.name)}.{quoted(column.name)}")
    for pattern, places in ((_NO_TABLE, tables), (_NO_COLUMN, columns)):
        if found := pattern.search(problem):
            wanted = _last(next(group for group in found.groups() if group).strip('"`'))
            near = [wanted] if wanted in places else get_close_matches(wanted, places, 3)
            if near:
                return "there is " + ", ".join([place for name in near for place in places[name]][:12])
            return "there are these tables: " + one_line(as_text(schema, _HINT_CHARS), 2 * _HINT_CHARS)
    return ""


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()
