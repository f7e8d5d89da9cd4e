"""A plugin that changes a world outside, for tests of questions and of recovery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from autoagent.door.tools import Plugin, ToolContext, WorkspaceFile, tool
from autoagent.errors import ToolError


@dataclass
class World:
    """What has reached the world outside, in order."""

    sent: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    """URL -> page."""
    fetched: list[str] = field(default_factory=list)
    before_send: Callable[[], None] = lambda: None

    def plugin(self) -> Plugin:
        """Named `post`; `allow: {send: {post: [anna]}}` names a destination."""
        world = self

        def deliver(ctx: ToolContext, to: str, text: str) -> str:
            world.before_send()
            if ctx.key in world.keys:
                return "had it already"
            world.keys.append(ctx.key)
            world.sent.append(f"{to}: {text}")
            return f"sent to {to}"

        async def happened(ctx: ToolContext, to: str, text: str) -> Literal["done", "not_done", "unknown"]:
            return "done" if ctx.key in world.keys else "not_done"

        @tool(effect="external", destination="to")
        async def post_send(ctx: ToolContext, to: str, text: str) -> str:
            """Send a letter."""
            world.before_send()
            world.keys.append(ctx.key)
            world.sent.append(f"{to}: {text}")
            return f"sent to {to}"

        @tool(effect="external", destination="to", probe=happened)
        async def post_probed(ctx: ToolContext, to: str, text: str) -> str:
            """Send a letter that can be looked up."""
            return deliver(ctx, to, text)

        @tool(effect="external", destination="to", idempotency_key=lambda args: "")
        async def post_keyed(ctx: ToolContext, to: str, text: str) -> str:
            """Send a letter; the office drops a second one with the same key."""
            return deliver(ctx, to, text)

        @tool(effect="external", destination="to")
        async def post_file(ctx: ToolContext, to: str, file: WorkspaceFile) -> str:
            """Send a file."""
            world.sent.append(f"{to}: {ctx.read_file(file).decode()}")
            return "sent"

        @tool(effect="external", destination="to")
        async def post_broken(ctx: ToolContext, to: str) -> str:
            """Send, and fail half-way."""
            world.sent.append(f"{to}: half")
            raise ToolError("the line went dead")

        @tool(effect="read", destination="url")
        async def page_read(ctx: ToolContext, url: str) -> str:
            """Get a page."""
            world.fetched.append(url)
            return world.seen.get(url, "an empty page")

        tools = [post_send, post_probed, post_keyed, post_file, post_broken, page_read]
        return Plugin("post", tools)
