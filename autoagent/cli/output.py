"""What a command prints: lines or records on stdout, complaints on stderr."""

from __future__ import annotations

import sys

from autoagent.console.line import Line, block, line
from autoagent.console.screen import Screen


def out(*lines: Line | str) -> bool:
    """Print lines for people; `False` once nobody reads them. Raises `StoreUnavailable` on a full disk."""
    screen = Screen.on(sys.stdout, may_fail=False)
    screen.say(*(line(each) if isinstance(each, str) else each for each in lines))
    return not screen.is_gone


def out_rows(*rows: Line) -> None:
    """Print a table, whose rows a terminal shows on a line each. Raises as `out` does."""
    Screen.on(sys.stdout, may_fail=False).say_rows(*rows)


def out_json(value: object) -> bool:
    """Print a record for programs on one line, as `out` does."""
    import json

    screen = Screen.on(sys.stdout, may_fail=False)
    screen.say_raw(json.dumps(value, allow_nan=False))
    return not screen.is_gone


def note(*lines: Line | str) -> None:
    """Tell people something on stderr that isn't the answer."""
    Screen.on(sys.stderr).say(*(line(each) if isinstance(each, str) else each for each in lines))


def complain(said: str) -> None:
    """What is wrong, on stderr; further lines of it stand beneath."""
    first, *rest = said.split("\n")
    note(f"autoagent: {first}", *(each for text in rest for each in block(text, before="  ")))
