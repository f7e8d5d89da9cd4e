"""One connection to one server, over the `mcp` SDK: the only module that imports it.

Nothing that a server says is obeyed: it may not ask the model, the person or the folder for anything, and its
instructions are not read. Of its schemas only our own copies are looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
from anyio.abc import TaskGroup
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    PaginatedRequestParams,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from autoagent.door.tools import NotDone, ToolError
from autoagent.ports import Http
from autoagent_mcp.stdio import LONGEST_LINE, Program, TooLong

_MOST_TOOLS = 20_000
_MOST_PAGES = 400
_MOST_ODD_LINES = 1_000
_LISTEN_AGAIN_S = 5
_NEVER_DONE = (PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS)
"""Errors that mean: it wasn't even begun."""


@dataclass(frozen=True)
class Listed:
    """A tool as its server describes it."""

    name: str
    description: str
    schema: dict[str, Any]
    only_reads: bool
    """The server's word, and so is the next."""
    twice_is_once: bool


class Connection:
    """A server that is spoken to."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[Listed]:
        """All of them, page by page. Raises `ToolError` where there is no end to them."""
        found: list[Listed] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            params = None if cursor is None else PaginatedRequestParams(cursor=cursor)
            page = await self._client.session.list_tools(params=params)
            for tool in page.tools:
                hints = tool.annotations
                found.append(
                    Listed(
                        name=tool.name,
                        description=tool.description or "",
                        schema=tool.input_schema,
                        only_reads=bool(hints and hints.read_only_hint),
                        twice_is_once=bool(hints and hints.idempotent_hint),
                    )
                )
            if len(found) > _MOST_TOOLS:
                break
            cursor = page.next_cursor
            if cursor is None:
                return found
        raise ToolError(f"it lists more than {_MOST_TOOLS:,} tools, or pages without end")

    async def call(
        self, tool: str, arguments: dict[str, Any], silence_s: float, said: Callable[[str], None]
    ) -> dict[str, Any]:
        """The result as JSON. `said` hears of progress, which starts the time anew.

        Raises `NotDone` where the server says that it can't even begin, `ToolError` where nobody knows how
        far it came; `ConnectionError` where the connection broke, `TimeoutError`.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(silence_s) as limit:

            async def heard(progress: float, total: float | None, message: str | None) -> None:
                if not limit.expired():
                    limit.reschedule(loop.time() + silence_s)
                said(f"{progress:g}" + ("" if total is None else f" of {total:g}"))

            params = CallToolRequestParams(name=tool, arguments=arguments)
            try:
                # not the client's `call_tool`: it runs the server's output schemas, patterns and all
                result = await self._client.session.send_request(
                    CallToolRequest(params=params), CallToolResult, progress_callback=heard
                )
            except MCPError as error:
                if error.code == CONNECTION_CLOSED:
                    raise ConnectionError(error.message) from error
                kind = NotDone if error.code in _NEVER_DONE else ToolError
                raise kind(f"the server refused it: {error.message}") from error
            except ValidationError as error:
                raise ToolError("the server's answer is no result of a tool") from error
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


@asynccontextmanager
async def over_stdio(
    program: Program, changed: Callable[[], None], over: Callable[[str], None], note: Callable[[str], None]
) -> AsyncIterator[Connection]:
    """Speak MCP with a started program. `over` is told why there is nobody any more."""
    to_us, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)

    async def hear() -> None:
        """Until it says no more; then `over` is told first, and whoever waits for an answer after it."""
        async with to_us:
            try:
                why = await heard()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # we have closed the connection
            with anyio.CancelScope(shield=True):
                over(why or await program.how_it_ended())

    async def heard() -> str:
        """Why it isn't listened to any more; empty where it has said its last."""
        odd = 0
        try:
            async for line in program.lines():
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except (ValueError, RecursionError):
                    odd += 1
                    if odd <= 3:
                        note(f"it wrote what is no message: {line[:200]!r}")
                    if odd > _MOST_ODD_LINES:
                        return f"it wrote {odd:,} lines that are no messages"
                else:
                    await to_us.send(SessionMessage(message))
        except TooLong as error:
            return str(error)
        return ""

    async def speak() -> None:
        async with from_us:
            async for sent in from_us:
                text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await program.say(text.encode() + b"\n")
                except OSError:
                    return  # it has ended, and `hear` says so

    @asynccontextmanager
    async def streams() -> AsyncIterator[Any]:
        async with anyio.create_task_group() as group:
            group.start_soon(hear)
            group.start_soon(speak)
            try:
                yield incoming, outgoing
            finally:
                group.cancel_scope.cancel()
                for stream in (incoming, outgoing, to_us, from_us):
                    stream.close()

    async with _connected(streams(), changed) as connection:
        yield connection


@asynccontextmanager
async def over_http(
    url: str, token: str | None, http: Http, changed: Callable[[], None], refused: Callable[[str], None]
) -> AsyncIterator[Connection]:
    """Speak MCP with a server at a URL, through the guarded way out. `refused` hears of bad statuses."""

    async def look(response: httpx2.Response) -> None:
        if response.status_code >= 400:
            refused(f"{response.status_code} {response.reason_phrase}".strip())

    # a stream of events may be silent for hours; a call has its own end
    times = httpx2.Timeout(30, read=None)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(
        transport=http.transport(), headers=headers, timeout=times, event_hooks={"response": [look]}
    ) as client:
        transport = streamable_http_client(url, http_client=client, max_sse_event_size=LONGEST_LINE)
        async with _connected(transport, changed) as connection:
            yield connection


@asynccontextmanager
async def _connected(transport: Any, changed: Callable[[], None]) -> AsyncIterator[Connection]:
    async def heard(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            changed()

    client = Client(
        transport,
        cache=None,  # a list is asked for when it has changed
        message_handler=heard,
        client_info=Implementation(name="autoagent", version="1"),
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            _listen(group, client, changed)
        yield Connection(client)


def _listen(group: TaskGroup, client: Client, changed: Callable[[], None]) -> None:
    """Hear of changes where the protocol wants to be asked for them."""
    capabilities = client.server_capabilities.tools

    async def listen() -> None:
        while True:
            try:
                async with client.listen(tools_list_changed=True) as subscription:
                    async for _ in subscription:
                        changed()
            except (MCPError, RuntimeError, TimeoutError):
                pass  # it was cut off: what was said meanwhile is found by looking
            await anyio.sleep(_LISTEN_AGAIN_S)
            changed()

    if capabilities is not None and capabilities.list_changed:
        group.start_soon(listen)


def in_words(error: BaseException) -> str:
    """The first cause in a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
