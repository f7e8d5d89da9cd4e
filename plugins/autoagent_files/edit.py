"""Exact replacement in a text, and help where the text to replace isn't there or isn't the only one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from autoagent.door.tools import ToolError
from autoagent.paths import spelled
from autoagent_files.text import check_is_text, encoded

_NAMED_LINES = 10
_COMPARED_LINES = 3_000
_COMPARED_CHARS = 200
_SHOWN_CHARS = 1_500


@dataclass(frozen=True)
class Edited:
    """A file's new content, and what was done, for the model."""

    data: bytes
    what: str


def replace(path: str, data: bytes, old: str, new: str) -> Edited:
    """`data` with its one `old` replaced. Raises `ToolError`, which says where to look.

    Bytes that are no UTF-8 stay as they are; in a file with CRLF line ends, plain ones in `old` match them.
    """
    check_is_text(path, data)
    if not old:
        raise ToolError("`old` is empty; give the text to replace, or write the whole file with files_write")
    if old == new:
        raise ToolError("`old` and `new` are the same; nothing would change")
    encoded(old, "old")
    encoded(new, "new")
    text = data.decode("utf-8", "surrogateescape")
    if old not in text and "\r\n" in text:
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    count = text.count(old)
    if count == 0:
        raise ToolError(f"`old` does not stand in {spelled(path)}{_nearest(text, old)}")
    if count > 1:
        lines = _line_numbers(text, old)
        raise ToolError(
            f"`old` stands {count} times in {spelled(path)}, in the lines {lines}; "
            "give more of the text around the one you mean"
        )
    first = text.count("\n", 0, text.index(old)) + 1
    last = first + old.rstrip("\n").count("\n")
    where = f"line {first}" if last == first else f"lines {first} to {last}"
    changed = text.replace(old, new).encode("utf-8", "surrogateescape")
    return Edited(changed, f"{where} replaced" if new else f"{where}: the text is removed")


def _line_numbers(text: str, old: str) -> str:
    numbers: list[str] = []
    at = text.find(old)
    while at >= 0 and len(numbers) < _NAMED_LINES:
        numbers.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return ", ".join(numbers) + (", …" if at >= 0 else "")


def _nearest(text: str, old: str) -> str:
    """What the model may have meant, to be copied from."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if (at := _same_but_spaces(lines, old)) is not None:
        first, last = at
        there = "\n".join(lines[first : last + 1])[:_SHOWN_CHARS]
        return f"; lines {first + 1} to {last + 1} differ from it only in spaces. They are, exactly:\n{there}"
    wanted = next((line for line in old.split("\n") if line.strip()), "")[:_COMPARED_CHARS]
    compared = [line[:_COMPARED_CHARS] for line in lines[:_COMPARED_LINES]]
    close = get_close_matches(wanted, [line for line in compared if line.strip()], n=1, cutoff=0.5)
    if not close:
        return "; nothing there is like it: read the file again"
    number = compared.index(close[0])
    return f"; the nearest is line {number + 1}, exactly:\n{lines[number][:_SHOWN_CHARS]}"


def _same_but_spaces(lines: list[str], old: str) -> tuple[int, int] | None:
    """First and last index of the lines that are `old` but for spaces."""
    wanted = [" ".join(line.split()) for line in old.strip("\n").split("\n")]
    given = [" ".join(line.split()) for line in lines]
    if not any(wanted):
        return None
    for first in range(len(given) - len(wanted) + 1):
        if given[first] == wanted[0] and given[first : first + len(wanted)] == wanted:
            return first, first + len(wanted) - 1
    return None
