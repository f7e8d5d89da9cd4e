"""autoagent: goal-driven agents that can be left alone.

What people import stands here. A name is loaded when it is first asked for: the command line imports this
package too, and needs next to nothing of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoagent.api import run, run_sync
    from autoagent.commands import Answer, Approve, Deny
    from autoagent.door.hooks import CallOutcome, HeardCall, HookContext, Hooks, Report
    from autoagent.door.tools import (
        Observation,
        Plugin,
        PluginContext,
        Tool,
        ToolContext,
        WorkspaceFile,
        WorkspacePath,
        tool,
        tool_from_schema,
    )
    from autoagent.errors import AutoagentError, NotDone, ToolError
    from autoagent.goal import Goal
    from autoagent.outcome import Outcome
    from autoagent.questions import Question

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Approve",
    "AutoagentError",
    "CallOutcome",
    "Deny",
    "Goal",
    "HeardCall",
    "HookContext",
    "Hooks",
    "NotDone",
    "Observation",
    "Outcome",
    "Plugin",
    "PluginContext",
    "Question",
    "Report",
    "Tool",
    "ToolContext",
    "ToolError",
    "WorkspaceFile",
    "WorkspacePath",
    "__version__",
    "run",
    "run_sync",
    "tool",
    "tool_from_schema",
]

_NAMES = {
    "api": ("run", "run_sync"),
    "commands": ("Answer", "Approve", "Deny"),
    "errors": ("AutoagentError", "NotDone", "ToolError"),
    "goal": ("Goal",),
    "door.hooks": ("CallOutcome", "HeardCall", "HookContext", "Hooks", "Report"),
    "outcome": ("Outcome",),
    "questions": ("Question",),
    "door.tools": (
        "Observation",
        "Plugin",
        "PluginContext",
        "Tool",
        "ToolContext",
        "WorkspaceFile",
        "WorkspacePath",
        "tool",
        "tool_from_schema",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'autoagent' has no attribute {name!r}")
    return getattr(import_module(f"autoagent.{_MODULES[name]}"), name)
