"""What the plugins' page says: a row a plugin, and all of one. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from autoagent.console.line import Line, Part, columns, dotted, line, short
from autoagent.door.tools import SearchedAt, Tool
from autoagent.plugin_host.installed import Installed
from autoagent.tui.drawing.view import Row

_HOW = {
    "always": "in every goal, unless its 'plugins' leave it out",
    "allow.run": "in goals that may run code (allow: run: sandbox)",
    "allow.web": "in goals that may reach the web (allow: web)",
    "by name": "in goals that name it: under 'plugins', or under 'allow: send'",
}
_BRINGS = {
    "always": "in every goal",
    "allow.run": "with allow: run",
    "allow.web": "with allow: web",
    "by name": "where a goal names it",
}
_LONGEST = 200


@dataclass(frozen=True)
class Known:
    """A plugin that was imported to be looked at."""

    code: str
    """Hash of its package."""
    tools: tuple[Tool, ...]
    settings: type[BaseModel] | None
    values: BaseModel | None
    """What config.toml says to it."""
    unset: tuple[str, ...]
    """Variables that are named there and aren't set."""
    provides: tuple[str, ...]
    """What it makes besides tools."""
    problem: str = ""
    """What is wrong with its settings."""


def plugin_rows(found: Iterable[Installed], purposes: Mapping[str, str]) -> list[Row]:
    """Each with what brings it in, or what it lacks, and what it is for. `purposes`: by a plugin's target."""
    plugins = [*found]
    rows = columns(
        (
            Part("!" if plugin.lacks else " ", "attention"),
            Part(plugin.name, "accent"),
            Part(f"lacks {', '.join(plugin.lacks)}: {plugin.install}", "attention")
            if plugin.lacks
            else Part(_BRINGS[plugin.enabled], "dim"),
            short(purposes.get(plugin.target, ""), _LONGEST),
        )
        for plugin in plugins
    )
    return [Row(each, plugin.name) for each, plugin in zip(rows, plugins, strict=True)]


def plugin_lines(plugin: Installed, known: Known | None, problem: str) -> list[Line]:
    """All of one: its tools with what they may do and whom they reach, its settings, and what is wrong."""
    lines = [
        dotted(line(Part(plugin.name, "accent")), f"{plugin.package} {plugin.version}", plugin.target),
        line(f"It is there {_HOW[plugin.enabled]}."),
    ]
    if plugin.lacks:
        lines.append(line(Part(f"It lacks {', '.join(plugin.lacks)}. Run: {plugin.install}", "attention")))
    if problem:
        lines.append(line(Part(problem, "bad")))
    if known is None:
        return lines
    hashed = f"code {known.code[:16]} · what you allowed it for good ends when that or its settings change"
    lines += [*(line(Part(each, "attention")) for each in known.problem.splitlines())]
    lines += [line(Part(hashed, "dim")), line("")]
    if known.tools:
        lines += [line("Tools"), *columns(_tool(tool) for tool in known.tools)]
    lines += [line(f"It provides {' and '.join(known.provides)}.")] if known.provides else []
    return [*lines, *_settings(plugin.name, known)]


def _tool(tool: Tool) -> tuple[Part, ...]:
    effect = tool.effect if isinstance(tool.effect, str) else "by its arguments"
    what = tool.description.strip().partition("\n")[0]
    return (
        Part(f"  {tool.name}", "accent"),
        Part(_EFFECTS.get(effect, effect), "attention" if effect == "external" else "plain"),
        Part(_reached(tool)),
        short(what, _LONGEST, "dim"),
    )


_EFFECTS = {"read": "changes nothing", "write": "changes files", "external": "acts outside"}


def _reached(tool: Tool) -> str:
    """Whom a call reaches, and which power of a goal it draws on."""
    if isinstance(tool.destination, SearchedAt):
        return "your search provider (allow: web)"
    if tool.destination is None:
        if tool.effect == "external":
            return "nobody knows whom: asks (allow: send)"
        return "the sandbox (allow: run)" if tool.runs_code else "nobody outside"
    to = f"its {tool.destination!r}" if isinstance(tool.destination, str) else "by its arguments"
    power = "send" if tool.effect == "external" or tool.under == "send" else "web"
    return f"{to} (allow: {power})"


def _settings(name: str, known: Known) -> Iterator[Line]:
    """The keys of its table, with what they are now or would be; no secret stands there."""
    if known.settings is None:
        return
    given: Mapping[str, object] = {} if known.values is None else dict(known.values)
    yield line("")
    yield line(f"Settings: [plugins.{name}] in config.toml")
    yield from columns(
        (
            Part(f"  {field.alias or key}", "accent"),
            _value(field, given.get(key, field.get_default())),
            short(" ".join((field.description or "").split()), _LONGEST, "dim"),
        )
        for key, field in known.settings.model_fields.items()
    )
    for variable in known.unset:
        yield line(Part(f"  the variable {variable} isn't set: it holds a secret", "attention"))


def _value(field: FieldInfo, value: object) -> Part:
    if value is PydanticUndefined:
        return Part("must be set" if field.is_required() else "", "attention")
    return short("not set" if value is None else repr(value), 60)
