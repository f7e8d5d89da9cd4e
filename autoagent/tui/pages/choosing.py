"""One of a few things, over whatever screen asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from autoagent.console.line import Line, line
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.view import Row


class ChoiceScreen(ModalScreen[str | None]):
    """Choose with the arrows, and enter; `esc` chooses nothing."""

    CSS = """
    ChoiceScreen { align: center middle; }
    ChoiceScreen > Vertical {
        width: 84; max-width: 95%; height: auto; max-height: 80%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    ChoiceScreen Static { height: auto; }
    ChoiceScreen Lines { height: auto; max-height: 20; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "back", id="choice.back")]

    def __init__(self, title: str, rows: Sequence[Row], said: Sequence[Line] = ()) -> None:
        """`said`: what the choice is about, above the rows."""
        super().__init__()
        self._title, self._rows, self._said = title, rows, said

    def compose(self) -> ComposeResult:
        with Vertical():
            if self._said:
                yield Static(drawn(*self._said, line("")), id="about", markup=False)
            yield Lines(id="choices")

    def on_mount(self) -> None:
        pane = self.query_one(Lines)
        frame = self.query_one(Vertical)
        frame.border_title, frame.border_subtitle = drawn(line(self._title)), "enter chooses · esc back"
        pane.styles.height = len(self._rows)
        pane.show(self._rows)
        pane.focus()

    @on(Lines.Chosen)
    def _chosen(self, event: Lines.Chosen) -> None:
        self.dismiss(event.key)
