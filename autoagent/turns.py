"""What was said in a lane, turn by turn, and how a model reads it. Pure.

A turn's message is made once and then always the same bytes, so that the prefix of a prompt never changes.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from autoagent.messages import Message, Reply, RequestedCall, user

Style = Literal["tools", "code"]
SCRIPT = "script"
"""Name of the call that a fenced block becomes in `code` style."""
_SHORT = 200


@dataclass(frozen=True)
class Turn:
    """A reply, a call's result, or a note of ours."""

    kind: Literal["reply", "result", "note"]
    text: str
    style: Style = "tools"
    call_id: str | None = None
    tool: str = ""
    ok: bool = True
    calls: tuple[RequestedCall, ...] = ()

    @cached_property
    def message(self) -> Message:
        """The turn as the model reads it."""
        if self.kind == "reply":
            calls = tuple(_sendable(c) for c in self.calls) if self.style == "tools" else ()
            return Message("assistant", self.text, calls)
        if self.kind == "result" and self.style == "tools":
            return Message("tool", self.text, call_id=self.call_id)
        if self.kind == "result":
            head = "Output:" if self.ok else "It failed:"
            label = "" if self.tool == SCRIPT else f"{self.tool}: "
            return user(f"{label}{head}\n{self.text}")
        return user(self.text)

    @property
    def shortened(self) -> Turn:
        """The turn with a long result cut to a handle under which it can be read again."""
        if self.kind != "result" or len(self.text) <= 2 * _SHORT:
            return self
        cut = (
            f"{self.text[:_SHORT]}\n… {len(self.text) - _SHORT} characters left out; handle {self.call_id!r}"
        )
        return replace(self, text=cut)


def _sendable(call: RequestedCall) -> RequestedCall:
    """Servers refuse a history whose arguments are no JSON object; the observation quotes what was wrong."""
    try:
        fine = isinstance(json.loads(call.arguments), dict)
    except ValueError:
        fine = False
    return call if fine else call.model_copy(update={"arguments": "{}"})


_FENCE = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)


def script_in(text: str) -> str | None:
    """The Python of a `code` style reply: its first block fenced as python, else its first unnamed one.

    An unnamed block counts only if it parses: models show files and output in such blocks too.
    """
    blocks = [(m[1].lower(), m[2]) for m in _FENCE.finditer(text) if m[2].strip()]
    named = (code for language, code in blocks if language in ("python", "py", "python3"))
    unnamed = (code for language, code in blocks if not language and _parses(code))
    return next(named, None) or next(unnamed, None)


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def requested_calls(reply: Reply, style: Style, model_call: str) -> tuple[RequestedCall, ...]:
    """What a reply wants done, in order, each with an id that is unique in the run."""
    if style == "code" and not reply.calls:
        if reply.finish_reason == "length" or (code := script_in(reply.text)) is None:
            return ()
        return (RequestedCall(id=f"{model_call}.1", name=SCRIPT, arguments=json.dumps({"code": code})),)
    # servers reuse ids ("call_0" in each reply); ours name the reply and the place in it
    return tuple(
        RequestedCall(id=f"{model_call}.{i}", name=c.name, arguments=c.arguments)
        for i, c in enumerate(reply.calls, 1)
    )


def messages_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    return tuple(turn.message for turn in turns)
