"""Plugins as their packages announce them, by entry point. Imports none of them, and costs 2 ms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points

GROUP = "autoagent.plugins"


@dataclass(frozen=True)
class Installed:
    """A plugin that is there, not imported."""

    name: str
    package: str
    version: str
    target: str


def installed() -> tuple[Installed, ...]:
    """All plugins on this machine, by name."""
    found = []
    for point in entry_points(group=GROUP):
        dist = point.dist
        package, version = (dist.name, dist.version) if dist is not None else ("?", "?")
        found.append(Installed(point.name, package, version, point.value))
    return tuple(sorted(found, key=lambda p: (p.name, p.package)))


def missing(wanted: Iterable[str]) -> Iterator[str]:
    """A sentence for each of these plugins that isn't installed."""
    names = list(dict.fromkeys(plugin.name for plugin in installed()))
    for name in wanted:
        if name not in names:
            yield f"the goal needs the plugin {name!r}, which isn't installed; {_nearest(name, names)}"


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches  # 4 ms, and only a mistake needs it

    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"installed are: {', '.join(names) or 'none'}"
