"""Help of the pane in focus: what it shows in two sentences, then every key."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from autoagent.console.line import Part, columns, line
from autoagent.tui.lines import Lines

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


def help_of(screen: Screen[object], focused: Widget | None) -> str:
    """What a pane shows, as its screen has it in `PANES`; what the screen shows where that has nothing."""
    panes: Mapping[str, str] = getattr(screen, "PANES", {})
    of_pane = panes.get((focused.id or "") if focused is not None else "")
    return of_pane or cleandoc(screen.__doc__ or "")


class HelpScreen(ModalScreen[None]):
    """What the pane in focus shows, and the keys there are."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical {
        width: 84; max-width: 95%; height: 80%; border: round $primary; padding: 0 1; background: $surface;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "back", id="help.back")
    ]

    app: Cockpit

    def __init__(self, behind: Screen[object], focused: Widget | None) -> None:
        super().__init__()
        self._behind, self._focused = behind, focused

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(help_of(self._behind, self._focused), markup=False)
            yield Lines(id="keys", has_cursor=False)

    def on_mount(self) -> None:
        self.query_one(Vertical).border_subtitle = "esc back"
        places = {id(self._behind): 0, id(self.app): 1}  # the screen's own keys before those of its panes
        active = sorted(self._behind.active_bindings.values(), key=lambda each: places.get(id(each[0]), 2))
        found = {binding.id: binding for _, binding, _, _ in active if binding.id}
        rows = columns(
            (
                Part(f"  {self.app.key_of(id)}", "accent"),
                Part(binding.description),
                Part(id, "dim"),
                Part(binding.tooltip, "dim"),
            )
            for id, binding in found.items()
            if id in self.app.actions
        )
        self.query_one("#keys", Lines).show_lines([line(""), *rows])
        self.query_one("#keys", Lines).focus()
