"""The list of templates: workspaces that came along, each with what it does and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from autoagent.console.figures import several
from autoagent.console.line import Part, dotted, line
from autoagent.examples import Example
from autoagent.tui.drawing.items import Items
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.view import Row

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


def template_rows(found: Sequence[Example]) -> list[Row]:
    """Each with what it brings, what it does, and what it takes apart from that."""
    rows: list[Row] = []
    for each in found:
        brings = f"{several(len(each.files), 'file')} to work on · plays without a model too"
        said = (
            dotted(line(Part(each.name, "accent")), Part(brings, "dim")),
            line(f"  {each.does}"),
            *(line(Part(f"  {need}", "attention")) for need in each.needs),
        )
        rows += [Row(text, each.name) for text in said]
    return rows


class TemplatesScreen(ModalScreen[Example | None]):
    """Goals that are ready to run. Enter puts one into the editor, where you make it yours.

    Its files are copied when it starts; nothing that is in your folder is overwritten.
    """

    CSS = """
    TemplatesScreen { align: center middle; }
    TemplatesScreen > Vertical {
        width: 110; max-width: 96%; height: 80%; border: round $primary; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "back", id="templates.back")
    ]

    app: Cockpit

    def __init__(self, found: Sequence[Example]) -> None:
        super().__init__()
        self._found = {each.name: each for each in found}

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Items(id="templates", is_wrapped=True)

    def on_mount(self) -> None:
        frame = self.query_one(Vertical)
        frame.border_title, frame.border_subtitle = (
            f"Templates ({len(self._found)})",
            "enter takes one · esc back",
        )
        pane = self.query_one(Lines)
        pane.show(template_rows([*self._found.values()]))
        pane.focus()

    @on(Lines.Chosen, "#templates")
    def _chosen(self, event: Lines.Chosen) -> None:
        self.dismiss(self._found[event.key])
