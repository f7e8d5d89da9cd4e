"""PDF to text, page by page, by pypdf."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass

from pypdf import PdfReader
from pypdf.errors import PyPdfError

_MARK = "[page {} of {}]"


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

    Raises `ValueError` for a page that isn't there, a PDF that needs a password or is broken, and one without
    any text.
    """
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it tells of every oddity that it works around
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("it is encrypted; look for a version without a password")
        pages = len(reader.pages)
        if not 1 <= first <= pages:
            raise ValueError(f"it has {pages} page{'s' * (pages != 1)}, and page {first} was asked for")
        texts = _texts(reader, first, size)
        if not any(texts) and first == 1 and len(texts) == pages:
            raise ValueError("it holds no text; it may be a scan, whose pages are pictures")
        marked = (f"{_MARK.format(n, pages)}\n{text}" for n, text in enumerate(texts, first))
        info = reader.metadata
    except ValueError:
        raise
    except (PyPdfError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError) as error:
        raise ValueError(f"it is broken ({type(error).__name__}: {error})") from error
    created = None if info is None else _day(info.get("/CreationDate"))
    return PdfText(
        text="\n\n".join(marked),
        last=first + len(texts) - 1,
        pages=pages,
        title=_storable(str((info and info.title) or "")),
        author=_storable(str((info and info.author) or "")),
        date=created or "",
    )


def _texts(reader: PdfReader, first: int, size: int) -> list[str]:
    """The texts of page `first` and those after it that fit."""
    texts: list[str] = []
    room = size
    for number in range(first, len(reader.pages) + 1):
        text = _storable(reader.pages[number - 1].extract_text()).strip()
        room -= len(text) + len(_MARK)
        if texts and room < 0:
            break
        texts.append(text)
    return texts


def _storable(text: str) -> str:
    """Without halves of characters, which a font's table can hold and no JSON can."""
    return text.encode("utf-8", "replace").decode()


def _day(said: object) -> str | None:
    """The day in `D:20260301120000Z`."""
    digits = str(said or "").removeprefix("D:")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else None
