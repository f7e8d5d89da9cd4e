"""Where a client may go: the hosts that a goal or the person's settings name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from autoagent.hosts import allowed, host_of, is_inner, names
from autoagent.redact import one_line


@dataclass(frozen=True)
class Reach:
    """A list of hosts that may be reached, and nothing else; `Reach()` reaches nobody.

    An address that is private or this machine's is reached only where it is itself on the list, and by a name
    only if that is on it too, not under a star. `localhost` on the list stands for this machine's.
    """

    hosts: tuple[str, ...] = ()
    """As a goal writes them: `host`, `host:port`, `*.suffix`, `*`; without a port: those of http(s)."""
    onward: tuple[str, ...] | None = None
    """The hosts that a redirect from another host may lead to; `None`: all `hosts`.

    Narrower where the agent made the URL up: else it could reach any host on the list through one that
    redirects to wherever the query says.
    """
    source: str = "the goal's 'allow: web'"
    """Who lists the hosts, for errors."""

    def refuses(self, url: str, before: str | None = None) -> str | None:
        """Why no request may go to `url`, where `before` redirects to it; `None` where one may."""
        place = host_of(url)
        if place is None:
            return f"{one_line(url, 200)!r} is no plain http or https URL"
        if not self.hosts:
            return "this call may reach nobody: neither the goal nor the settings name a host for it"
        if not allowed(url, self.hosts):
            shown = ", ".join(self.hosts)
            return f"{self.source} names {one_line(shown, 300)}, not {_shown(*place)}"
        if before is None or self.onward is None or host_of(before) == place:
            return None
        if is_upgrade(before, url) or allowed(url, self.onward):
            return None
        return f"a redirect to another host, {_shown(*place)}, that isn't named itself; ask for it by its URL"

    def refuses_address(self, host: str, port: int, address: str) -> str | None:
        """Why `host` may not be reached at `address`, to which it resolves; `None` where it may."""
        found = ip_address(address)
        is_named = any(names(pattern, host, port) for pattern in self.hosts if "*" not in pattern)
        if not is_inner(found) or host == str(found):
            return None
        if is_named and any(names(pattern, str(found), port) for pattern in self.hosts):
            return None
        if found.is_loopback and (host == "localhost" or host.endswith(".localhost")):
            return None
        return (
            f"{host} leads to {address}, an address of this machine or of a private network; "
            "it is reached only where that address itself is named"
        )


def is_upgrade(before: str, after: str) -> bool:
    """Whether a redirect goes from http to https at one host, each at its usual port."""
    first, second = host_of(before), host_of(after)
    return first is not None and second is not None and (*first, *second) == (first[0], 80, first[0], 443)


def reach_of_urls(urls: Iterable[str], source: str) -> Reach:
    """Exactly the hosts of some URLs, at their ports; what is no http or https URL adds nothing.

    A usual port stands for the other one too: many hosts redirect from http to https.
    """
    places = [place for url in urls if (place := host_of(url)) is not None]
    return Reach(tuple(dict.fromkeys(_pattern(*place) for place in places)), source=source)


def _pattern(host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port in (80, 443) else f"{host}:{port}"


def _shown(host: str, port: int) -> str:
    return _pattern(host, port)
