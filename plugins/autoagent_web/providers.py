"""Search providers: each takes a query to one address and gives back results, or says why it can't.

One protocol, so that any of them can stand in for any other. A key goes to its own provider's address and
nowhere else: redirects aren't followed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoagent.door.providers import Searcher
from autoagent.door.tools import ToolError
from autoagent.ports import Http, HttpReply
from autoagent.redact import one_line
from autoagent_web.found import Found
from autoagent_web.settings import ENGINES, OwnProvider, WebSettings
from autoagent_web.visit import rest_of

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Asking:
    """What a provider is asked with."""

    http: Http
    settings: WebSettings
    secret: Callable[[str], str]
    """Variable -> secret. Raises `NotDone` where it isn't set."""

    @property
    def headers(self) -> Mapping[str, str]:
        return {"user-agent": self.settings.user_agent, "accept": "application/json"}


class Provider(Protocol):
    """One place where a search can be made."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """Where the query goes."""
        ...

    async def search(self, query: str, asking: Asking) -> list[Found]:
        """What it finds, best first; maybe nothing. Raises `ToolError` that says what went wrong there."""
        ...


def providers_of(settings: WebSettings, searchers: Mapping[str, Searcher]) -> tuple[Provider, ...]:
    """The person's, in the order in which they are asked; `searchers` are those of other plugins."""
    return tuple(
        OfPlugin(searchers[name], name)
        if name in settings.plugins
        else _provider(cast(OwnProvider, name), settings)
        for name in settings.providers
    )


@dataclass(frozen=True)
class OfPlugin:
    """What another plugin searches with."""

    searcher: Searcher
    name: str

    @property
    def url(self) -> str:
        return self.searcher.url

    async def search(self, query: str, asking: Asking) -> list[Found]:
        try:
            hits = await self.searcher.search(asking.http, query, asking.settings.results)
            return [Found(hit.title, hit.url, hit.snippet, hit.date) for hit in hits]
        except ToolError:
            raise
        except Exception as error:  # another plugin's code
            raise ToolError(one_line(f"{type(error).__name__}: {error}", 200)) from error


def _provider(name: OwnProvider, settings: WebSettings) -> Provider:
    match name:
        case "searx":
            assert settings.searx_url is not None
            return Searx(settings.searx_url.rstrip("/") + "/search")
        case "tavily":
            return Tavily(settings.tavily_url, settings.tavily_key_env or "")
        case "brave":
            return Brave(settings.brave_url, settings.brave_key_env or "")
        case "ddgs":
            return Ddgs(ENGINES[settings.ddgs_engine])
        case _:
            assert_never(name)


# --- SearXNG and searx --------------------------------------------------------------------------------------


class _Reply(BaseModel):
    """What of a provider's JSON is looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _SearxResult(_Reply):
    url: str
    title: str | None = None
    content: str | None = None
    date: str | None = Field(default=None, alias="publishedDate")


class _SearxReply(_Reply):
    results: list[_SearxResult]
    unresponsive: list[tuple[str, str]] = Field(default=[], alias="unresponsive_engines")


@dataclass(frozen=True)
class Searx:
    """An instance of SearXNG or searx whose settings.yml lists `json` among `search.formats`."""

    url: str
    name: str = field(default="searx", init=False)

    async def search(self, query: str, asking: Asking) -> list[Found]:
        params = {"q": query, "format": "json"}
        reply = await asking.http.get(self.url, params=params, headers=asking.headers)
        if reply.status == 403:
            raise ToolError(
                f"{self.url} refuses JSON (403); who runs it adds 'json' to search.formats in settings.yml"
            )
        said = _understood(_SearxReply, _answered(reply, self.url), self.url)
        if not said.results and said.unresponsive:
            failed = "; ".join(f"{engine}: {why}" for engine, why in said.unresponsive)
            raise ToolError(f"{self.url}: its engines failed ({one_line(failed, 300)})")
        return [Found(r.title or "", r.url, r.content or "", r.date or "") for r in said.results]


# --- Tavily -------------------------------------------------------------------------------------------------


class _TavilyResult(_Reply):
    url: str
    title: str | None = None
    content: str | None = None
    published_date: str | None = None


class _TavilyReply(_Reply):
    results: list[_TavilyResult]


@dataclass(frozen=True)
class Tavily:
    """Tavily's search, by key."""

    url: str
    key_env: str
    name: str = field(default="tavily", init=False)

    async def search(self, query: str, asking: Asking) -> list[Found]:
        key = asking.secret(self.key_env)
        reply = await asking.http.post(
            self.url,
            json={"query": query, "max_results": asking.settings.results, "search_depth": "basic"},
            headers={**asking.headers, "authorization": f"Bearer {key}"},
            follow_redirects=False,
        )
        said = _understood(_TavilyReply, _answered(reply, self.url, self.key_env), self.url)
        return [Found(r.title or "", r.url, r.content or "", r.published_date or "") for r in said.results]


# --- Brave --------------------------------------------------------------------------------------------------


class _BraveResult(_Reply):
    url: str
    title: str | None = None
    description: str | None = None
    page_age: str | None = None
    age: str | None = None


class _BraveResults(_Reply):
    results: list[_BraveResult] = []


class _BraveReply(_Reply):
    web: _BraveResults = _BraveResults()
    """Left out where nothing was found."""


@dataclass(frozen=True)
class Brave:
    """Brave's search API, by key."""

    url: str
    key_env: str
    name: str = field(default="brave", init=False)

    async def search(self, query: str, asking: Asking) -> list[Found]:
        key = asking.secret(self.key_env)
        reply = await asking.http.get(
            self.url,
            params={"q": query, "count": str(asking.settings.results)},
            headers={**asking.headers, "x-subscription-token": key},
            follow_redirects=False,
        )
        said = _understood(_BraveReply, _answered(reply, self.url, self.key_env), self.url)
        return [
            Found(r.title or "", r.url, r.description or "", r.page_age or r.age or "")
            for r in said.web.results
        ]


# --- ddgs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ddgs:
    """The result page of a public engine, read by `ddgs`; no key, and no promise of the engine's."""

    url: str
    name: str = field(default="ddgs", init=False)

    async def search(self, query: str, asking: Asking) -> list[Found]:
        from autoagent_web.ddgs_engine import search

        return await search(query, self.url, asking.http, asking.settings)


# --- what all of them need ----------------------------------------------------------------------------------


def _answered(reply: HttpReply, url: str, key_env: str = "") -> HttpReply:
    """The reply. Raises `ToolError` for a status that holds no results."""
    match reply.status:
        case 200:
            return reply
        case 401 | 403 if key_env:
            said = f"{url} doesn't take the key in {key_env} ({reply.status})"
        case 429 | 432:
            rest = rest_of(reply)
            wait = "later" if rest is None else f"in {rest:.0f} s"
            said = f"{url} has had too many searches ({reply.status}); ask again {wait}"
        case status if status >= 500:
            said = f"{url} has a problem of its own ({status})"
        case status:
            said = f"{url} answered {status}"
    words = one_line(reply.text, 160)
    raise ToolError(said + (f": {words}" if words and reply.media_type == "application/json" else ""))


def _understood(model: type[R], reply: HttpReply, url: str) -> R:
    """The reply's JSON. Raises `ToolError` where it isn't what this provider sends."""
    try:
        return model.model_validate(reply.json())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ToolError(
            f"{url} sent something that isn't its kind of results ({where}: {first['msg']}); "
            "is it the right address?"
        ) from None
