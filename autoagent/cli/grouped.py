"""The list of commands in `autoagent --help`: in the order in which a person comes to need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

GROUPS: dict[str, tuple[str, ...]] = {
    "Every day": ("run", "resume", "approvals", "approve", "deny", "answer", "show", "runs", "tui"),
    "Before a run": ("init", "validate", "doctor"),
    "While it works": ("tail", "tell", "pause", "unpause", "cancel"),
    "What it did, and taking it back": (
        "diff",
        "undo",
        "why",
        "fork",
        "replay",
        "report",
        "verify",
        "export",
    ),
    "What stays": ("grants", "memory", "plugins", "gc"),
}
_ROOM = 16
"""Columns that a row takes beside its text."""


class GroupedCommands(TyperGroup):
    """Commands under headings, each heading's in its order."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """One section a heading."""
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                limit = formatter.width - _ROOM
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit)) for name in names])
