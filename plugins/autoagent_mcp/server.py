"""One server while a run is carried: connected, listed, called, and connected again when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from autoagent.door.contexts import PluginContext
from autoagent.door.tools import NotDone, Observation, ToolContext, ToolError
from autoagent.errors import Unavailable, UsageError
from autoagent.redact import one_line
from autoagent_mcp.results import as_text
from autoagent_mcp.settings import ServerSettings
from autoagent_mcp.stdio import started
from autoagent_mcp.wire import Connection, Listed, in_words, over_http, over_stdio

CALL_S = 3_600
"""The longest that one call may take, with progress."""
_MOST_TRIES = 10
"""Connections in one carrying of a run."""
_MOST_CHANGES = 10
_SETTLED_S = 0.1
"""A list that has changed is asked for when it has been so for as long."""


class Server:
    """A server that the goal names."""

    def __init__(
        self, name: str, settings: ServerSettings, context: PluginContext, told: Callable[[], None]
    ) -> None:
        self.name, self.settings = name, settings
        self.listed: list[Listed] = []
        """What it offered last, as far as the settings want it."""
        self._context, self._told = context, told
        self._connection: Connection | None = None
        self._tries = self._changes = 0
        self._is_listed = self._is_looking = False
        self._why = ""
        """What has ended the last connection."""
        self._status = ""
        """What a URL answered last in place of a message, for errors."""
        self._wanted, self._ready = asyncio.Event(), asyncio.Condition()
        self._broken, self._changed = asyncio.Event(), asyncio.Event()
        self._left_out: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and list. Raises `UsageError`, `Unavailable`."""
        self._wanted.set()
        self._keeper = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(self.settings.start_s), self._ready:
                await self._ready.wait_for(lambda: self._connection is not None or bool(self._why))
        except TimeoutError:
            self._why = f"it didn't answer for {self.settings.start_s:g} s"
        if self._connection is None:
            raise Unavailable(f"the MCP server {self.name!r} can't be reached: {self._why}{self._hint()}")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    def _hint(self) -> str:
        return f" (what it said besides is in {self._log})" if self.settings.command else ""

    # --- connections ----------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Hold a connection whenever somebody wants one; each in this one task."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._tries += 1
            self._why = self._status = ""
            self._is_looking = False
            self._broken.clear()
            self._changed.clear()
            try:
                async with self._connected() as connection:
                    await self._list(connection)
                    await self._tell(connection)
                    await self._until_broken(connection)
            except Exception as error:  # of the SDK, the guard, the system: in words, for who waits
                self._why = self._why or one_line(f"{in_words(error)}{self._status}", 300)
            await self._tell(None)

    async def _tell(self, connection: Connection | None) -> None:
        async with self._ready:
            self._connection = connection
            self._why = "" if connection is not None else self._why or "the connection ended"
            self._ready.notify_all()

    async def _until_broken(self, connection: Connection) -> None:
        """List again whenever the server says that its tools have changed."""
        while not self._broken.is_set():
            waiting = [asyncio.create_task(event.wait()) for event in (self._broken, self._changed)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()
            if self._changed.is_set():
                self._is_looking = True  # a call waits until it is known what it would call
                await asyncio.sleep(_SETTLED_S)
                self._changed.clear()
                await self._list(connection)
                self._is_looking = False
                async with self._ready:
                    self._ready.notify_all()

    async def _list(self, connection: Connection) -> None:
        """What it offers now; who is told of it hears of a change. Raises what the connection does."""
        now = [tool for tool in await connection.tools() if self.settings.uses(tool.name)]
        was = self.listed
        self._changes += self._is_listed and now != was
        if self._changes > _MOST_CHANGES:
            self._context.log.warning("MCP server %s changes its tools all the time: none is used", self.name)
            now = []
        self.listed = now
        if self._is_listed and now != was:
            self._told()
        self._is_listed = True

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        settings, context = self.settings, self._context
        if settings.url:
            token = context.secret(settings.token_env) if settings.token_env else None
            connection = over_http(settings.url, token, context.http, self._changed.set, self._refused)
            async with connection as connected:
                yield connected
            return
        variables = {name: context.secret(name) for name in settings.env}
        folder = context.folder / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        async with AsyncExitStack() as stack:
            try:
                program = await stack.enter_async_context(
                    started(settings.command, variables, folder, self._log, self._masked)
                )
            except OSError as error:
                self._why = f"{settings.command[0]!r} can't be started: {error.strerror or error}"
                raise
            connected = await stack.enter_async_context(
                over_stdio(program, self._changed.set, self._ended, self._note)
            )
            yield connected

    @property
    def _log(self) -> Path:
        return self._context.folder / f"{self.name}.log"

    def _ended(self, why: str) -> None:
        self._why = one_line(why, 300)
        self._broken.set()

    def _refused(self, status: str) -> None:
        self._status = f" ({one_line(status, 80)})"

    def _note(self, said: str) -> None:
        self._context.log.info("MCP server %s: %s", self.name, one_line(said, 300))

    def _masked(self, text: str) -> str:
        for variable, secret in self._context.secrets.items():
            text = text.replace(secret.get_secret_value(), f"[{variable}]")
        return text

    def leave_out(self, tool: str, why: str) -> None:
        """Said once of each: the others are used."""
        if tool not in self._left_out:
            self._left_out.add(tool)
            self._context.log.warning("MCP server %s: the tool %s isn't used: %s", self.name, tool, why)

    # --- calls ----------------------------------------------------------------------------------------------

    async def call(self, tool: Listed, ctx: ToolContext, arguments: Mapping[str, Any]) -> Observation:
        """The result of a tool as it was when the call was decided. Raises `NotDone`, `ToolError`."""
        connection = await self._at_hand()
        await self._unchanged(tool)
        done = "no progress"

        def said(progress: str) -> None:
            nonlocal done
            done = progress

        silence_s = self.settings.timeout_s
        try:
            result = await self._or_broken(connection.call(tool.name, dict(arguments), silence_s, said))
        except TimeoutError:
            raise ToolError(
                f"the MCP server {self.name!r} gave no answer for {silence_s:g} s ({done}); "
                "it was told to stop"
            ) from None
        except ConnectionError:
            self._broken.set()
            raise ToolError(f"the MCP server {self.name!r} broke off: {self._why or 'no answer'}") from None
        text = as_text(result)
        if result.get("isError"):
            raise ToolError(f"the tool failed: {text}")
        return Observation(text=text, labels=("outside",))

    async def _unchanged(self, tool: Listed) -> None:
        """Where the server has said that its tools are others now, look first. Raises `NotDone`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.start_s), self._ready:
                await self._ready.wait_for(lambda: not self._is_unsure or self._broken.is_set())
        if self._is_unsure or tool not in self.listed:
            raise NotDone(f"the MCP server {self.name!r} has just changed its tools; nothing was called")

    @property
    def _is_unsure(self) -> bool:
        """Whether the tools may be others than those that are listed."""
        return self._changed.is_set() or self._is_looking

    async def _or_broken(self, call: Any) -> dict[str, Any]:
        """What comes of a call, unless the connection breaks first. Raises `ConnectionError`."""
        calling, broken = asyncio.ensure_future(call), asyncio.ensure_future(self._broken.wait())
        try:
            await asyncio.wait({calling, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                await asyncio.wait({calling}, timeout=1)  # its answer may just have been read
            if not calling.done():
                raise ConnectionError
            result: dict[str, Any] = calling.result()
            return result
        finally:
            for task in (calling, broken):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(calling, broken, return_exceptions=True)

    async def _at_hand(self) -> Connection:
        """The connection; where it broke, another one, a few times. Raises `NotDone`."""
        if self._connection is not None and not self._broken.is_set():
            return self._connection
        if self._tries >= _MOST_TRIES:
            raise NotDone(
                f"the MCP server {self.name!r} has ended {self._tries} times, the last: {self._why}"
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.start_s), self._ready:
                await self._ready.wait_for(lambda: self._connection is None)  # the broken one is closed
                why, tries = self._why, self._tries
                self._wanted.set()
                await self._ready.wait_for(
                    lambda: self._connection is not None or (self._tries > tries and bool(self._why))
                )
                if self._connection is not None:
                    raise NotDone(
                        f"the MCP server {self.name!r} had ended ({why}) and was started again: "
                        "what it knew may be lost; nothing was called, try again"
                    )
        raise NotDone(f"the MCP server {self.name!r} isn't there any more: {self._why}")


def named(name: str, servers: Mapping[str, ServerSettings]) -> ServerSettings:
    """The settings of a server that a goal names. Raises `UsageError`."""
    if name not in servers:
        known = ", ".join(sorted(servers)) or "none"
        raise UsageError(
            f"the goal names the MCP server {name!r}, and config.toml has no table "
            f"[plugins.mcp.servers.{name}]; there are: {known}"
        )
    return servers[name]
