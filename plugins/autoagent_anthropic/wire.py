"""Anthropic's Messages API: what a request and a reply look like there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from autoagent.door.providers import ModelSpec
from autoagent.messages import Message, Reply, RequestedCall, Usage
from autoagent.ports import ModelRequest, Price

Block = dict[str, object]
_CACHED: Block = {"cache_control": {"type": "ephemeral"}}
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_NOTHING = "(nothing)"
"""An empty text is refused there."""
_FINISHED = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


def body_of(request: ModelRequest, spec: ModelSpec) -> dict[str, object]:
    """The request; what stays the same from step to step is marked for the cache, as is the last message."""
    first = [m.text for m in request.messages if m.role == "system"]
    messages = _turns([m for m in request.messages if m.role != "system"])
    if messages:
        messages[-1]["content"][-1].update(_CACHED)  # type: ignore[index]
    body: dict[str, object] = {
        "model": spec.model,
        "max_tokens": max(1, min(request.max_tokens, spec.max_tokens)),
        "temperature": request.temperature
        if spec.temperature is None or request.temperature > 0
        else spec.temperature,
        "messages": messages,
    }
    if first:
        body["system"] = [{"type": "text", "text": "\n\n".join(first), **_CACHED}]
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": t.parameters}
            for t in request.tools
        ]
        if request.require_tool:
            body["tool_choice"] = {"type": "any"}
    return body


def _turns(messages: Iterable[Message]) -> list[Block]:
    """The conversation as turns that alternate: what the user and the tools say in a row is one."""
    turns: list[tuple[str, list[Block]]] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(_blocks(message))
    return [{"role": role, "content": blocks} for role, blocks in turns]


def _blocks(message: Message) -> list[Block]:
    if message.call_id is not None:
        text = message.text or _NOTHING
        return [{"type": "tool_result", "tool_use_id": _id(message.call_id), "content": text}]
    said: list[Block] = [{"type": "text", "text": message.text}] if message.text.strip() else []
    calls: list[Block] = [
        {"type": "tool_use", "id": _id(c.id), "name": c.name, "input": _arguments(c.arguments)}
        for c in message.calls
    ]
    return [*said, *calls] or [{"type": "text", "text": _NOTHING}]


def _id(call: str) -> str:
    return _NO_ID.sub("_", call)


def _arguments(text: str) -> object:
    """An object, whatever the model wrote then."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


# --- replies ------------------------------------------------------------------------------------------------


class _Block(BaseModel):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: JsonValue = None


class _Usage(BaseModel):
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cache_creation_input_tokens: int | None = Field(default=None, ge=0)
    cache_read_input_tokens: int | None = Field(default=None, ge=0)


class Said(BaseModel):
    """What of an answer is looked at."""

    type: Literal["message"]
    model: str
    content: list[_Block]
    stop_reason: str | None
    usage: _Usage


def reply_of(said: Said, price: Price) -> Reply:
    """The answer as a reply; tokens of the cache count in full, as everywhere."""
    calls = _calls(said.content)
    read, written = said.usage.cache_read_input_tokens or 0, said.usage.cache_creation_input_tokens or 0
    prompt = said.usage.input_tokens + read + written
    return Reply(
        text="".join(block.text for block in said.content if block.type == "text"),
        calls=calls,
        usage=Usage(
            prompt_tokens=prompt,
            completion_tokens=said.usage.output_tokens,
            cached_tokens=read,
        ),
        cost_usd=(prompt * price.prompt + said.usage.output_tokens * price.completion) / 1_000_000,
        model=said.model,
        finish_reason=_FINISHED.get(said.stop_reason or "", said.stop_reason or ""),
    )


def _calls(blocks: Sequence[_Block]) -> tuple[RequestedCall, ...]:
    return tuple(
        RequestedCall(id=block.id, name=block.name, arguments=json.dumps(block.input))
        for block in blocks
        if block.type == "tool_use"
    )
