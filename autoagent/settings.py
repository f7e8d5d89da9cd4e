"""What a person sets once for all runs: models, memory, sandbox.

Read from the environment and from `config.toml` in the home folder; never from a workspace, which a run can
write. The file names the variables that hold secrets and holds none itself; here they are `SecretStr`.

    [models.large]                       # any number of models, by names of your own
    model = "gpt-5.2"                    # its name at the server
    base_url = "https://api.openai.com/v1"
    key_env = "OPENAI_API_KEY"           # the variable that holds its key
    price = {prompt = 1.25, completion = 10}     # USD a million tokens; without it, it is looked up
    style = "auto"                       # tools, code, or auto: by the model's size

    [roles]                              # first choice first; the next one when it can't be had
    planner = ["large", "small"]
    worker = ["small", "large"]

    [memory]
    url = "http://localhost:6333"        # a Qdrant server; without it memory is embedded

    [sandbox]
    kind = "docker"                      # docker, monty, or auto

    [questions]
    expire_hours = 72                    # an answer that comes later is refused; without it, never

    [every_run]
    plugins = ["notify"]                 # enabled in every run, besides those that its goal names

    [terminal]
    notices = false                      # no desktop notification when something comes to wait

    [secrets.GITHUB_TOKEN]               # how one is sent that a goal binds to a host ('allow: secrets')
    source = "keyring"                   # env, file (secrets.toml, mode 600) or keyring; by default env, file
    header = "Authorization"
    format = "Bearer {}"

    [plugins.mail]                       # what a plugin wants to know, in its own words
    host = "smtp.example.org"

    [keys]                               # the cockpit's, where others suit you better
    runs.resume = "R"

`OPENAI_MODEL` in the environment, with `OPENAI_BASE_URL` and `OPENAI_API_KEY`, plays every role that a goal
or `--model` doesn't give to a model of the file.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from autoagent.errors import UsageError
from autoagent.hosts import host_of, is_private
from autoagent.messages import Frozen
from autoagent.ports import ModelRole
from autoagent.redact import one_line

FILE_NAME = "config.toml"
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
SET_ONE = "set OPENAI_API_KEY and OPENAI_MODEL, or OPENAI_BASE_URL and OPENAI_MODEL for a server of your own"
"""What to do where no model is set."""
_SHORTEST_KEY = 16
"""Characters of a model's key that is kept out of the record: shorter ones are words like `not-needed`."""


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


@dataclass(frozen=True)
class PluginSettings:
    """What config.toml says to one plugin."""

    values: BaseModel
    secrets: Mapping[str, SecretStr]
    """Variable -> secret, of the variables that are named there and set."""
    unset: tuple[str, ...] = ()
    """Variables that are named there and aren't set."""


class Settings(Frozen):
    """All of it; `Settings()` is a machine on which nothing was set."""

    models: dict[str, ModelSettings] = Field(default={})
    roles: RoleSettings = RoleSettings()
    memory: MemorySettings = MemorySettings()
    sandbox: SandboxSettings = SandboxSettings()
    questions: QuestionSettings = QuestionSettings()
    every_run: EveryRunSettings = EveryRunSettings()
    terminal: TerminalSettings = TerminalSettings()
    plugins: dict[str, dict[str, JsonValue]] = Field(default={})
    """Tables `[plugins.NAME]`, as they stand there: only the plugin knows its keys."""
    path: str = Field(default="", exclude=True)
    """The file, for errors."""
    environment: ModelSettings | None = None
    """The model that the environment names."""
    server: str = OPENAI_URL
    """The environment's: it has the models that are named where the file holds none."""
    secrets: dict[str, SecretSettings] = Field(default={})
    """By the names that goals have for them."""
    keys: dict[str, dict[str, str]] = Field(default={})
    """The cockpit's, by screen and action: only the cockpit knows their names."""
    key_values: dict[str, SecretStr] = Field(default={}, exclude=True)
    """The variables that hold keys of models and memory, as far as they are set."""

    def chain(self, role: ModelRole, name: str | None = None) -> tuple[ModelSettings, ...]:
        """The models for `role`, first choice first; empty where none is configured.

        `name`, from a goal or the command line, is a model of the file; where the file has none, it is one of
        the environment's server. Raises `UsageError` for a name that the file doesn't hold.
        """
        if name is not None:
            return (self._named(name),)
        if self.environment is not None:
            return (self.environment,)
        chosen: tuple[str, ...] = getattr(self.roles, role) or self.roles.worker or tuple(self.models)[:1]
        return tuple(self.models[choice] for choice in chosen)

    def modelless(self, name: str | None = None) -> str | None:
        """Why no worker model could be asked, drawn from what is set alone; `None` where one could be.

        Raises as `chain`.
        """
        if not (chain := self.chain("worker", name)):
            return f"no model is set: {SET_ONE}"
        return next((why for model in chain if (why := self.keyless(model))), None)

    def key(self, variable: str) -> SecretStr | None:
        """The secret in an environment variable that the settings name; `None` where it isn't set."""
        return self.key_values.get(variable)

    def secret_keys(self) -> dict[str, SecretStr]:
        """The keys of models and memory on other machines; that of one's own server is often a mere word."""
        own = [model for model in (*self.models.values(), self.environment) if model is not None]
        used = {model.key_env for model in own if not _is_here(model.base_url)}
        if self.memory.url is not None and not _is_here(self.memory.url):
            used.add(self.memory.key_env)
        found = {name: key for name, key in self.key_values.items() if name in used}
        return {name: key for name, key in found.items() if len(key.get_secret_value()) >= _SHORTEST_KEY}

    def of_plugin(self, name: str, model: type[BaseModel], environment: Mapping[str, str]) -> PluginSettings:
        """The table `[plugins.NAME]` as the plugin's own model. Raises `UsageError` as `load`."""
        table = self.plugins.get(name, {})
        path, table_name = Path(self.path), f"[plugins.{name}]"
        known = [field.alias or key for key, field in model.model_fields.items()]
        for key in table:
            if key not in known:
                where = _where(path, ("plugins", name, key))
                what = f"{where}: {table_name} has no key {one_line(key, 60)!r}"
                raise UsageError(f"{what}; {_expected(key, known)}")
        try:
            values = model.model_validate_json(json.dumps(table))
        except ValidationError as error:
            said = (
                f"{_where(path, ('plugins', name, *each['loc']))}: {table_name} {_place(each)}{_said(each)}"
                for each in error.errors()
            )
            raise UsageError("\n".join(said)) from None
        named = list(dict.fromkeys(_variables(values)))
        secrets = {each: SecretStr(found) for each in named if (found := environment.get(each, ""))}
        return PluginSettings(values, secrets, tuple(each for each in named if each not in secrets))

    def _named(self, name: str) -> ModelSettings:
        if name in self.models:
            return self.models[name]
        if self.models:
            what = f"no model is named {one_line(name, 60)!r} in {FILE_NAME}"
            raise UsageError(f"{what}; {_expected(name, self.models)}")
        return ModelSettings(model=name, base_url=self.server)

    def keyless(self, model: ModelSettings) -> str | None:
        """Why no request to `model` could succeed, where a key is needed and not set."""
        is_elsewhere = model.provider is not None or model.base_url != OPENAI_URL
        if is_elsewhere or self.key(model.key_env) is not None:
            return None
        own = ", or OPENAI_BASE_URL for a server of your own" if model.key_env == OPENAI_KEY else ""
        return f"{model.key_env} is not set, and {model.model!r} at {model.base_url} needs a key; set it{own}"


def _is_here(url: str) -> bool:
    found = host_of(url)
    return found is not None and is_private(found[0])


def _variables(value: object, key: str = "") -> Iterator[str]:
    """The variables that a plugin's settings name, in fields called `env` or `…_env` of whatever table."""
    match value:
        case str() if (key == "env" or key.endswith("_env")) and value:
            yield value
        case BaseModel():
            for name, inner in value:
                yield from _variables(inner, name)
        case dict():
            for inner in value.values():
                yield from _variables(inner)
        case list() | tuple():
            for inner in value:
                yield from _variables(inner, key)


def load(home: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of the home folder and the environment; neither has to be there.

    Raises `UsageError` that names file, table, key and what was expected.
    """
    path = home / FILE_NAME
    tables = _tables(path)
    try:
        settings = Settings.model_validate_json(json.dumps(tables, default=str))
    except ValidationError as error:
        said = (f"{_where(path, each['loc'])}: {_problem(each)}" for each in error.errors())
        raise UsageError("\n".join(said)) from None
    _check_roles(path, settings)
    named = {OPENAI_KEY, settings.memory.key_env, *(model.key_env for model in settings.models.values())}
    keys = {name: SecretStr(value) for name in named if (value := environment.get(name, "").strip())}
    server = environment.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL
    found = {"environment": _environment_model(environment, server), "server": server, "key_values": keys} | {
        "path": str(path)
    }
    return settings.model_copy(update=found)


def _tables(path: Path) -> dict[str, object]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML: {error}") from error
    for name in ("environment", "server", "key_values", "path"):  # ours, not the file's
        if name in tables:
            raise UsageError(f"{path}: unknown table [{name}]; {_expected(name, _FILE_TABLES)}")
    return tables


_FILE_TABLES = (
    "models",
    "roles",
    "memory",
    "sandbox",
    "questions",
    "every_run",
    "terminal",
    "secrets",
    "plugins",
    "keys",
)


def _environment_model(environment: Mapping[str, str], server: str) -> ModelSettings | None:
    model = environment.get("OPENAI_MODEL", "").strip()
    try:
        made = ModelSettings(model=model or "none", base_url=server)
    except ValidationError as error:
        raise UsageError(f"OPENAI_BASE_URL {_said(error.errors()[0])}") from None
    return made if model else None


def _check_roles(path: Path, settings: Settings) -> None:
    for role, names in settings.roles:
        for name in names:
            if name not in settings.models:
                place = _where(path, ("roles", role))
                what = (
                    f"{place}: [roles] {role} names {one_line(name, 60)!r}, which is no table [models.NAME]"
                )
                raise UsageError(f"{what}; {_expected(name, settings.models)}")


def _where(path: Path, place: Sequence[str | int]) -> str:
    """The file, and the line of the place in it: the key's, else its table's. tomllib keeps no lines."""
    *table, key = map(str, place)
    found = 0
    is_inside = not table
    for number, text in enumerate(_lines(path), 1):
        if header := _HEADER.match(text):
            name = [part.strip().strip("\"'") for part in header[1].split(".")]
            is_inside = name == table
            found = found or (number if name in (table, [*table, key]) else 0)
        elif is_inside and text.partition("=")[0].strip().strip("\"'") == key:
            return f"{path}:{number}"
    return f"{path}:{found}" if found else str(path)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # it was read a moment ago; the mistake is told all the same
        return []


_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")


def _problem(details: ErrorDetails) -> str:
    """One mistake in the file, in words."""
    *table, key = [str(step) for step in details["loc"]] or [""]
    shown, place = one_line(key, 60), one_line(".".join(table), 100)
    where = f"[{place}] {shown}" if table else f"[{shown}]"
    if table == ["secrets"]:
        return (
            f"{where} is no table: no secret stands in this file, put it into a variable or secrets.toml; "
            f"[secrets.{shown}] may say where, and how it is sent"
        )
    if details["type"] != "extra_forbidden":
        return f"{where} {_said(details)}"
    if key in ("key", "api_key", "token", "value", "secret"):
        return (
            f"[{place}] {shown}: no key stands in this file; put it into a variable and name that as key_env"
        )
    known = _keys_of(table)
    unknown = f"[{place}] has no key {shown!r}" if table else f"unknown table [{shown}]"
    return f"{unknown}; {_expected(key, known)}"


def _place(details: ErrorDetails) -> str:
    """The key that a mistake is in, where it is in one."""
    place = one_line(".".join(map(str, details["loc"])), 100)
    return f"{place} " if place else ""


def _said(details: ErrorDetails) -> str:
    """What is wrong with a value, and the value."""
    if details["type"] == "missing":
        return "is missing"
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    message = details["msg"].removeprefix("Input should be ")
    return f"is {one_line(repr(details['input']), 60)}; expected {message[:1].lower()}{message[1:]}"


def _keys_of(table: list[str]) -> Iterable[str]:
    match table:
        case []:
            return _FILE_TABLES
        case ["models", _]:
            return ModelSettings.model_fields
        case ["models", _, "price"]:
            return PriceSettings.model_fields
        case ["roles"]:
            return RoleSettings.model_fields
        case ["secrets", _]:
            return SecretSettings.model_fields
        case ["terminal"]:
            return TerminalSettings.model_fields
        case ["every_run"]:
            return EveryRunSettings.model_fields
        case ["questions"]:
            return QuestionSettings.model_fields
        case ["memory"]:
            return MemorySettings.model_fields
        case _:
            return SandboxSettings.model_fields


def _expected(word: str, known: Iterable[str]) -> str:
    import difflib  # 4 ms, and only an error needs it

    names = [one_line(name, 60) for name in known]
    close = difflib.get_close_matches(word.lower()[:80], names, n=1)
    expected = f"expected one of {', '.join(names)}" if names else "there is none"
    return f"did you mean {close[0]!r}? ({expected})" if close else expected


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
