"""Search in a wiki that MediaWiki runs, Wikipedia's or one of your own: `providers = ["mediawiki"]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from autoagent import __version__
from autoagent.door.providers import ProviderContext, SearchHit
from autoagent.door.tools import Plugin, ToolError
from autoagent.hosts import host_of
from autoagent.ports import Http
from autoagent.redact import one_line

_API = "/api.php"


class WikiSettings(BaseModel):
    """The table `[plugins.mediawiki]` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str = "https://en.wikipedia.org/w/api.php"
    """Of the wiki's api.php."""

    @field_validator("url")
    @classmethod
    def _is_api(cls, url: str) -> str:
        if host_of(url) is None or not urlsplit(url).path.endswith(_API) or urlsplit(url).query:
            raise ValueError(f"is {url!r}; expected an address like https://wiki.example.org/w/api.php")
        return url


class _Row(BaseModel):
    pageid: int
    title: str
    snippet: str = ""
    timestamp: str = ""


class _Found(BaseModel):
    search: list[_Row]


class _Reply(BaseModel):
    """What of the wiki's answer is looked at."""

    query: _Found


@dataclass(frozen=True)
class WikiSearcher:
    """Implements `autoagent.door.providers.Searcher`."""

    url: str

    async def search(self, http: Http, query: str, limit: int) -> Sequence[SearchHit]:
        wanted = {"action": "query", "list": "search", "format": "json", "formatversion": "2"}
        reply = await http.get(
            self.url,
            params={**wanted, "srsearch": query, "srlimit": str(limit)},
            headers={"user-agent": f"autoagent/{__version__}"},  # Wikipedia refuses who doesn't say
        )
        if reply.status != 200:
            raise ToolError(f"{self.url} answers {reply.status}: {one_line(reply.text, 200)}")
        try:
            rows = _Reply.model_validate(reply.json()).query.search
        except ValidationError as error:
            raise ToolError(f"{self.url} answers something else: {one_line(str(error), 200)}") from None
        page = f"{self.url.removesuffix(_API)}/index.php?curid="
        return [SearchHit(row.title, f"{page}{row.pageid}", row.snippet, row.timestamp) for row in rows]


def searcher(context: ProviderContext) -> WikiSearcher:
    """What the name `mediawiki` among the providers of `web` stands for."""
    assert isinstance(context.settings, WikiSettings)
    return WikiSearcher(context.settings.url)


plugin = Plugin(
    name="mediawiki",
    settings=WikiSettings,
    search=searcher,
)
