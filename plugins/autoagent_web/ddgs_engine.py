"""A public engine's result page, asked for and read by `ddgs`' own engine, through the guarded client.

`ddgs` brings a network client of its own (primp), which no guard sees. An engine sends everything through its
attribute `http_client`: ours stands there, so that the query goes where the call was allowed to go and
nowhere else. `ddgs` works in threads; each of its requests hops to the call's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ddgs.base import BaseSearchEngine
from ddgs.engines import ENGINES

from autoagent.door.tools import ToolError
from autoagent.ports import Http, HttpReply
from autoagent.redact import one_line
from autoagent_web.found import Found
from autoagent_web.settings import WebSettings
from autoagent_web.visit import rest_of

_FORM = "application/x-www-form-urlencoded"


async def search(query: str, url: str, http: Http, settings: WebSettings) -> list[Found]:
    """What the engine at `url` finds. Raises `ToolError`: engines turn programs away without notice."""
    engine: BaseSearchEngine[Any] = ENGINES["text"][settings.ddgs_engine]()
    engine.search_url = url
    sends = _Sends(
        http, asyncio.get_running_loop(), {"user-agent": settings.user_agent, **engine.headers_update}
    )
    engine.http_client = sends  # type: ignore[assignment]
    try:
        found = await asyncio.to_thread(engine.search, query, region=settings.ddgs_region)
    except ToolError:
        raise
    except Exception as error:  # the engine's parser is foreign code, and reads whatever the page has become
        raise ToolError(
            f"{url}: ddgs can't read its page ({type(error).__name__}: {one_line(str(error), 160)})"
        ) from error
    finally:
        sends.stop()
    if found is None:
        raise ToolError(_refusal(url, sends.last))
    return [Found(each.title, each.href, each.body) for each in found]


def _refusal(url: str, last: HttpReply | None) -> str:
    """What it means that the engine gave no result page."""
    status = "nothing" if last is None else str(last.status)
    rest = None if last is None else rest_of(last)
    wait = "wait a while" if rest is None else f"wait {rest:.0f} s"
    return f"{url} answered {status}: public engines turn programs away that ask often; {wait}"


@dataclass(frozen=True)
class _Page:
    """A reply as engines look at it."""

    status_code: int
    text: str
    content: bytes


@dataclass
class _Sends:
    """Stands where an engine has its network client; used from the engine's thread."""

    http: Http
    loop: asyncio.AbstractEventLoop
    headers: dict[str, str]
    cookies: dict[str, str] = field(default_factory=dict)
    last: HttpReply | None = None
    under_way: Future[HttpReply] | None = None
    is_stopped: bool = False

    @property
    def client(self) -> _Sends:
        return self

    def headers_update(self, headers: Mapping[str, str]) -> None:
        self.headers |= headers

    def set_cookies(self, url: str, cookies: Mapping[str, str]) -> None:
        self.cookies |= cookies

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> _Page:
        headers = {**self.headers, "accept": "text/html,*/*;q=0.5"}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if data is not None:
            headers["content-type"] = _FORM
        content = None if data is None else urlencode(data).encode()
        sent = self.http.request(method, url, headers=headers, params=params, content=content)
        reply = self.last = self._in_loop(sent)
        return _Page(reply.status, reply.text, reply.content)

    def _in_loop(self, sent: Coroutine[Any, Any, HttpReply]) -> HttpReply:
        self.under_way = asyncio.run_coroutine_threadsafe(sent, self.loop)
        if self.is_stopped:
            self.under_way.cancel()
        return self.under_way.result()

    def stop(self) -> None:
        """Let go of the engine's thread: nobody waits for it any more."""
        self.is_stopped = True
        if self.under_way is not None:
            self.under_way.cancel()
