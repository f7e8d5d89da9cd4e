"""The operations of a service as this plugin offers them: under which name, at which server, to what effect.

Which host an operation goes to is the person's word: what the description says of servers elsewhere is not
followed, and what can't be offered is told with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

from pydantic import JsonValue

from autoagent.errors import NotDone
from autoagent.hosts import host_of
from autoagent.redact import one_line, visible
from autoagent_openapi.documents import Document, cut_down, operations
from autoagent_openapi.routes import Route, Sent, routes
from autoagent_openapi.settings import Service
from autoagent_openapi.unreadable import Unreadable

_SAFE = ("get", "head", "options")
_LONGEST_NAME = 64
_ABOUT = 600
"""Characters of an operation's description that are kept."""


@dataclass(frozen=True)
class Operation:
    """One thing that a service can be asked for."""

    name: str
    """SERVICE_OPERATION, unique over all services."""
    method: str
    path: str
    server: str
    summary: str
    about: str
    tags: tuple[str, ...]
    route: Route
    service: Service
    service_name: str

    @cached_property
    def schema(self) -> dict[str, JsonValue]:
        """JSON schema of the arguments; a file is the path of one in the workspace."""
        return self.route.schema

    @property
    def title(self) -> str:
        """Method, path and what it is for, on one line."""
        return f"{self.method.upper()} {self.path}: {self.summary or '(not described)'}"

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing, however often it is asked for."""
        return self.method in _SAFE

    @property
    def takes_key(self) -> bool:
        """Whether the service drops a second request with the same key."""
        return self.service.idempotent and self.method in ("post", "patch")

    def effect(self, args: Mapping[str, JsonValue]) -> Literal["read", "external"]:
        """`read` where the service learns nothing but a URL."""
        says_more = self.route.says_more_than_its_url(args)
        return "read" if self.is_safe and not says_more else "external"

    def destination(self, args: Mapping[str, JsonValue]) -> str:
        """The URL. Raises `NotDone` where the arguments lead elsewhere."""
        return self._beneath(self.route.url(self.server, args))

    def request(self, args: Mapping[str, JsonValue], file: tuple[str, bytes] | None = None) -> Sent:
        """What is sent. Raises `NotDone`."""
        sent = self.route.request(self.server, args, file)
        self._beneath(sent.url)
        return sent

    def _beneath(self, url: str) -> str:
        base = urlsplit(self.server).path
        if host_of(url) != host_of(self.server) or not urlsplit(url).path.startswith(f"{base}/"):
            raise NotDone(f"these arguments lead away from {self.server}, to {one_line(url, 200)!r}")
        return url


def operations_of(
    name: str, service: Service, document: Document, taken: Collection[str] = ()
) -> tuple[list[Operation], list[str]]:
    """What is offered of a service, and a sentence for each operation that isn't though it was wanted.

    No operation gets a name that is `taken`. Raises `Unreadable`.
    """
    wanted = [found for found in operations(document) if _is_wanted(service, *found)]
    if not wanted:
        some = f"matches include = {list(service.include)}" if service.include else "is in it"
        raise Unreadable(f"no operation {some}")
    server = service.server or _own_server(document, service.description)
    paths: dict[str, Document] = {}
    for path, method, item, operation in wanted:
        paths.setdefault(path, {"parameters": item.get("parameters")})[method] = operation
    found, notes = _routes(document, paths)
    made: dict[str, Operation] = {}
    for path, method, item, operation in wanted:
        here = f"{method.upper()} {one_line(path, 100)}"
        place = _place(service, server, item, operation)
        route = found.get((path, method))
        if place is None:
            notes.append(f"{here} is left out: it goes to a server that the settings don't name")
        elif route is None or not _is_plain(path):
            notes.append(f"{here} is left out: it can't be read")
        elif why := route.lacks:
            notes.append(f"{here} is left out: {why}")
        elif "requestBody" in operation and not route.has_body:
            notes.append(f"{here} is left out: its body can't be read")
        else:
            called = _name(name, method, path, operation, {*taken, *made})
            summary, about = _texts(operation)
            tags = tuple(_words(tag, 60) for tag in _listed(operation.get("tags")))
            made[called] = Operation(
                called, method, path, place, summary, about, tags, route, service, service_name=name
            )
    return list(made.values()), notes


def _routes(
    document: Document, paths: Mapping[str, Document]
) -> tuple[dict[tuple[str, str], Route], list[str]]:
    """As `routes`; where the whole can't be read, each path by itself, and what can't is told."""
    try:
        return routes(cut_down(document, paths))
    except Unreadable:
        if len(paths) == 1:
            raise
    found: dict[tuple[str, str], Route] = {}
    notes: list[str] = []
    for path, item in paths.items():
        try:
            more, said = routes(cut_down(document, {path: item}))
        except Unreadable as error:
            more, said = {}, [f"{one_line(path, 100)}: {error}"]
        found |= more
        notes += said
    return found, notes


def _texts(said: Document) -> tuple[str, str]:
    """A summary, and what the description adds to it."""
    summary, about = (_words(said.get(word), _ABOUT) for word in ("summary", "description"))
    old = "(deprecated) " if said.get("deprecated") is True else ""
    return old + (summary or one_line(about, 200)), "" if about == summary else about


def _is_wanted(service: Service, path: str, method: str, item: Document, operation: Document) -> bool:
    names = [str(operation.get("operationId", "")), f"{method.upper()} {path}"]
    names += map(str, _listed(operation.get("tags")))

    def fits(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    return (not service.include or fits(service.include)) and not fits(service.exclude)


def _is_plain(path: str) -> bool:
    """Whether a path leads down from the server's base, whatever its arguments."""
    odd = not path.startswith("/") or not path.isprintable() or any(sign in path for sign in "?#\\")
    return not odd and not any(part in (".", "..") for part in unquote(path).split("/"))


# --- names --------------------------------------------------------------------------------------------------


def _name(service: str, method: str, path: str, operation: Document, taken: Collection[str]) -> str:
    """A tool's name that says what the operation is; a clash gets a number."""
    words = _slug(str(operation.get("operationId", ""))) or _slug(f"{method} {path}") or method
    whole = f"{service}_{words}"[:_LONGEST_NAME].rstrip("_")
    number, name = 1, whole
    while name in taken:
        number += 1
        name = f"{whole[: _LONGEST_NAME - len(str(number)) - 1]}_{number}"
    return name


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")


def _words(value: Any, limit: int) -> str:
    return one_line(visible(value), limit) if isinstance(value, str) else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- servers ------------------------------------------------------------------------------------------------


def _own_server(document: Document, source: str) -> str:
    """The description's own word, where it comes from that very host. Raises `Unreadable`."""
    said = next(_urls(document), "/")
    if host_of(source) is None:
        raise Unreadable(
            f'it doesn\'t come from a host itself, so say where it is: server = "{_shown(said)}"'
        )
    url = urljoin(source, said).rstrip("/")
    if host_of(url) != host_of(source) or any(sign in url for sign in "?#{}"):
        raise Unreadable(f'it says that its server is elsewhere; if you want that: server = "{_shown(url)}"')
    return url


def _place(service: Service, server: str, item: Document, operation: Document) -> str | None:
    """Where an operation goes; `None` where the description sends it where the settings don't."""
    own = next(_urls(operation), None) or next(_urls(item), None)
    if own is None:
        return server
    url = urljoin(f"{server}/", own).rstrip("/")
    named = [host_of(place) for place in (server, *service.servers)]
    return url if host_of(url) in named and not any(sign in url for sign in "?#{}") else None


def _urls(part: Document) -> Iterator[str]:
    """The servers that a part of the description names, their variables at their defaults."""
    for server in _listed(part.get("servers")):
        if isinstance(server, dict) and isinstance(url := server.get("url"), str):
            variables = server.get("variables")
            for name, about in (variables if isinstance(variables, dict) else {}).items():
                if isinstance(about, dict):
                    url = url.replace(f"{{{name}}}", str(about.get("default", "")))
            yield url


def _shown(url: str) -> str:
    return one_line(url, 200).replace('"', "")
