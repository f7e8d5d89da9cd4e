"""Help of the screen in front: two sentences, then every key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from autoagent.console.line import Part, columns, line
from autoagent.tui.lines import Lines


class HelpScreen(ModalScreen[None]):
    """What the screen behind it shows, and its keys."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical {
        width: 84; max-width: 95%; height: 80%; border: round $primary; padding: 0 1; background: $surface;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "back")]

    def __init__(self, behind: Screen[object]) -> None:
        super().__init__()
        self._behind = behind

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static((self._behind.__doc__ or "").strip(), markup=False)
            yield Lines(id="keys", has_cursor=False)

    def on_mount(self) -> None:
        found = {
            binding.id or binding.action: (binding.key_display or self.app.get_key_display(binding), binding)
            for _, binding, _, _ in self._behind.active_bindings.values()
            if binding.description
        }
        rows = columns(
            (Part(f"  {key}", "accent"), Part(binding.description), Part(binding.tooltip, "dim"))
            for key, binding in found.values()
        )
        self.query_one("#keys", Lines).show_lines([line(""), *rows])
        self.query_one("#keys", Lines).focus()
