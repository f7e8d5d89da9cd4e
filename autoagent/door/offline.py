"""`NO_HTTP`: the way out where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from autoagent.errors import NotDone
from autoagent.ports import Http, HttpReply, HttpSending

if TYPE_CHECKING:
    from httpx2 import AsyncBaseTransport


class _NoHttp(Http):
    """Reaches nobody."""

    async def request(self, method: str, url: str, **options: Unpack[HttpSending]) -> HttpReply:
        raise NotDone(f"{url!r} can't be reached: this call was given no way out")

    def transport(self) -> AsyncBaseTransport:
        raise NotDone("this call was given no way out")


NO_HTTP: Http = _NoHttp()
