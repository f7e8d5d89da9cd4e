"""The plugins of this machine: what is there, what it lacks, how it comes into a goal. Imports none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from autoagent.console.line import Part, columns, line
from autoagent.plugin_host.installed import Installed, installed
from autoagent.tui.footer import Keys
from autoagent.tui.lines import Lines

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


_MEANING = (
    "by name: a goal names it under 'plugins', or under 'allow: send'",
    "allow.run, allow.web: it comes with that power",
    "autoagent plugins new NAME writes one of your own",
)


def _lacking(plugin: Installed) -> str:
    return f"lacks {', '.join(plugin.lacks)}: {plugin.install}" if plugin.lacks else ""


class PluginsScreen(Screen[None]):
    """Plugins that are installed. A goal enables them by name, or by the power that brings them in."""

    CSS = """
    PluginsScreen > Lines { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.leave", "back", id="plugins.back")]

    app: Cockpit

    def compose(self) -> ComposeResult:
        yield Lines(id="plugins", has_cursor=False, is_wrapped=True)
        yield Keys()

    def on_mount(self) -> None:
        rows = [
            (
                Part(plugin.name, "accent"),
                Part(f"{plugin.package} {plugin.version}"),
                Part(plugin.enabled),
                Part(_lacking(plugin), "attention"),
            )
            for plugin in installed()
        ]
        pane = self.query_one(Lines)
        pane.border_title = f"Plugins ({len(rows)})"
        pane.show_lines([*columns(rows), line(""), *map(line, _MEANING)])
        pane.focus()
