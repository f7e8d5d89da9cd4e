"""The whole screen without signs that aren't ASCII: frames, gauges, scroll bars and all."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from autoagent.console.signs import without_signs


class Plainly(LineFilter):
    """Draws what every widget has drawn with ASCII in place of signs, column for column."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(without_signs(text, self._encoding), style, control) for text, style, control in segments
        ]
