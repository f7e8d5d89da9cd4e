"""Fakes and servers for tests, ours and yours: no key, no network beyond loopback."""

from autoagent.testing.model import Prompt, ScriptedModel, ScriptExhausted, call, calls, says, script

__all__ = ["Prompt", "ScriptExhausted", "ScriptedModel", "call", "calls", "says", "script"]
