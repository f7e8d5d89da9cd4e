"""Which hosts a goal names. Pure: no name is resolved here."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def host_of(url: str) -> tuple[str, int] | None:
    """(host, port) of an http or https URL, the host in lower case; `None` for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip("."), port


def names(pattern: str, host: str, port: int) -> bool:
    """Whether a goal's pattern (`host`, `host:port`, `*.suffix`, `*`) covers the host.

    Without a port it covers the ports of http and https; `*.suffix` does not cover the suffix itself.
    """
    if pattern == "*":
        return port in _PORTS.values()
    name, _, wanted = pattern.lower().partition(":")
    if wanted and str(port) != wanted:
        return False
    if not wanted and port not in _PORTS.values():
        return False
    return host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name


def allowed(url: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern covers the URL's host."""
    found = host_of(url)
    return found is not None and any(names(p, *found) for p in patterns)


def named_exactly(url: str, patterns: Iterable[str]) -> bool:
    """Whether the user named the URL's very host, not a wildcard."""
    return allowed(url, (p for p in patterns if "*" not in p))
