"""Packages that only some plugins need: what to install where one isn't there. Imports none of them.

A heavy dependency of a plugin is an *extra* of its package, under the plugin's name. The plugin imports it
where it is used:

    with needs("web"):
        import trafilatura

and who hasn't got it reads: the plugin 'web' needs 'trafilatura', which isn't installed; run: pip install
'autoagent[web]'. The same holds for anybody's package: the line names the one that offers the plugin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points

from autoagent.errors import AutoagentError, NotDone, ToolError

GROUP = "autoagent.plugins"
"""The group of entry points that packages announce plugins in."""
OURS = "autoagent"


@contextmanager
def needs(name: str, raises: type[ToolError] | type[AutoagentError] = NotDone) -> Iterator[None]:
    """Around imports: one that isn't installed is told with the line that installs it.

    `name` is a plugin, or an extra of autoagent's that belongs to none (`keyring`). In a tool the model reads
    it, and certainly nothing was done; where a person should, `raises` is `UsageError`. An import that fails
    for another reason goes through.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise raises(said(name, (package,))) from error


def said(name: str, packages: tuple[str, ...]) -> str:
    """What is missing for the plugin or extra `name`, and the line that installs it."""
    dist = _offering(name)
    who = f"{name!r}" if dist is None else f"the plugin {name!r}"
    *others, last = map(repr, packages)
    which = f"{', '.join(others)} and {last}" if others else last
    isnt = "isn't" if len(packages) == 1 else "aren't"
    return f"{who} needs {which}, which {isnt} installed; run: {install_line(name)}"


def install_line(name: str) -> str:
    """What a person types to have all that the plugin or extra `name` needs."""
    dist = _offering(name)
    if dist is None:
        return f"pip install '{OURS}[{name}]'"
    has_extra = name in (dist.metadata.get_all("Provides-Extra") or ())
    return f"pip install '{dist.name}[{name}]'" if has_extra else f"pip install {dist.name}"


def lacking(name: str) -> tuple[str, ...]:
    """The packages that the plugin `name` needs and that aren't installed, as its package's metadata says.

    Versions aren't looked at, nor requirements that hold under further conditions.
    """
    dist = _offering(name)
    required = () if dist is None else (dist.requires or ())
    return tuple(p for text in required if (p := _required(text, name)) and not _is_installed(p))


_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*(?:;\s*(.*\S))?\s*")


def _required(text: str, extra: str) -> str | None:
    """The package in ``trafilatura>=2; extra == 'web'``; `None` where that is another extra's line."""
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        return None
    marker = (match[2] or "").replace('"', "'").replace(" ", "")
    return match[1] if marker in ("", f"extra=='{extra}'") else None


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _offering(plugin: str) -> Distribution | None:
    """The package whose entry point offers the plugin."""
    return next((p.dist for p in entry_points(group=GROUP, name=plugin)), None)
