"""What a plugin can provide besides tools: a model, vectors for memory, a web search.

A plugin gives a function of a `ProviderContext`; the person's settings name the plugin where one is wanted.
What it makes is used on the run's own event loop, so it must never block.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, SecretStr

from autoagent.door.contexts import OfPlugin
from autoagent.door.offline import NO_HTTP
from autoagent.ports import Http, Price


@dataclass(frozen=True)
class ProviderContext(OfPlugin):
    """What a provider may use."""

    plugin: str
    settings: BaseModel | None = None
    """The plugin's, as config.toml has them: a value of `Plugin.settings`."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, for the variables that the plugin's settings name."""
    http: Http = NO_HTTP
    """Reaches the hosts of the URLs in the plugin's settings, of a model also that of its `base_url`."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("autoagent.plugins"))
    home: Path | None = None
    """See `folder`."""


# --- models -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelSpec:
    """A table `[models.NAME]` of config.toml whose `provider` is the plugin."""

    model: str
    """Its name there."""
    base_url: str | None
    """`None` where the table has none."""
    key: SecretStr | None
    """From the variable that `key_env` names; `None` where the table names none, or it isn't set."""
    style: Literal["tools", "code", "auto"]
    price: Price
    context_tokens: int
    max_tokens: int
    """Cap of one completion."""
    temperature: float | None
    """`None`: as each request says."""
    timeout_s: float
    """Until the first token."""
    tries: int
    """Requests before the model counts as unavailable."""


# --- vectors ------------------------------------------------------------------------------------------------


class Embedder(Protocol):
    """Makes vectors of texts, so that memory is found by meaning where words find too little."""

    @property
    def id(self) -> str:
        """Which vectors these are: those of another id are never compared with them."""
        ...

    @property
    def least(self) -> float:
        """The cosine below which two texts have nothing to do with each other."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector a text, all of one length. What it raises says why not; memory does without then."""
        ...


# --- search -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchHit:
    """One result, as the provider gave it."""

    title: str
    url: str
    snippet: str = ""
    date: str = ""
    """As the provider says it: a day, or "3 days ago"."""


class Searcher(Protocol):
    """One place where the web can be searched."""

    @property
    def url(self) -> str:
        """Where the query goes: the destination of the call, and all that `http` reaches."""
        ...

    async def search(self, http: Http, query: str, limit: int) -> Sequence[SearchHit]:
        """What it finds, best first; maybe nothing. Raises `ToolError` that says what went wrong there."""
        ...
