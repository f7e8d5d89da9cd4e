"""The plugin `sample`: importing this does nothing but define it."""

from __future__ import annotations

from typing import Literal

from autoagent import Plugin, ToolContext, ToolError, tool


async def was_put(ctx: ToolContext, url: str, text: str) -> Literal["done", "not_done", "unknown"]:
    """After a crash in the middle of a call: whether that very call has happened."""
    reply = await ctx.http.get(f"{url}/{ctx.key}")
    if reply.status == 200:
        return "done"
    return "not_done" if reply.status == 404 else "unknown"


@tool(effect="external", destination="url", probe=was_put)
async def sample_put(ctx: ToolContext, url: str, text: str) -> str:
    """Leave a note at a web service. It can't be taken back.

    Args:
        url: The service's address.
        text: What the note says.
    """
    reply = await ctx.http.request("PUT", f"{url}/{ctx.key}", content=text.encode())
    if reply.status >= 300:
        raise ToolError(f"{url} answered {reply.status}: {reply.text[:300]}")
    return f"the note is at {reply.url}"


plugin = Plugin("sample", [sample_put])
