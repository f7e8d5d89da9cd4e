"""Plugins that a goal enables, imported from where `plugin_host.installed` finds them, and no others.

A plugin's hash covers the files of its package and its settings: when they change, questions about its calls
are asked anew.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.machinery import all_suffixes
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, SecretStr

from autoagent.door.extras import GROUP, lacking, said
from autoagent.door.hooks import HookContext, Hooks
from autoagent.door.providers import ProviderContext, Searcher
from autoagent.door.tools import Plugin, SearchedAt, Tool
from autoagent.errors import AutoagentError, UsageError
from autoagent.goal import Goal
from autoagent.hosts import host_of
from autoagent.ids import digest
from autoagent.loop.controls import CONTROLS
from autoagent.loop.hearing import Hooked
from autoagent.plugin_host.installed import missing
from autoagent.settings import PluginSettings, Settings
from autoagent.turns import SCRIPT

T = TypeVar("T")


@dataclass(frozen=True)
class Enabled:
    """A plugin with what it knows."""

    plugin: Plugin
    hash: str
    """Of its code and settings."""
    own: PluginSettings | None
    home: Path | None


@dataclass(frozen=True)
class Loaded:
    """The enabled plugins of a run."""

    tools: dict[str, Tool]
    """By name; those that are opened come in when they are, behind the others (`plugin_host.opening`)."""
    hashes: dict[str, str]
    openable: tuple[Enabled, ...] = ()
    fixed: Mapping[str, Tool] = field(default_factory=dict)
    """The tools that need no opening."""
    hooked: tuple[Hooked, ...] = ()
    """Those that have hooks, in the order in which they are enabled."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, of all that the plugins' settings name."""


def load(
    goal: Goal,
    extra: Sequence[Plugin] = (),
    settings: Settings | None = None,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Loaded:
    """Import what the goal enables, and what the settings enable in every run; open nothing.

    Raises `UsageError` that names the plugin and what is wrong with it.

    `extra` are plugins given as values (by Python code, by tests) that need no entry point. `settings` hold
    the plugins' own, whose secrets stand in `environment`. In `home` each has a folder of its own.
    """
    given = {p.name: p for p in extra}
    settings = settings or Settings()
    for problem in missing(settings.every_run.plugins, f"{settings.path}: [every_run] names"):
        raise UsageError(problem)
    names = (*goal.enabled_plugins, *settings.every_run.plugins)
    points = _points(names)
    tools: dict[str, Tool] = {}
    hashes: dict[str, str] = {}
    openable: list[Enabled] = []
    hooked: list[Hooked] = []
    secrets: dict[str, SecretStr] = {}
    for name in dict.fromkeys((*names, *given)):
        point = None if name in given else _one(name, points)
        plugin = given[name] if point is None else _load_one(name, point)
        check_tools(name, plugin.tools, tools)
        code = _hash(_files_of_tools(plugin) if point is None else _files_of_package(point.module))
        _check_hooks(plugin)
        own = settings_of(plugin, settings, environment or {})
        hashes[name] = code if own is None else digest([code, own.values.model_dump(mode="json")])
        enabled = Enabled(plugin, hashes[name], own, _folder_of(name, home))
        secrets |= {} if own is None else own.secrets
        searching = _Searching(given, settings, environment or {}, home)
        theirs = [searching.tool(of_plugin(tool, enabled)) for tool in plugin.tools]
        tools |= {tool.name: tool for tool in theirs}
        if searching.hashes:
            hashes[name] = digest([hashes[name], searching.hashes])
            enabled = replace(enabled, hash=hashes[name])
        if plugin.opened is not None:
            openable.append(enabled)
        if plugin.hooks != Hooks():
            hooked.append(Hooked(plugin.hooks, _hook_context(enabled)))
    return Loaded(tools, hashes, tuple(openable), dict(tools), tuple(hooked), secrets)


def _hook_context(enabled: Enabled) -> HookContext:
    name, own, home = enabled.plugin.name, enabled.own, enabled.home
    return HookContext(name, home) if own is None else HookContext(name, home, own.values, own.secrets)


def load_named(
    name: str,
    given: Mapping[str, Plugin],
    settings: Settings,
    environment: Mapping[str, str],
    home: Path | None,
    who: str,
) -> Enabled:
    """A plugin that the settings name for what it provides, enabled or not. Raises `UsageError`.

    `who` names it, as an error says it: the file, the table, the key.
    """
    point = None
    if name not in given:
        for problem in missing([name], who):
            raise UsageError(problem)
        point = _one(name, _points([name]))
    plugin = given[name] if point is None else _load_one(name, point)
    own = settings_of(plugin, settings, environment)
    code = "" if point is None else _hash(_files_of_package(point.module))
    hashed = digest([code, None if own is None else own.values.model_dump(mode="json")])
    return Enabled(plugin, hashed, own, _folder_of(name, home))


def imported(name: str) -> tuple[Plugin, str]:
    """A plugin that is installed and the hash of its code, whatever settings say. Raises `UsageError`."""
    point = _one(name, _points([name]))
    return _load_one(name, point), _hash(_files_of_package(point.module))


def provided(make: Callable[[], T], plugin: str) -> T:
    """What a plugin's function makes. Raises `AutoagentError`."""
    try:
        return make()
    except AutoagentError:
        raise
    except Exception as error:  # the plugin's code is foreign
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"the plugin {plugin!r} can't provide what the settings want: {said}") from error


@dataclass
class _Searching:
    """The searchers that a plugin's tools want of other plugins."""

    given: Mapping[str, Plugin]
    settings: Settings
    environment: Mapping[str, str]
    home: Path | None
    hashes: dict[str, str] = field(default_factory=dict)
    """Plugin -> content hash, of those that are used."""

    def tool(self, tool: Tool) -> Tool:
        """With its searchers. Raises `UsageError`."""
        if not isinstance(tool.destination, SearchedAt) or tool.settings is None:
            return tool
        names = tool.destination.plugins(tool.settings)
        who = f"{self.settings.path}: [plugins.{tool.plugin}] names"
        return replace(tool, searchers={name: self._searcher(name, who) for name in names})

    def _searcher(self, name: str, who: str) -> Searcher:
        found = load_named(name, self.given, self.settings, self.environment, self.home, who)
        make, own = found.plugin.search, found.own
        if make is None:
            raise UsageError(f"{who} the plugin {name!r}, which provides no search")
        context = ProviderContext(name, home=found.home)
        if own is not None:
            context = replace(context, settings=own.values, secrets=own.secrets)
        searcher = provided(lambda: make(context), name)
        if host_of(searcher.url) is None:
            raise UsageError(f"the plugin {name!r} searches at {searcher.url!r}, which is no web address")
        self.hashes[name] = found.hash
        return searcher


def of_plugin(tool: Tool, enabled: Enabled) -> Tool:
    """The tool with what its plugin knows."""
    own, tool = enabled.own, replace(tool, plugin=enabled.plugin.name, home=enabled.home)
    return tool if own is None else replace(tool, settings=own.values, secrets=own.secrets)


def _folder_of(name: str, home: Path | None) -> Path | None:
    """Where the plugin keeps what it likes; a name that is no folder's has none."""
    is_fine = name.replace("-", "").replace("_", "").isalnum()
    return home / "plugins" / name if home is not None and is_fine else None


def settings_of(plugin: Plugin, settings: Settings, environment: Mapping[str, str]) -> PluginSettings | None:
    """What config.toml says to the plugin; `None` where it wants to know nothing. Raises `UsageError`."""
    if plugin.settings is not None:
        if not (isinstance(plugin.settings, type) and issubclass(plugin.settings, BaseModel)):
            said = f"plugin {plugin.name!r}: its settings are {plugin.settings!r}"
            raise UsageError(f"{said}; expected a pydantic model's class")
        return settings.of_plugin(plugin.name, plugin.settings, environment)
    if plugin.name in settings.plugins:
        raise UsageError(f"{settings.path}: [plugins.{plugin.name}]: this plugin has no settings; remove it")
    return None


def configured(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each plugin with a table in config.toml, and what is wrong with it: empty where nothing is."""
    points = _points(settings.plugins)
    for name in settings.plugins:
        if name not in points:
            yield name, f"{settings.path}: [plugins.{name}]: no plugin of that name is installed"
            continue
        try:
            own = settings_of(_load_one(name, _one(name, points)), settings, environment)
        except UsageError as error:
            yield name, str(error)
            continue
        unset = () if own is None else own.unset
        yield name, f"the variable {unset[0]} isn't set: it holds a secret" if unset else ""


def names_of(tools: Mapping[str, Tool]) -> Iterator[str]:
    """What a goal's `never` may list: each tool, and those that stand behind one."""
    for name, tool in tools.items():
        yield from (name, *tool.behind)


def misspelt(goal: Goal, tools: Iterable[str]) -> Iterator[str]:
    """A sentence for each name under `never` that no tool of the run has."""
    names = list(tools)
    for name in goal.never:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"'never' lists {name!r}, and no tool of this run has that name{hint}"


def _points(names: Iterable[str]) -> dict[str, list[EntryPoint]]:
    wanted = set(names)
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        if point.name in wanted:
            found.setdefault(point.name, []).append(point)
    return found


def _one(name: str, points: dict[str, list[EntryPoint]]) -> EntryPoint:
    values = {p.value: p for p in points.get(name, ())}
    if len(values) == 1:
        return next(iter(values.values()))
    if values:
        raise UsageError(f"two installed packages offer a plugin {name!r}: {', '.join(values)}; remove one")
    raise UsageError(next(missing([name])))


def _load_one(name: str, point: EntryPoint) -> Plugin:
    where = f"plugin {name!r} ({point.value})"
    if lacks := lacking(name):  # else the first call would be told, after the model was paid
        raise UsageError(said(name, lacks))
    try:
        value = point.load()
    except (Exception, SystemExit) as error:  # the plugin's module is foreign code
        raise UsageError(f"{where} can't be imported: {type(error).__name__}: {error}") from error
    if not isinstance(value, Plugin):
        raise UsageError(f"{where} is no autoagent.Plugin but {type(value).__name__}")
    if value.name != name:
        raise UsageError(f"{where}: its Plugin value is named {value.name!r}; both names must agree")
    return value


def check_tools(plugin: str, tools: object, taken: Mapping[str, Tool]) -> None:
    """Raises `UsageError` for what is no tool, and for a name that two tools have."""
    if not isinstance(tools, Sequence):
        raise UsageError(f"plugin {plugin!r}: its tools are {tools!r}; expected a list of tools")
    names = {name: tool.plugin for name, tool in taken.items()}
    for tool in tools:
        if not isinstance(tool, Tool):
            raise UsageError(f"plugin {plugin!r}: {tool!r} is no tool; decorate it with @tool")
        if tool.name in CONTROLS or tool.name == SCRIPT:
            raise UsageError(f"plugin {plugin!r}: the tool name {tool.name!r} is taken by autoagent itself")
        if tool.name in names:
            both = " and ".join(repr(n) for n in (names[tool.name], plugin))
            raise UsageError(
                f"the tool {tool.name!r} is there twice, in the plugins {both}; enable one of them"
            )
        names[tool.name] = plugin


def _check_hooks(plugin: Plugin) -> None:
    """Raises `UsageError` for what is no hook."""
    if not isinstance(plugin.hooks, Hooks):
        raise UsageError(f"plugin {plugin.name!r}: its hooks are {plugin.hooks!r}; expected autoagent.Hooks")
    for name, hook in vars(plugin.hooks).items():
        if hook is not None and not iscoroutinefunction(hook):
            raise UsageError(f"plugin {plugin.name!r}: its hook {name} is {hook!r}; write 'async def'")


# --- the hash of a plugin's code ----------------------------------------------------------------------------


def _files_of_package(module: str) -> dict[str, Path]:
    """All files of the top package that holds `module`, by name."""
    spec = find_spec(module.partition(".")[0])
    if spec is None:
        return {}
    if spec.submodule_search_locations is None:
        return {spec.name: Path(spec.origin)} if spec.origin is not None else {}
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    return {str(file.relative_to(folder)): file for folder in folders for file in folder.rglob("*")}


def _files_of_tools(plugin: Plugin) -> dict[str, Path]:
    """The files that define the tools of a plugin given as a value; none in an interactive session."""
    hooks = (plugin.opened, plugin.hooks.pre_call, plugin.hooks.post_call, plugin.hooks.report)
    functions = (*(tool.function for tool in plugin.tools), *(hook for hook in hooks if hook is not None))
    modules = {function.__module__ for function in functions}
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in modules}
    return {name: Path(file) for name, file in files.items() if file is not None}


def _hash(files: Mapping[str, Path]) -> str:
    """SHA-256 over the names and contents of those files that are code; empty where there are none."""
    code = tuple(suffix for suffix in all_suffixes() if suffix != ".pyc")
    found = {name: file for name, file in files.items() if file.name.endswith(code)}
    sha256 = hashlib.sha256()
    for name, file in sorted(found.items()):
        sha256.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return sha256.hexdigest() if found else ""
