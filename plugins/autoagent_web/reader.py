"""The process that reads what servers send: bytes in, text out, and nothing else to lose.

`python -m autoagent_web.reader`: stdin holds one line of JSON, a `Document`, and then its bytes; stdout gets
one `Reading` as JSON. What was written to break a parser breaks this process, whose time and memory are
limited, and which has no variables, no files and nothing of the run.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress

from pydantic import BaseModel, ConfigDict

from autoagent.redact import one_line
from autoagent_web.text import Kind, Unreadable, decoded, pages_of

_MOST_CHARACTERS = 4_000_000


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Message):
    """What the process may use up."""

    cpu_s: int = 30
    memory_bytes: int = 2 << 30


class Document(_Message):
    """What is to be read."""

    kind: Kind
    url: str
    """What relative links are relative to."""
    charset: str = ""
    """As the server declares it."""
    page: int = 1
    size: int
    """Characters of a page."""
    limits: Limits = Limits()


class Reading(_Message):
    """What was read, or why nothing could be."""

    text: str = ""
    page: int = 1
    last: int = 1
    """The last page in the text: a reading of a PDF holds as many as fit."""
    pages: int = 1
    title: str = ""
    author: str = ""
    date: str = ""
    language: str = ""
    problem: str = ""


def read(document: Document, content: bytes) -> Reading:
    """One page of a document. What is wrong with it is the reading's `problem`."""
    try:
        return _pdf(document, content) if document.kind == "pdf" else _text(document, content)
    except Unreadable as error:
        return Reading(problem=str(error))
    except MemoryError:
        raise
    except ImportError as error:  # no fault of the page's
        said = f"autoagent's reader doesn't work here ({one_line(str(error), 200)})"
        return Reading(problem=f"{said}; no other page of this kind can be read either")
    except Exception as error:  # parsers meet what was made to break them, and may raise anything
        return Reading(problem=f"it is broken ({type(error).__name__}: {one_line(str(error), 200)})")


def _text(document: Document, content: bytes) -> Reading:
    text = decoded(content, document.charset, document.kind)
    reading = Reading()
    if document.kind == "html":
        from autoagent_web.html import article

        found = article(text, document.url)
        text = found.text
        reading = Reading(title=found.title, author=found.author, date=found.date, language=found.language)
    pages = pages_of(text[:_MOST_CHARACTERS], document.size)
    if not pages[0]:
        scripts = "; it may be drawn by scripts, which aren't run" if document.kind == "html" else ""
        raise Unreadable(f"it holds no text{scripts}")
    if not 1 <= document.page <= len(pages):
        said = f"{len(pages)} page{'s' * (len(pages) != 1)}"
        raise Unreadable(f"it has {said}, and page {document.page} was asked for")
    here = {"text": pages[document.page - 1], "page": document.page, "last": document.page}
    return reading.model_copy(update=here | {"pages": len(pages)})


def _pdf(document: Document, content: bytes) -> Reading:
    from autoagent_web.pdf import pdf_text

    found = pdf_text(content, document.page, document.size)
    return Reading(
        text=found.text,
        page=document.page,
        last=found.last,
        pages=found.pages,
        title=found.title,
        author=found.author,
        date=found.date,
    )


def _keep_to(limits: Limits) -> None:
    """From here on; and no file can be written."""
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with suppress(ValueError, OSError):  # macOS has no such limit; time is limited all the same
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))


def main() -> None:
    document = Document.model_validate_json(sys.stdin.buffer.readline())
    _keep_to(document.limits)
    reading = read(document, sys.stdin.buffer.read())
    sys.stdout.buffer.write(reading.model_dump_json().encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
