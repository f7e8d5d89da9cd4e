"""Which MCP servers there are on this machine, and what the person says of their tools."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class ServerSettings(BaseModel):
    """A table `[plugins.mcp.servers.NAME]`: a program that is started, or a URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    """The program and its arguments; no shell reads them."""
    url: str = ""
    env: tuple[str, ...] = ()
    """Variables that the program gets besides the usual ones. They count as secrets."""
    token_env: str = ""
    """The variable whose secret goes to the URL as `Authorization: Bearer`."""
    tools: tuple[str, ...] = ("*",)
    """Patterns of the tools that are used at all."""
    reads: tuple[str, ...] = ()
    """Patterns of the tools that only read: the person's word."""
    trust_annotations: bool = False
    """Believe the server when it says that a tool only reads, or that calling it twice is calling it once."""
    start_s: float = Field(default=30, gt=0, le=600)
    """How long it may take to come up and list its tools."""
    timeout_s: float = Field(default=60, gt=0, le=3_600)
    """Without an answer and without progress."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError(f"is {url!r}; expected an http or https URL")
        return url

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("a server has either a command or a url")
        if self.url and self.env:
            raise ValueError("env is for a command; a url takes token_env")
        if self.command and self.token_env:
            raise ValueError("token_env is for a url; a command takes env")
        return self

    def uses(self, tool: str) -> bool:
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)

    def says_it_reads(self, tool: str) -> bool:
        return any(fnmatchcase(tool, pattern) for pattern in self.reads)


class McpSettings(BaseModel):
    """The table `[plugins.mcp]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: dict[ServerName, ServerSettings] = Field(default={})
    most_tools: int = Field(default=20, ge=0, le=500)
    """With more tools than these a search stands in their place."""
