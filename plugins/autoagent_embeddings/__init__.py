"""Vectors for long-term memory, from any server that speaks OpenAI's ``/embeddings``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autoagent.door.providers import ProviderContext
from autoagent.door.tools import Plugin, ToolError
from autoagent.redact import one_line


class EmbeddingSettings(BaseModel):
    """The table `[plugins.embeddings]` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base_url: str = "https://api.openai.com/v1"
    """Up to `/v1`."""
    model: str = "text-embedding-3-small"
    key_env: str | None = "OPENAI_API_KEY"
    """The variable with the key; a server that needs none ignores it."""
    dimensions: int | None = Field(default=None, ge=1, le=16_384)
    """Of a vector, where the model lets one choose."""
    least_cosine: float = Field(default=0.35, ge=-1, le=1)
    """Below it two texts have nothing to do with each other; it depends on the model."""
    batch: int = Field(default=64, ge=1, le=2_048)
    """Texts of one request."""
    timeout_s: float = Field(default=20, gt=0, le=600)

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(
                f"is {url!r}; expected an http or https address such as http://localhost:8080/v1"
            )
        return url.rstrip("/")


class _Row(BaseModel):
    index: int
    embedding: list[float] = Field(min_length=1)


class _Reply(BaseModel):
    """What of the server's answer is looked at."""

    data: list[_Row]


@dataclass(frozen=True)
class ServerEmbedder:
    """Asks the server; keeps nothing."""

    context: ProviderContext
    settings: EmbeddingSettings

    @property
    def id(self) -> str:
        settings = self.settings
        return f"{settings.base_url} {settings.model} {settings.dimensions}"

    @property
    def least(self) -> float:
        return self.settings.least_cosine

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Raises `ToolError`."""
        size = self.settings.batch
        parts = [await self._batch(texts[at : at + size]) for at in range(0, len(texts), size)]
        return [vector for part in parts for vector in part]

    async def _batch(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        settings, secret = self.settings, self.context.secrets.get(self.settings.key_env or "")
        body = {"model": settings.model, "input": list(texts)}
        url = f"{settings.base_url}/embeddings"
        reply = await self.context.http.post(
            url,
            json=body if settings.dimensions is None else {**body, "dimensions": settings.dimensions},
            headers={} if secret is None else {"authorization": f"Bearer {secret.get_secret_value()}"},
            timeout_s=settings.timeout_s,
            follow_redirects=False,  # a key goes to its own server
        )
        if reply.status != 200:
            raise ToolError(f"{url} answers {reply.status}: {one_line(reply.text, 200)}")
        try:
            rows = sorted(_Reply.model_validate(reply.json()).data, key=lambda row: row.index)
        except ValidationError as error:
            raise ToolError(f"{url} answers something else: {one_line(str(error), 200)}") from None
        return [row.embedding for row in rows]


def embedder(context: ProviderContext) -> ServerEmbedder:
    """What `[memory] embed = "embeddings"` stands for."""
    assert isinstance(context.settings, EmbeddingSettings)
    return ServerEmbedder(context, context.settings)


plugin = Plugin(
    name="embeddings",
    settings=EmbeddingSettings,
    embeddings=embedder,
)
