"""A letter on each pane: the next key goes there."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.events import Key
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

_LETTERS = "asdfghjkl"


class JumpScreen(ModalScreen[Widget | None]):
    """Each pane has a letter; that key goes there, any other back."""

    CSS = """
    JumpScreen { background: $background 0%; layers: letters; }
    JumpScreen > .letter {
        layer: letters; position: absolute; width: 5; height: 1;
        background: $primary; color: $background; text-style: bold; text-align: center;
    }
    """

    def __init__(self, panes: Sequence[Widget]) -> None:
        super().__init__()
        self._panes = dict(zip(_LETTERS, panes, strict=False))

    @classmethod
    def over(cls, screen: Screen[None]) -> JumpScreen:
        """With the panes of a screen that are to be seen and can be gone to."""
        return cls([each for each in screen.focus_chain if isinstance(each, Widget)])

    def compose(self) -> ComposeResult:
        for letter, pane in self._panes.items():
            label = Static(f"[ {letter} ]", classes="letter", markup=False)
            label.absolute_offset = Offset(pane.region.x + 2, pane.region.y)
            yield label

    def on_key(self, event: Key) -> None:
        event.stop()
        self.dismiss(self._panes.get(event.key))
