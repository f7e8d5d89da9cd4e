"""MCP servers: each tool of a server that the goal names becomes a tool under the goal's rules.

What a server says (names, descriptions, hints, results) is text from outside. Whether a tool only reads is
the person's to say, in config.toml.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from autoagent.door.contexts import PluginContext
from autoagent.door.extras import needs
from autoagent.door.tools import Plugin, Tool
from autoagent.errors import Unavailable, UsageError
from autoagent_mcp.settings import McpSettings


@asynccontextmanager
async def opened(ctx: PluginContext) -> AsyncIterator[Sequence[Tool]]:
    """Connect to the servers that the goal names, for as long as the run is carried."""
    settings, wanted = ctx.settings, ctx.goal.allow.send.get("mcp", ())
    assert isinstance(settings, McpSettings)
    if not wanted:
        known = ", ".join(sorted(settings.servers)) or "none; see docs/plugins/mcp.md"
        raise UsageError(
            "the goal names no MCP server: write 'allow: {send: {mcp: [NAME]}}'; "
            f"in config.toml are: {known}"
        )
    with needs("mcp", UsageError):
        from autoagent_mcp.catalogue import tools_of
        from autoagent_mcp.server import Server, named

    def told() -> None:
        try:
            ctx.changed(tools_of(servers, wanted, settings.most_tools))
        except Unavailable as error:
            ctx.log.warning("the tools stay as they were: %s", error)

    names = dict.fromkeys(each.partition("/")[0] for each in wanted)
    servers = [Server(name, named(name, settings.servers), ctx, told) for name in names]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield tools_of(servers, wanted, settings.most_tools)
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


# each server has a deadline of its own, `start_s`
plugin = Plugin(name="mcp", opened=opened, opening_s=900, settings=McpSettings)
