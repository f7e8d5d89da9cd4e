"""What a plugin is tried with: `autoagent plugins check NAME` and `PluginContract` play it.

A plugin's package may hold a module `rehearsal` with a value of that name. Without it, the tools are called
with arguments that are made up from their schemas, and nothing that acts outside is called at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from pydantic import JsonValue

from autoagent.errors import UsageError


class World(Protocol):
    """Stands for the world outside, on loopback: what a tool reaches, and a count of what happened there."""

    @property
    def names(self) -> Mapping[str, JsonValue]:
        """What examples and settings call by name: ``{url}`` in a text is the value under `url`.

        A text that is nothing but ``{port}`` becomes the value itself, a number too.
        """
        ...

    def happened(self) -> int:
        """How many effects have arrived, each counted once however often it was sent."""
        ...


@dataclass(frozen=True)
class Rehearsal:
    """Arguments that work, and what they need."""

    examples: Mapping[str, Sequence[Mapping[str, JsonValue]]] = field(default_factory=dict)
    """Tool -> calls that must end well; the first is also what made-up values are put into."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """The workspace: path -> content."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """The table `[plugins.NAME]`."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable -> made-up secret."""
    starts: tuple[str, ...] = ()
    """Programs that tools start to compute something. Nothing watches them: the author answers for it."""
    world: Callable[[], AbstractContextManager[World]] | None = None
    """Opened for each part of a check. `None`: what acts outside isn't called."""


def named(value: JsonValue, names: Mapping[str, JsonValue]) -> JsonValue:
    """`value` with the world's names put in."""
    match value:
        case str():
            for name, meant in names.items():
                if value == f"{{{name}}}":
                    return meant
                value = value.replace(f"{{{name}}}", str(meant))
            return value
        case list():
            return [named(item, names) for item in value]
        case dict():
            return {key: named(item, names) for key, item in value.items()}
        case _:
            return value


def rehearsal_of(target: str) -> Rehearsal | None:
    """The value `rehearsal` in the module of that name in the plugin's package; `None` where there is none.

    Imports the package. Raises `UsageError` where the module holds something else.
    """
    package = target.partition(":")[0].partition(".")[0]
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None or find_spec(f"{package}.rehearsal") is None:
        return None
    found = getattr(import_module(f"{package}.rehearsal"), "rehearsal", None)
    if not isinstance(found, Rehearsal):
        raise UsageError(
            f"{package}.rehearsal holds no value 'rehearsal' that is an autoagent.testing.Rehearsal"
        )
    return found
