"""The cockpit in a browser on this machine: textual-serve on loopback, behind a token.

Who has the token can do what you can do at the terminal. It is asked for once and then held in a cookie that
no script can read; a page of another origin gets nothing, whatever name it calls this machine by. Browsers
send cookies to every port of a host, so this one holds for a path that nobody else can guess.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from textual_serve.server import Server

_COOKIE = "autoagent"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOST = "127.0.0.1"
_PAGES = Path(__file__).with_name("browser")


class BrowserCockpit(Server):
    """Serves one cockpit a browser tab, each in a process of its own."""

    def __init__(self, port: int, run_id: str | None = None, token: str | None = None) -> None:
        command = [sys.executable, "-P", "-m", "autoagent", "tui", *([run_id] if run_id else [])]
        templates = str(_PAGES)
        super().__init__(
            shlex.join(command), host=_HOST, port=port, title="autoagent", templates_path=templates
        )
        self.token = token or secrets.token_urlsafe(24)
        self.path = f"/{secrets.token_urlsafe(18)}/"

    @property
    def url(self) -> str:
        """The address that opens it, with the token."""
        return f"{self.public_url}{self.path}?token={self.token}"

    def initialize_logging(self) -> None:
        """Nothing of a request is logged: addresses hold the token."""
        logging.getLogger("aiohttp").setLevel(logging.ERROR)

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: the command has said where it is."""

    async def _make_app(self) -> web.Application:
        inner = await super()._make_app()
        inner.middlewares.append(self._guarded)
        inner.router.add_get("/focus.js", self._focus)
        app = web.Application()
        app.add_subapp(self.path, inner)
        return app

    async def _focus(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_PAGES / "focus.js")

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Only who knows the token, from this very origin."""
        here = f"{_HOST}:{self.port}"
        if request.host != here or request.headers.get("Origin", f"http://{here}") != f"http://{here}":
            raise web.HTTPForbidden(text=f"this cockpit is at http://{here} and nowhere else")
        if (given := request.query.get("token")) is not None and self._is_right(given):
            inside = web.HTTPSeeOther(self.path)  # the token doesn't stay in the address, or in the history
            inside.set_cookie(_COOKIE, self.token, path=self.path, httponly=True, samesite="Strict")
            raise inside
        if not self._is_right(request.cookies.get(_COOKIE, "")):
            raise web.HTTPForbidden(text="open the address that 'autoagent tui --web' printed, token and all")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = (
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
                f"img-src 'self' data:; connect-src ws://{here}; base-uri 'none'; frame-ancestors 'none'"
            )
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())
