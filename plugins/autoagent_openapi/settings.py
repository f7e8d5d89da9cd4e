"""The table `[plugins.openapi]` of config.toml: which services there are, and where each one is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from autoagent.hosts import host_of


def _server(url: str) -> str:
    if host_of(url) is None or any(sign in url for sign in "?#{}"):
        raise ValueError(
            "expected a whole http or https URL, without '?', '#' or '{…}': no part is filled in"
        )
    return url.rstrip("/")


def _place(text: str) -> str:
    """A path or URL of a description."""
    if host_of(text) is not None:
        return text
    if "://" in text:
        raise ValueError("expected an http or https URL, or a path")
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise ValueError("expected a path that begins with '/' or '~', or an http or https URL")
    return str(path)


Server = Annotated[str, AfterValidator(_server)]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,19}$")]


class Service(BaseModel):
    """One service: `[plugins.openapi.services.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    description: Annotated[str, AfterValidator(_place)]
    """Path or URL of its openapi.json or openapi.yaml."""
    server: Server | None = None
    """Where requests go, with the base path. `None`: whence the description comes, if it says so."""
    servers: tuple[Server, ...] = ()
    """Further places that the description may send single operations to."""
    include: tuple[str, ...] = ()
    """Operations to offer, by operationId, tag or `METHOD /path`, with `*` and `?`. Empty: all."""
    exclude: tuple[str, ...] = ()
    """Operations to leave out, likewise."""
    idempotent: bool = False
    """It drops a second request with the same `Idempotency-Key`; POST and PATCH are sent with one."""
    timeout_s: float = Field(default=60, gt=0, le=600)
    """For one request with its answer."""
    max_body_mb: float = Field(default=4, gt=0, le=100)
    """Of an answer; a longer one is refused."""


class OpenApiSettings(BaseModel):
    """Services that describe themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    services: dict[ServiceName, Service] = Field(default={})
    own_tools: int = Field(default=30, ge=0, le=200)
    """Up to so many operations become tools of their own; more are searched for and called by name."""
