"""A language model behind one connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

from autoagent.messages import Message, Reply

ModelRole = Literal["planner", "worker", "judge"]


@dataclass(frozen=True)
class ToolSchema:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: Mapping[str, object]
    """JSON schema of an object."""

    @cached_property
    def wire(self) -> bytes:
        """The tool as JSON for chat completions, always the same bytes."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return json.dumps({"type": "function", "function": function}, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `wire`, taken once."""
        return hashlib.sha256(self.wire).digest()


@dataclass(frozen=True)
class ModelRequest:
    """Everything that one completion needs."""

    role: ModelRole
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...]
    max_tokens: int
    temperature: float = 0.0
    lane: str = "main"
    number: int = 1
    """Counts the requests of (lane, role), from 1."""
    outcomes: tuple[bool, ...] = ()
    """How each call of the reply before this one ended; with lane, role and number, a recording's key."""
    require_tool: bool = False
    """The reply must be a tool call, where the server can enforce it."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    prompt: Decimal = Decimal(0)
    completion: Decimal = Decimal(0)


@runtime_checkable
class Located(Protocol):
    """A model that is asked at an address."""

    @property
    def server(self) -> str:
        """Without user and query: it stands in the record."""
        ...


class Listener(Protocol):
    """Hears a reply as it comes in, on the loop's thread. Never waits and never raises.

    It hears a preview: maybe reasoning and repairs that the whole reply is without.
    """

    def anew(self) -> None:
        """The reply begins, or begins again: what was heard of it so far is void."""
        ...

    def text(self, piece: str) -> None:
        """More of its text."""
        ...

    def call(self, number: int, name: str, piece: str) -> None:
        """More of the arguments of its call `number`, from 0; `name` as far as it is known."""
        ...

    def failed(self, why: str, wait_s: float) -> None:
        """This try gave no reply, as a clause says; in so many seconds it begins `anew`."""
        ...


class Model(Protocol):
    """A model behind one connection.

    `reply` retries what is worth retrying, and raises `ModelUnavailable` when it gives up (`RecordingMiss`
    for a recording). A malformed reply is repaired where its meaning is certain, else it comes back as text.
    Cancelling ends the stream at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def style(self) -> Literal["tools", "code"]:
        """How it acts best: native tool calls, or one Python script a turn."""
        ...

    @property
    def price(self) -> Price: ...

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply: ...

    async def close(self) -> None: ...
