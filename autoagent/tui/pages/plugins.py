"""The plugins of this machine: what is there, what it lacks, how it comes into a goal.

None is imported before a person opens it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from autoagent.errors import AutoagentError, UsageError
from autoagent.plugin_host.installed import Installed, installed, purpose
from autoagent.settings import Settings
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.pages.plugin_lines import Known, plugin_lines, plugin_rows
from autoagent.tui.pages.reading import ReadScreen

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


def known(name: str, settings: Settings) -> Known:
    """A plugin, imported and not opened. Raises `AutoagentError` that says what is wrong with it."""
    from autoagent.plugin_host.loading import imported, settings_of

    plugin, code = imported(name)
    own, problem = None, ""
    try:
        own = settings_of(plugin, settings, os.environ)
    except UsageError as error:
        problem = str(error)
    provides = {
        "models": plugin.models,
        "vectors for memory": plugin.embeddings,
        "a search for the plugin web": plugin.search,
        "tools that are known only once it is opened": plugin.opened,
    }
    return Known(
        code=code,
        problem=problem,
        tools=tuple(plugin.tools),
        settings=plugin.settings,
        values=None if own is None else own.values,
        unset=() if own is None else own.unset,
        provides=tuple(what for what, made in provides.items() if made is not None),
    )


class PluginsScreen(Screen[None]):
    """Plugins that are installed; a goal enables them by name, or by the power that brings them in.

    Enter shows one: its tools with what they may do and whom they reach, its settings, what is wrong with it.
    """

    CSS = """
    PluginsScreen > Lines { border: round $primary; }
    PluginsScreen > #meaning { height: auto; padding: 0 1; color: $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.leave", "back", id="plugins.back")]

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, Installed] = {}

    def compose(self) -> ComposeResult:
        yield Lines(id="plugins")
        yield Static(
            "enter shows its tools and settings · autoagent plugins new NAME writes one of your own",
            id="meaning",
            markup=False,
        )
        yield News()
        yield Keys()

    def on_mount(self) -> None:
        self._found = {plugin.name: plugin for plugin in installed()}
        pane = self.query_one(Lines)
        lacking = sum(bool(plugin.lacks) for plugin in self._found.values())
        pane.border_title = f"Plugins ({len(self._found)}{f', {lacking} incomplete' if lacking else ''})"
        purposes = {plugin.target: purpose(plugin.target) for plugin in self._found.values()}
        pane.show(plugin_rows(self._found.values(), purposes))
        pane.focus()

    def tell(self, news: str) -> None:
        self.query_one(News).say(news)

    @on(Lines.Chosen, "#plugins")
    def _chosen(self, event: Lines.Chosen) -> None:
        self._show(self._found[event.key])

    @work(exclusive=True)
    async def _show(self, plugin: Installed) -> None:
        self.tell(f"looking into {plugin.name} …")
        self.app.reload()
        found, problem = None, ""
        try:
            found = await asyncio.to_thread(known, plugin.name, self.app.settings)
        except AutoagentError as error:
            problem = "" if plugin.lacks else str(error)
        self.tell("")
        self.app.push_screen(ReadScreen(f"Plugin {plugin.name}", plugin_lines(plugin, found, problem)))
