"""The list of commands: every action of the screen behind it, with its key, to be found by words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_MOVING = "lines."
"""Actions that only move about; they are found, and not listed unasked."""


class Actions(Provider):
    """What can be done here."""

    async def discover(self) -> Hits:
        for active in self._active():
            if not (active.binding.id or "").startswith(_MOVING):
                yield DiscoveryHit(
                    self._said(active), self._done(active), help=active.binding.tooltip or None
                )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for active in self._active():
            said = self._said(active)
            score = max(matcher.match(said), matcher.match(active.binding.tooltip))
            if score > 0:
                help_text = active.binding.tooltip or None
                yield Hit(score, matcher.highlight(said), self._done(active), text=said, help=help_text)

    def _active(self) -> Iterator[ActiveBinding]:
        """Each action once, by whatever keys it goes; the list itself left out."""
        cockpit = cast("Cockpit", self.app)
        seen = {"app.commands"}
        for active in self.screen.active_bindings.values():
            id = active.binding.id
            if id in cockpit.actions and id not in seen and active.enabled:
                seen.add(id)
                yield active

    def _said(self, active: ActiveBinding) -> str:
        assert active.binding.id is not None
        return f"{active.binding.description}   {cast('Cockpit', self.app).key_of(active.binding.id)}"

    def _done(self, active: ActiveBinding) -> Callable[[], Awaitable[bool]]:
        return partial(self.app.run_action, active.binding.action, active.node)
