"""Judges where a request may go: its URL first, then every address that its host resolves to.

What comes back is addresses, so that nothing is resolved a second time: a name server that says something
else a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from autoagent.errors import NotDone
from autoagent.hosts import host_of, is_in_the_clear, names
from autoagent.reach import Reach
from autoagent.secrecy import BoundSecret, Strike

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> addresses, best first. Raises `OSError`."""

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True)
class Place:
    """Where a request goes, judged."""

    scheme: str
    host: str
    """In lower case, without brackets: for TLS, and for whom secrets are bound to."""
    port: int
    target: str
    """Path and query, ASCII."""
    addresses: tuple[str, ...]
    """All that the host resolves to; each may be reached."""

    @property
    def authority(self) -> str:
        """For the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


async def resolved(host: str, port: int) -> Sequence[str]:
    """As this machine resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def place_of(url: str, reach: Reach, resolve: Resolve, before: str | None = None) -> Place:
    """Where a request to `url` goes; `before` is the URL that redirects to it. Raises `NotDone`."""
    found = host_of(url)
    if why := reach.refuses(url, before):
        raise NotDone(f"not reached: {why}")
    assert found is not None
    host, port = found
    addresses = await _addresses(host, port, resolve)
    for address in addresses:
        if why := reach.refuses_address(host, port, address):
            raise NotDone(f"not reached: {why}")
    parts = urlsplit(url)
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_PRINTABLE)
    return Place(parts.scheme, host, port, target, addresses)


@dataclass(frozen=True)
class Secrets:
    """What the client knows of secrets."""

    bound: tuple[BoundSecret, ...] = ()
    strike: Strike = field(default_factory=lambda: Strike({}))
    """Of all that are known in this run: what servers echo is struck out."""

    @cached_property
    def _bound_ones(self) -> Strike:
        return Strike({secret.name: secret.value.get_secret_value() for secret in self.bound})

    @cached_property
    def _in_names(self) -> Strike:
        return Strike({secret.name: secret.value.get_secret_value().lower() for secret in self.bound})

    def refuse_name(self, url: str) -> None:
        """No secret stands in a host's name: to ask for its address is to tell it. Raises `NotDone`."""
        host = host_of(url)
        for name in () if host is None else self._in_names.names_in(host[0].encode()):
            raise NotDone(f"not sent: the name of its host holds the secret {name}")

    def at(self, place: Place, before: str | None = None) -> tuple[BoundSecret, ...]:
        """Those that are bound to the host; none where another host's redirect, `before`, leads there.

        Else that host could have anything done there in the person's name.
        """
        if before is not None and host_of(before) != (place.host, place.port):
            return ()
        return tuple(secret for secret in self.bound if names(secret.host, place.host, place.port))

    def attached(self, place: Place, taken: Iterable[str], before: str | None = None) -> dict[str, str]:
        """The headers that they add to those that are there already. Raises `NotDone`."""
        headers: dict[str, str] = {}
        for secret in self.at(place, before):
            if place.scheme != "https" and not is_in_the_clear(place.host):
                raise NotDone(f"the secret {secret.name} goes to {place.host} over https only; ask for https")
            value = secret.header_value
            if not value.isascii() or not value.isprintable():
                raise NotDone(f"the secret {secret.name} holds signs that no header can")
            if secret.header not in taken:
                headers[secret.header] = value
        return headers

    def refuse_leak(self, place: Place, *parts: bytes) -> None:
        """No secret goes where it isn't bound to, whoever put it into a request. Raises `NotDone`."""
        here = {secret.name for secret in self.at(place)}
        for part in parts:
            for name in self._bound_ones.names_in(part):
                if name not in here:
                    raise NotDone(f"not sent: it holds the secret {name}, which isn't for {place.host}")


async def _addresses(host: str, port: int, resolve: Resolve) -> tuple[str, ...]:
    """What the host stands for: itself, where it is an address. Raises `NotDone`."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        pass
    try:
        found = await resolve(host, port)
        addresses = tuple(dict.fromkeys(str(ip_address(each)) for each in found))
    except (OSError, ValueError) as error:
        raise NotDone(f"{host} can't be reached: its name isn't resolved ({error})") from error
    if not addresses:
        raise NotDone(f"{host} can't be reached: its name has no address")
    return addresses
