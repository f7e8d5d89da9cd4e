"""What an operation takes, and the request that it becomes: FastMCP reads the description and fills it in.

The one user of FastMCP here. Nothing is sent: a request is a value.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastmcp.utilities.openapi import HTTPRoute, parse_openapi_to_http_routes
from fastmcp.utilities.openapi.director import RequestDirector
from jsonschema_path import SchemaPath
from pydantic import JsonValue

from autoagent.errors import NotDone
from autoagent.redact import one_line
from autoagent_openapi.documents import Document
from autoagent_openapi.unreadable import Unreadable

_NOT_THEIRS = ("authorization", "accept", "content-type", "host", "cookie", "content-length", "connection")
"""Headers that OpenAPI says no parameter stands for, or that the client alone writes."""
_FEW = 16
"""Values that a header may have without saying anything: each of them is the agent's choice."""
_SILENT = {
    "example",
    "examples",
    "xml",
    "externalDocs",
    "discriminator",
    "readOnly",
    "writeOnly",
    "deprecated",
}
"""Words of OpenAPI that say nothing about what fits."""


@dataclass(frozen=True)
class Sent:
    """A request, ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(frozen=True)
class Route:
    """One operation's arguments and where each of them goes."""

    parsed: HTTPRoute

    @cached_property
    def schema(self) -> dict[str, JsonValue]:
        """JSON schema of the arguments, all of them on one level."""
        given = self.parsed.flat_param_schema
        names = self._places
        properties = {name: inner for name, inner in given.get("properties", {}).items() if name in names}
        required = [name for name in dict.fromkeys(given.get("required", ())) if name in names]
        definitions = given.get("$defs") or {}
        if self.file is not None:
            about = str(self._property(self.file).get("description", ""))
            properties[self.file] = {"type": "string", "description": f"Path of a file. {about}".rstrip()}
        found: dict[str, JsonValue] = {
            "type": "object",
            "properties": {name: _sound(inner, definitions) for name, inner in properties.items()},
            "required": required,
            "additionalProperties": False,
        }
        if definitions:
            found["$defs"] = {name: _sound(inner, definitions) for name, inner in definitions.items()}
        return found

    @cached_property
    def lacks(self) -> str | None:
        """Why no call could be made whole; `None` where it can."""
        for parameter in self.parsed.parameters:
            if parameter.required and parameter.location == "cookie":
                return f"it needs the cookie {one_line(parameter.name, 40)!r}, and cookies aren't sent"
        described = {p.name for p in self.parsed.parameters if p.location == "path"}
        for name in re.findall(r"\{([^{}]+)\}", self.parsed.path):
            if name not in described:
                return f"its path needs {one_line(name, 40)!r}, which isn't described"
        required = self.parsed.flat_param_schema.get("required", ())
        if any(name in required for name in self._files[1:]):
            return "it needs several files, and one can be given"
        return None

    @property
    def has_body(self) -> bool:
        body = self.parsed.request_body
        return body is not None and bool(body.content_schema)

    @property
    def file(self) -> str | None:
        """The argument that takes a file's bytes."""
        return self._files[0] if self._files else None

    @cached_property
    def _files(self) -> list[str]:
        body = [name for name, place in self.parsed.parameter_map.items() if place["location"] == "body"]
        return [name for name in body if _is_binary(self._property(name))]

    def says_more_than_its_url(self, args: Mapping[str, JsonValue]) -> bool:
        """Whether the request carries words of the caller's own beside its URL."""
        body = any(args.get(name) is not None for name in self._at("body"))
        own = any(
            args.get(name) is not None and not _is_closed(self._property(name), args[name])
            for name in self._at("header")
        )
        return body or own

    def url(self, server: str, args: Mapping[str, JsonValue]) -> str:
        """Whom these arguments reach. Raises `NotDone` where they can't stand in a URL."""
        return _url_of(self._built(server, {n: v for n, v in args.items() if n not in self._at("body")}))

    def request(self, server: str, args: Mapping[str, JsonValue], file: tuple[str, bytes] | None) -> Sent:
        """The request; `file`, name and bytes, stands for the argument `file`. Raises `NotDone`."""
        values: dict[str, Any] = dict(args)
        if self.file is not None and file is not None:
            values[self.file] = file if self._is_form else file[1]
        built = self._built(server, values)
        ours = ("host", "content-length")
        headers = {name: value for name, value in built.headers.items() if name not in ours}
        content = built.read()
        return Sent(built.method, _url_of(built), headers, content or None)

    def _built(self, server: str, values: Mapping[str, Any]) -> Any:
        known = {name: self._written(name, v) for name, v in values.items() if name in self._places}
        try:
            return RequestDirector(_NOTHING).build(self.parsed, known, server)
        except Exception as error:  # of whatever kind FastMCP and httpx have for it
            raise NotDone(f"these arguments make no request: {one_line(str(error), 300)}") from None

    def _written(self, name: str, value: Any) -> Any:
        """A value as it stands in a path or a header, where FastMCP takes texts alone."""
        if self._places[name]["location"] not in ("path", "header"):
            return value
        known = {p.name: p for p in self.parsed.parameters}
        about = known.get(self._places[name]["openapi_name"])
        text = _simple(value, explode=bool(about is not None and about.explode))
        if not text:
            raise NotDone(f"the argument {name!r} is empty, and the address needs it")
        if not text.isprintable():
            raise NotDone(f"the argument {name!r} holds a line break or a control character")
        return text

    @property
    def _is_form(self) -> bool:
        body = self.parsed.request_body
        return body is not None and any("multipart" in kind for kind in body.content_schema)

    @cached_property
    def _places(self) -> dict[str, dict[str, str]]:
        """Argument -> where it goes, of those that a caller may give."""
        return {
            name: place
            for name, place in self.parsed.parameter_map.items()
            if place["location"] != "cookie"
            and name not in self._files[1:]
            and not (place["location"] == "header" and _is_ours(place["openapi_name"]))
        }

    def _at(self, location: str) -> list[str]:
        return [name for name, place in self._places.items() if place["location"] == location]

    def _property(self, name: str) -> Any:
        return self.parsed.flat_param_schema.get("properties", {}).get(name, {})


def routes(document: Document) -> tuple[dict[tuple[str, str], Route], list[str]]:
    """(path, method in lower case) -> route, and what FastMCP could not read. Raises `Unreadable`."""
    with _heard() as complaints:
        try:
            parsed = parse_openapi_to_http_routes(document)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"it can't be read: {one_line(str(error), 500)}") from None
    return {(route.path, route.method.lower()): Route(route) for route in parsed}, complaints


_NOTHING = SchemaPath.from_dict({})
"""The director wants the description again, and never looks at it."""


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What FastMCP only logs: a part that it leaves out must not be lost in silence."""
    logger, said = logging.getLogger("fastmcp.utilities.openapi"), list[str]()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(one_line(record.getMessage(), 300))

    ear, propagated = Ear(logging.WARNING), logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(ear)
        logger.propagate = propagated


def _url_of(built: Any) -> str:
    """As it was meant: FastMCP writes an argument's dot as `%2E`, having refused those that lead up."""
    path, mark, query = str(built.url).partition("?")
    return path.replace("%2E", ".") + mark + query


def _is_ours(header: str) -> bool:
    return header.lower() in _NOT_THEIRS or header.lower().startswith("proxy-")


def _is_closed(schema: Any, value: JsonValue) -> bool:
    """Whether a value is one of few that the description lists, so that it tells nothing.

    Not every check that the schema passes does look at the list: beside a `$ref` old dialects don't.
    """
    if not isinstance(schema, dict) or not isinstance(value, str | int):
        return False
    listed = schema.get("enum")
    few = listed if isinstance(listed, list) and len(listed) <= _FEW else []
    return value in few or ("const" in schema and schema["const"] == value)


def _is_binary(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    is_raw = "contentMediaType" in schema and "contentEncoding" not in schema
    return schema.get("format") == "binary" or is_raw or _is_binary(schema.get("items"))


def _sound(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema without words that check nothing, and open where it refers to what isn't there."""
    if isinstance(schema, list):
        return [_sound(inner, definitions) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.removeprefix("#/$defs/") not in definitions:
        schema = {word: inner for word, inner in schema.items() if word != "$ref"}
    return {
        word: {name: _sound(each, definitions) for name, each in inner.items()}
        if word == "properties" and isinstance(inner, dict)
        else inner
        if word in ("default", "enum", "const")
        else _sound(inner, definitions)
        for word, inner in schema.items()
        if word not in _SILENT and not word.startswith("x-")
    }


def _simple(value: Any, *, explode: bool) -> str:
    """OpenAPI's style `simple`, the one that paths and headers have."""
    if isinstance(value, list):
        return ",".join(_plain(item) for item in value)
    if isinstance(value, dict):
        between = "=" if explode else ","
        return ",".join(f"{_plain(key)}{between}{_plain(inner)}" for key, inner in value.items())
    return _plain(value)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
