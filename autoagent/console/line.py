"""One line of text for people, made of parts. Owns how foreign text is made harmless on a terminal.

A part is raw text from anywhere: models, tools, files, goals. Drawing a line spells out whatever a terminal
could obey, so that no part can move the cursor, colour anything, or begin another line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from autoagent.console.signs import without_signs
from autoagent.redact import one_line, visible

Tone = Literal["plain", "dim", "good", "bad", "attention", "accent", "outside", "gone"]

_SGR = {
    "dim": "2",
    "good": "32",
    "bad": "31",
    "attention": "1;33",
    "accent": "36",
    "outside": "35",
    "gone": "2;9",
}


_WIDEST_FRAME = 25
_WIDE_SINCE = frozenset(
    (
        *range(0x2630, 0x2638),
        *range(0x268A, 0x2690),
        *range(0x4DC0, 0x4E00),
        *range(0x1D300, 0x1D357),
        *range(0x1D360, 0x1D377),
    )
)
"""Signs that Unicode 16 has made two columns wide, which terminals know before Python does."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line."""

    text: str
    tone: Tone = "plain"
    limit: int = 0
    """Cut to so many characters, runs of white space made one; 0: as it is."""

    @property
    def shown(self) -> str:
        """The text as it may stand on a terminal."""
        if self.limit:
            return one_line(self.text, self.limit)
        return visible(self.text).replace("\n", " ").replace("\t", " ")


@dataclass(frozen=True, slots=True)
class Line:
    """Exactly one line, whatever its parts hold."""

    parts: tuple[Part, ...]

    def __add__(self, other: Line) -> Line:
        return Line((*self.parts, *other.parts))

    def draw(self, *, coloured: bool = False, ascii_only: bool = False, columns: int | None = None) -> str:
        """The line without its line break; cut to `columns` where they are given."""
        pieces, room = [], columns
        for part in self.parts:
            text = part.shown
            if room is not None:
                text = fitting(text, room)
                room -= _width(text)
            text = without_signs(text) if ascii_only else text
            tinted = coloured and text and part.tone in _SGR
            pieces.append(f"\x1b[{_SGR[part.tone]}m{text}\x1b[0m" if tinted else text)
        return "".join(pieces)

    def __str__(self) -> str:
        return self.draw()


def line(*parts: str | Part) -> Line:
    """A line of parts that follow each other without a space; empty ones are left out."""
    made = (Part(part) if isinstance(part, str) else part for part in parts)
    return Line(tuple(part for part in made if part.text))


def dotted(*parts: str | Part | Line | None) -> Line:
    """A line of parts with ` · ` between them; empty ones are left out."""
    pieces: list[Part] = []
    for part in parts:
        more = part.parts if isinstance(part, Line) else line(part or "").parts
        pieces += [Part(" · ", "dim"), *more] if pieces and more else more
    return Line(tuple(pieces))


def short(text: str, limit: int = 60, tone: Tone = "plain") -> Part:
    """A part of at most `limit` characters."""
    return Part(text, tone, limit)


def block(text: str, most: int | None = None, before: str = "│ ") -> Iterator[Line]:
    """Foreign text line by line, framed so that it can't be taken for ours; at most `most` lines."""
    lines = text.expandtabs(4).split("\n")
    shown = lines if most is None or len(lines) <= most else lines[: most - 1]
    for content in shown:
        yield line(Part(before, "dim"), content)
    if len(shown) < len(lines):
        yield line(Part(f"{before}… {len(lines) - len(shown)} more lines", "dim"))


def columns(rows: Iterable[tuple[Part, ...]]) -> Iterator[Line]:
    """Rows as lines whose parts stand beneath each other; the last column is left ragged."""
    table = [[(part, _width(part.shown)) for part in row] for row in rows]
    widths = [max(row[i][1] for row in table if len(row) > i) for i in range(max(map(len, table), default=0))]
    for row in table:
        padded = [
            (part, Part(" " * (widths[i] - width + 2)) if i + 1 < len(row) else Part(""))
            for i, (part, width) in enumerate(row)
        ]
        yield line(*(piece for pair in padded for piece in pair))


def columns_of(found: Line) -> int:
    """Columns of a terminal that the line takes."""
    return sum(_width(part.shown) for part in found.parts)


def _width(text: str) -> int:
    """Columns of a terminal that the text takes; at most, where it holds combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" or ord(char) in _WIDE_SINCE else 1 for char in text
    )


def having_room(text: str, room: int) -> int:
    """How many characters from the start take at most `room` columns; at least one, if there is one."""
    if text.isascii():
        return max(min(len(text), room), min(len(text), 1))
    for count, char in enumerate(text):
        if (room := room - _width(char)) < 0:
            return max(count, 1)
    return len(text)


def fitting(text: str, room: int) -> str:
    """What of a text has room in so many columns; a cut ends in an ellipsis."""
    if _width(text) <= room:
        return text
    text = text[: max(room, 0)]  # each character counts for a column at least
    while text and _width(text) > room - 1:
        text = text[:-1]
    return text + "…" if room > 0 else ""


def wrapped(found: Line, width: int) -> list[Line]:
    """A line in pieces of at most `width` columns, so that nothing of it is off the screen.

    What follows is set off, so that no text can begin a line of its own: under the bar of a framed text.
    """
    if columns_of(found) <= width:
        return [found]
    before = _frame(found)
    pieces: list[Line] = []
    parts: list[Part] = []
    room = width
    for part in found.parts:
        text = part.shown
        while text:
            if room <= 0:
                pieces.append(Line(tuple(parts)))
                parts, room = [before], max(width - len(before.text), 1)
            taken = _piece(text, room, is_fresh=len(parts) <= 1)
            text = text[len(taken) :]
            parts.append(Part(taken, part.tone))
            room = room - columns_of(line(taken)) if not text else 0
    return [*pieces, Line(tuple(parts))]


def _frame(found: Line) -> Part:
    """What stands before each further piece of a line."""
    first = ""
    for part in found.parts[:2]:
        first += part.shown
        if part.tone == "dim" and first.endswith("│ ") and len(first) <= _WIDEST_FRAME:
            return Part(f"{' ' * (len(first) - 2)}│ ", "dim")
    return Part("  ")


def _piece(text: str, room: int, *, is_fresh: bool) -> str:
    """As much of a text as has room, whole words where one ends late enough; no character is lost."""
    count = having_room(text, room)
    if count == len(text):
        return text
    end = text.rfind(" ", 0, count) + 1
    return text[: end if end > count // 2 or (end and not is_fresh) else count]
