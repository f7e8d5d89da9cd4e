"""What a search brings: one result, cleaned, and a list of them as a model reads it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import quote, urlsplit, urlunsplit

from autoagent.hosts import host_of
from autoagent.redact import one_line

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TITLE, _SNIPPET, _SAID_DATE = 120, 320, 40
_KEPT = "%/:=&?~#+!$,;'@()*[]"
"""Signs of a URL that are not to be quoted again."""


@dataclass(frozen=True)
class Found:
    """One result, as a provider gave it."""

    title: str
    url: str
    snippet: str = ""
    date: str = ""
    """As the provider says it: a day, or "3 days ago"."""


def listed(found: Sequence[Found]) -> str:
    """The results, numbered from 1: title, address, then date and snippet."""
    return "\n\n".join(f"{n}. {_drawn(each)}" for n, each in enumerate(found, 1))


def cleaned(found: Iterable[Found], limit: int) -> tuple[Found, ...]:
    """The first `limit` that have an address that can be fetched, each address once, without markup."""
    kept: dict[str, Found] = {}
    for each in found:
        url = fetchable(each.url)
        if url is not None and url not in kept:
            texts = (_plain(each.title, _TITLE), _plain(each.snippet, _SNIPPET), _day(each.date))
            kept[url] = Found(texts[0] or url, url, texts[1], texts[2])
    return tuple(kept.values())[:limit]


def fetchable(url: str) -> str | None:
    """The address percent-encoded, the host in ASCII, without its fragment; `None` where it is none."""
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    except (ValueError, UnicodeError):
        return None
    path, query = (quote(part, safe=_KEPT) for part in (parts.path, parts.query))
    spelled = urlunsplit((parts.scheme, host, path, query, ""))
    return spelled if host_of(spelled) is not None else None


def _drawn(found: Found) -> str:
    last = " · ".join(part for part in (found.date, found.snippet) if part)
    return "\n".join((found.title, *(f"   {line}" for line in (found.url, last) if line)))


def _plain(text: str, limit: int) -> str:
    """Without tags and entities, on one line."""
    return one_line(unescape(_TAG.sub("", text[:10_000])), limit)


def _day(said: str) -> str:
    match = _DATE.match(said)
    return match[0] if match else _plain(said, _SAID_DATE)
