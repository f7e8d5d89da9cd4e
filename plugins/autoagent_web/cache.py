"""Pages on disk, by hishel: a GET that was answered lately isn't made again.

Beneath the cache is whatever fetches a page; the cache never goes anywhere by itself. What it gives was
fetched before, for the same URL: whether that may be read at all was decided before the cache is asked. What
was fetched with a secret is not kept: a run without it must not find it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from pathlib import Path

import hishel
import httpx2
from hishel.httpx2 import AsyncCacheTransport

from autoagent.ports import HttpReply

Fetch = Callable[[str, Mapping[str, str]], Awaitable[HttpReply]]
"""(URL, further headers) -> the answer, redirects not followed."""

_FILE = "pages.db"
_HEAD = b"SQLite format 3\0"
_DAY_S = 86_400
_UNUSED_S = 30 * _DAY_S
_LONGEST_S = 365 * _DAY_S
_MISSING_S = 300
_KEPT = (200, 203, 301, 302, 303, 307, 308)
_MISSING = (404, 410)
_WHENCE = "x-autoagent-url"
_CONDITIONS = ("if-none-match", "if-modified-since")
_UNTRUE = (
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "expires",
    "pragma",
    "set-cookie",
    "transfer-encoding",
    "vary",
)
"""Headers that don't hold for what is kept: it is unpacked, whole, and as old as it is here."""
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,10})")


class PageCache:
    """Answers of servers, in a folder. Opened for each page: an event loop of its own, a few milliseconds."""

    def __init__(self, folder: Path, limit_bytes: int, floor_s: float) -> None:
        self._file = folder / _FILE
        self._limit_bytes = limit_bytes
        self._floor_s = floor_s

    async def get(self, url: str, fetch: Fetch, apart: str = "") -> HttpReply:
        """The answer to a GET: a fresh one that is kept, else what `fetch` brings. Raises what that raises.

        What is kept under `apart` is found under the same alone.
        """
        self._drop_what_is_no_database()
        storage = hishel.AsyncSqliteStorage(
            database_path=self._file, default_tti=_UNUSED_S, max_size=self._limit_bytes
        )
        beneath = _Beneath(fetch, url, self._floor_s)
        cache = AsyncCacheTransport(beneath, storage, rfc=hishel.CacheOptions(shared=False))
        try:
            request = httpx2.Request("GET", "http://page/", extensions={"caching": {"key": f"{apart} {url}"}})
            response = await cache.handle_async_request(request)
            content = await response.aread()
        finally:
            await cache.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpReply(response.status_code, headers.pop(_WHENCE, url), headers, content)

    def _drop_what_is_no_database(self) -> None:
        """A cache that was damaged is begun anew; else nothing would be kept in it any more."""
        try:
            with self._file.open("rb") as file:
                head = file.read(len(_HEAD))
        except FileNotFoundError:
            return
        if head not in (b"", _HEAD):
            for name in (_FILE, f"{_FILE}-wal", f"{_FILE}-shm"):
                self._file.with_name(name).unlink(missing_ok=True)


class _Beneath(httpx2.AsyncBaseTransport):
    """What the cache asks where it has nothing fresh."""

    def __init__(self, fetch: Fetch, url: str, floor_s: float) -> None:
        self._fetch = fetch
        self._url = url
        self._floor_s = floor_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        conditions = {k: v for k in _CONDITIONS if (v := request.headers.get(k)) is not None}
        reply = await self._fetch(self._url, conditions)
        headers = {k: v for k, v in reply.headers.items() if k not in _UNTRUE}
        headers |= {
            "cache-control": _kept_for(reply, self._floor_s),
            "date": formatdate(usegmt=True),
            _WHENCE: reply.url,
        }
        raw = [(k.encode("ascii", "replace"), v.encode("utf-8", "replace")) for k, v in headers.items()]
        return httpx2.Response(reply.status, headers=raw, content=reply.content)


def _kept_for(reply: HttpReply, floor_s: float) -> str:
    """`Cache-Control` for an answer: as long as its server says, but at least `floor_s`."""
    said = reply.headers.get("cache-control", "").lower()
    if "no-store" in said or reply.secrets or reply.status not in (*_KEPT, *_MISSING, 304):
        return "no-store"
    if reply.status in _MISSING:
        return f"max-age={min(floor_s, _MISSING_S):.0f}"
    age = _MAX_AGE.search(said)
    declared = 0 if age is None or "no-cache" in said else int(age[1]) - _number(reply.headers.get("age", ""))
    return f"max-age={min(max(declared, floor_s), _LONGEST_S):.0f}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
