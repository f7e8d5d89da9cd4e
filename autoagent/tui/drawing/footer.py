"""The footer: the keys of the screen in front on one line, drawn and never built of widgets.

Where they have no room, help and the list of all commands stay: from those every other key can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

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
        found: dict[str, tuple[str, str, str]] = {}
        for _, binding, is_enabled, _ in in_place(self.screen.active_bindings.values()):
            if binding.show and is_enabled and binding.description:  # of several keys the first
                key = self.app.get_key_display(binding)
                found.setdefault(binding.action, (binding.id or "", key, binding.description))
        if any(said == "back" for _, _, said in found.values()):
            found.pop("leave", None)  # which goes back from here too
        panes = [action for action in found if action.startswith("view(")]
        keys = [found[action][1] for action in panes]
        if len(keys) > 1 and "".join(keys) in "123456789":
            found = {x: found[x] for x in found if x not in panes[1:]}
            found[panes[0]] = ("", f"{keys[0]}-{keys[-1]}", "panes")
        order = {name: place for place, name in enumerate(self._first)}
        made = sorted(found.values(), key=lambda each: order.get(each[0], len(order)))
        self.shown = tuple((key, said) for _, key, said in made)

    def render(self) -> RenderResult:
        return drawn(keys_line(self.shown, self.size.width))
