"""Documents for tests, made as they are needed: PDF, Word, PowerPoint, Excel."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with these pages, line by line, in a font that has ligatures."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    lock = StandardEncryption(password, strength=128) if password else None
    canvas = Canvas(data, encrypt=lock, invariant=True)
    registerFont(TTFont("Vera", "Vera.ttf"))
    for page in pages:
        canvas.setFont("Vera", 12)
        for number, line in enumerate(page.splitlines()):
            canvas.drawString(40, 800 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


def docx(*blocks: str | Sequence[Sequence[str]]) -> bytes:
    """A Word file: `# text` is a heading, a list of rows a table, all else a paragraph."""
    import docx

    document = docx.Document()
    for block in blocks:
        if isinstance(block, str) and block.startswith("# "):
            document.add_heading(block[2:], level=1)
        elif isinstance(block, str):
            document.add_paragraph(block)
        else:
            table = document.add_table(rows=0, cols=len(block[0]))
            for row in block:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def pptx(*slides: tuple[str, str], notes: str = "") -> bytes:
    """A PowerPoint file: slides with title and body; `notes` belong to the last one."""
    import pptx

    presentation = pptx.Presentation()
    for title, body in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.placeholders[0].text = title
        slide.placeholders[1].text = body
    if notes:
        slide.notes_slide.notes_text_frame.text = notes
    data = io.BytesIO()
    presentation.save(data)
    return data.getvalue()


def xlsx(sheets: Mapping[str, Mapping[str, object]]) -> bytes:
    """An Excel file: sheets with their cells, `{"Travel": {"A1": "city"}}`."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for place, value in cells.items():
            sheet[place] = value
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()
