"""The servers' tools as tools of a run: what they are called, what they may do, whom they reach.

With few of them each stands for itself; with many there are two, to search and to call. What a server says of
a tool is data, shown as its words and never believed: effects are the person's, from the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydantic import JsonValue

from autoagent.door.catalogue import Catalogue, tools
from autoagent.door.catalogue import Offer as Behind
from autoagent.door.foreign import described_by
from autoagent.door.tools import Observation, Tool, ToolContext, tool_from_schema
from autoagent.errors import Unavailable
from autoagent.events import Effect
from autoagent.redact import one_line, visible
from autoagent_mcp.server import CALL_S, Server
from autoagent_mcp.wire import Listed

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
"""What the protocol says that a tool's name is."""
_LONGEST = 64
_TITLE, _ABOUT = 300, 4_000


@dataclass(frozen=True)
class Offer:
    """One tool of one server."""

    server: Server
    listed: Listed
    effect: Effect
    destination: str
    """As a goal names it: the server, or this one tool of it."""
    is_idempotent: bool

    @property
    def name(self) -> str:
        """`SERVER/TOOL`: unique, and what a person may write in a goal."""
        return f"{self.server.name}/{self.listed.name}"

    @property
    def safe_name(self) -> str:
        """As a function: at most 64 letters, digits and `_`."""
        name = re.sub(r"[^A-Za-z0-9_]", "_", f"mcp_{self.server.name}_{self.listed.name}")
        if len(name) <= _LONGEST:
            return name
        return f"{name[: _LONGEST - 9]}_{sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def source(self) -> str:
        return f"the MCP server {self.server.name} says"

    async def call(self, ctx: ToolContext, arguments: dict[str, JsonValue]) -> Observation:
        return await self.server.call(self.listed, ctx, arguments)


def offers_of(server: Server, named: Sequence[str]) -> Iterator[Offer]:
    """What a server lists, without names that no protocol allows; `named` stands in the goal."""
    for listed in server.listed:
        if not _NAME.fullmatch(listed.name):
            server.leave_out(one_line(listed.name, 80), "the protocol knows no such name")
            continue
        trusts = server.settings.trust_annotations
        reads = server.settings.says_it_reads(listed.name) or (trusts and listed.only_reads)
        yield Offer(
            server=server,
            listed=listed,
            effect="read" if reads else "external",
            destination=server.name if server.name in named else f"{server.name}/{listed.name}",
            is_idempotent=trusts and listed.twice_is_once,
        )


def tools_of(servers: Sequence[Server], named: Sequence[str], most: int) -> list[Tool]:
    """The tools of a run. Raises `Unavailable` where two would have one name."""
    offers = [offer for server in servers for offer in offers_of(server, named)]
    if len(offers) > most:
        return [*_search(servers, offers)]
    found: dict[str, Offer] = {}
    tools: list[Tool] = []
    for offer in offers:
        if (other := found.setdefault(offer.safe_name, offer)) is not offer:
            raise Unavailable(
                f"the tools {other.name!r} and {offer.name!r} would both be named {offer.safe_name!r}; "
                f"leave one out: 'tools' in [plugins.mcp.servers.{offer.server.name}]"
            )
        try:
            tools.append(_direct(offer))
        except ValueError as error:
            offer.server.leave_out(offer.listed.name, str(error))
    return tools


def _direct(offer: Offer) -> Tool:
    return tool_from_schema(
        offer.safe_name,
        offer.listed.description,
        offer.listed.schema,
        offer.call,
        source=offer.source,
        effect=offer.effect,
        destination=lambda args: offer.destination,
        under="send",
        timeout_s=CALL_S,
        idempotency_key=(lambda args: "") if offer.is_idempotent else None,
    )


def _search(servers: Sequence[Server], offers: Sequence[Offer]) -> tuple[Tool, Tool]:
    """Two tools in place of many."""
    behind = {offer.name: _behind(offer) for offer in offers}
    names = ", ".join(server.name for server in servers)
    return tools("mcp", Catalogue(behind), f"the MCP servers {names}", timeout_s=CALL_S)


def _behind(offer: Offer) -> Behind:
    said, schema = offer.listed.description, offer.listed.schema
    is_plain = isinstance(schema.get("properties"), dict) and isinstance(schema.get("required", []), list)
    return Behind(
        name=offer.name,
        title=f"{offer.effect}; {described_by(offer.source, said, _TITLE)}",
        schema=schema if is_plain else {},
        make=lambda: _direct(offer),
        about=visible(said[:_ABOUT]) if len(said) > _TITLE else "",
    )
