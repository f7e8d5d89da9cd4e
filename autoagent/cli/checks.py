"""What a run needs from this machine, looked at one by one. Starts nothing, never waits for long."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent.console.figures import size
from autoagent.console.line import Line, Part, columns
from autoagent.errors import AutoagentError, StoreUnavailable, UsageError
from autoagent.journal.home import home as default_home
from autoagent.sandboxes import docker
from autoagent.sandboxes.docker import EngineStatus
from autoagent.settings import SET_ONE, ModelSettings, Settings

_TIMEOUT_S = 5.0
_LITTLE_BYTES = 500_000_000


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    is_fine: bool
    said: str
    """What is so; where it isn't fine, how to get it."""
    is_needed: bool = True
    """Without it no run can work live."""


def as_lines(checks: Sequence[Check]) -> Iterator[Line]:
    """A row a check."""
    return columns(
        (
            Part("ok", "dim")
            if check.is_fine
            else Part("missing", "bad" if check.is_needed else "attention"),
            Part(check.name),
            Part(check.said),
        )
        for check in checks
    )


async def all_checks(home: Path, settings: Settings) -> list[Check]:
    """Every row of `autoagent doctor`."""
    models = await asyncio.gather(*(asyncio.to_thread(model_answers, settings, m) for m in _used(settings)))
    return [
        Check("python", True, f"{sys.version.split()[0]} at {sys.executable}"),
        home_is_writable(home),
        *(models or [model_is_set(settings, None)]),
        docker_answers(status := await docker.probe(settings.sandbox)),
        sandbox_would_be(settings, status),
        await memory_answers(home, settings),
        plugins_installed(),
        *plugins_incomplete(),
        *plugins_of_every_run(settings),
        *plugins_configured(settings),
        *secrets_kept(home, settings),
        *grants_readable(home),
        disk_has_room(home),
    ]


def home_is_writable(home: Path) -> Check:
    """The folder of journal, memory and logs; it is made where it is missing."""
    from autoagent.journal.sqlite import SqliteJournal

    try:
        SqliteJournal(home).close()
    except AutoagentError as error:
        return Check("home", False, str(error))
    return Check("home", True, str(home))


def disk_has_room(home: Path) -> Check:
    """Room for trees and the journal."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    said = f"{size(free)} free at {existing}"
    if free >= _LITTLE_BYTES:
        return Check("disk", True, said)
    return Check("disk", False, f"{said}: free some, or set AUTOAGENT_HOME to a larger disk", is_needed=False)


# --- models -------------------------------------------------------------------------------------------------


def _used(settings: Settings) -> list[ModelSettings]:
    """Every model that some role would be played by, once."""
    chains = (settings.chain("worker"), settings.chain("planner"), settings.chain("judge"))
    return list(dict.fromkeys(model for chain in chains for model in chain))


def model_is_set(settings: Settings, name: str | None) -> Check:
    """Whether settings or environment name a worker model. Raises `UsageError` for an unknown name."""
    chain = settings.chain("worker", name)
    if not chain:
        return Check(
            "model",
            False,
            f"none is set: {SET_ONE}; or play recorded replies: 'autoagent run PATH --recorded FILE'",
        )
    if why := settings.modelless(name):
        return Check("model", False, why)
    return Check("model", True, ", else ".join(f"{m.model} at {m.provider or m.base_url}" for m in chain))


def model_answers(settings: Settings, model: ModelSettings) -> Check:
    """Whether the server lists its models to our key."""
    if model.provider is not None:  # how it is asked only the plugin knows, and its key is for nobody else
        return _of_plugin(settings, model, model.provider)
    where = f"{model.model} at {model.base_url}"
    key = settings.key(model.key_env)
    request = urllib.request.Request(f"{model.base_url}/models")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key.get_secret_value()}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
            return Check("model", True, f"{where}{_listed(model.model, reply.read(1_000_000))}")
    except urllib.error.HTTPError as error:
        with error:
            return _refused(where, model, error.code)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return Check("model", False, f"{where} doesn't answer ({reason}): start it, or correct its address")


def _of_plugin(settings: Settings, model: ModelSettings, plugin: str) -> Check:
    """Whether a plugin makes the model; it isn't asked anything."""
    from autoagent.outward.client import GuardedOutward
    from autoagent.plugin_host.providing import Providers
    from autoagent.ports import Price

    try:
        Providers(default_home(), settings, os.environ, GuardedOutward()).model(model, Price())
    except AutoagentError as error:
        return Check("model", False, str(error))
    named = "key_env" in model.model_fields_set
    unset = f"; {model.key_env} isn't set" if named and settings.key(model.key_env) is None else ""
    return Check("model", True, f"{model.model} of the plugin {plugin}, which wasn't asked{unset}")


def _refused(where: str, model: ModelSettings, status: int) -> Check:
    if status in (401, 403):
        return Check(
            "model", False, f"{where} refuses the key (status {status}): set {model.key_env} to a valid one"
        )
    if status >= 500:
        return Check("model", False, f"{where} fails (status {status}): try again later")
    return Check("model", True, f"{where}, which doesn't list its models")


def _listed(name: str, body: bytes) -> str:
    try:
        names = [str(each["id"]) for each in json.loads(body)["data"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ", which doesn't list its models"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return "" if name in names else f", which doesn't list that model, only {shown or 'none'}"


# --- sandbox, memory, plugins -------------------------------------------------------------------------------


def docker_answers(status: EngineStatus) -> Check:
    """The engine and the image."""
    if status.problem:
        return Check("docker", False, status.problem, is_needed=False)
    if not status.has_image:
        said = f"engine {status.version}, but no image {status.image}: 'autoagent doctor --build' builds it"
        return Check("docker", False, said, is_needed=False)
    return Check("docker", True, f"engine {status.version}, image {status.image}")


def sandbox_would_be(settings: Settings, status: EngineStatus) -> Check:
    """Which sandbox a run would use."""
    kind = settings.sandbox.kind
    if kind != "monty" and not status.problem:
        how = "" if status.has_image else ", after building its image, which takes a minute or two"
        return Check("sandbox", True, f"docker{how}")
    if kind == "docker":
        return Check("sandbox", False, f"docker, as config.toml says: {status.problem}")
    return Check("sandbox", True, "monty: a small Python subset, without a shell and packages")


async def memory_answers(home: Path, settings: Settings) -> Check:
    """Long-term memory, asked for a point that isn't there."""
    from autoagent.ids import memory_id
    from autoagent.wiring import open_memory

    where = settings.memory.url or f"embedded in {home / 'memory'}"
    try:
        memory = open_memory(home, settings)
    except UsageError as error:
        return Check("memory", False, str(error))
    try:
        async with asyncio.timeout(2 * _TIMEOUT_S):
            await memory.get(memory_id("doctor", "doctor"))
    except (StoreUnavailable, TimeoutError) as error:
        said = str(error) or f"no answer in {2 * _TIMEOUT_S:g} s"
        return Check("memory", False, f"{where}: {said}; runs work, and remember later", is_needed=False)
    finally:
        await memory.close()
    return Check("memory", True, where)


def plugins_installed() -> Check:
    """What goals can enable."""
    from autoagent.plugin_host.installed import installed

    names = ", ".join(dict.fromkeys(plugin.name for plugin in installed()))
    return Check("plugins", bool(names), names or "none: reinstall autoagent, which brings some")


def plugins_incomplete() -> Iterator[Check]:
    """A row for each plugin that lacks a package."""
    from autoagent.plugin_host.installed import installed

    for plugin in installed():
        if plugin.lacks:
            needed = f"needs {', '.join(plugin.lacks)}: {plugin.install}"
            yield Check(f"plugin {plugin.name}", False, needed, is_needed=False)


def plugins_of_every_run(settings: Settings) -> Iterator[Check]:
    """A row for each plugin that every run should have and that can't be had: none begins then."""
    from autoagent.plugin_host.installed import missing

    for problem in missing(settings.every_run.plugins, f"{settings.path}: [every_run] names"):
        yield Check("plugins", False, problem)


def plugins_configured(settings: Settings) -> Iterator[Check]:
    """A row for each plugin that config.toml has a table for."""
    from autoagent.plugin_host.loading import configured

    for name, problem in configured(settings, os.environ):
        said = problem or f"configured in [plugins.{name}] of {settings.path}"
        yield Check(f"plugin {name}", not problem, said, is_needed=False)


def secrets_kept(home: Path, settings: Settings) -> Iterator[Check]:
    """A row for each secret that config.toml has a table for; others are named by goals only."""
    from autoagent.vault import how_to_set

    for name, table in settings.secrets.items():
        try:
            remedy = how_to_set(name, table, os.environ, home)
        except UsageError as error:
            remedy = str(error)
        said = f"it isn't set: {remedy}" if remedy else "it is set"
        yield Check(f"secret {name}", not remedy, said, is_needed=False)


def grants_readable(home: Path) -> Iterator[Check]:
    """Whether what the person always allows counts; no row where nothing was ever given."""
    from autoagent.clock import SystemClock
    from autoagent.grants_file import GrantsFile

    file = GrantsFile(home)
    try:
        found, now = file.read(), SystemClock().now()
    except AutoagentError as error:
        yield Check("always", False, f"none counts: {error}", is_needed=False)
        return
    if found:
        holding = sum(each.holds(now) for each in found)
        yield Check("always", True, f"{holding} given; 'autoagent grants' lists what you always allow")


def build_image(settings: Settings) -> str:
    """Build the sandbox image of Docker; its name. Raises `SandboxUnavailable`."""
    from contextlib import closing

    from autoagent.sandboxes.engine import Engine
    from autoagent_sandbox import image_name

    name = image_name()
    with closing(Engine.connect()) as engine:
        if not engine.has_image(name):
            engine.build_image(name)
    return name
