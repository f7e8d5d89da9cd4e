"""What a call means: from the model's words to the facts that policy decides on. Nothing is done here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from autoagent.door.tools import Tool
from autoagent.errors import ToolError
from autoagent.ids import digest
from autoagent.loop.context import RunContext
from autoagent.loop.controls import CONTROLS
from autoagent.policy import ProposedCall
from autoagent.state import LaneState
from autoagent.trees import TreeEntry

Stat = Callable[[str], TreeEntry | None]
"""What stands at a path."""
LONGEST_NAME = 100
"""Characters of a tool's name that are kept: a model may call a tool anything."""


@dataclass(frozen=True)
class Proposal:
    """A call whose words made sense: which tool, with which arguments, reaching whom."""

    tool: Tool
    args: dict[str, JsonValue]
    call: ProposedCall
    files: dict[str, str]
    """Files to be sent: path -> SHA-256, as they are now, or as a person was shown them."""
    key: str


def read(
    ctx: RunContext,
    lane: LaneState,
    name: str,
    arguments: str | Mapping[str, object],
    call: str,
    stat: Stat | None = None,
) -> Proposal:
    """What the call `call` of a lane means. Raises `ToolError` that says what is wrong with it.

    Files to be sent are those of the lane's head, or what `stat` finds.
    """
    tool = ctx.tools.get(name) if name in lane.tools else None
    if tool is None:
        offered = ", ".join((*lane.tools, *CONTROLS))
        raise ToolError(f"there is no tool {name[:LONGEST_NAME]!r}; there are: {offered}")
    return propose(ctx, lane, tool, tool.check(_object(name, arguments)), call, stat=stat)


def propose(
    ctx: RunContext,
    lane: LaneState,
    tool: Tool,
    args: dict[str, JsonValue],
    call: str,
    shown: Mapping[str, str] | None = None,
    stat: Stat | None = None,
) -> Proposal:
    """The facts of a call with checked arguments. Raises `ToolError`.

    With `shown`, files that a person has seen, it sends some of these, and as they were then; else those of
    the lane's head, or what `stat` finds.
    """
    _refuse_unstorable(tool, args)
    args = tool.placed(args)
    sent = tool.sent_in(args)
    stat = stat or ctx.workspace.tree(lane.tree).entries.get
    files = {p: _hash(stat, p) if shown is None else _as_shown(shown, p) for p in sent}
    try:
        effect, power = tool.effect_of(args), tool.power_of(args)
        destination, names = tool.destination_of(args), tool.names_of(args)
        key = tool.idempotency_key(args) if tool.idempotency_key else ""
    except ToolError:
        raise
    except Exception as error:  # a plugin's own declarations are its code
        raise ToolError(f"{tool.name}: its declaration failed: {type(error).__name__}: {error}") from error
    proposed = ProposedCall(
        tool=tool.name,
        plugin=tool.plugin,
        power=power,
        effect=effect,
        destination=destination,
        paths=tool.paths_in(args),
        sends=tuple(sent),
        names=names,
        kind=tool.kind_of(args),
    )
    return Proposal(tool, args, proposed, files, key or digest([ctx.history.run_id, call])[:32])


def _hash(stat: Stat, path: str) -> str:
    entry = stat(path)
    if entry is None or entry.kind != "file":
        raise ToolError(f"there is no file {path!r} in the workspace to send")
    return entry.sha256


def _as_shown(shown: Mapping[str, str], path: str) -> str:
    if path not in shown:
        raise ToolError(
            f"{path!r} is no file of the question, so its bytes were never shown: "
            "deny the call instead, and have it asked again with that file"
        )
    return shown[path]


def _object(name: str, arguments: str | Mapping[str, object]) -> Mapping[str, object]:
    """The arguments as a mapping; they may come as any text."""
    if isinstance(arguments, Mapping):
        return arguments
    try:
        value = json.loads(arguments or "{}")
    except ValueError as error:
        raise ToolError(f"{name}: the arguments are no JSON ({error}): {arguments[:200]!r}") from None
    except RecursionError:
        raise ToolError(f"{name}: the arguments are nested too deeply") from None
    if not isinstance(value, dict):
        raise ToolError(f"{name}: the arguments are no JSON object: {arguments[:200]!r}")
    return value


def _refuse_unstorable(tool: Tool, args: dict[str, JsonValue]) -> None:
    """Python reads NaN and 1e999, and JSON holds neither: no journal could keep them."""
    try:
        json.dumps(args, allow_nan=False)
    except ValueError:
        raise ToolError(f"{tool.name}: the arguments hold a number that JSON can't (NaN, infinity)") from None
