"""The last thing before the terminal: nothing that it could obey leaves, whatever a field holds."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from autoagent.redact import visible


class Harmless(LineFilter):
    """Leaves out control characters and marks that turn text around, of what every widget has drawn.

    Our own lines spell them out and hold none; fields show what is in them as it is.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(_without(text), style, control) for text, style, control in segments]


@lru_cache(4096)
def _without(text: str) -> str:
    """`text` in as many columns."""
    if visible(text) == text:
        return text
    return "".join(char if visible(char) == char else "?" * cell_len(char) for char in text)
