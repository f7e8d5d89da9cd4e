"""Which hosts a goal names. Pure: no name is resolved here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLACE = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::([0-9]{0,5}))?")
"""`host` or `host:port`, in lower case."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


def host_of(url: str) -> tuple[str, int] | None:
    """(host, port) that a GET of an http or https URL reaches; `None` for anything else.

    The host is in lower case, without a dot at its end or brackets. What two readers of URLs could take for
    different hosts is none: credentials, control characters, signs outside ASCII (`xn--…` is fine), numbers
    that only some take for an address (`127.1`).
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    default = _PORTS.get(parts.scheme)
    if default is None or _HIDDEN.search(url):
        return None
    host, port = _place(parts.netloc) or ("", None)
    return (host, default if port is None else port) if host else None


def names(pattern: str, host: str, port: int) -> bool:
    """Whether a goal's pattern (`host`, `host:port`, `*.suffix`, `*`) covers the host.

    Without a port it covers the ports of http and https; `*.suffix` does not cover the suffix itself. A star
    never covers an address that is private or this machine's: that must be named.
    """
    name, wanted = ("", None) if pattern == "*" else _place(pattern.removeprefix("*.")) or (None, None)
    if name is None or (port not in _PORTS.values() if wanted is None else port != wanted):
        return False
    if not pattern.startswith("*"):
        return host == name
    return not is_private(host) and (not name or host.endswith(f".{name}"))


def is_private(host: str) -> bool:
    """Whether the host is by its own words this machine or in a private network."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def allowed(url: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern covers the URL's host."""
    found = host_of(url)
    return found is not None and any(names(p, *found) for p in patterns)


def named_exactly(url: str, patterns: Iterable[str]) -> bool:
    """Whether the user named the URL's very host, not a wildcard."""
    return allowed(url, (p for p in patterns if "*" not in p))


def _place(text: str) -> tuple[str, int | None] | None:
    """Host and port as written, the host in its one spelling."""
    match = _PLACE.fullmatch(text.lower())
    if match is None or int(match[3] or 0) > 65535:
        return None
    host = match[1] or match[2]
    try:
        if match[1] is not None:
            host = str(ip_address(host))
        elif _NUMBER.fullmatch(host.rpartition(".")[2]):
            host = str(IPv4Address(host))
    except ValueError:
        return None
    return host, int(match[3]) if match[3] else None
