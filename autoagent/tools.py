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
from functools import cached_property
from typing import Annotated, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, create_model

from autoagent.errors import ToolError
from autoagent.events import Effect, Label
from autoagent.messages import Frozen
from autoagent.ports import Job, JobResult, Memory, ToolSchema
from autoagent.redact import cut
from autoagent.trees import Tree, TreeEntry, WorkingCopy

__all__ = [
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

_JOB_OUTPUT = 16_000
Power = Literal["read", "write", "run", "web", "send"]
Arguments = Mapping[str, JsonValue]


class PathMark:
    """Marks a parameter whose value is a path of the workspace."""


WorkspacePath = Annotated[str, PathMark()]
"""A path of the workspace: checked against the goal's roots before the tool is called."""


class WorkspaceFile(Frozen):
    """A file that leaves the workspace: fixed by path and hash when the call is decided.

    The model names only the path. The tool reads the bytes with `ctx.read_file`, from the store, so that
    what is sent is what was shown, whatever happened to the path since.
    """

    path: str
    sha256: str


class Observation(Frozen):
    """What a tool returns when plain text isn't enough."""

    text: str
    labels: tuple[Label, ...] = ()
    """`outside` where the text comes from neither the person nor the agent."""


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
    goal: str = ""
    labels: tuple[str, ...] = ()
    """What the run has read so far: `outside`, `private`."""
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

    def read_file(self, file: WorkspaceFile) -> bytes:
        """The bytes that were fixed when the call was decided."""
        return self.working_copy.objects.get(file.sha256)


ToolFunction = Callable[..., Awaitable[str | Observation]]
Probe = Callable[..., Awaitable[Literal["done", "not_done", "unknown"]]]


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
    """Called with the context and the arguments after a crash: did this very call happen?"""
    idempotency_key: Callable[[Arguments], str] | None = None
    """Declares that the receiver drops a second call with the same `ctx.key`."""
    paths: tuple[str, ...] = ()
    """Parameters that are `WorkspacePath`."""
    sends: tuple[str, ...] = ()
    """Parameters that are `WorkspaceFile`."""
    plugin: str = ""

    @cached_property
    def schema(self) -> ToolSchema:
        """The tool as a model sees it."""
        return ToolSchema(self.name, self.description, _slim(self.arguments.model_json_schema()))

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.arguments.model_fields)

    def effect_of(self, args: Arguments) -> Effect:
        """A pure function of the arguments; recorded before policy looks at it."""
        return self.effect(args) if callable(self.effect) else self.effect

    def destination_of(self, args: Arguments) -> str | None:
        """Whom the call reaches; `None` for nobody outside, empty for an unknown one."""
        if callable(self.destination):
            return self.destination(args)
        if self.destination is None:
            return "" if self.effect_of(args) == "external" else None
        value = args.get(self.destination)
        return "" if value is None else str(value)

    def power_of(self, args: Arguments) -> Power:
        """The power of the goal's `allow` that the call draws on."""
        if self.runs_code:
            return "run"
        match self.effect_of(args):
            case "external":
                return "send"
            case "write":
                return "write"
            case "read":
                return "read" if self.destination is None else "web"

    def check(self, args: Mapping[str, object]) -> dict[str, JsonValue]:
        """`args` as the tool's types want them, JSON again. Raises `ToolError` that names what is wrong."""
        try:
            return self.arguments.model_validate(dict(args)).model_dump(mode="json")
        except ValidationError as error:
            raise ToolError(f"{self.name}: {_explain(error, self.parameters)}") from None


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
        TypeError: the function isn't async, or has no docstring, untyped parameters, ``*args``, ``**kw``.
    """

    def make(function: ToolFunction) -> Tool:
        fields, paths, sends = _parameters(function)
        summary, notes = _docstring(function)
        for name, note in notes.items():
            if name in fields:
                kind, default = fields[name]
                fields[name] = (Annotated[kind, _described(note)], default)
        arguments = create_model(
            function.__name__,
            __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
            **fields,  # type: ignore[call-overload]
        )
        return Tool(
            name=function.__name__,
            description=summary,
            function=function,
            arguments=arguments,
            effect=effect,
            destination=destination,
            runs_code=runs_code,
            timeout_s=timeout_s,
            output_limit=output_limit,
            probe=probe,
            idempotency_key=idempotency_key,
            paths=paths,
            sends=sends,
        )

    return make


@dataclass(frozen=True)
class Plugin:
    """What a package's entry point in the group `autoagent.plugins` names."""

    name: str
    tools: Sequence[Tool] = ()
    about: str = ""
    """One line for `autoagent plugins list`."""


def observation(result: JobResult) -> str:
    """What a model reads of a job."""
    parts = [cut(result.output, _JOB_OUTPUT).rstrip("\n")] if result.output.strip() else []
    if result.problem:
        parts.append(result.problem)
    elif result.exit_code not in (None, 0):
        parts.append(f"(exit status {result.exit_code})")
    if result.images:
        parts.append(f"({len(result.images)} figures were drawn; save them with savefig to keep them)")
    return "\n".join(parts) or "(no output)"


def _described(text: str) -> object:
    from pydantic import Field

    return Field(description=text)


def _parameters(
    function: ToolFunction,
) -> tuple[dict[str, tuple[object, object]], tuple[str, ...], tuple[str, ...]]:
    """The fields of the argument model; which are paths; which are files to be sent."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"tool {function.__name__!r}: write 'async def'")
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, tuple[object, object]] = {}
    paths, sends = [], []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"tool {function.__name__!r}: *args and **kwargs have no schema; name each parameter"
            )
        if name not in hints:
            raise TypeError(f"tool {function.__name__!r}: parameter {name!r} needs a type hint")
        kind: object = hints[name]
        if any(isinstance(mark, PathMark) for mark in getattr(kind, "__metadata__", ())):
            paths.append(name)
        if kind is WorkspaceFile:
            sends.append(name)
            kind = str  # the model names the path; the run adds the hash
        fields[name] = (kind, ... if parameter.default is parameter.empty else parameter.default)
    return fields, tuple(paths), tuple(sends)


_ARGUMENT = re.compile(r"^\s{4,}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def _docstring(function: ToolFunction) -> tuple[str, dict[str, str]]:
    """The description, and a note a parameter from the `Args:` section (Google style)."""
    text = inspect.getdoc(function)
    if not text:
        raise TypeError(f"tool {function.__name__!r}: the docstring is what the model reads; write one")
    summary, _, rest = text.partition("\nArgs:")
    notes: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        if match := _ARGUMENT.match(line):
            name = match[1]
            notes[name] = match[2].strip()
        elif name and line.strip() and line.startswith("        "):
            notes[name] += " " + line.strip()
        elif line and not line.startswith(" "):
            break
    return summary.strip(), notes


def _slim(schema: dict[str, object]) -> dict[str, object]:
    """The schema without titles: they are tokens that say nothing."""

    def walk(value: object, in_properties: bool = False) -> object:
        if isinstance(value, dict):
            return {k: walk(v, k == "properties") for k, v in value.items() if in_properties or k != "title"}
        return [walk(v) for v in value] if isinstance(value, list) else value

    slim = walk(schema)
    assert isinstance(slim, dict)
    slim.pop("description", None)
    return slim


def _explain(error: ValidationError, known: Sequence[str]) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(str(p) for p in problem["loc"]) or "the arguments"
        if problem["type"] == "extra_forbidden":
            parts.append(f"there is no parameter {where!r}; it takes {', '.join(known) or 'none'}")
        elif problem["type"] == "missing":
            parts.append(f"parameter {where!r} is missing")
        else:
            parts.append(f"parameter {where!r}: {problem['msg']}")
    return "; ".join(parts)
