"""Searching the web and reading its pages.

A search goes to the person's own providers and to nobody else; a page is fetched by the guarded client, as
robots.txt and the host's turn allow, and read by a process of its own. What comes back is outside text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from autoagent.door.extras import needs
from autoagent.door.providers import Searcher
from autoagent.door.tools import Plugin, SearchedAt, ToolContext, ToolError, tool
from autoagent_web.found import Found, cleaned, listed
from autoagent_web.settings import WebSettings

_TIMEOUT_S = 180
"""A page may wait for its turn, for its robots.txt, and for its reader."""
_OUTPUT_LIMIT = 60_000
"""Far above a page of text: it is for a single page of a PDF that is longer, and can't be had in parts."""


def _addresses(settings: BaseModel, searchers: Mapping[str, Searcher]) -> Sequence[str]:
    from autoagent_web.providers import providers_of

    assert isinstance(settings, WebSettings)
    return [provider.url for provider in providers_of(settings, searchers)]


def _plugins(settings: BaseModel) -> Sequence[str]:
    assert isinstance(settings, WebSettings)
    return settings.plugins


@tool(effect="read", destination=SearchedAt(_addresses, _plugins), timeout_s=_TIMEOUT_S)
async def web_search(ctx: ToolContext, query: Annotated[str, Field(min_length=1, max_length=400)]) -> str:
    """Search the web; gives titles, addresses, dates and snippets. Read the pages that matter with web_read.

    Args:
        query: A few words, as one types them into a search engine.
    """
    from autoagent_web.providers import Asking, Provider, providers_of
    from autoagent_web.rates import RATES
    from autoagent_web.visit import take_turn

    settings = _settings(ctx)
    asking = Asking(ctx.http, settings, ctx.secret)

    async def ask(provider: Provider) -> tuple[Found, ...]:
        await take_turn(RATES, provider.url, settings)
        with needs("web"):
            return cleaned(await provider.search(query, asking), settings.results)

    failed: list[str] = []
    for provider in providers_of(settings, ctx.searchers):
        try:
            found = await ask(provider)
        except ToolError as error:
            failed.append(f"{provider.name}: {error}")
            continue
        if found:
            notes = "".join(f"\n({each})" for each in failed)
            results = f"{len(found)} result{'s' * (len(found) != 1)}"
            return f"{results} of {provider.name} for {query!r}:\n\n{listed(found)}{notes}"
        failed.append(f"{provider.name}: nothing found")
    raise ToolError(_in_vain(query, failed))


@tool(effect="read", destination="url", timeout_s=_TIMEOUT_S, output_limit=_OUTPUT_LIMIT)
async def web_read(ctx: ToolContext, url: str, page: Annotated[int, Field(ge=1)] = 1) -> str:
    """Read a web page, PDF or text file: its main text as Markdown, with title, date and links.

    Args:
        url: The whole address, with http:// or https://.
        page: Which page of a long text.
    """
    from autoagent_web.rates import RATES
    from autoagent_web.visit import Cache, NoCache, Visit

    settings = _settings(ctx)
    with needs("web"):
        from autoagent_web import reading
        from autoagent_web.cache import PageCache

    cache: Cache = NoCache()
    if settings.cache_mb:
        cache = PageCache(ctx.folder, settings.cache_mb << 20, settings.cache_minutes * 60)
    reply = await Visit(ctx.http, settings, RATES, cache, ctx.run_id).page(url)
    read = await reading.read(reply, page, settings.page_characters)
    return reading.shown(read, reply.url, url.partition("#")[0])


def _in_vain(query: str, failed: Sequence[str]) -> str:
    """What a model reads where no provider brought anything."""
    if all(each.endswith(": nothing found") for each in failed):
        asked = ", ".join(each.partition(":")[0] for each in failed)
        return f"nothing found for {query!r} ({asked}); use fewer words, or others"
    return f"no search for {query!r} worked: " + "; ".join(failed)


def _settings(ctx: ToolContext) -> WebSettings:
    assert isinstance(ctx.settings, WebSettings)
    return ctx.settings


plugin = Plugin(
    name="web",
    tools=[web_search, web_read],
    settings=WebSettings,
)
