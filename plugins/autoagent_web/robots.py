"""What a site's robots.txt says to us, by protego (RFC 9309)."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

_MOST_BYTES = 500 << 10
"""RFC 9309 wants at least so much of a file to be read."""


@dataclass(frozen=True)
class Word:
    """What it says about one URL."""

    allows: bool
    every_s: float = 0
    """Seconds that it wants between two requests; 0: it doesn't say."""


def word(content: bytes, url: str, user_agent: str) -> Word:
    """What a robots.txt says about `url`. What can't be understood in it says nothing."""
    rules = Protego.parse(content[:_MOST_BYTES].decode("utf-8", "replace"))
    delay, rate = rules.crawl_delay(user_agent), rules.request_rate(user_agent)
    every = max(delay or 0.0, rate.seconds / rate.requests if rate is not None and rate.requests else 0.0)
    return Word(allows=rules.can_fetch(url, user_agent), every_s=every)
