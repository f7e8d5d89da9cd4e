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
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError

from autoagent.errors import UsageError
from autoagent.hosts import host_of, is_private
from autoagent.messages import Frozen
from autoagent.ports import ModelRole
from autoagent.redact import one_line
from autoagent.settings.mistakes import FILE_TABLES, did_you_mean, key_in, line_of, mistake, wrong_value
from autoagent.settings.tables import OPENAI_KEY
from autoagent.settings.tables import OPENAI_URL as OPENAI_URL
from autoagent.settings.tables import EveryRunSettings as EveryRunSettings
from autoagent.settings.tables import MemorySettings as MemorySettings
from autoagent.settings.tables import ModelSettings as ModelSettings
from autoagent.settings.tables import QuestionSettings as QuestionSettings
from autoagent.settings.tables import RoleSettings as RoleSettings
from autoagent.settings.tables import SandboxSettings as SandboxSettings
from autoagent.settings.tables import SecretSettings as SecretSettings
from autoagent.settings.tables import TerminalSettings as TerminalSettings

FILE_NAME = "config.toml"
SET_ONE = "set OPENAI_API_KEY and OPENAI_MODEL, or OPENAI_BASE_URL and OPENAI_MODEL for a server of your own"
"""What to do where no model is set."""
_SHORTEST_KEY = 16
"""Characters of a model's key that is kept out of the record: shorter ones are words like `not-needed`."""


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
                where = line_of(path, ("plugins", name, key))
                what = f"{where}: {table_name} has no key {one_line(key, 60)!r}"
                raise UsageError(f"{what}; {did_you_mean(key, known)}")
        try:
            values = model.model_validate_json(json.dumps(table))
        except ValidationError as error:
            mistakes = [
                f"{line_of(path, ('plugins', name, *each['loc']))}: "
                f"{table_name} {key_in(each)}{wrong_value(each)}"
                for each in error.errors()
            ]
            raise UsageError("\n".join(mistakes)) from None
        named = list(dict.fromkeys(_variables(values)))
        secrets = {each: SecretStr(found) for each in named if (found := environment.get(each, ""))}
        return PluginSettings(values, secrets, tuple(each for each in named if each not in secrets))

    def _named(self, name: str) -> ModelSettings:
        if name in self.models:
            return self.models[name]
        if self.models:
            what = f"no model is named {one_line(name, 60)!r} in {FILE_NAME}"
            raise UsageError(f"{what}; {did_you_mean(name, self.models)}")
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
        said = (f"{line_of(path, each['loc'])}: {mistake(each)}" for each in error.errors())
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
            raise UsageError(f"{path}: unknown table [{name}]; {did_you_mean(name, FILE_TABLES)}")
    return tables


def _environment_model(environment: Mapping[str, str], server: str) -> ModelSettings | None:
    model = environment.get("OPENAI_MODEL", "").strip()
    try:
        made = ModelSettings(model=model or "none", base_url=server)
    except ValidationError as error:
        raise UsageError(f"OPENAI_BASE_URL {wrong_value(error.errors()[0])}") from None
    return made if model else None


def _check_roles(path: Path, settings: Settings) -> None:
    for role, names in settings.roles:
        for name in names:
            if name not in settings.models:
                place = line_of(path, ("roles", role))
                what = (
                    f"{place}: [roles] {role} names {one_line(name, 60)!r}, which is no table [models.NAME]"
                )
                raise UsageError(f"{what}; {did_you_mean(name, settings.models)}")
