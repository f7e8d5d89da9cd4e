"""The plugin door: `@tool`, `Tool`, `ToolContext`, `Plugin`.

A tool is a typed async function. Its schema comes from its type hints and its docstring. Its *effect* says
what it may do to the world, so that the run knows how to carry it out and what to do after a crash; its
*destination* says who learns of it, so that policy and the person who is asked can see it.

Importing a plugin's module does nothing but define one `Plugin` value.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import BinaryIO, Literal, get_args

from pydantic import BaseModel, JsonValue, SecretStr, ValidationError

from autoagent.errors import NotDone, ToolError
from autoagent.events import Effect, Label
from autoagent.messages import Frozen
from autoagent.offline import NO_HTTP
from autoagent.parameters import (
    WorkspaceFile,
    WorkspacePath,
    described,
    each_text,
    explain,
    parameters_of,
    slim,
)
from autoagent.paths import workspace_path
from autoagent.ports import Http, Job, JobResult, Memory, Passages, ToolSchema
from autoagent.redact import cut
from autoagent.trees import Tree, TreeEntry, WorkingCopy

__all__ = [
    "SEARCH",
    "NotDone",
    "Observation",
    "Plugin",
    "Tool",
    "ToolContext",
    "ToolError",
    "WorkspaceFile",
    "WorkspacePath",
    "observation",
    "tool",
]

SEARCH = "search:"
"""Prefix of the destination that a tool declares for a search at the user's own provider."""

_JOB_OUTPUT = 16_000
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
Power = Literal["read", "write", "run", "web", "fetch", "send"]
Arguments = Mapping[str, JsonValue]


class Observation(Frozen):
    """What a tool returns when plain text isn't enough."""

    text: str
    labels: tuple[Label, ...] = ()
    """`outside` where the text comes from neither the person nor the agent."""
    paths: tuple[str, ...] | None = None
    """The workspace files that the text was taken from, where these aren't all that the arguments name: the
    call's labels follow them. `None`: every file at and beneath its paths.
    """


class FilesView:
    """A read-only view of a lane's files."""

    def __init__(self, copy: WorkingCopy) -> None:
        self._copy = copy

    def stat(self, path: str) -> TreeEntry | None:
        """The entry of `path`, `None` where there is nothing."""
        return self._copy.stat(path)

    def paths(self) -> Iterator[str]:
        """All paths, sorted, folders too."""
        return self._copy.paths()

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a regular file. Raises `ToolError`."""
        return self._copy.read(path, offset, size)

    def tree(self) -> Tree:
        """The files as a value."""
        return self._copy.tree()


@dataclass(frozen=True)
class ToolContext:
    """What a tool may use. There is nothing else: no path of the host, no model, no journal."""

    run_id: str
    call_id: str
    lane: str
    key: str
    """Idempotency key: the same at every try of this call."""
    effect: Effect
    working_copy: WorkingCopy
    run_job: Callable[[Job], Awaitable[JobResult]] | None = None
    """Runs code in the sandbox on this call's working copy; `None` where the goal lets nothing run."""
    memory: Memory | None = None
    passages: Passages | None = None
    """The plugin's own index of texts, shared by all runs of this home: a cache. `None`: there is none."""
    goal: str = ""
    labels: tuple[str, ...] = ()
    """What the run has read so far: `outside`, `private`."""
    began_at: datetime | None = None
    """When an external call was first started: the same at every try; `None` for other effects."""
    settings: BaseModel | None = None
    """The plugin's, as config.toml has them: a value of `Plugin.settings`."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, for the variables that the plugin's settings name."""
    http: Http = NO_HTTP
    """The way out. It leads to the goal's web hosts for a read that has a destination, to the provider for a
    search, to the host of its destination for an external call; and to nobody else."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("autoagent.plugins"))

    @property
    def files(self) -> FilesView:
        """The lane's files, to read."""
        return FilesView(self.working_copy)

    @property
    def staging(self) -> WorkingCopy:
        """The files, to change; the changes are kept when the tool returns, dropped when it raises."""
        if self.effect != "write":
            raise ToolError(f"this tool declares effect={self.effect!r} and may not change files")
        return self.working_copy

    def secret(self, variable: str) -> str:
        """The secret in a variable that the settings name. Raises `NotDone` where it isn't set."""
        if variable not in self.secrets:
            raise NotDone(
                f"the variable {variable} isn't set; the person's settings say that it holds a secret"
            )
        return self.secrets[variable].get_secret_value()

    def read_file(self, file: WorkspaceFile) -> bytes:
        """The bytes that were fixed when the call was decided."""
        return self.working_copy.objects.get(file.sha256)

    def open_file(self, file: WorkspaceFile) -> BinaryIO:
        """As `read_file`, to be read piece by piece: a file may be larger than memory. Close it."""
        return self.working_copy.objects.open(file.sha256)


ToolFunction = Callable[..., Awaitable[str | Observation]]
Probe = Callable[..., Awaitable[Literal["done", "not_done", "unknown", "ask"]]]


@dataclass(frozen=True)
class Tool:
    """One tool: a function, its schema and its declarations. Made by `@tool`."""

    name: str
    description: str
    function: ToolFunction
    arguments: type[BaseModel]
    effect: Effect | Callable[[Arguments], Effect] = "external"
    destination: str | Callable[[Arguments], str | None] | None = None
    """The parameter that names who is reached, or a function of the arguments."""
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
    paths: tuple[str, ...] = ()
    """Parameters that are `WorkspacePath`."""
    sends: tuple[str, ...] = ()
    """Parameters that are `WorkspaceFile`."""
    plugin: str = ""
    settings: BaseModel | None = None
    """The plugin's, set when it is loaded; so is the next."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)

    @cached_property
    def schema(self) -> ToolSchema:
        """The tool as a model sees it."""
        return ToolSchema(self.name, self.description, slim(self.arguments.model_json_schema()))

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(f.alias or name for name, f in self.arguments.model_fields.items())

    # --- what a call would do: pure functions of its arguments ----------------------------------------------

    def effect_of(self, args: Arguments) -> Effect:
        """What the call may do to the world; recorded before policy looks at it."""
        effect = self.effect(args) if callable(self.effect) else self.effect
        if effect not in get_args(Effect):
            raise TypeError(f"tool {self.name!r} declares the effect {effect!r}; there are {_EFFECTS}")
        return effect

    def destination_of(self, args: Arguments) -> str | None:
        """Whom the call reaches; `None` for nobody outside, empty for an unknown one."""
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
            return self.arguments.model_validate(dict(args)).model_dump(mode="json", by_alias=True)
        except ValidationError as error:
            raise ToolError(f"{self.name}: {explain(error, self.parameters)}") from None
        except (ValueError, RecursionError) as error:  # nested without end, or nothing that JSON can hold
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
    destination: str | Callable[[Arguments], str | None] | None = None,
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


def _check_declarations(made: Tool) -> None:
    """Raises `TypeError` for what can be seen to be wrong before any call."""
    if not callable(made.effect):
        made.effect_of({})
        if made.effect == "external" and made.runs_code:
            raise TypeError(
                f"tool {made.name!r} runs code, which reaches nobody outside: declare effect='write'"
            )
    if isinstance(made.destination, str) and made.destination not in made.parameters:
        raise TypeError(
            f"tool {made.name!r}: its destination {made.destination!r} is none of its parameters "
            f"({', '.join(made.parameters) or 'there are none'})"
        )


@dataclass(frozen=True)
class Plugin:
    """What a package's entry point in the group `autoagent.plugins` names."""

    name: str
    tools: Sequence[Tool] = ()
    settings: type[BaseModel] | None = None
    """What the table `[plugins.NAME]` of config.toml may hold.

    A text in a field whose name ends in `_env` names a variable that holds a secret: `ToolContext.secret`
    gives it, and it is struck out of what a tool returns or raises.
    """


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
