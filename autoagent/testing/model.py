"""`ScriptedModel`: a model that says what a test wrote, and remembers what it was asked.

Turns are values that `call`, `calls`, `says` and `script` build; a function of the request that returns one;
or an exception to raise. The same turns drive `autoagent.testing.server.ScriptedServer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autoagent.llm.assembly import with_ids
from autoagent.llm.prices import cost_of
from autoagent.messages import Message, Reply, RequestedCall, Usage
from autoagent.ports import Listener, ModelRequest, ModelRole, Price

Turn = Reply | BaseException | Callable[[ModelRequest], "Reply | BaseException"]
Turns = Sequence[Turn] | Mapping[str, Sequence[Turn]]
"""Turns in order, or by lane."""


class ScriptExhausted(AssertionError):
    """The model was asked more often than its script foresees: a mistake of the test, so no error of ours."""


def call(name: str, /, **arguments: object) -> Reply:
    """A reply that calls one tool."""
    return Reply(calls=(RequestedCall(id="", name=name, arguments=json.dumps(arguments)),))


def calls(*replies: Reply, text: str = "") -> Reply:
    """A reply with the calls of all `replies`, in order: `calls(call("a"), call("b", x=1))`."""
    return Reply(text=text, calls=tuple(c for reply in replies for c in reply.calls))


def says(text: str) -> Reply:
    """A reply in words."""
    return Reply(text=text)


def script(code: str, *, before: str = "") -> Reply:
    """A reply in code style: one fenced Python block."""
    return Reply(text=f"{before}```python\n{code.strip()}\n```")


@dataclass(frozen=True)
class Prompt:
    """What the model was asked, as a test reads it."""

    request: ModelRequest

    @property
    def role(self) -> ModelRole:
        return self.request.role

    @property
    def first(self) -> Message:
        return self.request.messages[0]

    @property
    def last(self) -> Message:
        return self.request.messages[-1]

    @property
    def text(self) -> str:
        """The texts of all messages, a blank line between them."""
        return "\n\n".join(message.text for message in self.request.messages)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools offered."""
        return tuple(tool.name for tool in self.request.tools)


class ScriptedModel:
    """Plays turns in order; keeps every request in `requests`.

    A role with turns of its own (`planner=`, `worker=`, `judge=`; by lane where they are a mapping) takes
    them from there, the others share `turns`. With `by_number` a role's n-th request always gets its n-th
    turn, so that a run which was killed and resumed goes on where it was; else a request takes the next one.
    """

    def __init__(
        self,
        *turns: Turn,
        planner: Turns | None = None,
        worker: Turns | None = None,
        judge: Turns | None = None,
        name: str = "scripted",
        style: Literal["tools", "code"] = "tools",
        price: Price | None = None,
        by_number: bool = False,
    ) -> None:
        assert not (by_number and turns), "requests are numbered by role: with by_number, give turns by role"
        own = {"planner": planner, "worker": worker, "judge": judge}
        self._shared = turns
        self._own = {role: turns for role, turns in own.items() if turns is not None}
        self._taken: dict[str, int] = {}
        self._name, self._style, self._price = name, style, price or Price()
        self._by_number = by_number
        self.requests: list[ModelRequest] = []
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def style(self) -> Literal["tools", "code"]:
        return self._style

    @property
    def price(self) -> Price:
        return self._price

    @property
    def prompts(self) -> list[Prompt]:
        return [Prompt(request) for request in self.requests]

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        self.requests.append(request)
        turn = self._next(request)
        if not isinstance(turn, Reply | BaseException):
            turn = turn(request)
        if isinstance(turn, BaseException):
            raise turn
        if listener is not None:
            _say(turn, listener)
        return self._settled(turn, request)

    async def close(self) -> None:
        self.closed = True

    def _next(self, request: ModelRequest) -> Turn:
        queue, turns = self._queue(request)
        index = request.number - 1 if self._by_number else self._taken.get(queue, 0)
        self._taken[queue] = index + 1
        if index < len(turns):
            return turns[index]
        raise ScriptExhausted(
            f"the script has {len(turns)} turns for {queue}, and this is request {index + 1} "
            f"({request.role}, lane {request.lane!r}, number {request.number}); "
            f"its last message says: {request.messages[-1].text[:300]!r}"
        )

    def _queue(self, request: ModelRequest) -> tuple[str, Sequence[Turn]]:
        own = self._own.get(request.role)
        if own is None:
            return "every role", self._shared
        if isinstance(own, Mapping):
            return f"the {request.role} in lane {request.lane!r}", own.get(request.lane, ())
        return f"the {request.role}", own

    def _settled(self, turn: Reply, request: ModelRequest) -> Reply:
        """The turn with what a real reply has: call ids, usage, cost."""
        usage = turn.usage if turn.usage != Usage() else _plausible_usage(turn, request)
        return turn.model_copy(
            update={
                "calls": with_ids(turn.calls, f"{request.lane}/{request.role}/{request.number}"),
                "usage": usage,
                "cost_usd": turn.cost_usd or cost_of(usage, self._price),
                "model": turn.model or self._name,
                "finish_reason": turn.finish_reason or ("tool_calls" if turn.calls else "stop"),
            }
        )


def _say(reply: Reply, listener: Listener) -> None:
    listener.anew()
    if reply.text:
        listener.text(reply.text)
    for number, each in enumerate(reply.calls):
        listener.call(number, each.name, each.arguments)


def _plausible_usage(reply: Reply, request: ModelRequest) -> Usage:
    """Four bytes a token, as texts in English have."""
    prompt_bytes = sum(len(message.wire) for message in request.messages)
    said = len(reply.text) + sum(len(c.name) + len(c.arguments) for c in reply.calls)
    return Usage(prompt_tokens=prompt_bytes // 4 + 1, completion_tokens=said // 4 + 1)
