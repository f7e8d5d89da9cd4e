"""The footer: the keys of the screen in front on one line, drawn and never built of widgets.

Where they have no room, help and the list of all commands stay: from those every other key can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from textual.app import RenderResult
from textual.binding import ActiveBinding, Binding
from textual.reactive import reactive
from textual.widget import Widget

from autoagent.console.line import Line, Part, columns_of, line
from autoagent.tui.drawing.drawn import drawn

_LAST = ("help", "commands")


def keys_line(keys: Sequence[tuple[str, str]], width: int) -> Line:
    """(key, what it does) as they have room in `width` columns, those that lead to the others always."""
    made = [(said, line(Part(f" {key}", "accent"), f" {said} ")) for key, said in keys]
    last = [each for said, each in made if said in _LAST]
    room = width - sum(map(columns_of, last))
    parts: list[Part] = []
    for said, each in made:
        if said in _LAST:
            continue
        if (room := room - columns_of(each)) < 0:
            break
        parts += each.parts
    return Line((*parts, *(part for each in last for part in each.parts)))


def in_place(active: Iterable[ActiveBinding]) -> list[ActiveBinding]:
    """Active bindings as their widgets declare them, whatever keys they have been given."""
    found = list(active)
    nodes = list(dict.fromkeys(id(each.node) for each in found))

    def place(each: ActiveBinding) -> tuple[int, int]:
        names = _declared(type(each.node))
        return nodes.index(id(each.node)), names.get(each.binding.id or "", len(names))

    return sorted(found, key=place)


@cache
def _declared(widget: type[object]) -> Mapping[str, int]:
    """Name of an action -> its place among the widget's own and those of its bases."""
    declared = [each for base in reversed(widget.__mro__) for each in vars(base).get("BINDINGS", ())]
    names = [each.id for each in declared if isinstance(each, Binding) and each.id]
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


class Named(NamedTuple):
    """An action that a key does."""

    id: str
    action: str
    key: str
    said: str


def ordered(found: Sequence[Named], first: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """(key, what it does), those of the ids `first` before the others; what says the same stands once.

    Keys of panes that follow each other are one, and where `back` is named `leave` isn't: it goes back too.
    """
    if any(each.said == "back" for each in found):
        found = [each for each in found if each.action != "leave"]
    panes = [each for each in found if each.action.startswith("view(")]
    if len(panes) > 1 and "".join(each.key for each in panes) in "123456789":
        one = Named("", "", f"{panes[0].key}-{panes[-1].key}", "panes")
        found = [one if each is panes[0] else each for each in found if each not in panes[1:]]
    order = {id: place for place, id in enumerate(first)}
    made = sorted(found, key=lambda each: order.get(each.id, len(order)))
    return tuple((each.key, each.said) for each in made)


class Keys(Widget):
    """Says which keys do what."""

    DEFAULT_CSS = "Keys { height: 1; background: $panel; }"
    shown: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """(key, what it does)."""

    _first: tuple[str, ...] = ()

    def put_first(self, names: tuple[str, ...]) -> None:
        """Name the keys of these actions before all others: what makes sense just now."""
        if names != self._first:
            self._first = names
            self._look()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look())
        self._look()

    def _look(self) -> None:
        """Reads the bindings that are active in the screen."""
        found: dict[str, Named] = {}
        for _, binding, is_enabled, _ in in_place(self.screen.active_bindings.values()):
            if binding.show and is_enabled and binding.description:  # of several keys the first
                key = self.app.get_key_display(binding)
                named = Named(binding.id or "", binding.action, key, binding.description)
                found.setdefault(binding.action, named)
        self.shown = ordered([*found.values()], self._first)

    def render(self) -> RenderResult:
        return drawn(keys_line(self.shown, self.size.width))
