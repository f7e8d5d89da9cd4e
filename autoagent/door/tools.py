"""The plugin door: `@tool`, `tool_from_schema`, `Tool`, `Plugin`; what their code is given is in `contexts`.

A tool is a typed async function. Its schema comes from its type hints and its docstring. Its *effect* says
what it may do to the world, so that the run knows how to carry it out and what to do after a crash; its
*destination* says who learns of it, so that policy and the person who is asked can see it.

Importing a plugin's module does nothing but define one `Plugin` value.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, JsonValue, SecretStr, ValidationError

from autoagent.door.contexts import FilesView, Observation, PluginContext, ToolContext
from autoagent.door.foreign import ForeignSchema, described_by
from autoagent.door.hooks import Hooks
from autoagent.door.parameters import (
    WorkspaceFile,
    WorkspacePath,
    described,
    each_text,
    explain,
    parameters_of,
    slim,
)
from autoagent.door.providers import Embedder, ModelSpec, ProviderContext, Searcher
from autoagent.errors import NotDone, ToolError
from autoagent.events import Effect
from autoagent.paths import workspace_path
from autoagent.ports import JobResult, Model, ToolSchema
from autoagent.redact import cut, one_line

__all__ = [
    "SEARCH",
    "FilesView",
    "NotDone",
    "Observation",
    "Plugin",
    "PluginContext",
    "SearchedAt",
    "Tool",
    "ToolContext",
    "ToolError",
    "WorkspaceFile",
    "WorkspacePath",
    "observation",
    "tool",
    "tool_from_schema",
]

SEARCH = "search:"
"""Prefix of the destination that a tool declares for a search at the user's own provider."""

_JOB_OUTPUT = 16_000
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
Power = Literal["read", "write", "run", "web", "fetch", "send"]
Arguments = Mapping[str, JsonValue]


@dataclass(frozen=True)
class SearchedAt:
    """The destination of a search: the person's own providers, as the plugin's settings name them.

    Only settings say where that is, no argument; so policy lets it through while nothing private was read.
    """

    providers: Callable[[BaseModel, Mapping[str, Searcher]], Sequence[str]]
    """The settings, and the searchers of `plugins` -> the address of each provider that a call may ask."""
    plugins: Callable[[BaseModel], Sequence[str]] = lambda settings: ()
    """The settings -> names of plugins whose `Plugin.search` is used: `ToolContext.searchers`."""


ToolFunction = Callable[..., Awaitable[str | Observation]]
Probe = Callable[..., Awaitable[Literal["done", "not_done", "unknown", "ask"]]]


@dataclass(frozen=True)
class Tool:
    """One tool: a function, its schema and its declarations. Made by `@tool` or `tool_from_schema`."""

    name: str
    description: str
    function: ToolFunction
    arguments: type[BaseModel] | ForeignSchema
    effect: Effect | Callable[[Arguments], Effect] = "external"
    destination: str | SearchedAt | Callable[[Arguments], str | None] | None = None
    """The parameter that names who is reached, or a function of the arguments."""
    under: Literal["web", "send"] = "web"
    """Where the goal's `allow` must give the destination of a `read`: `web` for a host, `send` for a name."""
    runs_code: bool = False
    timeout_s: float = 120
    output_limit: int = 16_000
    """Characters of an observation; the rest is cut in the middle."""
    probe: Probe | None = None
    """Called with the context and the arguments after a crash: did this very call happen?

    `unknown` leaves it to the key, and without a key to a person; `ask` to a person in any case.
    """
    idempotency_key: Callable[[Arguments], str] | None = None
    """Declares that the receiver drops a second call with the same `ctx.key`."""
    kind: str | None = None
    """The parameter whose value makes a call another thing at the same destination, as `method` does.

    A question names it, and a yes to several calls covers only those of the same kind.
    """
    paths: tuple[str, ...] = ()
    """Parameters that are `WorkspacePath`."""
    sends: tuple[str, ...] = ()
    """Parameters that are `WorkspaceFile`."""
    plugin: str = ""
    settings: BaseModel | None = None
    """The plugin's, set when it is loaded; so is the next."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    home: Path | None = None
    """The plugin's own folder, which need not be there."""
    searchers: Mapping[str, Searcher] = field(default_factory=dict)
    """Plugin -> what it searches with; of a tool whose destination is `SearchedAt`."""
    behind: Mapping[str, str] = field(default_factory=dict)
    """Of a tool that stands for others: name -> what they are, in words. Compared when the tools change."""

    @cached_property
    def schema(self) -> ToolSchema:
        """The tool as a model sees it."""
        given = self.arguments
        shown = given.shown if isinstance(given, ForeignSchema) else slim(given.model_json_schema())
        return ToolSchema(self.name, self.description, shown)

    @property
    def is_foreign(self) -> bool:
        """Whether somebody outside describes it."""
        return isinstance(self.arguments, ForeignSchema) and not self.arguments.is_ours

    @property
    def parameters(self) -> tuple[str, ...]:
        if isinstance(self.arguments, ForeignSchema):
            return self.arguments.names
        return tuple(f.alias or name for name, f in self.arguments.model_fields.items())

    # --- what a call would do: pure functions of its arguments ----------------------------------------------

    def names_of(self, args: Arguments) -> tuple[str, ...]:
        """What a goal's `never` may call it: its name, and that of what it calls."""
        return (self.name,)

    def kind_of(self, args: Arguments) -> str:
        return "" if self.kind is None else one_line(str(args.get(self.kind)), 80)

    def effect_of(self, args: Arguments) -> Effect:
        """What the call may do to the world; recorded before policy looks at it."""
        effect = self.effect(args) if callable(self.effect) else self.effect
        if effect not in get_args(Effect):
            raise TypeError(f"tool {self.name!r} declares the effect {effect!r}; there are {_EFFECTS}")
        return effect

    def destination_of(self, args: Arguments) -> str | None:
        """Whom the call reaches; `None` for nobody outside, empty for an unknown one."""
        if isinstance(self.destination, SearchedAt):
            if self.settings is None:
                raise TypeError(f"tool {self.name!r} searches where settings say, and its plugin has none")
            return SEARCH + ", ".join(self.destination.providers(self.settings, self.searchers))
        if callable(self.destination):
            return self.destination(args)
        if self.destination is None:
            return "" if self.effect_of(args) == "external" else None
        named = ", ".join(each_text(args.get(self.destination)))
        return "" if named.startswith(SEARCH) else named  # a search is declared, never an argument's claim

    def power_of(self, args: Arguments) -> Power:
        """The power of the goal's `allow` that the call draws on; `fetch` is `web` and `write` together."""
        match self.effect_of(args):
            case "external":
                return "send"
            case "read" if self.under == "send" and self.destination_of(args) is not None:
                return "send"
            case _ if self.runs_code:
                return "run"
            case "write":
                return "write" if self.destination_of(args) is None else "fetch"
            case "read":
                return "read" if self.destination_of(args) is None else "web"

    # --- arguments ------------------------------------------------------------------------------------------

    def check(self, args: Mapping[str, object]) -> dict[str, JsonValue]:
        """`args` as the tool's types want them, JSON again. Raises `ToolError` that names what is wrong."""
        try:
            if isinstance(self.arguments, ForeignSchema):
                return self.arguments.check(args)
            return self.arguments.model_validate(dict(args)).model_dump(mode="json", by_alias=True)
        except ValidationError as error:
            raise ToolError(f"{self.name}: {explain(error, self.parameters)}") from None
        except (ValueError, TypeError, RecursionError) as error:  # without end, or nothing that JSON holds
            raise ToolError(f"{self.name}: the arguments can't be read: {error}") from None

    def placed(self, args: Arguments) -> dict[str, JsonValue]:
        """Checked arguments with every workspace path in its one spelling. Raises `ToolError`."""
        return {name: _placed(v) if name in (*self.paths, *self.sends) else v for name, v in args.items()}

    def paths_in(self, args: Arguments) -> tuple[str, ...]:
        """The workspace paths among the arguments, those of files to be sent too."""
        return tuple(path for name in (*self.paths, *self.sends) for path in each_text(args.get(name)))

    def sent_in(self, args: Arguments) -> tuple[str, ...]:
        """The paths of files to be sent."""
        return tuple(path for name in self.sends for path in each_text(args.get(name)))

    def typed(self, args: Arguments, files: Mapping[str, str]) -> dict[str, object]:
        """Fresh values that the function is called with; `files` gives the hash of each path to be sent."""
        if isinstance(self.arguments, ForeignSchema):
            given = deepcopy(dict(args))
            return {"arguments": {n: _sent(v, files) if n in self.sends else v for n, v in given.items()}}
        model = self.arguments.model_validate(dict(args))
        values: dict[str, object] = {
            f.alias or name: getattr(model, name) for name, f in self.arguments.model_fields.items()
        }
        return {n: _sent(v, files) if n in self.sends else v for n, v in values.items()}


_EFFECTS = ", ".join(repr(effect) for effect in get_args(Effect))


def _placed(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [workspace_path(str(item)) for item in value]
    return None if value is None else workspace_path(str(value))


def _sent(value: object, files: Mapping[str, str]) -> object:
    sent = [WorkspaceFile(path=path, sha256=files[path]) for path in each_text(value)]
    return sent if isinstance(value, list) else sent[0] if sent else None


def tool(
    *,
    effect: Effect | Callable[[Arguments], Effect] = "external",
    destination: str | SearchedAt | Callable[[Arguments], str | None] | None = None,
    under: Literal["web", "send"] = "web",
    kind: str | None = None,
    runs_code: bool = False,
    timeout_s: float = 120,
    output_limit: int = 16_000,
    probe: Probe | None = None,
    idempotency_key: Callable[[Arguments], str] | None = None,
) -> Callable[[ToolFunction], Tool]:
    """Make a tool of an async function ``(ctx: ToolContext, ...) -> str | Observation``.

    What is undeclared is `external` with an unknown destination: every call asks.

    Raises:
        TypeError: the function isn't async, or has no docstring, no `ctx`, or a parameter without a type that
            has a schema; or a declaration names no parameter, no effect, or contradicts another.
    """

    def make(function: ToolFunction) -> Tool:
        name = function.__name__
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"tool {name!r}: write 'async def'")
        if not _NAME.fullmatch(name):
            raise TypeError(f"tool {name!r}: a tool's name has at most 64 letters (a to z), digits and '_'")
        summary, notes = described(function)
        parameters = parameters_of(function, notes, ToolContext)
        made = Tool(
            name=name,
            description=summary,
            function=function,
            arguments=parameters.model,
            effect=effect,
            destination=destination,
            under=under,
            kind=kind,
            runs_code=runs_code,
            timeout_s=timeout_s,
            output_limit=output_limit,
            probe=probe,
            idempotency_key=idempotency_key,
            paths=parameters.paths,
            sends=parameters.sends,
        )
        _check_declarations(made)
        return made

    return make


def tool_from_schema(
    name: str,
    description: str,
    json_schema: Mapping[str, JsonValue],
    function: Callable[[ToolContext, dict[str, Any]], Awaitable[str | Observation]],
    *,
    source: str,
    effect: Effect | Callable[[Arguments], Effect] = "external",
    destination: str | Callable[[Arguments], str | None] | None = None,
    under: Literal["web", "send"] = "web",
    sends: tuple[str, ...] = (),
    timeout_s: float = 120,
    output_limit: int = 16_000,
    probe: Probe | None = None,
    idempotency_key: Callable[[Arguments], str] | None = None,
) -> Tool:
    """Make a tool of what somebody outside says that it is: a plugin yields it from `opened`.

    `function` and `probe` get the context and the arguments, which fit `json_schema`, as one dict; those that
    `sends` names, paths of files in the schema, as `WorkspaceFile`. The description is data: clipped, on one
    line, with `source` (who says so) before it.

    Raises:
        ValueError: the name or the schema can't be used; says why, and nothing else of them.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no tool's name: at most 64 letters (a to z), digits and '_'")

    @wraps(function)
    async def called(ctx: ToolContext, arguments: dict[str, Any]) -> str | Observation:
        return await function(ctx, arguments)

    made = Tool(
        name=name,
        description=described_by(source, description),
        function=called,
        arguments=ForeignSchema.of(json_schema),
        effect=effect,
        destination=destination,
        under=under,
        sends=sends,
        timeout_s=timeout_s,
        output_limit=output_limit,
        probe=probe,
        idempotency_key=idempotency_key,
    )
    _check_declarations(made)
    return made


def _check_declarations(made: Tool) -> None:
    """Raises `TypeError` for what can be seen to be wrong before any call."""
    if not callable(made.effect):
        made.effect_of({})
        if made.effect == "external" and made.runs_code:
            raise TypeError(
                f"tool {made.name!r} runs code, which reaches nobody outside: declare effect='write'"
            )
    for what, parameter in (("destination", made.destination), ("kind", made.kind)):
        if isinstance(parameter, str) and parameter not in made.parameters:
            raise TypeError(
                f"tool {made.name!r}: its {what} {parameter!r} is none of its parameters "
                f"({', '.join(made.parameters) or 'there are none'})"
            )


@dataclass(frozen=True)
class Plugin:
    """What a package's entry point in the group `autoagent.plugins` names."""

    name: str
    tools: Sequence[Tool] = ()
    settings: type[BaseModel] | None = None
    """What the table `[plugins.NAME]` of config.toml may hold.

    A text in a field whose name ends in `_env`, of models in it too, names a variable that holds a secret:
    `ToolContext.secret` gives it, and it is struck out of what a tool returns or raises.
    """
    opened: Callable[[PluginContext], AbstractAsyncContextManager[Sequence[Tool]]] | None = None
    """Entered when a run is carried, left at its end; gives tools that are known only then.

    It runs in a loop of its own, in a thread of its own, and so do the functions of these tools: a connection
    that was opened there can be used as it is. What it raises stops the run before it goes on.
    """
    opening_s: float = 30
    """How long it may take to open."""
    models: Callable[[ProviderContext, ModelSpec], Model] | None = None
    """Makes the model of a table `[models.NAME]` whose `provider` is this plugin."""
    embeddings: Callable[[ProviderContext], Embedder] | None = None
    """Makes the embedder of a memory whose `embed` is this plugin."""
    search: Callable[[ProviderContext], Searcher] | None = None
    """Makes a provider for the plugin `web`, whose `providers` name this plugin."""
    hooks: Hooks = field(default_factory=Hooks)
    """How it takes part in runs besides its tools."""


def observation(result: JobResult) -> str:
    """What a model reads of a job."""
    parts = [cut(result.output, _JOB_OUTPUT).rstrip("\n")] if result.output.strip() else []
    if result.problem:
        parts.append(result.problem)
    elif result.exit_code not in (None, 0):
        parts.append(f"(exit status {result.exit_code})")
    if result.images:
        parts.append(f"(figures drawn: {len(result.images)}; savefig keeps them)")
    return "\n".join(parts) or "(no output)"
