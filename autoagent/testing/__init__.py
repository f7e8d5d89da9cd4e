"""Fakes and servers for tests, ours and yours: no key, no network beyond loopback.

A name is loaded when it is first asked for: a plugin's rehearsal needs no model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoagent.testing.http_world import HttpAnswer, HttpRequest, HttpWorld
    from autoagent.testing.model import Prompt, ScriptedModel, ScriptExhausted, call, calls, says, script
    from autoagent.testing.rehearsal import Rehearsal, World

__all__ = [
    "HttpAnswer",
    "HttpRequest",
    "HttpWorld",
    "Prompt",
    "Rehearsal",
    "ScriptExhausted",
    "ScriptedModel",
    "World",
    "call",
    "calls",
    "says",
    "script",
]

_NAMES = {
    "http_world": ("HttpAnswer", "HttpRequest", "HttpWorld"),
    "model": ("Prompt", "ScriptExhausted", "ScriptedModel", "call", "calls", "says", "script"),
    "rehearsal": ("Rehearsal", "World"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'autoagent.testing' has no attribute {name!r}")
    return getattr(import_module(f"autoagent.testing.{_MODULES[name]}"), name)
