"""The whole screen without one colour, for `NO_COLOR`: the terminal's own, with bold, dim and reversed text.

What is light in the theme's dark stays text; a light background, as the cursor's, is drawn reversed.
"""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

BLACK_AND_WHITE = Theme(
    name="autoagent-no-color",
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffffff",
    warning="#ffffff",
    error="#ffffff",
    success="#ffffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        "quiet": "#808080",
        "cursor-row": "#ffffff",
        "block-cursor-background": "#ffffff",
        "input-selection-background": "#ffffff",
        "scrollbar": "#ffffff",
        "scrollbar-hover": "#ffffff",
        "scrollbar-active": "#ffffff",
        "scrollbar-background": "#000000",
        "scrollbar-background-hover": "#000000",
        "scrollbar-background-active": "#000000",
    },
)
"""A theme that says with light alone what `Colourless` makes attributes of."""
_HALF = 0.5
_GREY = (0.2, 0.8)
"""What is between is dim."""


class Colourless(LineFilter):
    """Draws what every widget has drawn with no colour at all, so that a light terminal stays light."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            Segment(text, None if style is None else _without(style), control)
            for text, style, control in segments
        ]


@lru_cache(1024)
def _without(style: Style) -> Style:
    below = None if style.bgcolor is None or style.bgcolor.is_default else style.bgcolor
    text = None if style.color is None or style.color.is_default else style.color
    is_light = below is not None and Color.from_rich_color(below).brightness > _HALF
    is_grey = text is not None and _GREY[0] < Color.from_rich_color(text).brightness < _GREY[1]
    is_dim = bool(style.dim) or (is_grey and not is_light)
    return style.without_color + Style(reverse=is_light != bool(style.reverse), dim=is_dim)
