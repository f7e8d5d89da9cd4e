"""The one reading of URLs: which host one reaches, whether a goal names it, which addresses are internal.

Policy and the client both read by it. Pure: no name is resolved here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLACE = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::([0-9]{0,5}))?")
"""`host` or `host:port`, in lower case."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
Address = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC = IPv6Network("2000::/3")
"""All that was ever given out."""
_ISATAP = 0x5EFE
_INNER4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
            "168.63.129.16/32",  # a cloud's service for its own machines, at a public address
        ),
    )
)
_INNER6 = (IPv6Network("2001::/23"), IPv6Network("2001:db8::/32"), IPv6Network("3fff::/20"))
"""IANA's special addresses, besides what is outside `_PUBLIC`: Python's own list differs by its version."""


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
    if default is None or _HIDDEN.search(url) or not parts.netloc.isascii():
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
        return is_inner(ip_address(host))
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def is_in_the_clear(host: str) -> bool:
    """Whether http to the host passes no public network: this machine, or an inner address given as such."""
    try:
        return is_inner(ip_address(host))
    except ValueError:  # any other name may be somebody else's tomorrow
        return host == "localhost"


def is_inner(address: Address) -> bool:
    """Whether an address isn't one of a single host on the public internet, in any of its spellings.

    This machine, private and shared networks, link-local (where clouds keep their metadata), multicast,
    reserved; and each IPv6 address that leads to such a one of IPv4.
    """
    if isinstance(address, IPv6Address):
        if address not in _PUBLIC and address not in _NAT64:
            return True
        wrapped = _wrapped(address)
        return any(address in network for network in _INNER6) or any(map(is_inner, wrapped))
    return any(address in network for network in _INNER4)


def _wrapped(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for or tunnels to."""
    low, found = IPv4Address(int(address) & 0xFFFFFFFF), []
    if address in _NAT64 or int(address) >> 32 & 0xFFFF == _ISATAP:
        found.append(low)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    return (*found, *(address.teredo or ()))


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
