"""A call's arguments as people read them: names with values, texts as they stand, not as JSON spells them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from autoagent.console.figures import several
from autoagent.console.line import Line, Part, line
from autoagent.redact import visible

_SHORT_JSON = 80
_COLUMNS = 10
_WIDEST = 20


def arguments(args: Mapping[str, JsonValue], most: int | None = None) -> Iterator[Line]:
    """`name │ value` for each, further lines of the value beneath it; at most `most` lines of one value.

    What holds nothing is left out; an empty text says so, since it can empty a file.
    """
    args = {name: value for name, value in args.items() if value not in (None, [], {})}
    if not args:
        yield line(Part("(no arguments)", "dim"))
    longest = max((len(Part(name).shown) for name in args), default=0)
    columns = min(max(longest, _COLUMNS), _WIDEST)
    for name, value in args.items():
        yield from _argument(name, value, columns, most)


def as_json(value: JsonValue) -> str:
    """JSON on several lines; with escapes in place of letters where a terminal could obey one of them."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if visible(text) == text:
        return text
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f")


def _argument(name: str, value: JsonValue, columns: int, most: int | None) -> Iterator[Line]:
    text = value if isinstance(value, str) else _briefly(value)
    if not text:
        yield line(Part(f"{Part(name).shown:<{columns}} ", "dim"), Part("│ (empty)", "dim"))
        return
    lines = text.expandtabs(4).split("\n")
    shown = lines if most is None or len(lines) <= most else lines[: most - 1]
    frame = Part("│ ", "dim")
    yield line(Part(f"{Part(name).shown:<{columns}} ", "dim"), frame, shown[0])
    for more in shown[1:]:
        yield line(" " * (columns + 1), frame, more)
    if (left := len(lines) - len(shown)) > 0:
        yield line(" " * (columns + 1), Part(f"│ … {several(left, 'more line')}", "dim"))


def _briefly(value: JsonValue) -> str:
    """JSON on one line where it is short."""
    brief = json.dumps(value, ensure_ascii=False)
    return brief if len(brief) <= _SHORT_JSON else as_json(value)
