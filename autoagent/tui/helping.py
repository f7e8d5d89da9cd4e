"""Help of the screen in front: two sentences, then every key."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from autoagent.console.line import Part, columns, line
from autoagent.tui.lines import Lines

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class HelpScreen(ModalScreen[None]):
    """What the screen behind it shows, and its keys."""

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

    def __init__(self, behind: Screen[object]) -> None:
        super().__init__()
        self._behind = behind

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(cleandoc(self._behind.__doc__ or ""), markup=False)
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
