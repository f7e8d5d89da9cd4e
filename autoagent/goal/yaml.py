"""YAML text as nodes that know their lines. Owns the only door to PyYAML; resolves no types.

Built on the parser's events, so nothing is constructed, expanded or recursed into: a scalar stays the text
that its author wrote (`no`, `12:30` and `127.0.0.1:8080` included), and whoever expects a number reads it as
one. Refused with their line: anchors, aliases and merge keys, tags, repeated keys, deep nesting, several
documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import yaml

from autoagent.errors import GoalError
from autoagent.redact import one_line

MAX_DEPTH = 12
"""A goal file needs 6: plan, sub-task, done_when, criterion, contains, text."""
MAX_NODES = 20_000

# libyaml is part of every PyYAML wheel and 17 times as fast: 48 against 831 ms on 260 kB
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAK = re.compile("\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Text:
    """A scalar as written, quotes and folding resolved."""

    text: str
    line: int
    is_plain: bool
    """Written without quotes, so an empty one means that nothing was written."""


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class Fields:
    """A mapping; its keys are texts and stand once."""

    fields: dict[str, Node]
    lines: dict[str, int]
    """Key -> where it stands."""
    line: int


Node = Text | Items | Fields


def parse(source: str) -> Node | None:
    """The one document of `source`; `None` for comments alone. Raises `GoalError`, without a path."""
    if odd := (_CONTROL if source.isascii() else _unprintable()).search(source):
        raise GoalError(
            f"holds the character U+{ord(odd[0]):04X}, which no YAML text may hold; "
            'remove it, or write it as an escape in double quotes, for example "\\u0007"',
            line=len(_BREAK.findall(source, 0, odd.start())) + 1,
        )
    try:
        return _Parser(yaml.parse(source, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        raise _explained(error, source) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise GoalError(f"isn't YAML: {one_line(str(error))}") from None


@cache
def _unprintable() -> re.Pattern[str]:
    """What no YAML text may hold; made where it is needed, which takes 4 ms."""
    return re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _Parser:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._depth = self._nodes = 0

    def document(self) -> Node | None:
        node: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _wrong(event, "a second document starts here; a goal file is one: remove the '---'")
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event)
        return None if isinstance(node, Text) and node.is_plain and not node.text else node

    def _node(self, event: yaml.Event) -> Node:
        self._check(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _wrong(
                event, f"holds more than {MAX_NODES} values; a goal file is read by people: shorten it"
            )
        if isinstance(event, yaml.ScalarEvent):
            if _SURROGATE.search(event.value):
                raise _wrong(
                    event, "holds half of a character (a surrogate escape); write the character itself"
                )
            return Text(event.value, _line(event), is_plain=not event.style)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _wrong(event, f"is nested deeper than {MAX_DEPTH} levels; a goal file needs 6 at most")
        node = self._items(event) if isinstance(event, yaml.SequenceStartEvent) else self._fields(event)
        self._depth -= 1
        return node

    def _items(self, start: yaml.Event) -> Items:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event))
        return Items(tuple(items), _line(start))

    def _fields(self, start: yaml.Event) -> Fields:
        fields: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event)
            if not isinstance(key, Text):
                raise _wrong(event, "a key is a list or a mapping; a key is a word")
            if key.is_plain and key.text == "<<":
                raise _wrong(event, "merge keys (<<) aren't read; write the fields out")
            if key.text in fields:
                raise _wrong(
                    event,
                    f"{one_line(key.text)!r} stands here and in line {lines[key.text]}; keep one of them",
                )
            lines[key.text] = key.line
            fields[key.text] = self._node(next(self._events))
        return Fields(fields, lines, _line(start))

    def _check(self, event: yaml.Event) -> None:
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            raise _wrong(
                event,
                f"*{one_line(str(anchor))} is an alias, and aliases aren't read; "
                f'write the value out, or quote a text that starts with a star: "*{one_line(str(anchor))}"',
            )
        if anchor is not None:
            raise _wrong(
                event, f"&{one_line(anchor)} is an anchor, and anchors aren't read; write each value out"
            )
        if (tag := getattr(event, "tag", None)) is not None:
            raise _wrong(
                event,
                f"{one_line(tag)!r} is a tag, and tags aren't read; "
                "remove it, or quote a text that starts with '!'",
            )


def _wrong(event: yaml.Event, problem: str) -> GoalError:
    return GoalError(problem, line=_line(event))


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    assert mark is not None, "a parser marks each of its events"
    return int(mark.line) + 1


def _explained(error: yaml.MarkedYAMLError, source: str) -> GoalError:
    """The parser's words, and what usually causes them."""
    problem, context = error.problem or "the parser gave up", error.context or ""
    is_open_quote = "quoted scalar" in context and "end of stream" in problem
    # where a quote opens says more than where the file ends
    mark = error.context_mark if is_open_quote else error.problem_mark or error.context_mark
    said = f"isn't YAML: {one_line(problem)}" + (f" ({one_line(context)})" if context else "")
    if mark is None:
        return GoalError(said)
    at_tab = _character(source, mark.line, mark.column) == "\t"
    return GoalError(said + _advice(problem, context, at_tab), line=mark.line + 1)


def _character(source: str, line: int, column: int) -> str:
    lines = _BREAK.split(source)
    return lines[line][column : column + 1] if line < len(lines) else ""


def _advice(problem: str, context: str, at_tab: bool) -> str:
    if "alias" in context:
        return '; a text that starts with a star is written in quotes, for example "*.example.org"'
    if at_tab or "a tab" in problem:
        return "; lines are indented with spaces, not with tabs"
    if "mapping values" in problem:
        return "; a text that holds a colon and a space is written in quotes"
    if "cannot start any token" in problem:
        return "; a text that starts with such a character is written in quotes"
    if "quoted scalar" in context and "end of stream" in problem:
        return "; a quote that opens here isn't closed"
    return ""
