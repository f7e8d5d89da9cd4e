"""Operations as tools: a few as tools of their own, many behind `openapi_search` and `openapi_call`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from autoagent.door import catalogue
from autoagent.door.catalogue import Catalogue, Offer
from autoagent.door.replies import described, meaning
from autoagent.door.tools import Observation, Tool, ToolContext, WorkspaceFile, tool_from_schema
from autoagent.errors import NotDone
from autoagent_openapi.operations import Operation

_SHOWN = 15_000
"""Characters of a body that the model reads."""
_TIMEOUT_S = 660
_SENT_BYTES = 50_000_000


def tools_of(operations: Sequence[Operation], own_tools: int) -> list[Tool]:
    """Tools of their own for up to `own_tools` operations, if each of them can be one; else the two."""
    if len(operations) <= own_tools:
        try:
            return [own_tool(operation) for operation in operations]
        except ValueError:  # a schema that can't stand in a prompt: then only who calls it hears of that
            pass
    return list(_two(operations))


def own_tool(operation: Operation) -> Tool:
    """The operation as a tool. Raises `ValueError` where its schema can't be used."""
    file = operation.route.file

    async def called(ctx: ToolContext, arguments: dict[str, Any]) -> Observation:
        return await _sent(ctx, operation, arguments)

    async def probe(ctx: ToolContext, arguments: dict[str, Any]) -> Literal["unknown", "ask"]:
        return "unknown" if operation.is_safe or operation.takes_key else "ask"

    return tool_from_schema(
        operation.name,
        " ".join(filter(None, (operation.title, operation.about))),
        operation.schema,
        called,
        source=f"{operation.service_name}'s description",
        effect=operation.effect,
        destination=operation.destination,
        sends=() if file is None else (file,),
        timeout_s=_TIMEOUT_S,
        probe=probe,
        idempotency_key=lambda args: "",  # the run's own; the probe says where it may be relied on
    )


def _two(operations: Sequence[Operation]) -> tuple[Tool, Tool]:
    services = ", ".join(dict.fromkeys(operation.service_name for operation in operations))
    offers = {operation.name: _offer(operation) for operation in operations}
    behind = Catalogue(offers, noun="operation")
    return catalogue.tools("openapi", behind, f"the person's services ({services})", timeout_s=_TIMEOUT_S)


def _offer(operation: Operation) -> Offer:
    return Offer(
        operation.name,
        operation.title,
        operation.schema,
        lambda: own_tool(operation),
        about=operation.about,
        tags=operation.tags,
    )


# --- one call -----------------------------------------------------------------------------------------------


async def _sent(ctx: ToolContext, operation: Operation, arguments: Mapping[str, Any]) -> Observation:
    """Make the request, and say what was answered. Raises `NotDone`, `ToolError`."""
    file = arguments.get(operation.route.file or "")
    content = _content(ctx, file) if isinstance(file, WorkspaceFile) else None
    request = operation.request(arguments, content)
    key = {"idempotency-key": ctx.key} if operation.takes_key else {}
    service = operation.service
    reply = await ctx.http.request(
        request.method,
        request.url,
        headers={"accept": "application/json, */*;q=0.5", **request.headers, **key},
        content=request.content,
        max_bytes=round(service.max_body_mb * 1_000_000),
        timeout_s=service.timeout_s,
        follow_redirects=ctx.effect == "read",  # where else the words go, the agent decides anew
    )
    note = meaning(reply) if ctx.effect == "external" else ""
    return Observation(text=f"{described(reply, _SHOWN)}\n\n{note}".rstrip(), labels=("outside",))


def _content(ctx: ToolContext, file: WorkspaceFile) -> tuple[str, bytes]:
    """Name and bytes of a file to be sent. Raises `NotDone`."""
    with ctx.open_file(file) as opened:
        content = opened.read(_SENT_BYTES + 1)
    if len(content) > _SENT_BYTES:
        raise NotDone(f"nothing was sent: {file.path} is longer than {_SENT_BYTES // 1_000_000} MB")
    return file.path.rpartition("/")[2], content
