"""Tool calls that a model wrote as text. Pure, and never raises.

Small models write `{"name": ..., "arguments": {...}}` where they should call. Such text counts as calls
only where that is certain: it is the whole reply, or stands in `<tool_call>` tags, or in fenced blocks that
end the reply; and every call in it names a tool that is offered. All else is prose, whatever it mentions.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoagent.messages import RequestedCall
from autoagent.ports import ToolSchema

# Longer text is a document that the model wrote, not a call.
LIMIT_CHARS = 200_000

_TAG = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_OPENING = re.compile(r"\s*```[ \t]*([\w.+-]*)\s*")
_JSON_FENCES = frozenset({"", "json", "tool_call", "tool_code", "xml"})
_PYTHON_FENCES = frozenset({"", "python", "py", "tool_code"})
_NAMES = ("name", "tool", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args")

_Call = tuple[str, object]
"""A name and its arguments: an object, or text that holds one."""


class _NoCall(Exception):
    """The text isn't a call."""


@dataclass(frozen=True)
class Rescued:
    """Calls found in a text, with empty ids, and the prose around them."""

    calls: tuple[RequestedCall, ...]
    prose: str


def rescue(text: str, offered: Sequence[ToolSchema], *, python: bool = True) -> Rescued | None:
    """The calls that `text` is; `None` if it is prose.

    `python`: also read `files_read(path="x")`; not for a model that answers with scripts.
    """
    if not text.strip() or len(text) > LIMIT_CHARS:
        return None
    schemas = {tool.name: tool for tool in offered}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in foreign text
            prose, found = _read(text.strip(), schemas, python)
            return Rescued(tuple(_call(name, arguments, schemas) for name, arguments in found), prose)
    except (_NoCall, ValueError, SyntaxError, TypeError):
        return None
    except (RecursionError, MemoryError):  # how the parsers refuse what is nested too deep
        return None


def _read(text: str, schemas: Mapping[str, ToolSchema], python: bool) -> tuple[str, list[_Call]]:
    """The prose of a text and its calls, at least one."""
    if tagged := _TAG.findall(text):
        prose = _TAG.sub("", text).strip()
        found = [call for body in tagged for call in _json_calls(_unfenced(body.strip()))]
    else:
        prose, blocks = _closing_blocks(text)
        if not blocks:
            prose, blocks = "", [("", text)]
        found = [call for language, body in blocks for call in _block(language, body, schemas, python)]
    if not found:
        raise _NoCall
    return prose, found


def _block(language: str, body: str, schemas: Mapping[str, ToolSchema], python: bool) -> Iterator[_Call]:
    if language in _JSON_FENCES and body.lstrip()[:1] in ("{", "["):
        yield from _json_calls(body)
    elif python and language in _PYTHON_FENCES:
        yield from _python_calls(body, schemas)
    else:
        raise _NoCall


def _closing_blocks(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The prose before the fenced blocks that end the text, and these blocks as (language, body)."""
    blocks: list[tuple[str, str]] = []
    prose: list[str] = []
    body: list[str] | None = None
    lines = text.split("\n")
    for number, line in enumerate(lines):  # line by line: a pattern over the whole text takes quadratic time
        if body is None:
            if (opening := _OPENING.fullmatch(line)) is not None:
                language, body = opening[1].lower(), []
                prose = prose if blocks else lines[:number]
            elif line.strip():
                blocks.clear()
        elif line.rstrip().endswith("```"):
            blocks.append((language, "\n".join([*body, line.rstrip()[:-3]])))
            body = None
        else:
            body.append(line)
    return "\n".join(prose).strip(), blocks if body is None else []


def _unfenced(text: str) -> str:
    prose, blocks = _closing_blocks(text)
    return blocks[0][1] if len(blocks) == 1 and not prose else text


def _json_calls(text: str) -> Iterator[_Call]:
    """Calls of one or more JSON values, one after another."""
    decoder = json.JSONDecoder()
    at, end = 0, len(text)
    while at < end:
        if text[at] in " \t\r\n,;":
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            value, at = ast.literal_eval(text[at:].strip()), end  # {'name': 'x'}, as Python prints it
        yield from _calls_in(value)


def _calls_in(value: object) -> Iterator[_Call]:
    if isinstance(value, list) and value:
        for item in value:
            yield from _calls_in(item)
    elif isinstance(value, dict):
        wrapped = value.get("tool_calls")
        yield from _calls_in(wrapped) if isinstance(wrapped, list) else [_call_in(value)]
    else:
        raise _NoCall


def _call_in(value: Mapping[str, object]) -> _Call:
    function = value.get("function")
    if isinstance(function, dict):
        return _call_in(function)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    key = next((key for key in _ARGUMENTS if key in value), None)
    if not isinstance(name, str) or key is None:
        raise _NoCall
    return name, value[key]


def _python_calls(text: str, schemas: Mapping[str, ToolSchema]) -> Iterator[_Call]:
    """Calls of a text in which every statement is a call with literal arguments."""
    if not re.match(r"\s*\w+\s*\(", text):  # most prose ends here
        raise _NoCall
    try:
        body = ast.parse(text.strip()).body
    except SyntaxError as error:
        raise _NoCall from error
    for statement in body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise _NoCall
        schema = schemas.get(call.func.id)
        if schema is None:
            raise _NoCall
        yield schema.name, _python_arguments(call, schema)


def _python_arguments(call: ast.Call, schema: ToolSchema) -> dict[str, object]:
    properties = schema.parameters.get("properties")
    order = list(properties) if isinstance(properties, dict) else []
    if len(call.args) > len(order):
        raise _NoCall
    found = {name: ast.literal_eval(value) for name, value in zip(order, call.args, strict=False)}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in found:
            raise _NoCall
        found[keyword.arg] = ast.literal_eval(keyword.value)
    return found


def _call(name: str, arguments: object, schemas: Mapping[str, ToolSchema]) -> RequestedCall:
    if name not in schemas:
        raise _NoCall
    if isinstance(arguments, str):
        parsed = json.loads(arguments or "{}")
        return _requested(name, parsed)
    return _requested(name, {} if arguments is None else arguments)


def _requested(name: str, arguments: object) -> RequestedCall:
    if not isinstance(arguments, dict):
        raise _NoCall
    try:
        return RequestedCall(id="", name=name, arguments=json.dumps(arguments, allow_nan=False))
    except TypeError as error:  # bytes, sets: Python literals that JSON doesn't know
        raise _NoCall from error
