"""Bytes to text, and long text to pages. Pure. Charsets that nobody declares charset-normalizer guesses."""

from __future__ import annotations

import codecs
import re
from typing import Literal

Kind = Literal["html", "pdf", "text"]

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)
_HTML = re.compile(
    rb"\s*(<!--.{0,2000}?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_LOOKED_AT = 4_096
_WEB = re.compile(
    r"utf-(8|16|32)(-\w+)*|ascii|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*"
    r"|iso2022_\w+|tis-620|hz|johab"
)
"""Python's names of charsets that pages are written in."""
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What pages that declare the one are written in, as the WHATWG's Encoding Standard has it."""
_USUAL = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("shift_jis", "euc_jp", "euc_kr", "gb18030", "big5"),
]
"""What pages are written in that don't say so. Among all charsets German is taken for a Mac's Turkish."""
_TEXTS = ("json", "xml", "javascript", "yaml", "toml", "x-ndjson", "sql", "x-sh", "csv", "rtf")
_BREAKS = ("\n\n", "\n", ". ", " ")


class Unreadable(Exception):
    """Why nothing can be read, in words that go on "it …"."""


def kind_of(media_type: str, content: bytes) -> Kind | None:
    """What the content is, by its server's word and its first bytes; `None` for what nothing here reads."""
    major, _, minor = media_type.partition("/")
    if content.startswith(b"%PDF-") or minor == "pdf":
        return "pdf"
    if minor in ("html", "xhtml+xml"):
        return "html"
    if major == "text" or minor.rpartition("+")[2] in _TEXTS:
        return "html" if minor == "plain" and _HTML.match(content[:_LOOKED_AT]) else "text"
    if media_type in ("", "application/octet-stream", "binary/octet-stream"):
        return _sniffed(content[:_LOOKED_AT])
    return None


def decoded(content: bytes, declared: str, kind: Kind) -> str:
    """The text. A mark of byte order counts most, then the server's word, then what HTML says itself."""
    head = content[:_LOOKED_AT]
    marked = next((name for mark, name in _BOMS if content.startswith(mark)), "")
    found = _META.search(head) if kind == "html" else None
    own = "" if found is None else found[1].decode("ascii")
    for charset in (marked, declared, own):
        if codec := _codec(charset):
            return content.decode(codec, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(content)


def pages_of(text: str, size: int) -> list[str]:
    """The text in pieces of at most `size` characters, cut where a paragraph ends, else a line, else a word.

    Joined they are the text again, but for white space at the cuts. At least one.
    """
    pages, rest = [], text.strip()
    while len(rest) > size:
        at = _cut(rest, size)
        pages.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*pages, rest]


def _cut(text: str, size: int) -> int:
    """Where a page of at most `size` characters ends, that is at least half full."""
    for mark in _BREAKS:
        at = text.rfind(mark, size // 2, size)
        if at > 0:
            return at + len(mark)
    return size


def _sniffed(head: bytes) -> Kind | None:
    if _HTML.match(head):
        return "html"
    return None if b"\0" in head or not head.strip() else "text"


def _codec(charset: str) -> str | None:
    """Python's codec for a charset as browsers understand it; `None` for what no page is written in.

    Python knows more: codecs of bytes, and `punycode`, which takes hours for some megabytes.
    """
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    return _MEANT.get(name, name) if _WEB.fullmatch(name) else None


def _guessed(content: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:200_000], cp_isolation=_USUAL).best()
    return content.decode(best.encoding if best is not None else "cp1252", "replace")
