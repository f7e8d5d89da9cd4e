"""PDF to text, page by page, by pypdf."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pypdf import PageObject, PdfReader

from autoagent_web.found import fetchable
from autoagent_web.text import Unreadable

_MARK = "[page {} of {}]"
_MOST_LINKS = 30
"""Of one page."""


@dataclass(frozen=True)
class PdfText:
    """Some pages of a PDF."""

    text: str
    last: int
    """The last page that is in the text."""
    pages: int
    title: str = ""
    author: str = ""
    date: str = ""


def pdf_text(content: bytes, first: int, size: int) -> PdfText:
    """Pages from number `first` on: as many whole ones as fit into `size` characters, at least one.

    Raises `Unreadable` for a page that isn't there, a PDF that needs a password, and one without any text;
    for a broken one, whatever pypdf raises.
    """
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it tells of every oddity that it works around
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("it is encrypted; look for a version without a password")
    pages = len(reader.pages)
    if not 1 <= first <= pages:
        raise Unreadable(f"it has {pages} page{'s' * (pages != 1)}, and page {first} was asked for")
    texts = _texts(reader, first, size)
    if not any(texts) and first == 1 and len(texts) == pages:
        raise Unreadable("it holds no text; it may be a scan, whose pages are pictures")
    info: Mapping[str, object] = reader.metadata or {}
    return PdfText(
        text="\n\n".join(f"{_MARK.format(n, pages)}\n{text}" for n, text in enumerate(texts, first)),
        last=first + len(texts) - 1,
        pages=pages,
        title=_storable(str(info.get("/Title") or "")),
        author=_storable(str(info.get("/Author") or "")),
        date=_day(info.get("/CreationDate")),
    )


def _texts(reader: PdfReader, first: int, size: int) -> list[str]:
    """What stands on page `first` and those after it that fit."""
    texts: list[str] = []
    room = size
    for number in range(first, len(reader.pages) + 1):
        page = reader.pages[number - 1]
        text = "\n".join([_storable(page.extract_text()).strip(), *_links(page)]).strip()
        room -= len(text) + len(_MARK)
        if texts and room < 0:
            break
        texts.append(text)
    return texts


def _links(page: PageObject) -> list[str]:
    """Where the page's links lead, one a line."""
    found: dict[str, None] = {}
    for annotation in page.annotations or ():
        action = annotation.get_object().get("/A")
        target = None if action is None else action.get_object().get("/URI")
        url = None if target is None else fetchable(_storable(str(target)))
        if url is not None:
            found[f"link: {url}"] = None
    return list(found)[:_MOST_LINKS]


def _storable(text: str) -> str:
    """Without halves of characters, which a font's table can hold and no JSON can."""
    return text.encode("utf-8", "replace").decode()


def _day(said: object) -> str:
    """The day in `D:20260301120000Z`; empty where there is none."""
    digits = str(said or "").removeprefix("D:")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
