"""One request to one judged address, over httpx2. The only importer of httpx2 besides the openai adapter.

httpx2 is given an address in place of the host, which stands in `Host` and in TLS's server name: so there is
nothing left for it to resolve. No proxy, no cookie, no connection is kept.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain

import httpx2

from autoagent.errors import NotDone, ToolError
from autoagent.outward.guard import Place, Resolve, Secrets, place_of
from autoagent.outward.unpacking import Unpacker
from autoagent.ports import Uses
from autoagent.reach import Reach
from autoagent.redact import one_line
from autoagent.secrecy import Strike

CONNECT_S = 10.0
MOST_STREAMED = 256 << 20
"""Bytes of one answer to a library, which may be a stream of events."""
MOST_HEADERS = 200
"""All of them together are at most 100 KiB: the parser's own limit."""


@dataclass(frozen=True)
class Sending:
    """A request without its place."""

    method: str
    headers: Sequence[tuple[str, str]]
    body: httpx2.AsyncByteStream
    silence_s: float | None = None
    """The longest between two pieces."""


@dataclass(frozen=True)
class Received:
    """An answer, its body still coming."""

    status: int
    headers: Sequence[tuple[str, str]]
    pieces: AsyncIterator[bytes]
    """Unpacked. Raises `ToolError` when there are more bytes than wanted, or they can't be unpacked."""


def body_of(content: bytes) -> httpx2.AsyncByteStream:
    return httpx2.ByteStream(content)


def _tls() -> ssl.SSLContext:
    """Believes the usual certificates, or those of the file that the person's environment names."""
    return _tls_of(os.environ.get("SSL_CERT_FILE", ""))


@cache
def _tls_of(file: str) -> ssl.SSLContext:
    """50 ms, once."""
    return httpx2.create_ssl_context()  # it looks for `file` by itself


@asynccontextmanager
async def exchange(place: Place, sending: Sending, max_bytes: int) -> AsyncIterator[Received]:
    """Send the request and give the answer.

    Raises `NotDone` where nobody could be connected to, else `ToolError`.
    """
    async with httpx2.AsyncHTTPTransport(verify=_tls(), trust_env=False) as transport:
        try:
            response = await _answered(transport, place, sending)
            try:
                if len(response.headers.raw) > MOST_HEADERS:
                    raise ToolError(f"{place.host} answered with more than {MOST_HEADERS} headers")
                yield Received(
                    response.status_code, response.headers.multi_items(), _pieces(response, place, max_bytes)
                )
            finally:
                await response.aclose()
        except httpx2.RequestError as error:
            raise ToolError(f"{place.authority} broke off: {_words(error)}") from error


async def _answered(transport: httpx2.AsyncHTTPTransport, place: Place, sending: Sending) -> httpx2.Response:
    """From the first of the addresses that takes the connection."""
    failed: Exception | None = None
    for address in place.addresses:
        try:
            return await transport.handle_async_request(_request(place, address, sending))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            failed = error  # nothing was sent: another address may do
    raise NotDone(f"{place.authority} can't be reached: {_words(failed)}") from failed


def _request(place: Place, address: str, sending: Sending) -> httpx2.Request:
    try:
        url = httpx2.URL(scheme=place.scheme, host=address, port=place.port, raw_path=place.target.encode())
    except httpx2.InvalidURL as error:
        raise NotDone(f"{place.authority}: the URL can't be sent: {_words(error)}") from error
    silence_s = sending.silence_s
    timeout = httpx2.Timeout(connect=CONNECT_S, read=silence_s, write=silence_s, pool=CONNECT_S)
    return httpx2.Request(
        sending.method,
        url,
        headers=[(k.encode(), v.encode()) for k, v in (("Host", place.authority), *sending.headers)],
        stream=sending.body,
        extensions={"sni_hostname": place.host, "timeout": timeout.as_dict()},
    )


async def _pieces(response: httpx2.Response, place: Place, max_bytes: int) -> AsyncIterator[bytes]:
    """The body, unpacked, at most `max_bytes` of it, and at most as many on the wire."""
    try:
        unpacker = Unpacker(response.headers.get("content-encoding", ""))
        on_wire = size = 0
        async for packed in response.aiter_raw():
            on_wire += len(packed)
            for piece in chain((b"",), unpacker.take(packed)):
                size += len(piece)
                if max(size, on_wire) > max_bytes:
                    raise ToolError(f"{place.host} answered with more than the {max_bytes:,} bytes wanted")
                if piece:
                    yield piece
        unpacker.end()
    except ValueError as error:
        raise ToolError(f"{place.host}'s answer can't be read: it is {error}") from error


def _words(error: Exception | None) -> str:
    return one_line(str(error) or type(error).__name__, 200)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """For clients of libraries: every request that they make, redirects too, is judged as any other."""

    def __init__(
        self,
        reach: Reach,
        resolve: Resolve,
        before_send: Callable[[], None] | None,
        secrets: Secrets,
        uses: Uses,
    ) -> None:
        self._reach, self._resolve, self._before_send = reach, resolve, before_send
        self._secrets, self._uses = secrets, uses
        self._first: str | None = None
        """The first request's URL: what comes later may be a redirect that the library follows."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises `NotDone`, `ToolError`, which no library takes for a failure of the network."""
        url = _ascii(request.url)
        before = self._first
        self._secrets.refuse_name(url)
        place = await place_of(url, self._reach, self._resolve, before)
        self._first = before or url
        headers = [(k, v) for k, v in request.headers.multi_items() if k not in _REWRITTEN]
        self._secrets.refuse_leak(place, place.target.encode(), repr(headers).encode())
        headers += [("accept-encoding", "gzip, deflate"), ("connection", "close")]
        headers += self._secrets.attached(place, dict(headers), before).items()
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        silence_s = request.extensions.get("timeout", {}).get("read")
        sending = Sending(request.method, headers, request.stream, silence_s)
        if self._before_send is not None:
            self._before_send()
        self._uses.secrets.extend(secret.name for secret in self._secrets.at(place, before))
        strike, stack = self._secrets.strike, AsyncExitStack()
        received = await stack.enter_async_context(exchange(place, sending, MOST_STREAMED))
        self._uses.answered.append(place.host)
        headers = [(k, strike.text(v)) for k, v in received.headers if k.lower() not in _UNPACKED]
        raw = [(name.encode(), value.encode()) for name, value in headers]
        pieces = struck(received.pieces, strike) if strike else received.pieces
        return httpx2.Response(received.status, headers=raw, stream=_Body(pieces, stack))


_REWRITTEN = ("host", "connection", "accept-encoding")
_UNPACKED = ("content-encoding", "content-length")


async def struck(pieces: AsyncIterator[bytes], strike: Strike) -> AsyncIterator[bytes]:
    """A stream without the secrets, line by line: what may be the beginning of one is held back."""
    held = b""
    async for piece in pieces:
        held += piece
        upto = held.rfind(b"\n") + 1
        if len(held) - upto > _LONGEST_LINE + strike.longest:
            held = strike.data(held)
            upto = max(0, len(held) - strike.longest)
        if upto:
            yield strike.data(held[:upto])
            held = held[upto:]
    if held:
        yield strike.data(held)


_LONGEST_LINE = 1 << 16
"""Bytes of a line that is waited for whole."""


class _Body(httpx2.AsyncByteStream):
    """A body that closes its connection."""

    def __init__(self, pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> None:
        self._pieces, self._stack = pieces, stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        await self._stack.aclose()


def _ascii(url: httpx2.URL) -> str:
    """As it goes over the wire: an international name in ASCII, nothing decoded."""
    host = url.raw_host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    user = f"{url.userinfo.decode('ascii')}@" if url.userinfo else ""
    bracketed = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{user}{bracketed}{port}{url.raw_path.decode('ascii')}"
