"""What is said to a model and what it answers. Pure data; the wire format of chat completions.

A message is serialised once, when it is first sent (`wire`), so that a step costs what is new in it: walking
every message again costs 56 ms a step at 200 steps.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """The base of everything that is stored or crosses a boundary: immutable, and no unknown field."""

    # built when first used: a command that reads no journal doesn't pay for its 40 events
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class RequestedCall(Frozen):
    """A tool call as the model wrote it; `arguments` is its raw text and may be anything."""

    id: str
    name: str
    arguments: str


class Usage(Frozen):
    """Tokens as the server counted them. `None` where it said nothing that can be believed."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


class Reply(Frozen):
    """One whole answer of a model."""

    text: str = ""
    calls: tuple[RequestedCall, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal = Field(default=Decimal(0), ge=0)
    model: str = ""
    finish_reason: str = ""
    """`stop`, `length`, `tool_calls` or what the server said; `length` means the text was cut."""


Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation, immutable, with its own JSON."""

    role: Role
    text: str
    calls: tuple[RequestedCall, ...] = ()
    """The tool calls of an assistant's message."""
    call_id: str | None = None
    """For a `tool` message: the call that it answers."""

    @cached_property
    def wire(self) -> bytes:
        """The message as JSON for chat completions, always the same bytes."""
        body: dict[str, object] = {"role": self.role, "content": self.text}
        if self.calls:
            body["content"] = self.text or None
            body["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in self.calls
            ]
        if self.call_id is not None:
            body["tool_call_id"] = self.call_id
        # surrogates (odd file names) have no UTF-8: ASCII escapes carry them
        return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `wire`, taken once."""
        return hashlib.sha256(self.wire).digest()


def system(text: str) -> Message:
    return Message("system", text)


def user(text: str) -> Message:
    return Message("user", text)
