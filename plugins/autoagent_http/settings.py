"""The table `[plugins.http]` of config.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HttpSettings(BaseModel):
    """How requests are made, whoever they go to."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    timeout_s: float = Field(default=60, gt=0, le=600)
    """For one request with its answer."""
    max_body_mb: float = Field(default=4, gt=0, le=100)
    """Of a reply to `http_request`; what is longer is refused."""
    max_download_mb: float = Field(default=50, gt=0, le=1_000)
    """Of a file that `http_download` keeps."""
    idempotent_hosts: tuple[str, ...] = ()
    """`host` or `host:port` of services that drop a second request with the same `Idempotency-Key`."""
