"""The table `[plugins.notify]` of config.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from autoagent.door.hooks import ReportKind


class NotifySettings(BaseModel):
    """Where to tell, and what."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    urls_env: str = Field(default="NOTIFY_URLS", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The variable with the addresses, in apprise's spelling, spaces or lines between them."""
    on: tuple[ReportKind, ...] = ("question", "end", "limit", "unavailable")
    """What is told."""
    name: str = Field(default="", max_length=60)
    """Of this machine, in the title; empty: its host name."""
