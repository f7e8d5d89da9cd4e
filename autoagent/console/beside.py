"""The lines that differ between two texts: beneath each other, or side by side where there is room. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoagent.console.line import Line, Part, Tone, columns_of, having_room, line

SIDE_BY_SIDE = 110
"""Columns of a screen from which two versions stand beside each other."""
_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "@": "accent", "\\": "dim"}
_MIDDLE = Part(" │ ", "dim")


def differing(lines: Sequence[str], columns: int = 0) -> Iterator[Line]:
    """A unified diff for a screen of `columns` columns, whole always; side by side where they are enough."""
    signs = {text[:1] for text in lines}
    if columns < SIDE_BY_SIDE or not {"+", "-"} <= signs:  # what is wholly new has nothing beside it
        for text in lines:
            yield line(Part("│ ", "dim"), Part(text, _TONES.get(text[:1], "plain")))
        return
    width = (columns - 2 - len(_MIDDLE.text)) // 2
    for left, right in _pairs(lines):
        yield from _row(left, right, width)


def _pairs(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What stands left and right: lines that went beside those that came in their place."""
    gone: list[str] = []
    come: list[str] = []
    for text in lines:
        if text.startswith("-") and not come:
            gone.append(text)
        elif text.startswith("+"):
            come.append(text)
        else:
            yield from _zipped(gone, come)
            if text.startswith("-"):
                gone.append(text)
            else:
                yield text, text
    yield from _zipped(gone, come)


def _zipped(gone: list[str], come: list[str]) -> Iterator[tuple[str, str]]:
    """Empties both."""
    for number in range(max(len(gone), len(come))):
        yield "".join(gone[number : number + 1]), "".join(come[number : number + 1])
    gone.clear()
    come.clear()


def _row(left: str, right: str, width: int) -> Iterator[Line]:
    """One pair, in as many lines as its longer side takes."""
    tones = _TONES.get(left[:1], "plain"), _TONES.get(right[:1], "plain")
    if left.startswith(("@", "\\")):
        yield line(Part("│ ", "dim"), Part(left, tones[0]))
        return
    sides = _pieces(left, width), _pieces(right, width)
    for number in range(max(map(len, sides))):
        one, other = ("".join(side[number : number + 1]) for side in sides)
        pad = " " * (width - columns_of(line(one)))
        yield line(Part("│ ", "dim"), Part(one, tones[0]), pad, _MIDDLE, Part(other, tones[1]))


def _pieces(text: str, width: int) -> list[str]:
    """A text in pieces of at most `width` columns, each further one set off."""
    text = Part(text).shown
    found: list[str] = []
    while text:
        before = "  " if found else ""
        count = having_room(text, width - len(before))
        if count < len(text) and (space := text.rfind(" ", count // 2, count)) > 0:
            count = space + 1  # between words where there is a place near
        found.append(before + text[:count])
        text = text[count:]
    return found
