"""HTML, Markdown and plain text, in sections by their headings. Nothing but the standard library is needed.

All of a page's text is wanted here, not what an extractor of articles takes for the article.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from autoagent_documents.pages import Page, Parsed, Unreadable, joined

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CHARSET = re.compile(rb"""charset=["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def opened(kind: str, data: bytes) -> Parsed:
    """The document's pages. Raises `Unreadable`."""
    text = _decoded(data, is_html=kind == "html").replace("\r\n", "\n")
    if kind == "html":
        return Parsed(list(_html_sections(text)))
    lines = text.removesuffix("\n").split("\n")
    if kind == "markdown":
        return Parsed(list(_markdown_sections(lines)))
    return Parsed([Page("text", text)])


def _decoded(data: bytes, *, is_html: bool) -> str:
    """The text, by its byte order mark, by what the page says, as UTF-8, else as Windows wrote it."""
    bom = next((codec for mark, codec in _BOMS.items() if data.startswith(mark)), None)
    if bom is None and b"\0" in data[:4096]:
        raise Unreadable("it is no text: it holds zero bytes")
    said = _CHARSET.search(data[:2048]) if is_html else None
    codecs = (bom, said[1].decode() if said else None, "utf-8", "cp1252")
    for codec in filter(None, codecs):
        try:
            return data.decode(codec)
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


# --- Markdown -----------------------------------------------------------------------------------------------


def _markdown_sections(lines: list[str]) -> Iterator[Page]:
    """The lines from one heading to the next, as they are; headings in code don't count."""
    name, start, fence = "start", 0, ""
    for index, line in enumerate(lines):
        opening = _FENCE.match(line)
        if opening and not fence:
            fence = opening[1]
        elif opening and opening[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
            continue
        heading = None if fence else _heading(lines, index)
        if heading is not None:
            yield from _section(name, lines, start, index)
            name, start = heading, index
    yield from _section(name, lines, start, len(lines))


def _heading(lines: list[str], index: int) -> str | None:
    """The heading that begins with this line."""
    if match := _ATX.match(lines[index]):
        return match[2] or "-"
    underlined = index + 1 < len(lines) and _SETEXT.match(lines[index + 1])
    before_is_empty = index == 0 or not lines[index - 1].strip()
    is_title = lines[index].strip() and not lines[index].lstrip().startswith(("-", "|", ">", "*"))
    return lines[index].strip() if underlined and before_is_empty and is_title else None


def _section(name: str, lines: list[str], start: int, end: int) -> Iterator[Page]:
    if any(line.strip() for line in lines[start:end]):
        yield Page(name, "\n".join(lines[start:end]), line=start + 1)


# --- HTML ---------------------------------------------------------------------------------------------------

_HEADINGS = {"h1", "h2", "h3"}
_SILENT = {"script", "style", "noscript", "template", "svg", "nav", "head"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption"),
    *("footer", "form", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section"),
    *("table", "tr", "ul"),
}
_PARAGRAPHS = {"p", "table", "ul", "ol", "dl", "section", "article", "h4", "h5", "h6", "blockquote", "pre"}


def _html_sections(text: str) -> Iterator[Page]:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.end_section()
    yield from reader.pages


class _Reader(HTMLParser):
    """The text of a page as a browser shows it, divided at `h1` to `h3`; what is never shown is left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pages: list[Page] = []
        self._name, self._lines, self._words = "start", list[str](), list[str]()
        self._silent: list[str] = []
        self._is_heading = self._is_verbatim = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag == "body":
            self._silent.clear()  # a head that nobody closed
        elif tag in _HEADINGS:
            self._end_line()
            self.end_section()
            self._is_heading = True
        elif tag in ("td", "th"):
            self._words += [" | "] if "".join(self._words).strip() else []
        elif tag in _BLOCKS:
            self._end_line(tag)
            self._is_verbatim = tag == "pre" or self._is_verbatim

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _HEADINGS and self._is_heading:
            self._name = " ".join("".join(self._words).split()) or "-"
            self._is_heading = False
            self._end_line("p")
        elif tag in _BLOCKS:
            self._end_line(tag)
            self._is_verbatim = tag != "pre" and self._is_verbatim

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words.append(data)

    def end_section(self) -> None:
        self._end_line()
        if any(self._lines):
            self.pages.append(Page(self._name, joined(self._lines)))
        self._lines = []

    def _end_line(self, tag: str = "") -> None:
        text, self._words = "".join(self._words), []
        if self._is_verbatim:
            self._lines += text.splitlines()
        elif line := " ".join(text.split()):
            self._lines.append(line)
        if tag in _PARAGRAPHS and self._lines and self._lines[-1]:
            self._lines.append("")
