"""What a tool takes: a function's parameters as a pydantic model, from its type hints and its docstring.

Knows which parameters hold paths of the workspace and which hold files to be sent, so that no path reaches a
tool without having been looked at: a shape in which one could hide is refused when the tool is defined.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from autoagent.messages import Frozen
from autoagent.redact import one_line


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


@dataclass(frozen=True)
class Parameters:
    """The parameters of one tool."""

    model: type[BaseModel]
    """Its fields stand under aliases: a parameter may be named `json` or `_x`, which a field may not."""
    paths: tuple[str, ...]
    """Those that hold `WorkspacePath`: one, a list of them, or `None`."""
    sends: tuple[str, ...]
    """Those that hold `WorkspaceFile`, likewise."""


Function = Callable[..., Any]


def parameters_of(function: Function, notes: Mapping[str, str], context: type) -> Parameters:
    """The parameters after the first, which is the `context`. Raises `TypeError` that says what to write."""
    name = function.__name__
    fields: dict[str, Any] = {}
    paths, sends = [], []
    for parameter, hint in _hinted(function, context):
        kind = _without_files(hint, f"tool {name!r}: parameter {parameter.name!r}")
        if _is_marked(kind):
            paths.append(parameter.name)
        elif _is_marked(hint):
            sends.append(parameter.name)
        default = ... if parameter.default is parameter.empty else parameter.default
        about = Field(default, alias=parameter.name, description=notes.get(parameter.name))
        fields[f"p_{parameter.name}"] = (kind, about)
    try:
        model = create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)
        model.model_json_schema()
    except PydanticUserError as error:
        raise TypeError(f"tool {name!r}: its parameters have no JSON schema: {error.message}") from None
    return Parameters(model, tuple(paths), tuple(sends))


def _hinted(function: Function, context: type) -> Iterator[tuple[inspect.Parameter, Any]]:
    """The parameters after the first, each with its type."""
    tool = f"tool {function.__name__!r}"
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"{tool}: a type hint can't be read: {error}; import it at run time") from None
    first, *others = inspect.signature(function).parameters.values() or (None,)
    if first is None or hints.get(first.name) is not context:
        raise TypeError(f"{tool}: its first parameter must be 'ctx: {context.__name__}'")
    for parameter in others:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{tool}: *args and **kwargs have no schema; name each parameter")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{tool}: parameter {parameter.name!r} must be usable by name; remove the '/'")
        if parameter.name not in hints:
            raise TypeError(f"{tool}: parameter {parameter.name!r} needs a type hint")
        yield parameter, hints[parameter.name]


# --- paths and files in types -------------------------------------------------------------------------------


def _without_files(hint: Any, where: str) -> Any:
    """The type that the model sees: a path in place of each file; the run adds the hash.

    Raises `TypeError` where a path or a file is hidden inside another type: nobody would check it.
    """
    if hint is WorkspaceFile:
        return str
    if _has_mark(hint) or not _is_marked(hint):
        return hint
    inner = get_args(hint)
    if _is_union(hint) and len(inner) == 2 and types.NoneType in inner:
        (kind,) = (k for k in inner if k is not types.NoneType)
        return _without_files(kind, where) | None
    if get_origin(hint) is list and (inner[0] is WorkspaceFile or _has_mark(inner[0])):
        return list[_without_files(inner[0], where)]  # type: ignore[misc]
    raise TypeError(
        f"{where} hides a workspace path in another type; use WorkspacePath or WorkspaceFile, "
        "a list of them, or either with None"
    )


def _is_marked(hint: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Whether a path or a file is anywhere in a type."""
    if hint is WorkspaceFile or _has_mark(hint):
        return True
    if hint in seen:
        return False
    return any(_is_marked(inner, (*seen, hint)) for inner in (*get_args(hint), *_members(hint)))


def _has_mark(hint: Any) -> bool:
    return any(isinstance(mark, PathMark) for mark in getattr(hint, "__metadata__", ()))


def _members(hint: Any) -> Collection[Any]:
    if not isinstance(hint, type):
        return ()
    if issubclass(hint, BaseModel):
        return [field.rebuild_annotation() for field in hint.model_fields.values()]
    if dataclasses.is_dataclass(hint) or is_typeddict(hint):
        return get_type_hints(hint, include_extras=True).values()
    return ()


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def each_text(value: object) -> tuple[str, ...]:
    """The paths in the value of a `paths` or `sends` parameter: one, several or none."""
    if _is_list(value):
        return tuple(str(item) for item in value)
    return () if value is None else (str(value),)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


# --- texts --------------------------------------------------------------------------------------------------

_ARGUMENT = re.compile(r"^\s{4,}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def described(function: Function) -> tuple[str, dict[str, str]]:
    """The description, and a note a parameter from the `Args:` section (Google style)."""
    text, _, section = f"\n{inspect.getdoc(function) or ''}".partition("\nArgs:")
    if not text.strip():
        raise TypeError(f"tool {function.__name__!r}: the docstring is what the model reads; write one")
    known = inspect.signature(function).parameters
    notes: dict[str, list[str]] = {}
    current: list[str] = []
    for line in section.splitlines():
        match = _ARGUMENT.match(line)
        if match and match[1] in known:
            current = notes.setdefault(match[1], [])
            current.append(match[2])
        elif line.startswith(" "):
            current.append(line)
        elif line:
            break
    return text.strip(), {name: " ".join(" ".join(lines).split()) for name, lines in notes.items()}


def slim(schema: dict[str, Any]) -> dict[str, object]:
    """A JSON schema without titles: they are tokens that say nothing."""

    def walk(value: Any, *, names: bool = False) -> Any:
        """`names`: the keys of `value` are names that somebody chose, not words of JSON schema."""
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        if names:
            return {name: walk(inner) for name, inner in value.items()}
        kept = {word: inner for word, inner in value.items() if word != "title"}
        return {
            word: inner if word == "default" else walk(inner, names=word in _NAMING)
            for word, inner in kept.items()
        }

    return {k: v for k, v in walk(schema).items() if k != "description"}


_NAMING = ("properties", "$defs")


def explain(error: ValidationError, known: Sequence[str]) -> str:
    """What is wrong with arguments, for the model that wrote them."""
    parts = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False)[:5]:
        where = one_line(".".join(str(p) for p in problem["loc"]), 60) or "the arguments"
        if problem["type"] == "extra_forbidden":
            parts.append(f"there is no parameter {where!r}; it takes {', '.join(known) or 'none'}")
        elif problem["type"] == "missing":
            parts.append(f"parameter {where!r} is missing")
        else:
            parts.append(f"parameter {where!r}: {problem['msg']}")
    return "; ".join(parts)
