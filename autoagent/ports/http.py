"""The guarded way out to the network."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

from autoagent.errors import ToolError
from autoagent.reach import Reach

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport


_NO_CHARSETS = (
    *("idna", "mbcs", "oem", "palmos", "punycode", "undefined"),
    *("raw-unicode-escape", "unicode-escape"),
)
"""Python decodes by them, and no page is written in one; punycode takes hours for some megabytes."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)


def _codec(content_type: str) -> str:
    """Python's name of the charset; UTF-8 where there is none, no such, or none of text."""
    found = _CHARSET.search(content_type)
    try:
        known = codecs.lookup(found[1]) if found else None
    except LookupError:
        return "utf-8"
    if known is None or not known._is_text_encoding or known.name.replace("_", "-") in _NO_CHARSETS:
        return "utf-8"
    return known.name


@dataclass(frozen=True)
class HttpReply:
    """What a server answered, whatever its status."""

    status: int
    url: str
    """Of the last hop: where redirects led to."""
    headers: Mapping[str, str]
    """By names in lower case; a header that came twice is joined by commas."""
    content: bytes
    """Unpacked, whole, and without the person's secrets."""
    secrets: tuple[str, ...] = ()
    """Names of those that went along with the request: who hasn't got them may not see the answer."""

    @property
    def text(self) -> str:
        """By the charset that the server names, else UTF-8; odd bytes are replaced."""
        return self.content.decode(_codec(self.headers.get("content-type", "")), "replace")

    @property
    def media_type(self) -> str:
        """`text/html`: in lower case, without parameters; empty where the server names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """Raises `ToolError` where the content is no JSON."""
        try:
            value: object = json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise ToolError(f"{self.url} answered {self.status} with what is no JSON: {error}") from error
        return value


class HttpOptions(TypedDict, total=False):
    """What every request may say besides method and URL."""

    headers: Mapping[str, str]
    params: Mapping[str, str] | None
    """Added to the URL's query."""
    max_bytes: int | None
    """Of the unpacked answer; a larger one is an error. `None`: 8 MiB."""
    timeout_s: float | None
    """For all of it, redirects too. `None`: 30."""
    follow_redirects: bool
    """`True` by default; else a redirect is an answer like others."""
    led_by: str | None
    """The URL whose answer named this one, where a redirect is followed by hand: judged as that."""


class HttpSending(HttpOptions, total=False):
    """What a request with a body may say."""

    content: bytes | None
    json: object


class Http(Protocol):
    """The way out: requests to the hosts that this call, or this plugin, may reach, and to no others.

    Each address is judged after its name was resolved and is the one that is connected to; each redirect is
    judged as a request of its own. Cookies and proxies there are none. Secrets that the goal binds to a host
    are attached to requests to it. A status like 404 is an answer, no error.

    Raises `NotDone` where nothing was sent, `ToolError` where it isn't known what the server did, or its
    answer can't be had (too large, too slow, broken).
    """

    async def request(self, method: str, url: str, **options: Unpack[HttpSending]) -> HttpReply: ...

    async def get(self, url: str, **options: Unpack[HttpOptions]) -> HttpReply:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[HttpSending]) -> HttpReply:
        return await self.request("POST", url, **options)

    def transport(self) -> AsyncBaseTransport:
        """The same guard for a library that takes an httpx2 client; it follows redirects by itself."""
        ...


@dataclass(frozen=True)
class Uses:
    """What a client was used for, so far."""

    answered: list[str] = field(default_factory=list)
    """The hosts that answered."""
    secrets: list[str] = field(default_factory=list)
    """The secrets that were attached, by name."""


class Outward(Protocol):
    """Makes clients for what leaves the host."""

    def http(self, reach: Reach, before_send: Callable[[], None] | None = None) -> tuple[Http, Uses]:
        """A client that reaches `reach` and keeps nothing open between requests; usable on any event loop.

        `before_send` is called before each request; what it raises ends it.
        """
        ...
