"""A web service on loopback for tests of plugins: keeps what it is sent, and keeps one waiting if told to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from pydantic import JsonValue

_HELD_S = 60.0
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class HttpRequest:
    """What arrived."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes


@dataclass(frozen=True)
class HttpAnswer:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


class HttpWorld:
    """Holds what is put or posted under its path, gives it back, and has nothing else: 404.

    Override `answer` for a service of another kind. Used as a context manager; `url` has no slash at its end.
    """

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.kept: dict[str, bytes] = {}
        self._counted: set[tuple[str, ...]] = set()
        self._open = threading.Event()
        self._open.set()
        self._instead: HttpAnswer | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def names(self) -> Mapping[str, JsonValue]:
        return {"url": self.url, "host": "127.0.0.1", "port": self.port}

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """What the service says. Called with one request at a time."""
        path = request.path.partition("?")[0]
        match request.method:
            case "PUT" | "POST" | "PATCH":
                self.kept[path] = request.body
                return HttpAnswer(200, request.body)
            case "DELETE" if path in self.kept:
                del self.kept[path]
                return HttpAnswer(200)
            case _:
                return (
                    HttpAnswer(200, self.kept[path])
                    if path in self.kept
                    else HttpAnswer(404, b"nothing here")
                )

    def happened(self) -> int:
        """Requests that change something, and were not refused.

        A PUT or DELETE of the same again, or another with the same `Idempotency-Key`, isn't counted.
        """
        with self._lock:
            return len(self._counted)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile requests arrive, and no answer goes out."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    @contextmanager
    def answering(self, answer: HttpAnswer) -> Iterator[None]:
        """Meanwhile it says this to everybody, and keeps nothing."""
        self._instead = answer
        try:
            yield
        finally:
            self._instead = None

    def __enter__(self) -> HttpWorld:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: HttpRequest) -> HttpAnswer:
        """A request has arrived; its answer, once it may go out."""
        with self._lock:
            self.requests.append(request)
            reply = self._instead or self.answer(request)
            if request.method not in _SAFE and reply.status < 400:
                self._counted.add(self._identity(request))
        self._open.wait(_HELD_S)
        return reply

    def _identity(self, request: HttpRequest) -> tuple[str, ...]:
        """What tells one effect from another."""
        if key := request.headers.get("idempotency-key"):
            return ("key", key)
        if request.method in ("PUT", "DELETE"):
            return (request.method, request.path, request.body.hex())
        return ("number", str(len(self.requests)))


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: a check has killed it. Anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(world: HttpWorld) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = world.take(HttpRequest(self.command, self.path, headers, self.rfile.read(size)))
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_OPTIONS = do_PUT = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    return Handler
