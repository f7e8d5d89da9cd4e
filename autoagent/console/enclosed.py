"""A file that would leave with a call, as a person sees it: its text, framed; of what is no text, the kind.

It is read by its SHA-256 from the record, never by its path: what is shown is what would be sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.console.figures import several, size
from autoagent.console.line import Line, Part, line
from autoagent.errors import StoreUnavailable
from autoagent.trees import ObjectSource

MOST_LINES = 5_000
"""Shown of one file where a person can scroll."""
FEW_LINES = 8
"""Shown where they can't."""
_LARGEST = 1 << 20
"""Bytes of a file that are read as text, from its start."""
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive, or a document that is one inside"),
    (b"\x1f\x8b", "gzip data"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
)
"""(how it begins, what that makes it)."""


def enclosed(sha256: str, objects: ObjectSource, most: int, rest: str) -> Iterator[Line]:
    """What is in a file, at most `most` lines; `rest`: where a person finds what is left of it."""
    try:
        with objects.open(sha256) as stored:
            data = stored.read(_LARGEST + 1)
    except (StoreUnavailable, OSError) as error:
        yield line(Part(f"│ what is in it can't be shown: {error}", "bad"))
        return
    text = _text(data)
    if text is None:
        yield line(Part(f"│ {kind(data)}: no text to be shown here", "dim"))
        return
    lines = text.expandtabs(4).split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        yield line(Part("│ (empty)", "dim"))
    for content in lines[:most]:
        yield line(Part("│ ", "dim"), content)
    if (left := len(lines) - most) > 0 or len(data) > _LARGEST:
        more = several(left, "more line") if len(data) <= _LARGEST else f"more than {size(_LARGEST)} in all"
        yield line(Part(f"│ … {more}; {rest}", "attention"))


def kind(data: bytes) -> str:
    """What a file is that isn't text, as its first bytes say it."""
    return next((said for start, said in _KINDS if data.startswith(start)), "binary data")


def _text(data: bytes) -> str | None:
    """A text, or the start of one; `None` for anything else."""
    if b"\0" in data:
        return None
    try:
        return data[:_LARGEST].decode("utf-8")
    except UnicodeDecodeError as error:
        is_cut = len(data) > _LARGEST and error.end >= _LARGEST - 3
        return data[: error.start].decode("utf-8") if is_cut else None
