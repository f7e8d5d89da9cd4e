"""The tables of config.toml, as the file has them: every key with its type, its limits and its default."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from autoagent.messages import Frozen
from autoagent.redact import one_line

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"


class _Table(Frozen):
    """A table of the file: no number written as text, no text as a number."""

    model_config = ConfigDict(strict=True)


class PriceSettings(_Table):
    """US dollars for a million tokens."""

    prompt: Decimal = Field(ge=0, le=1_000_000)
    completion: Decimal = Field(ge=0, le=1_000_000)


class ModelSettings(_Table):
    """One model behind one address: a table `[models.NAME]`."""

    model: str = Field(min_length=1)
    """Its name at the server."""
    provider: str | None = Field(default=None, min_length=1, max_length=64)
    """The plugin that makes it; `None`: an OpenAI-compatible server."""
    base_url: str = OPENAI_URL
    key_env: str = Field(default=OPENAI_KEY, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The variable that holds the key; a server that needs none ignores it."""
    price: PriceSettings | None = None
    """`None`: 0 on a local address, else looked up."""
    style: Literal["tools", "code", "auto"] = "auto"
    """How it acts: native tool calls, or Python scripts."""
    context_tokens: int = Field(default=32_000, ge=1_000, le=100_000_000)
    """What the server reads at most, prompt and completion together."""
    max_tokens: int = Field(default=4_096, ge=1, le=10_000_000)
    """Cap of one completion."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """`None`: as each request says."""
    timeout_connect_s: float = Field(default=10, gt=0, le=86_400)
    timeout_first_byte_s: float = Field(default=300, gt=0, le=86_400)
    """Until the first token. Long: a small machine reads a long prompt for minutes."""
    timeout_silence_s: float = Field(default=120, gt=0, le=86_400)
    """Between two tokens."""
    tries: int = Field(default=8, ge=1, le=100)
    """Requests before a model counts as unavailable; eight are about a minute of waiting."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        return _address(url).rstrip("/")


class RoleSettings(_Table):
    """Names of models, first choice first; a role without any has the worker's, and else the file's first."""

    planner: tuple[str, ...] = ()
    worker: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()


class MemorySettings(_Table):
    """Long-term memory: a Qdrant server, or embedded."""

    url: str | None = None
    """`None`: embedded, in the home folder."""
    key_env: str = "QDRANT_API_KEY"
    embed: str | None = Field(default=None, min_length=1, max_length=64)
    """The plugin that makes vectors, for what words alone don't find; `None`: words alone."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return None if url is None else _address(url)


class SandboxSettings(_Table):
    """Where code runs."""

    kind: Literal["auto", "docker", "monty"] = "auto"
    """`auto`: Docker where it works, else monty."""
    image: str | None = None
    """`None`: the image that `autoagent doctor` builds."""
    runtime: str | None = None
    """Another runtime of the engine, for example `runsc`."""
    memory_mb: int = Field(default=512, ge=64, le=1_048_576)
    workspace_mb: int = Field(default=256, ge=1, le=1_048_576)
    """The largest workspace that code can be run on; it lives in the memory."""
    processes: int = Field(default=128, ge=8, le=4_096)
    cpus: float = Field(default=1, gt=0, le=1_024)


class QuestionSettings(_Table):
    """Questions to people."""

    expire_hours: float = Field(default=0, ge=0, le=87_600)
    """How long a question may be answered; 0: for ever."""
    tell_after_minutes: float = Field(default=2, ge=0, le=1_440)
    """How long a person at the run's terminal is left to answer before plugins such as `notify` are told."""


class TerminalSettings(_Table):
    """How it draws, and whether it calls."""

    ascii: bool | None = None
    """Signs and frames in ASCII; `None`: where locale or terminal have no others."""
    notices: bool = True
    """The cockpit has the terminal tell the desktop when something comes to wait."""


class EveryRunSettings(_Table):
    """What every run has, besides what its goal says."""

    plugins: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    """Enabled as if the goal named them; what they may do is still the goal's to say."""


class SecretSettings(_Table):
    """Where a secret is kept that goals bind to hosts, and how it is sent: a table `[secrets.NAME]`."""

    source: Literal["env", "file", "keyring"] | None = None
    """`None`: the environment, else the file."""
    key: str = Field(default="", max_length=200)
    """What it is called there; empty: as here."""
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,100}$")
    format: str = Field(default="Bearer {}", max_length=1_000)
    """What the header says; `{}` is the secret."""

    @field_validator("header")
    @classmethod
    def _is_free(cls, header: str) -> str:
        if header.lower() in ("host", "content-length", "transfer-encoding", "connection"):
            raise ValueError(f"is {header!r}, a header that only the client writes")
        return header

    @field_validator("format")
    @classmethod
    def _has_place(cls, text: str) -> str:
        if text.count("{}") != 1 or not text.isascii() or not text.isprintable():
            raise ValueError(
                f"is {one_line(text, 60)!r}; expected text with {{}} once, where the secret goes"
            )
        return text


def _address(url: str) -> str:
    """`url` if it is the address of a server. Raises `ValueError` that says what to write; never a secret."""
    parts = urlsplit(url.strip())
    if parts.username or parts.password:
        raise ValueError("holds a user name or password; put the key into the variable that key_env names")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = one_line(repr(url), 80)
        raise ValueError(f"is {shown}; expected an http or https address such as http://localhost:8080/v1")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("ends in /chat/completions; leave that out, it is added")
    return url.strip()
