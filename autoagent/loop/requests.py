"""One request to a model: reserved before, settled after, recorded both times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from autoagent.budget import COMPLETION_TOKENS, Exhausted, Reservation, Wait, prompt_bound, reserve, settle
from autoagent.errors import AutoagentError
from autoagent.events import Event, ModelCalled, ModelFailed, ModelReplied
from autoagent.loop.context import RunContext
from autoagent.loop.heads import keep_head, prompt_digest
from autoagent.messages import Message, Reply
from autoagent.ports import Coming, Listener, Model, ModelRequest, ModelRole, ToolSchema
from autoagent.state import RunState

_wire = attrgetter("wire")


class LimitReached(Exception):
    """Not an error: a limit of the goal ends the run. Carries which, in words."""


STOPPED = "the run was stopped before the reply came"
"""Why a request failed whose lane was cancelled."""


async def complete(
    ctx: RunContext,
    role: ModelRole,
    lane: str,
    messages: tuple[Message, ...],
    tools: tuple[ToolSchema, ...],
    *,
    model: Model | None = None,
    require_tool: bool = False,
    temperature: float = 0.0,
    then: Callable[[Reply], tuple[Event, ...]] = lambda reply: (),
) -> Reply:
    """A whole reply, paid for. Raises `LimitReached`, `ModelUnavailable`, `RecordingMiss`.

    `then` says what the reply comes to. It is recorded with it, so that no reply is paid for twice.
    """
    model = model or ctx.models.of(role)
    size = sum(map(len, map(_wire, messages))) + sum(map(len, map(_wire, tools)))
    reserved = await _room(ctx, model, role, lane, size)
    number = ctx.history.state.replies.get((lane, role), 0) + 1
    call = request_id(lane, role, number)
    known = ctx.history.state.lanes.get(lane)
    request = ModelRequest(
        role=role,
        messages=messages,
        tools=tools,
        max_tokens=reserved.completion_tokens,
        temperature=temperature,
        lane=lane,
        number=number,
        outcomes=known.outcomes if known is not None and role == "worker" else (),
        require_tool=require_tool,
    )
    ctx.history.record(
        ModelCalled(
            call=call,
            lane=lane,
            role=role,
            model=model.name,
            number=number,
            reserved_usd=reserved.usd,
            reserved_tokens=reserved.tokens,
            prompt=prompt_digest(messages, tools),
            head=keep_head(ctx.heads, ctx.workspace.objects, messages, tools),
        )
    )
    ctx.history.faults.reached("request noted")
    ctx.history.assert_owned()  # a request costs money
    with _heard(ctx, request, call) as heard:
        reply = await _send(ctx, model, request, call, reserved, heard)
        ctx.history.faults.reached("reply received")
        usd, tokens = settle(reserved, reply.usage, model.price)
        ctx.history.record(
            ModelReplied(
                call=call,
                lane=lane,
                reply=reply.model_copy(update={"cost_usd": usd}),
                tokens=tokens,
                cost_usd=usd,
                prompt_bytes=size,
            ),
            *then(reply),
        )
    return reply


def request_id(lane: str, role: ModelRole, number: int) -> str:
    """The name of a request in the record; every try of it has the same."""
    return f"{lane}.{number}" if role == "worker" else f"{lane}-{role}.{number}"


@contextmanager
def _heard(ctx: RunContext, request: ModelRequest, call: str) -> Iterator[Listener]:
    """Who watches hears the reply while it comes in, and which entry says what became of it."""
    at = ctx.history.clock.now()
    heard = ctx.onlookers.reply(Coming(call, request.lane, request.role, request.number, at))
    try:
        yield heard
    finally:
        heard.over(ctx.history.state.seq)


async def _send(
    ctx: RunContext,
    model: Model,
    request: ModelRequest,
    call: str,
    reserved: Reservation,
    listener: Listener,
) -> Reply:
    try:
        return await model.reply(request, listener)
    except (AutoagentError, asyncio.CancelledError) as error:
        # what a broken request cost nobody says: its prompt is charged, as reserved
        prompt = reserved.tokens - reserved.completion_tokens
        cost = settle(replace(reserved, completion_tokens=0, tokens=prompt), Reply().usage, model.price)
        why = str(error) or STOPPED
        refused = isinstance(error, AutoagentError)
        ctx.history.record(
            ModelFailed(
                call=call,
                lane=request.lane,
                why=why,
                cost_usd=Decimal(0) if refused else cost[0],
                tokens=0 if refused else cost[1],
            )
        )
        raise


async def _room(ctx: RunContext, model: Model, role: ModelRole, lane: str, size: int) -> Reservation:
    """A reservation, after waiting for other lanes to settle theirs where need be.

    A worker's conversation goes on, so its last settled request bounds this one.
    """

    def try_it(state: RunState) -> Reservation | Exhausted | None:
        known = state.lanes.get(lane) if role == "worker" else None
        tokens, seen = (known.prompt_tokens, known.prompt_bytes) if known is not None else (0, 0)
        found = reserve(state, model.price, prompt_bound(size, tokens, seen), COMPLETION_TOKENS, role)
        return None if isinstance(found, Wait) else found

    found: Reservation | Exhausted = await ctx.history.until(try_it)
    if isinstance(found, Exhausted):
        raise LimitReached(found.why)
    return found
