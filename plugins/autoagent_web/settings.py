"""The table `[plugins.web]` of config.toml."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoagent import __version__
from autoagent.hosts import host_of

OwnProvider = Literal["ddgs", "searx", "tavily", "brave"]
ProviderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""One of ours, or a plugin that provides a search."""
DdgsEngine = Literal["duckduckgo", "mojeek", "brave"]
_KEYED = ("tavily", "brave")


class WebSettings(BaseModel):
    """Who is asked when the agent searches, and how it behaves as a guest of other people's servers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    providers: tuple[ProviderName, ...] = Field(default=("ddgs",), min_length=1)
    """In this order: the next one is asked when the one before fails or finds nothing."""
    results: int = Field(default=8, ge=1, le=20)
    """Of one search."""
    searx_url: str | None = None
    """A SearXNG or searx instance that answers in JSON."""
    ddgs_engine: DdgsEngine = "duckduckgo"
    """Whose result page is read, without a key."""
    ddgs_region: str = Field(default="us-en", pattern=r"^[a-z]{2}-[a-z]{2}$")
    tavily_key_env: str | None = None
    """The variable that holds the key; so is the next."""
    brave_key_env: str | None = None
    tavily_url: str = "https://api.tavily.com/search"
    brave_url: str = "https://api.search.brave.com/res/v1/web/search"
    user_agent: str = Field(default=f"autoagent/{__version__}", min_length=1, pattern=r"^[\x20-\x7e]+$")
    """Who we say we are, to pages, robots.txt and providers."""
    robots: bool = True
    """Whether robots.txt is heeded; switch it off for sites of your own."""
    seconds_between_requests: float = Field(default=1, ge=0, le=3_600)
    """To one host, over all lanes; its robots.txt can ask for more."""
    longest_wait_s: float = Field(default=30, ge=0, le=60)
    """A request that would wait longer for its turn is given up."""
    page_characters: int = Field(default=10_000, ge=1_000, le=14_000)
    """Of one page of a long text."""
    largest_mb: float = Field(default=20, gt=0, le=100)
    """What one address may answer with."""
    cache_mb: int = Field(default=200, ge=0, le=100_000)
    """Of pages on disk, for all runs; 0: none are kept."""
    cache_minutes: float = Field(default=60, ge=0, le=100_000)
    """A page isn't fetched again for so long, whatever it says, unless it says `no-store`."""

    @property
    def plugins(self) -> tuple[str, ...]:
        """The providers that are plugins."""
        return tuple(name for name in self.providers if name not in get_args(OwnProvider))

    @field_validator("searx_url", "tavily_url", "brave_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None and (host_of(url) is None or urlsplit(url).query or urlsplit(url).fragment):
            raise ValueError(f"is {url!r}; expected a plain http or https address like https://searx.example")
        return url

    @field_validator("tavily_url", "brave_url")
    @classmethod
    def _keeps_the_key(cls, url: str) -> str:
        if not url.startswith("https://") and not _is_here(url):
            raise ValueError(f"is {url!r}; a key leaves this machine by https only")
        return url

    @model_validator(mode="after")
    def _fits(self) -> WebSettings:
        if len(set(self.providers)) < len(self.providers):
            raise ValueError("providers names one of them twice")
        if "searx" in self.providers and self.searx_url is None:
            raise ValueError('providers names "searx", so searx_url must say where it is')
        for name in _KEYED:
            if name in self.providers and getattr(self, f"{name}_key_env") is None:
                said = f'providers names "{name}", so {name}_key_env must name the variable with its key'
                raise ValueError(said)
        return self


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ENGINES: dict[DdgsEngine, str] = {
    "duckduckgo": "https://html.duckduckgo.com/html/",
    "mojeek": "https://www.mojeek.com/search",
    "brave": "https://search.brave.com/search",
}
"""Where each of them is searched: `ddgs` says so too, and is not imported to know it."""
assert set(ENGINES) == set(get_args(DdgsEngine))
