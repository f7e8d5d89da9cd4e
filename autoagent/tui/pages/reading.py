"""Lines to be read, over the whole screen: an entry unfolded, a diff, what led to something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from autoagent.console.line import Line, line
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.lines import Lines


class ReadScreen(ModalScreen[None]):
    """Everything that there is, to be scrolled. It is a record: nothing can be changed here."""

    CSS = """
    ReadScreen > Lines { border: round $primary; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "back", id="read.back")]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        yield Lines(id="text", has_cursor=False, is_wrapped=True)

    def on_mount(self) -> None:
        pane = self.query_one(Lines)
        pane.border_title, pane.border_subtitle = drawn(line(self._title)), "esc back"
        pane.show_lines(self._lines)
        pane.focus()
