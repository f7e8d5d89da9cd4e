"""Values of a goal file, read as what is expected of them: texts, numbers, paths, hosts, names, lists.

Each function takes a node and `where`, the dotted name of its place, and raises `GoalError` with the line,
what is so, what was expected and what to write instead. No function knows the goal's keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from typing import NoReturn, TypeVar

from autoagent.errors import GoalError
from autoagent.goal.yaml import Fields, Items, Node, Text
from autoagent.redact import one_line, visible

_HOST = re.compile(r"(?!.*\.\.)[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,45}\]")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,11}")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,20})?")

T = TypeVar("T")
Read = Callable[[Node, str], T]


def fail(line: int, problem: str) -> NoReturn:
    raise GoalError(problem, line=line)


# --- shapes ------------------------------------------------------------------------------------------------


def record(
    node: Node,
    where: str,
    readers: Mapping[str, Read[object]],
    required: tuple[str, ...] = (),
    what: str = "",
) -> dict[str, object]:
    """The fields that are there, each read by its own reader. `what` names the whole, if `where` doesn't."""
    what, known = what or where, tuple(readers)
    if not isinstance(node, Fields):
        fail(node.line, f"{what} is {said(node)}; expected fields like '{known[0]}: …'")
    for key in node.fields:
        if key not in readers:
            fail(node.lines[key], f"{what} has no field {one_line(key)!r}; {meant(key, known)}")
    for key in required:
        if key not in node.fields:
            fail(node.line, f"{what} lacks the field {key!r}; add '{key}: …'")
    return {key: readers[key](value, f"{where}.{key}".lstrip(".")) for key, value in node.fields.items()}


def pairs(node: Node, where: str, read: Read[T], example: str) -> dict[str, T]:
    """Names that the author chose, with values of one kind."""
    if not isinstance(node, Fields):
        fail(node.line, f"{where} is {said(node)}; expected names with values: {where}: {example}")
    return {
        name(Text(key, node.lines[key], is_plain=True), where): read(value, f"{where}.{one_line(key, 40)}")
        for key, value in node.fields.items()
    }


def each(node: Node, where: str, read: Read[T]) -> tuple[T, ...]:
    if isinstance(node, Text) and node.text:
        fail(node.line, f"{where} is {said(node)}; expected a list: {where}: [{one_line(node.text, 40)}]")
    if not isinstance(node, Items):
        fail(node.line, f"{where} is {said(node)}; expected a list, and {where}: [] for none")
    return tuple(read(item, where) for item in node.items)


def said(node: Node) -> str:
    """A node in words, for an error."""
    match node:
        case Items():
            return "a list"
        case Fields():
            return "a group of fields"
        case Text(text="", is_plain=True):
            return "empty"
        case Text(text=text):
            return f"the text {one_line(text, 40)!r}"


def meant(word: str, known: tuple[str, ...]) -> str:
    """What was expected, the closest first."""
    import difflib  # 4 ms, and only an error needs it

    expected = f"expected {', '.join(known[:-1])} or {known[-1]}"
    close = difflib.get_close_matches(word.lower()[:80], known, n=1)
    return f"did you mean {close[0]!r}? ({expected})" if close else expected


# --- texts -------------------------------------------------------------------------------------------------


def exact_text(node: Node, where: str) -> str:
    """The text as it stands, spaces around it included."""
    if not isinstance(node, Text):
        fail(node.line, f'{where} is {said(node)}; expected a text, in quotes where it holds signs like ": "')
    if not node.text.strip():
        fail(node.line, f"{where} is an empty text; write one, or remove it")
    return node.text


def text(node: Node, where: str) -> str:
    return exact_text(node, where).strip()


def line_of_text(node: Node, where: str) -> str:
    """A text on one printable line: a name, a path, a destination."""
    found = text(node, where)
    if "\n" in found or "\t" in found or visible(found) != found:
        fail(
            node.line, f"{where} holds a line break or an invisible character: {one_line(found)!r}; remove it"
        )
    return found


def choice(node: Node, where: str, choices: tuple[str, ...]) -> str:
    found = line_of_text(node, where)
    if found not in choices:
        fail(node.line, f"{where} is {one_line(found)!r}; {meant(found, choices)}")
    return found


def name(node: Node, where: str) -> str:
    found = line_of_text(node, where)
    if not _NAME.fullmatch(found):
        fail(
            node.line,
            f"{where} names {one_line(found)!r}; expected a name of letters, digits, '_' and '-', "
            "for example web or files_delete",
        )
    return found


def names(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, name)


# --- numbers -----------------------------------------------------------------------------------------------


def whole(least: int, most: int, example: int) -> Read[int]:
    """A reader of whole numbers."""

    def read(node: Node, where: str) -> int:
        found = text(node, where)
        if not _WHOLE.fullmatch(found) or not least <= int(found) <= most:
            fail(
                node.line,
                f"{where} is {one_line(found, 40)!r}; expected a whole number from {least} to {most}, "
                f"for example {example}",
            )
        return int(found)

    return read


def decimal(most: int, example: str) -> Read[Decimal]:
    """A reader of numbers without sign, exponent or unit."""

    def read(node: Node, where: str) -> Decimal:
        found = text(node, where)
        if not _DECIMAL.fullmatch(found) or Decimal(found) > most:
            fail(
                node.line,
                f"{where} is {one_line(found, 40)!r}; expected a number from 0 to {most}, "
                f"with a decimal point and without a unit, for example {example}",
            )
        return Decimal(found)

    return read


# --- places ------------------------------------------------------------------------------------------------


def relative(node: Node, where: str) -> str:
    """A path inside the workspace, without a slash at its end."""
    found = line_of_text(node, where)
    path = PurePosixPath(found)
    if path.is_absolute() or found.startswith("~"):
        fail(
            node.line,
            f"{where} names {one_line(found)!r}; expected a path relative to the goal file's folder",
        )
    if ".." in path.parts:
        fail(
            node.line,
            f"{where} names {one_line(found)!r}, which leaves the workspace; "
            "move those files into the workspace, or the goal file further up",
        )
    if any(sign in found for sign in "*?\\"):
        fail(
            node.line,
            f"{where} names {one_line(found)!r}; patterns and backslashes aren't read: "
            "name a file, or a folder to mean all that is in it",
        )
    return str(path)


def paths(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, relative)


def host(node: Node, where: str) -> str:
    """`host` or `host:port`, in lower case."""
    found = line_of_text(node, where).lower()
    if "/" in found:
        bare = found.split("://", 1)[-1].split("/", 1)[0]
        fail(node.line, f"{where} names {one_line(found)!r}; expected the host alone: {one_line(bare)}")
    address, port = _split_port(found)
    if not _is_host(address) or (port is not None and not (_PORT.fullmatch(port) and int(port) <= 65535)):
        hint = "" if found.isascii() else "; an international name is written in its ASCII form, xn--…"
        fail(
            node.line,
            f"{where} names {one_line(found)!r}; expected a host with or without a port, "
            f"for example en.wikipedia.org or 127.0.0.1:8080{hint}",
        )
    return found


def host_pattern(node: Node, where: str) -> str:
    """A host as above, `*.suffix`, or `*` for all."""
    found = line_of_text(node, where).lower()
    if found == "*" or (found.startswith("*.") and _HOST.fullmatch(found[2:])):
        return found
    if "*" in found:
        fail(
            node.line,
            f"{where} names {one_line(found)!r}; a star stands alone or in front, and without a port: "
            '"*" or "*.example.org"',
        )
    return host(node, where)


def host_patterns(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, host_pattern)


def _is_host(address: str) -> bool:
    return bool(_HOST.fullmatch(address) or _IPV6.fullmatch(address))


def _split_port(found: str) -> tuple[str, str | None]:
    if found.endswith("]") or ":" not in found:
        return found, None
    address, _, port = found.rpartition(":")
    return address, port
