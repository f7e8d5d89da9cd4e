"""An MCP server made with the official SDK, for tests: `python mcp_sdk_peer.py stdio | http PORT`."""

from __future__ import annotations

import asyncio
import sys

from mcp.server.mcpserver import Context, Image, MCPServer

server = MCPServer("letters")


@server.tool()
def count_words(text: str) -> int:
    """Count the words of a text."""
    return len(text.split())


@server.tool()
def picture() -> Image:
    """Draw a picture."""
    return Image(data=b"PNG", format="png")


@server.tool()
async def slow(steps: int, ctx: Context) -> str:
    """Take some time, and say how far it is."""
    for step in range(steps):
        await asyncio.sleep(0.1)
        await ctx.report_progress(step + 1, steps)
    return "done"


@server.tool()
async def learn(ctx: Context) -> str:
    """Learn another tool."""

    def forget(text: str) -> str:
        """Forget it."""
        return "forgotten"

    server.add_tool(forget)
    await ctx.notify_tools_changed()
    return "learnt"


if __name__ == "__main__":
    if sys.argv[1] == "http":
        server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run(transport="stdio")
