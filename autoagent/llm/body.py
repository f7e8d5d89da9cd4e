"""The body of a request for chat completions, as bytes. Pure.

Joined from the bytes that each message and tool keeps (`wire`). What changes from step to step stands at the
end, so that a server's prompt cache sees the same prefix.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from autoagent.ports import ModelRequest


@dataclass(frozen=True)
class Dialect:
    """Which optional parts of the protocol a server takes; learned from its refusals."""

    completion_cap: str = "max_tokens"
    temperature: bool = True
    tool_choice: bool = True
    usage: bool = True

    def without(self, complaint: str) -> Dialect | None:
        """The dialect for a server that complained like this; `None` if it names no part that can go."""
        complaint = complaint.lower().replace(" ", "_")
        if "max_completion_tokens" in complaint and self.completion_cap == "max_tokens":
            return replace(self, completion_cap="max_completion_tokens")
        if "tool_choice" in complaint and self.tool_choice:
            return replace(self, tool_choice=False)
        if "temperature" in complaint and self.temperature:
            return replace(self, temperature=False)
        if "stream_options" in complaint and self.usage:
            return replace(self, usage=False)
        return None


class BodyWriter:
    """Writes the bodies for one model."""

    def __init__(self, model: str, max_tokens: int, temperature: float | None) -> None:
        self._model, self._max_tokens, self._temperature = model, max_tokens, temperature

    def write(self, request: ModelRequest, dialect: Dialect) -> bytes:
        head: dict[str, object] = {"model": self._model, "stream": True}
        tail: dict[str, object] = {dialect.completion_cap: self.cap(request)}
        if dialect.usage:
            head["stream_options"] = {"include_usage": True}
        if dialect.temperature:
            tail["temperature"] = self._warmth(request)
        if request.require_tool and request.tools and dialect.tool_choice:
            tail["tool_choice"] = "required"
        messages = b",".join([message.wire for message in request.messages])
        tools = b'"tools":[%b],' % b",".join([tool.wire for tool in request.tools]) if request.tools else b""
        return b'%b,%b"messages":[%b],%b' % (_json(head)[:-1], tools, messages, _json(tail)[1:])

    def cap(self, request: ModelRequest) -> int:
        """Tokens that the completion may have."""
        return max(1, min(request.max_tokens, self._max_tokens))

    def _warmth(self, request: ModelRequest) -> float:
        # a request that isn't at 0 has its reason: the same prompt failed before
        if self._temperature is None or request.temperature > 0:
            return request.temperature
        return self._temperature


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
