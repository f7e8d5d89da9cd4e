"""Files as text for a model: pages of whole lines, binary files told by name, nothing beyond its size."""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.door.tools import FilesView, ToolError
from autoagent.paths import spelled

PAGE_LINES = 500
PAGE_CHARS = 14_000
"""Below a tool's output limit, which would cut the page in its middle."""
LINE_CHARS = 2_000
"""A longer line is cut: it is data, not text."""

_CHUNK_BYTES = 1 << 20
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive, or an Office document",
    b"\x1f\x8b": "compressed with gzip",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_BOM = b"\xef\xbb\xbf"


def page(files: FilesView, path: str, offset: int, limit: int) -> str:
    """Lines of a file from `offset` (1: the first, -1: the last), and where to go on. Raises `ToolError`."""
    start = _start(files, path, offset)
    shown: list[str] = []
    chars, total = 0, 0
    is_full = False
    for total, line in enumerate(lines_of(files, path), 1):
        if total < start or is_full:
            continue
        text = _cut(line)
        is_full = len(shown) >= max(1, limit) or (chars + len(text) > PAGE_CHARS and bool(shown))
        if not is_full:
            shown.append(text)
            chars += len(text) + 1
    if not total:
        return "(the file is empty)"
    if not shown:
        raise ToolError(f"{spelled(path)} has only {counted(total, 'line')}; there is no line {start}")
    end = start + len(shown) - 1
    body = "\n".join(shown)
    if start == 1 and end == total:
        return body
    more = f"; go on with offset={end + 1}" if end < total else ""
    return f"{body}\n[lines {start} to {end} of {total}{more}]"


def lines_of(files: FilesView, path: str) -> Iterator[str]:
    """The lines of a text file without their ends; of a huge line only the beginning. Raises `ToolError`."""
    rest = b""
    offset = 0
    while block := files.read(path, offset, _CHUNK_BYTES):
        check_is_text(path, block, offset)
        offset += len(block)
        *whole, rest = (rest + block).split(b"\n")
        rest = rest[:_CHUNK_BYTES]
        for line in whole:
            yield _decoded(line)
    if rest:
        yield _decoded(rest)


def check_is_text(path: str, data: bytes, offset: int = 0) -> None:
    """Raises `ToolError` that says what the file is instead."""
    if (kind := binary_kind(data, offset)) is not None:
        raise ToolError(f"{spelled(path)} is no text but {kind}; this tool can't show or edit it")


def binary_kind(data: bytes, offset: int = 0) -> str | None:
    """What a file is that isn't text; `None` for text. Bytes that are no UTF-8 are still text."""
    if offset == 0:
        for signature, kind in _SIGNATURES.items():
            if data.startswith(signature):
                return kind
    return "binary data" if b"\0" in data else None


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def encoded(text: str, parameter: str) -> bytes:
    """A model's text as UTF-8. Raises `ToolError` where it holds half of a character."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise ToolError(
            f"`{parameter}` holds half of a character, {half}, at position {error.start}; write the whole one"
        ) from None


def _start(files: FilesView, path: str, offset: int) -> int:
    if offset >= 0:
        return max(1, offset)
    return max(1, sum(1 for _ in lines_of(files, path)) + offset + 1)


def _decoded(line: bytes) -> str:
    return line.removeprefix(_BOM).removesuffix(b"\r").decode("utf-8", "replace")


def _cut(line: str) -> str:
    if len(line) <= LINE_CHARS:
        return line
    return f"{line[:LINE_CHARS]}… [the line is longer: cut here]"
