"""Mistakes in config.toml, in words: the line, the key, what stands there, what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic_core import ErrorDetails

from autoagent.redact import one_line
from autoagent.settings.tables import (
    EveryRunSettings,
    MemorySettings,
    ModelSettings,
    PriceSettings,
    QuestionSettings,
    RoleSettings,
    SandboxSettings,
    SecretSettings,
    TerminalSettings,
)

_TABLES: Mapping[str, Mapping[str, object]] = {
    "models": ModelSettings.model_fields,
    "roles": RoleSettings.model_fields,
    "memory": MemorySettings.model_fields,
    "sandbox": SandboxSettings.model_fields,
    "questions": QuestionSettings.model_fields,
    "every_run": EveryRunSettings.model_fields,
    "terminal": TerminalSettings.model_fields,
    "secrets": SecretSettings.model_fields,
    "plugins": {},
    "keys": {},
}
"""The keys of each; of the last two only others know them."""
FILE_TABLES = tuple(_TABLES)


def line_of(path: Path, place: Sequence[str | int]) -> str:
    """The file, and the line of the place in it: the key's, else its table's. tomllib keeps no lines."""
    *table, key = map(str, place)
    found = 0
    is_inside = not table
    for number, text in enumerate(_lines(path), 1):
        if header := _HEADER.match(text):
            name = [part.strip().strip("\"'") for part in header[1].split(".")]
            is_inside = name == table
            found = found or (number if name in (table, [*table, key]) else 0)
        elif is_inside and text.partition("=")[0].strip().strip("\"'") == key:
            return f"{path}:{number}"
    return f"{path}:{found}" if found else str(path)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # it was read a moment ago; the mistake is told all the same
        return []


_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")


def mistake(details: ErrorDetails) -> str:
    """One mistake in the file, in words."""
    *table, key = [str(step) for step in details["loc"]] or [""]
    shown, place = one_line(key, 60), one_line(".".join(table), 100)
    where = f"[{place}] {shown}" if table else f"[{shown}]"
    if table == ["secrets"]:
        return (
            f"{where} is no table: no secret stands in this file, put it into a variable or secrets.toml; "
            f"[secrets.{shown}] may say where, and how it is sent"
        )
    if details["type"] != "extra_forbidden":
        return f"{where} {wrong_value(details)}"
    if key in ("key", "api_key", "token", "value", "secret"):
        return (
            f"[{place}] {shown}: no key stands in this file; put it into a variable and name that as key_env"
        )
    known = _keys_of(table)
    unknown = f"[{place}] has no key {shown!r}" if table else f"unknown table [{shown}]"
    return f"{unknown}; {did_you_mean(key, known)}"


def key_in(details: ErrorDetails) -> str:
    """The key that a mistake is in, where it is in one."""
    place = one_line(".".join(map(str, details["loc"])), 100)
    return f"{place} " if place else ""


def wrong_value(details: ErrorDetails) -> str:
    """What is wrong with a value, and the value."""
    if details["type"] == "missing":
        return "is missing"
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    message = details["msg"].removeprefix("Input should be ")
    return f"is {one_line(repr(details['input']), 60)}; expected {message[:1].lower()}{message[1:]}"


def _keys_of(table: list[str]) -> Iterable[str]:
    match table:
        case []:
            return FILE_TABLES
        case ["models", _, "price"]:
            return PriceSettings.model_fields
        case _:
            return _TABLES[table[0]]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    import difflib  # 4 ms, and only an error needs it

    names = [one_line(name, 60) for name in known]
    close = difflib.get_close_matches(word.lower()[:80], names, n=1)
    expected = f"expected one of {', '.join(names)}" if names else "there is none"
    return f"did you mean {close[0]!r}? ({expected})" if close else expected
