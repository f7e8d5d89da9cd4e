"""What is opened for a run: the services that its goal lets it reach, each from its own description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from autoagent.door.contexts import PluginContext
from autoagent.door.extras import needs
from autoagent.door.tools import Tool
from autoagent.errors import UsageError
from autoagent.goal import Goal
from autoagent.hosts import allowed, host_of
from autoagent.redact import one_line
from autoagent_openapi.settings import OpenApiSettings, Service

_MOST_NOTES = 5


@asynccontextmanager
async def opened(ctx: PluginContext) -> AsyncIterator[Sequence[Tool]]:
    """The tools of the services that the goal names. Raises `UsageError` that says what to change."""
    settings = ctx.settings
    assert isinstance(settings, OpenApiSettings)
    wanted = {name: service for name, service in settings.services.items() if _is_open(ctx.goal, service)}
    if not wanted:
        raise UsageError(_nothing(settings))
    with needs("openapi", UsageError):
        import autoagent_openapi.routes  # noqa: F401  (FastMCP: 0.6 s)
    yield await _tools(ctx, wanted, settings.own_tools)


async def _tools(ctx: PluginContext, wanted: dict[str, Service], own_tools: int) -> list[Tool]:
    from autoagent_openapi.descriptions import fetched
    from autoagent_openapi.documents import read
    from autoagent_openapi.operations import Operation, operations_of
    from autoagent_openapi.tools import tools_of
    from autoagent_openapi.unreadable import Unreadable

    operations: list[Operation] = []
    for name, service in wanted.items():
        content = await fetched(name, service.description, ctx.http, ctx.folder, ctx.log)
        try:
            document = await asyncio.to_thread(read, content)
            taken = {operation.name for operation in operations}
            found, notes = await asyncio.to_thread(operations_of, name, service, document, taken)
            if not found:
                raise Unreadable(f"none of its operations can be offered: {'; '.join(notes[:3])}")
        except Unreadable as error:
            where = one_line(service.description, 200)
            raise UsageError(f"the description of {name!r} ({where}) can't be used: {error}") from None
        for note in notes[:_MOST_NOTES]:
            ctx.log.warning("%s: %s", name, note)
        if len(notes) > _MOST_NOTES:
            ctx.log.warning("%s: %d more such notes", name, len(notes) - _MOST_NOTES)
        operations += found
    return await asyncio.to_thread(tools_of, operations, own_tools)


def _is_open(goal: Goal, service: Service) -> bool:
    """Whether any call to the service could be let through."""
    named = goal.allow.send.get("openapi")
    if named == ():  # each destination is asked about
        return True
    servers = (service.server or service.description, *service.servers)
    return any(url in (named or ()) or allowed(url, (*goal.allow.web, *(named or ()))) for url in servers)


def _nothing(settings: OpenApiSettings) -> str:
    if not settings.services:
        return "the plugin openapi has no services: add [plugins.openapi.services.NAME] to config.toml"
    for name, service in settings.services.items():
        if service.server is None and host_of(service.description) is None:
            return (
                f"nobody says where the service {name!r} is: its description is a file, so add "
                f'server = "https://HOST" to [plugins.openapi.services.{name}] in config.toml'
            )
    servers = ", ".join(f"{name} at {s.server or s.description}" for name, s in settings.services.items())
    return (
        f"the goal lets the plugin openapi reach none of its services ({one_line(servers, 300)}): "
        "name a host under 'allow: web' to read there, under 'allow: send: openapi' to change something there"
    )
