"""Help of the pane in focus: what it shows in two sentences, then every key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from autoagent.console.line import Line, Part, columns, line
from autoagent.tui.drawing.footer import in_place
from autoagent.tui.drawing.lines import Lines

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_WIDE = 110
"""Columns from which an action's name has room beside it."""


def help_of(screen: Screen[object], focused: Widget | None) -> str:
    """What a pane shows, as its screen has it in `PANES`; what the screen shows where that has nothing."""
    panes: Mapping[str, str] = getattr(screen, "PANES", {})
    of_pane = panes.get((focused.id or "") if focused is not None else "")
    return of_pane or cleandoc(screen.__doc__ or "")


def keys_lines(keys: Sequence[tuple[str, str, str, str]], width: int) -> list[Line]:
    """(key, what it does in a word, in a sentence, the action's name), the names apart where it is narrow."""
    is_narrow, keys = width < _WIDE, [*_together(keys)]
    rows = columns(
        (Part(f"  {key}", "accent"), Part(word), Part(said), *(() if is_narrow else (Part(name, "dim"),)))
        for key, word, said, name in keys
    )
    if not is_narrow:
        return [line(""), *rows]
    names = columns((Part(f"  {key}", "accent"), Part(name, "dim")) for key, _, _, name in keys)
    return [line(""), *rows, line(""), line(Part("Their names, for [keys] in config.toml", "dim")), *names]


def _together(keys: Sequence[tuple[str, str, str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """The same, with actions that are only counted, as `choice 1` to `choice 9`, in one row."""
    for _, found in groupby(keys, lambda each: each[3].rstrip("0123456789")):
        (key, word, said, name), *more = found
        if more:
            last = more[-1]
            yield f"{key}-{last[0]}", f"{word}-{last[1].split()[-1]}", said, f"{name} … {last[3]}"
        else:
            yield key, word, said, name


class HelpScreen(ModalScreen[None]):
    """What the pane in focus shows, and the keys there are."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical {
        width: 110; max-width: 95%; height: 80%; border: round $primary; padding: 0 1; background: $surface;
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
            yield Lines(id="keys", has_cursor=False, is_wrapped=True)

    def on_mount(self) -> None:
        self.query_one(Vertical).border_subtitle = "esc back"
        places = {id(self._behind): 0, id(self.app): 1}  # the screen's own keys before those of its panes
        active = sorted(
            in_place(self._behind.active_bindings.values()), key=lambda each: places.get(id(each[0]), 2)
        )
        found = {binding.id: binding for _, binding, _, _ in active if binding.id}
        rows = keys_lines(
            [
                (self.app.key_of(id), binding.description, binding.tooltip, id)
                for id, binding in found.items()
                if id in self.app.actions
            ],
            self.app.size.width,
        )
        self.query_one("#keys", Lines).show_lines(rows)
        self.query_one("#keys", Lines).focus()
