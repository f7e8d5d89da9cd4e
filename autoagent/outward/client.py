"""`GuardedHttp`: the one client of tools and plugins. Each hop of a request is judged by `outward.guard`.

It holds no connection: one that is lost, or a call that is stopped, leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Unpack
from urllib.parse import quote, urlencode, urljoin, urlsplit

from autoagent import __version__
from autoagent.errors import NotDone, ToolError
from autoagent.outward.guard import Resolve, Secrets, place_of, resolved
from autoagent.ports import Http, HttpReply, HttpSending, Outward, Uses
from autoagent.reach import Reach
from autoagent.redact import one_line

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport

MAX_BYTES = 8 << 20
TIMEOUT_S = 30.0
MOST_REDIRECTS = 10
_METHOD = re.compile(r"[A-Z]{1,20}")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = (
    *("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"),
    *("keep-alive", "accept-encoding"),
)
"""Headers that only the client writes."""
_REDIRECTS = (301, 302, 303, 307, 308)
_OF_BODY = ("content-type", "content-encoding", "content-language", "content-location", "content-length")
_FOR_ANYBODY = (
    *_OF_BODY,
    *("accept", "accept-encoding", "accept-language", "cache-control", "connection", "range", "user-agent"),
)
"""Headers that a redirect to another host takes along; any other may be a key."""
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True)
class _Hop:
    """One request of a chain."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes
    before: str | None = None
    """The URL that redirects here."""


class GuardedHttp(Http):
    """Reaches what its `Reach` names, one connection a request."""

    def __init__(
        self,
        reach: Reach,
        *,
        resolve: Resolve = resolved,
        before_send: Callable[[], None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.reach = reach
        self.uses = Uses()
        self._secrets = secrets or Secrets()
        self._resolve = resolve
        self._before_send = before_send

    async def request(self, method: str, url: str, **options: Unpack[HttpSending]) -> HttpReply:
        first = _first_hop(method.upper(), url, options)
        timeout_s = options.get("timeout_s") or TIMEOUT_S
        try:
            async with asyncio.timeout(timeout_s):
                return await self._followed(
                    first, options.get("max_bytes") or MAX_BYTES, options.get("follow_redirects", True)
                )
        except TimeoutError:
            raise ToolError(f"{one_line(url, 200)} gave no whole answer within {timeout_s:g} s") from None

    async def _followed(self, hop: _Hop, max_bytes: int, follows: bool) -> HttpReply:
        for number in range(MOST_REDIRECTS + 1):
            try:
                reply = await self._answer(hop, max_bytes)
            except NotDone as error:
                if number == 0:
                    raise
                said = f"{one_line(hop.before or '', 200)} redirects to {one_line(hop.url, 300)!r}"
                raise ToolError(f"{said}: {error}") from error
            onward = _onward(hop, reply) if follows else None
            if onward is None:
                return reply
            hop = onward
        raise ToolError(f"{one_line(hop.url, 200)}: more than {MOST_REDIRECTS} redirects")

    async def _answer(self, hop: _Hop, max_bytes: int) -> HttpReply:
        """What the server of one hop says. Raises `NotDone`, `ToolError`."""
        from autoagent.outward.wire import Sending, body_of, exchange

        self._secrets.refuse_name(hop.url)
        place = await place_of(hop.url, self.reach, self._resolve, hop.before)
        self._secrets.refuse_leak(place, place.target.encode(), hop.content, repr(hop.headers).encode())
        attached = self._secrets.attached(place, dict(hop.headers), hop.before)
        headers = (*hop.headers, *attached.items())
        if self._before_send is not None:
            self._before_send()
        secrets = tuple(secret.name for secret in self._secrets.at(place, hop.before))
        self.uses.secrets.extend(secrets)
        async with exchange(place, Sending(hop.method, headers, body_of(hop.content)), max_bytes) as received:
            content = b"".join([piece async for piece in received.pieces])
            self.uses.answered.append(place.host)
            return self._without_secrets(
                HttpReply(received.status, hop.url, _joined(received.headers), content, secrets)
            )

    def _without_secrets(self, reply: HttpReply) -> HttpReply:
        """What a server echoes isn't for a tool, nor for what it writes; in its charset neither."""
        strike = self._secrets.strike
        if not strike:
            return reply
        headers = {strike.text(name): strike.text(value) for name, value in reply.headers.items()}
        if reply.status in _REDIRECTS and headers.get("location") != reply.headers.get("location"):
            raise ToolError(f"{one_line(reply.url, 200)} redirects to a URL that holds a secret")
        reply = replace(reply, headers=headers, content=strike.data(reply.content))
        if (struck := strike.text(reply.text)) != reply.text:
            kind = {"content-type": f"{reply.media_type or 'text/plain'}; charset=utf-8"}
            reply = replace(reply, headers=headers | kind, content=struck.encode("utf-8", "replace"))
        return reply

    def transport(self) -> AsyncBaseTransport:
        from autoagent.outward.wire import GuardedTransport

        return GuardedTransport(self.reach, self._resolve, self._before_send, self._secrets, self.uses)


@dataclass(frozen=True)
class GuardedOutward(Outward):
    """Makes guarded clients."""

    resolve: Resolve = resolved
    secrets: Secrets = field(default_factory=Secrets)

    def http(self, reach: Reach, before_send: Callable[[], None] | None = None) -> tuple[Http, Uses]:
        made = GuardedHttp(reach, resolve=self.resolve, before_send=before_send, secrets=self.secrets)
        return made, made.uses


# --- what is sent -------------------------------------------------------------------------------------------


def _first_hop(method: str, url: str, options: HttpSending) -> _Hop:
    """The request as the tool wants it. Raises `NotDone` for what isn't one."""
    if not _METHOD.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise NotDone(f"{one_line(method, 40)!r} is no method that can be sent")
    headers = _headers(options.get("headers") or {})
    content, value = options.get("content"), options.get("json")
    if value is not None:
        if content is not None:
            raise NotDone("a request has content or json, not both")
        content = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        headers.setdefault("content-type", "application/json")
    if content is not None or method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = str(len(content or b""))
    return _Hop(
        method,
        _with_params(url, options.get("params")),
        tuple(headers.items()),
        content or b"",
        before=options.get("led_by"),
    )


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    """By names in lower case, with those that are always there. Raises `NotDone`."""
    headers = {"user-agent": f"autoagent/{__version__}", "accept": "*/*"}
    for name, value in given.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise NotDone(f"the header {one_line(name, 60)!r} can't be set")
        if not value.isascii() or _CONTROL.search(value):
            raise NotDone(f"the header {name!r} holds signs that no header can")
        headers[name.lower()] = value
    return headers | {"accept-encoding": "gzip, deflate", "connection": "close"}


def _with_params(url: str, params: Mapping[str, str] | None) -> str:
    if not params:
        return url
    bare, _, fragment = url.partition("#")
    joined = bare + ("&" if urlsplit(bare).query else "?") + urlencode(params)
    return f"{joined}#{fragment}" if fragment else joined


# --- redirects ----------------------------------------------------------------------------------------------


def _onward(hop: _Hop, reply: HttpReply) -> _Hop | None:
    """The request that an answer redirects to; `None` where it is the last one. Raises `ToolError`."""
    location = reply.headers.get("location", "")
    if reply.status not in _REDIRECTS or not location:
        return None
    url = urljoin(hop.url, quote(location.strip(" "), safe=_PRINTABLE))
    before, after = urlsplit(hop.url), urlsplit(url)
    if before.scheme == "https" and after.scheme == "http":
        raise ToolError(f"{one_line(hop.url, 200)} redirects from https to http, which isn't followed")
    headers, method, content = dict(hop.headers), hop.method, hop.content
    if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
        method, content = ("HEAD" if method == "HEAD" else "GET"), b""
        headers = {k: v for k, v in headers.items() if k not in _OF_BODY}
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        headers = {k: v for k, v in headers.items() if k in _FOR_ANYBODY}
    return replace(
        hop, method=method, url=url, headers=tuple(headers.items()), content=content, before=hop.url
    )


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
