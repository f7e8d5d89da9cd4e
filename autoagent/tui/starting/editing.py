"""Where a goal file is written: an editor that says what is wrong beside the line that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import TextArea

from autoagent.console.line import Part, fitting

_LEAST = 12
"""Columns below which a mistake isn't said beside its line; what the goal means says it in any case."""


class GoalEditor(TextArea):
    """A goal file, with line numbers."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*TextArea.COMPONENT_CLASSES, "goal--mistake"}
    DEFAULT_CSS = "GoalEditor > .goal--mistake { color: $text-error; text-style: bold; }"

    def __init__(self, text: str, *, id: str) -> None:
        super().__init__(text, id=id, language=None, show_line_numbers=True, soft_wrap=True)
        self._mistake: tuple[int, str] | None = None

    def mark(self, line: int | None, problem: str = "") -> None:
        """Say a mistake behind this line, counted from 1; with `None` there is none."""
        mistake = None if line is None else (line, problem)
        if mistake != self._mistake:
            self._mistake = mistake
            self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        if self._mistake is None:
            return strip
        number, problem = self._mistake
        row = min(number, self.document.line_count) - 1
        end = self.wrapped_document.location_to_offset((row, len(self.document.get_line(row))))
        if end.y != y + self.scroll_offset.y:
            return strip
        begin = self.gutter_width + end.x + 2
        room = strip.cell_length - begin
        if room < _LEAST:
            return strip
        style = self.rich_style + self.get_component_rich_style("goal--mistake", partial=True)
        said = Strip([Segment(fitting(f"◂ {Part(problem).shown}", room), style)])
        rest = strip.crop(begin + said.cell_length)
        return Strip.join([strip.crop(0, begin), said, rest])


class Folders(Suggester):
    """Completes the path of a folder that is there; the right arrow takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first folder, by name, that what was typed could become."""
        head, slash, start = value.rpartition("/")
        names = await asyncio.to_thread(_folders, f"{head}{slash}" or ".")
        could = (name for name in names if start and name.startswith(start) and name != start)
        found = next(could, None)
        return None if found is None else f"{head}{slash}{found}"


def _folders(parent: str) -> Sequence[str]:
    """Names of the folders in a folder; none where it can't be read: that is said when it starts."""
    try:
        return sorted(child.name for child in Path(parent).expanduser().iterdir() if child.is_dir())
    except (OSError, ValueError, RuntimeError):
        return ()
