"""A call's arguments as a person edits them: texts as they stand, line by line, all else as JSON. Lossless.

    === to
    anna@example.org
    === text
    Dear Anna,
    thank you.
    === cc (JSON)
    ["ben@example.org"]
    === end

What has no text among its arguments, such as a plan, is JSON as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from json import JSONDecodeError

from pydantic import JsonValue

from autoagent.console.arguments import as_json
from autoagent.redact import one_line, visible

_JSON = " (JSON)"
_END = "end"
_NAME = re.compile(r"[\w.-]+")
_HEAD = re.compile(r"(?P<mark>={3,}) (?P<name>[\w.-]+)(?P<json> \(JSON\))?\s*")
_SHORT = 40
_WORDS = {
    "Expecting value": 'a value is missing: "a text", a number, true, false, null, a list or an object',
    "Expecting ',' delimiter": "a comma is missing, or a closing bracket",
    "Expecting ':' delimiter": "a colon is missing behind the name",
    "Expecting property name enclosed in double quotes": 'a "name" is missing, or a comma is too many',
    "Illegal trailing comma before end of object": "the last comma is too many",
    "Illegal trailing comma before end of array": "the last comma is too many",
    "Extra data": "there is something behind its end",
    "Unterminated string starting at": "the text that begins here has no closing quote",
    "Invalid control character at": "a line break or tab inside a text is written \\n or \\t",
    "Invalid \\escape": "a backslash inside a text is written twice",
}
"""What JSON's reader finds wrong, in words."""


def as_written(args: JsonValue) -> str:
    """The arguments, to be edited; `read` gives the same back."""
    if not isinstance(args, Mapping) or not args or not all(map(_NAME.fullmatch, args)) or _END in args:
        return as_json(args)
    texts = {name: value for name, value in args.items() if isinstance(value, str) and _is_plain(value)}
    if not texts:
        return as_json(args)
    mark = "==="
    while any(each.startswith(f"{mark} ") for text in texts.values() for each in text.split("\n")):
        mark += "="
    blocks = [
        f"{mark} {name}\n{texts[name]}" if name in texts else f"{mark} {name}{_JSON}\n{as_json(value)}"
        for name, value in args.items()
    ]
    return "\n".join([*blocks, f"{mark} {_END}\n"])


def read(text: str, args: JsonValue) -> JsonValue:
    """What was made of `as_written(args)`, or JSON in its place.

    Raises `ValueError`: what is wrong, in words, with its line.
    """
    if text.lstrip().startswith("{") or not as_written(args).startswith("==="):
        return from_json(text)
    assert isinstance(args, Mapping)
    lines = text.split("\n")
    mark = as_written(args).partition(" ")[0]
    heads = [
        (number, found["name"], bool(found["json"]))
        for number, each in enumerate(lines)
        if (found := _HEAD.fullmatch(each)) is not None and found["mark"] == mark
    ]
    if any(each.strip() for each in lines[: heads[0][0] if heads else None]):
        raise ValueError(f"line 1: begin with {mark} and the name of an argument: {mark} {next(iter(args))}")
    if not heads or heads[-1][1] != _END:
        raise ValueError(f"the last line is gone: {mark} {_END}")
    made: dict[str, JsonValue] = {}
    for (start, name, is_json), (stop, _, _) in pairwise(heads):
        if name in made or name == _END:
            raise ValueError(f"line {start + 1}: {mark} {name} is there twice")
        said = "\n".join(lines[start + 1 : stop])
        made[name] = from_json(said, start + 2) if is_json else _text(said, args.get(name))
    return made


def from_json(text: str, first: int = 1) -> JsonValue:
    """JSON whose first line is number `first` of what is edited. Raises `ValueError`, in words."""
    try:
        value: JsonValue = json.loads(text)
    except JSONDecodeError as error:
        number = error.lineno - 1
        line = one_line(text.split("\n")[number], _SHORT) or "(empty)"
        said = _WORDS.get(error.msg, error.msg)
        raise ValueError(f"line {first + number}, at {line!r}: {said}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"from line {first} on: {error}") from error
    return value


def _text(said: str, was: JsonValue) -> str:
    """A text; what stood on one line keeps no empty lines that were put behind it."""
    is_one_line = isinstance(was, str) and "\n" not in was
    return said.rstrip("\n") if is_one_line and "\n" not in said.rstrip("\n") else said


def _is_plain(text: str) -> bool:
    """Whether it comes back as it is from an editor, and holds nothing that a terminal could obey."""
    return visible(text) == text and text.split("\n") == (text + "\n").splitlines()
