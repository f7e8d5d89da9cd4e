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
_TEXTUALS = ("Theme", "Maximize", "Minimize", "Screenshot")
"""Commands that every Textual program has and that we have no other of."""


class Actions(Provider):
    """What can be done here."""

    async def discover(self) -> Hits:
        for active in self._active():
            if not (active.binding.id or "").startswith(_MOVING):
                yield DiscoveryHit(self._said(active), self._done(active))
        for title, done in self._textuals():
            yield DiscoveryHit(title, done)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for active in self._active():
            said = self._said(active)
            if (score := matcher.match(said)) > 0:
                yield Hit(score, matcher.highlight(said), self._done(active), text=said)
        for title, done in self._textuals():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), done, text=title)

    def _textuals(self) -> Iterator[tuple[str, Callable[[], object]]]:
        for title, help_text, done, _ in self.app.get_system_commands(self.screen):
            if title in _TEXTUALS:
                yield _row(title.lower(), "", help_text), done

    def _active(self) -> Iterator[ActiveBinding]:
        """Each action once, by whatever keys it goes; the list itself left out, and help's second name."""
        cockpit = cast("Cockpit", self.app)
        seen = {"app.commands", "app.help_anywhere"}
        for active in self.screen.active_bindings.values():
            id = active.binding.id
            if id in cockpit.actions and id not in seen and active.enabled:
                seen.add(id)
                yield active

    def _said(self, active: ActiveBinding) -> str:
        assert active.binding.id is not None
        key = cast("Cockpit", self.app).key_of(active.binding.id)
        return _row(active.binding.description, key, active.binding.tooltip)

    def _done(self, active: ActiveBinding) -> Callable[[], Awaitable[bool]]:
        return partial(self.app.run_action, active.binding.action, active.node)


def _row(does: str, key: str, said: str) -> str:
    """A command on one line."""
    return f"{does:<16}{key:<8}  {said}".rstrip()
