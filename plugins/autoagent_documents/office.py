"""Word, PowerPoint and Excel files, in the process that parses. Alone imports `docx`, `pptx`, `openpyxl`.

These files are ZIP archives of XML. Before a library opens one, the archive's own list says how large it
gets, and no part may declare entities: the format forbids it, and only an attack has any.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator

from autoagent_documents.pages import Page, Parsed, Unreadable, joined

_MOST_UNPACKED_BYTES = 400_000_000
_MOST_PARTS = 20_000
_HEAD_BYTES = 4_096
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_FIRST_TAG = re.compile(rb"<[A-Za-z_]")
"""Nothing can be declared after it."""
_OLD = b"\xd0\xcf\x11\xe0"
"""How files of Office before 2007 begin, and encrypted ones of today."""
_LONGEST_GAP = 1_000
"""Empty rows of a sheet that are kept, so that a line's number is its row's."""


def opened(kind: str, data: bytes) -> Parsed:
    """The document's pages. Raises `Unreadable`."""
    _check_archive(data)
    readers = {"docx": _sections, "pptx": _slides, "xlsx": _sheets}
    try:
        return Parsed(list(readers[kind](data)))
    except (MemoryError, RecursionError, ModuleNotFoundError):
        raise
    except Exception as error:  # what the libraries raise over a broken file has no common name
        raise Unreadable(f"it is no whole {kind} file ({type(error).__name__}: {error})"[:300]) from error


def _check_archive(data: bytes) -> None:
    """Raises `Unreadable` for what is no archive, or one that does harm when it is unpacked."""
    if data.startswith(_OLD):
        raise Unreadable("it is encrypted, or of Office before 2007; save a copy in today's format")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            if size > _MOST_UNPACKED_BYTES or len(parts) > _MOST_PARTS:
                raise Unreadable(f"unpacked it would have {size:,} bytes in {len(parts):,} parts")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    _refuse_entities(archive, part)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Unreadable(f"it is no whole Office file ({error})") from error


def _refuse_entities(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.flag_bits & 1:
        raise Unreadable("it is encrypted; save a copy without its password")
    with archive.open(part) as stream:
        head = stream.read(_HEAD_BYTES).replace(b"\0", b"")  # UTF-16 too
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise Unreadable(f"its part {part.filename!r} declares entities, which no Office program writes")
    if part.file_size > _HEAD_BYTES and not _FIRST_TAG.search(_COMMENT.sub(b"", head)):
        raise Unreadable(f"its part {part.filename!r} hides behind comments how it begins")


# --- Word: sections by their headings -----------------------------------------------------------------------


def _sections(data: bytes) -> Iterator[Page]:
    import docx
    from docx.table import Table

    name, lines = "start", list[str]()
    for block in docx.Document(io.BytesIO(data)).iter_inner_content():
        if isinstance(block, Table):
            lines += [*(_row(cell.text for cell in row.cells) for row in block.rows), ""]
            continue
        style = block.style.name if block.style is not None else ""
        if block.text.strip() and (style or "").startswith(("Heading", "Title")):
            if any(lines):
                yield Page(name, joined(lines))
            name, lines = " ".join(block.text.split()), []
        lines += [block.text, ""]
    if any(lines):
        yield Page(name, joined(lines))


def _row(cells: Iterable[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)


# --- PowerPoint: slides -------------------------------------------------------------------------------------


def _slides(data: bytes) -> Iterator[Page]:
    import pptx

    for number, slide in enumerate(pptx.Presentation(io.BytesIO(data)).slides, 1):
        lines = list(_lines_of(slide.shapes))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text
            lines += ["", "Notes:", notes] if notes.strip() else []
        yield Page(str(number), joined(lines))


def _lines_of(shapes: Iterable[object]) -> Iterator[str]:
    """The texts of shapes, of those inside groups too."""
    pending = list(shapes)
    while pending:
        shape = pending.pop(0)
        if (inner := getattr(shape, "shapes", None)) is not None:
            pending = [*inner, *pending]
        elif getattr(shape, "has_table", False):
            table = getattr(shape, "table")  # noqa: B009 - no type has it before it is asked for
            yield from (_row(cell.text for cell in row.cells) for row in table.rows)
        elif getattr(shape, "has_text_frame", False):
            yield from str(getattr(shape, "text_frame").text).splitlines()  # noqa: B009
            yield ""


# --- Excel: sheets, a line for each row ---------------------------------------------------------------------


def _sheets(data: bytes) -> Iterator[Page]:
    import openpyxl

    # values as Excel last worked them out; read-only keeps only one row in memory
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # the file's own word on them may be a lie
        lines, problem = list[str](), ""
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            line = _row("" if value is None else str(value) for value in row).rstrip(" |")
            if not line:
                continue
            if number - len(lines) > _LONGEST_GAP:
                problem = f"its rows from {number} on are left out: too many empty ones stand before them"
                break
            lines += [""] * (number - len(lines) - 1) + [line]
        yield Page(sheet.title, "\n".join(lines), problem=problem)
