"""One page, fetched as a good guest does: robots.txt first, one host's turn after the other, from the cache
where that has it.

Every request goes through the call's guarded client, which alone says where it may go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Protocol
from urllib.parse import urldefrag, urljoin, urlsplit

from autoagent.door.tools import NotDone, ToolError
from autoagent.hosts import host_of
from autoagent.ports import Http, HttpReply
from autoagent.redact import one_line
from autoagent_web.rates import Busy, Rates
from autoagent_web.robots import word
from autoagent_web.settings import WebSettings

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 8
_SHOWN = 300
_RETRY_S = 30.0
"""The rest of a host that is asked too often and doesn't say how long."""
_LONGEST_REST_S = 3_600.0

Fetch = Callable[[str, Mapping[str, str]], Awaitable[HttpReply]]


class Cache(Protocol):
    """Keeps answers; `autoagent_web.cache.PageCache` does."""

    async def get(self, url: str, fetch: Fetch, apart: str = "") -> HttpReply: ...


class NoCache:
    """Keeps nothing."""

    async def get(self, url: str, fetch: Fetch, apart: str = "") -> HttpReply:
        return await fetch(url, {})


@dataclass(frozen=True)
class Visit:
    """Fetches pages for one call."""

    http: Http
    settings: WebSettings
    rates: Rates
    cache: Cache
    run_id: str

    async def page(self, url: str) -> HttpReply:
        """The page at `url`, redirects followed. Raises `ToolError` that says why it can't be had."""
        asked = url = urldefrag(url).url
        for _ in range(_MOST_REDIRECTS):
            await self._permitted(url)
            reply = await self.cache.get(url, self._fetch)
            onward = _onward(reply, url)
            if onward is None:
                return _good(reply, asked)
            if _leaves(url, onward):
                return await self._elsewhere(url, onward, asked)
            url = onward
        raise ToolError(
            f"{_short(asked)} redirects more than {_MOST_REDIRECTS} times; look for another source"
        )

    async def _elsewhere(self, url: str, onward: str, asked: str) -> HttpReply:
        """The page behind a redirect to another host, followed by the guarded client itself: only that knows
        whether this call may be led there. Kept for this run alone, as another may not be.
        """
        try:
            await self._permitted(onward, led_by=url)
        except ToolError as error:
            raise ToolError(f"{_short(url)} redirects to {_short(onward)}: {error}") from error

        async def follow(url: str, headers: Mapping[str, str]) -> HttpReply:
            await take_turn(self.rates, onward, self.settings)
            return await self._sent(url, headers, follow_redirects=True)

        return _good(await self.cache.get(url, follow, apart=f"of run {self.run_id}"), asked)

    async def _permitted(self, url: str, led_by: str | None = None) -> None:
        """Raises `ToolError` where the site's robots.txt doesn't want us at `url`, and where the redirect of
        another site, `led_by`, may not lead us to it at all.
        """
        if not self.settings.robots:
            return
        home = "{0.scheme}://{0.netloc}/robots.txt".format(urlsplit(url))
        said = await self._robots(home, led_by)
        if said is None:
            return
        found = word(said, url, self.settings.user_agent)
        if not found.allows:
            raise ToolError(
                f"{home} doesn't allow programs like this one ({self.settings.user_agent}) to read "
                f"{_short(url)}; it wasn't fetched. Look for another source, or ask the person"
            )
        if found.every_s:
            self.rates.slow_down(_place(url), found.every_s)

    async def _robots(self, home: str, led_by: str | None) -> bytes | None:
        """The file; `None` where there is none. Raises `ToolError` where that can't be known."""

        async def fetch(url: str, headers: Mapping[str, str]) -> HttpReply:
            # it is asked for once in a while, and the page need not wait for it
            await take_turn(self.rates, url, self.settings, every_s=0)
            return await self._sent(url, headers, follow_redirects=False, led_by=led_by)

        url = home
        for _ in range(_MOST_REDIRECTS):
            reply = await self.cache.get(url, fetch)
            onward = _onward(reply, url)
            if onward is None or _leaves(url, onward):
                break
            url = onward
        if reply.status == 429 or reply.status >= 500:
            raise ToolError(
                f"{home} answers {reply.status}, so nobody knows what it allows, and nothing was fetched; "
                "try again later, or look for another source"
            )
        return reply.content if reply.status == 200 else None

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> HttpReply:
        await take_turn(self.rates, url, self.settings)
        return await self._sent(url, headers, follow_redirects=False)

    async def _sent(
        self, url: str, headers: Mapping[str, str], *, follow_redirects: bool, led_by: str | None = None
    ) -> HttpReply:
        reply = await self.http.get(
            url,
            headers={"user-agent": self.settings.user_agent, "accept": _ACCEPT, **headers},
            max_bytes=int(self.settings.largest_mb * (1 << 20)),
            follow_redirects=follow_redirects,
            led_by=led_by,
        )
        if reply.status in (429, 503):
            self.rates.rest(_place(reply.url), min(rest_of(reply) or _RETRY_S, _LONGEST_REST_S))
        return reply


_ACCEPT = "text/html,application/xhtml+xml,application/pdf;q=0.9,text/plain;q=0.9,*/*;q=0.5"


async def take_turn(rates: Rates, url: str, settings: WebSettings, every_s: float | None = None) -> None:
    """Wait until the URL's host may be asked. Raises `NotDone` where that is too far away.

    The turn after this one is `every_s` seconds later; `None`: as the settings say.
    """
    every_s = settings.seconds_between_requests if every_s is None else every_s
    try:
        wait_s = rates.turn(_place(url), every_s, settings.longest_wait_s)
    except Busy as error:
        raise NotDone(
            f"{_place(url)} wants to be left alone for another {error.wait_s:.0f} s; nothing was sent. "
            "Do something else first, then ask again, or use another source"
        ) from None
    await asyncio.sleep(wait_s)


def rest_of(reply: HttpReply) -> float | None:
    """Seconds of `Retry-After`; `None` where it isn't there or makes no sense."""
    said = reply.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 8:
        return float(said)
    try:
        return max(parsedate_to_datetime(said).timestamp() - time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _good(reply: HttpReply, asked: str) -> HttpReply:
    """The reply. Raises `ToolError` for a status that is no page, and for an empty page."""
    where = _short(asked) + ("" if reply.url == asked else f" (redirected to {_short(reply.url)})")
    match reply.status:
        case 200 | 203 if reply.content.strip():
            return reply
        case status if 200 <= status < 300:
            raise ToolError(f"{where} is empty; look for another source")
        case 404 | 410:
            raise ToolError(
                f"{where} isn't there ({reply.status}); check the address, or search for its title"
            )
        case 401 | 402 | 403 | 451:
            raise ToolError(
                f"{where} isn't shown to programs without leave ({reply.status}); look for another source"
            )
        case 429:
            rest = rest_of(reply)
            wait = "for a while" if rest is None else f"for {rest:.0f} s"
            raise ToolError(
                f"{where} is asked too often (429) and wants rest {wait}; do something else first, "
                "then ask again, or use another source"
            )
        case status if status >= 500:
            raise ToolError(
                f"{where} has a problem of its own ({status}); ask again later, or use another source"
            )
        case status:
            raise ToolError(f"{where} answered {status}, which is no page; look for another source")


def _onward(reply: HttpReply, url: str) -> str | None:
    """Where a reply redirects to; `None` where it doesn't. Raises `ToolError` for what is no address."""
    location = reply.headers.get("location", "")
    if reply.status not in _REDIRECTS or not location:
        return None
    try:
        onward = urldefrag(urljoin(url, location.strip())).url
    except ValueError:
        onward = ""
    if host_of(onward) is None:
        raise ToolError(f"{_short(url)} redirects to {_short(location)!r}, which is no address of a page")
    return onward


def _leaves(url: str, onward: str) -> bool:
    """Whether a redirect leads to another host, or from https to http."""
    before, after = host_of(url), host_of(onward)
    assert before is not None
    assert after is not None
    if before[0] != after[0]:
        return True
    return before[1] != after[1] and (before[1], after[1]) != (80, 443)


def _place(url: str) -> str:
    host, port = host_of(url) or ("", 0)
    return f"{host}:{port}"


def _short(url: str) -> str:
    return one_line(url, _SHOWN)
