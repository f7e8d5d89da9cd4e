"""Plugins as their packages announce them, by entry point. Imports none of them, and costs 2 ms."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from autoagent.door import extras
from autoagent.goal import Allow, Goal

Enabled = Literal["always", "allow.run", "allow.web", "by name"]


@dataclass(frozen=True)
class Installed:
    """A plugin that is there, not imported."""

    name: str
    package: str
    version: str
    target: str
    enabled: Enabled
    """What of a goal brings it in, where the goal has no `plugins`; `by name`: that, or `allow.send`."""
    lacks: tuple[str, ...] = ()
    """Packages that it needs and that aren't installed."""
    install: str = ""
    """The line that installs what it lacks."""


def installed() -> tuple[Installed, ...]:
    """All plugins on this machine, by name."""
    found = []
    for point in entry_points(group=extras.GROUP):
        dist = point.dist
        package, version = (dist.name, dist.version) if dist is not None else ("?", "?")
        lacks = extras.lacking(point.name)
        line = extras.install_line(point.name) if lacks else ""
        found.append(Installed(point.name, package, version, point.value, _enabled(point.name), lacks, line))
    return tuple(sorted(found, key=lambda p: (p.name, p.package)))


def purpose(target: str) -> str:
    """What a plugin is for: the first line of its package's docstring, which is read and not run.

    Empty where its source isn't there, or says nothing.
    """
    try:
        spec = find_spec(target.partition(":")[0].partition(".")[0])
        source = Path(spec.origin).read_bytes() if spec is not None and spec.origin else b""
        said = ast.get_docstring(ast.parse(source)) or ""
    except (OSError, ValueError, SyntaxError):
        return ""
    return said.partition("\n")[0].strip()


_BRINGING: dict[Enabled, Goal] = {
    "always": Goal(goal="any"),
    "allow.run": Goal(goal="any", allow=Allow(run="sandbox")),
    "allow.web": Goal(goal="any", allow=Allow(web=("*",))),
}


def _enabled(name: str) -> Enabled:
    return next((word for word, goal in _BRINGING.items() if name in goal.enabled_plugins), "by name")


def missing(wanted: Iterable[str], who: str = "the goal needs") -> Iterator[str]:
    """A sentence for each of these plugins that isn't installed, or lacks a package that it needs."""
    names = sorted({point.name for point in entry_points(group=extras.GROUP)})
    for name in wanted:
        if name not in names:
            yield f"{who} the plugin {name!r}, which isn't installed; {_nearest(name, names)}"
        elif lacks := extras.lacking(name):
            yield extras.said(name, lacks)


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches  # 4 ms, and only a mistake needs it

    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"installed are: {', '.join(names) or 'none'}"
