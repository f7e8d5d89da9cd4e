"""The tools of a replay: those of the installed plugins, and those that were opened, as the record has them.

No plugin is opened. What a declaration said of a call that depends on its arguments stands in the record too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import JsonValue

from autoagent import events as e
from autoagent.door.foreign import ForeignSchema
from autoagent.door.tools import SEARCH, Arguments, Power, Tool, ToolContext
from autoagent.errors import ToolError
from autoagent.hosts import host_of
from autoagent.ids import digest
from autoagent.plugin_host.opened import BY_ARGUMENTS
from autoagent.ports import Objects
from autoagent.state import RunState

V = TypeVar("V")


@dataclass(frozen=True)
class Following(Mapping[str, V]):
    """What a function says at this moment: it follows the state, as that moves along the record."""

    now: Callable[[], Mapping[str, V]]

    def __getitem__(self, name: str) -> V:
        return self.now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.now())

    def __len__(self) -> int:
        return len(self.now())


class ToolsOfRecord:
    """The tools of a run at each moment of its replay."""

    def __init__(
        self,
        fixed: Mapping[str, Tool],
        decided: Sequence[tuple[int, e.CallDecided]],
        objects: Objects,
        state: Callable[[], RunState],
    ) -> None:
        self._fixed, self._objects, self._state = fixed, objects, state
        self._decided = {(x.tool, digest(x.args)): x for _, x in decided if x.understood}
        self._refused = [(seq, x) for seq, x in decided if not x.understood]
        self._read: dict[tuple[str, str], dict[str, Tool]] = {}

    def tools(self) -> Mapping[str, Tool]:
        opened: dict[str, Tool] = {}
        for event in self._state().opened.values():
            opened |= self._opened(event.plugin, event.tools)
        return {**self._fixed, **opened}

    def hashes(self) -> Mapping[str, str]:
        """Of the plugins that were opened."""
        return {name: event.hash for name, event in self._state().opened.items()}

    def _opened(self, plugin: str, sha256: str) -> dict[str, Tool]:
        if (plugin, sha256) not in self._read:
            records = json.loads(self._objects.get(sha256))
            self._read[plugin, sha256] = {record["name"]: self._tool(plugin, record) for record in records}
        return self._read[plugin, sha256]

    def _why_refused(self, tool: str) -> str:
        """What the declaration said of the next call of this tool that the record has as not understood."""
        seq = self._state().seq
        return next((x.why for at, x in self._refused if at > seq and x.tool == tool), "not in the record")

    def _tool(self, plugin: str, record: Mapping[str, Any]) -> Tool:
        name = record["name"]

        def of(args: Arguments) -> e.CallDecided | None:
            return self._decided.get((name, digest(dict(args))))

        def effect(args: Arguments) -> e.Effect:
            found = of(args)
            if found is None:
                raise ToolError(self._why_refused(name))
            return found.effect

        def destination(args: Arguments) -> str | None:
            found = of(args)
            return None if found is None else found.destination

        def key(args: Arguments) -> str:
            found = of(args)
            own = found is None or found.key == digest([self._state().run_id, found.call])[:32]
            return "" if own or found is None else found.key

        kind = _Following if record.get("follows") else Tool
        schema = _FilledSchema if record["fills_defaults"] else ForeignSchema
        made = kind(
            name=name,
            description=record["description"],
            function=_not_carried_out,
            arguments=schema(record["parameters"]),
            effect=effect if record["effect"] == BY_ARGUMENTS else record["effect"],
            destination=destination if record["destination"] == BY_ARGUMENTS else record["destination"],
            under=record["under"],
            runs_code=record["runs_code"],
            timeout_s=record["timeout_s"],
            output_limit=record["output_limit"],
            probe=_not_carried_out if record["has_probe"] else None,
            idempotency_key=key if record["has_key"] else None,
            paths=tuple(record["paths"]),
            sends=tuple(record["sends"]),
            plugin=plugin,
        )
        if isinstance(made, _Following):
            made.files.append(lambda args: () if (found := of(args)) is None else tuple(found.files))
        return made


@dataclass(frozen=True)
class _Following(Tool):
    """Stands for many: what it does, and what it sends, is another tool's, as the record has it."""

    files: list[Callable[[Arguments], tuple[str, ...]]] = field(default_factory=list)

    def power_of(self, args: Arguments) -> Power:
        destination = self.destination_of(args)
        if self.effect_of(args) != "read" or destination is None:
            return super().power_of(args)
        return "web" if destination.startswith(SEARCH) or host_of(destination) else "send"

    def sent_in(self, args: Arguments) -> tuple[str, ...]:
        return self.files[0](args)


@dataclass(frozen=True)
class _FilledSchema(ForeignSchema):
    """Of a tool with types of our own: what a call leaves out has its default, as in the run."""

    is_ours = True

    def check(self, args: Mapping[str, object]) -> dict[str, JsonValue]:
        properties = self.checked["properties"]
        assert isinstance(properties, dict)
        defaults = {n: x["default"] for n, x in properties.items() if isinstance(x, dict) and "default" in x}
        given = super().check(args)
        return {n: given.get(n, defaults.get(n)) for n in properties if n in given or n in defaults}


async def _not_carried_out(ctx: ToolContext, **arguments: object) -> Any:
    raise ToolError("a replay carries nothing out")
