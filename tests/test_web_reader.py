"""From bytes to text: charsets, kinds, pages, HTML and PDF. All in this process."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sites import pdf

from autoagent_web.found import Found, cleaned, fetchable, listed
from autoagent_web.reader import Document, Kind, Reading, read
from autoagent_web.text import decoded, kind_of, pages_of

URL = "http://site.example/docs/page.html"
LONG = "The harbour of Brenn was opened in 1874 after eleven years of work on its northern mole. " * 4
PAGE = f"""<!doctype html><html lang="de"><head><title>Harbour</title><meta name="author" content="Ada Holm">
<meta name="date" content="2026-03-01"></head><body><nav><a href="/">Home</a><a href="next.html">Next</a>
<a href="javascript:alert(1)">Trap</a></nav><article><h1>Harbour</h1>
<p>{LONG}</p><p>{LONG} See the <a href="plan.html#mole">plan</a>, and
<a href="//other.example/x?a=1&amp;b=2">more</a>.</p>
<table><tr><th>Year</th><th>Ships</th></tr><tr><td>1874</td><td>212</td></tr></table></article></body></html>"""


def reading(content: bytes | str, kind: Kind = "html", page: int = 1, size: int = 5_000) -> Reading:
    data = content if isinstance(content, bytes) else content.encode()
    return read(Document(kind=kind, url=URL, page=page, size=size), data)


def test_a_reader_that_cannot_be_imported_is_no_fault_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is named as one."""
    monkeypatch.setitem(sys.modules, "autoagent_web.html", None)

    assert "autoagent's reader doesn't work here" in reading(PAGE).problem


# --- HTML ---------------------------------------------------------------------------------------------------


def test_page_becomes_its_main_text_with_what_it_says_of_itself() -> None:
    """Title, author, date and language; the table as Markdown; no navigation in the text."""
    found = reading(PAGE)

    assert (found.title, found.author, found.date, found.language) == (
        "Harbour",
        "Ada Holm",
        "2026-03-01",
        "de",
    )
    assert LONG.strip() in found.text
    assert "| 1874 | 212 |" in found.text
    assert "Trap" not in found.text


def test_links_are_absolute_as_a_browser_resolves_them() -> None:
    """Relative to the page's folder; those of the navigation stand after the text."""
    text, _, others = reading(PAGE).text.partition("Other links of this page:\n")

    assert "[more](http://other.example/x?a=1&b=2)" in text
    assert "(http://site.example/docs/plan.html" in text
    assert others.splitlines() == [
        "- [Home](http://site.example/)",
        "- [Next](http://site.example/docs/next.html)",
    ]


def test_base_of_the_page_counts() -> None:
    """`<base href>` moves what links are relative to."""
    page = PAGE.replace("<head>", '<head><base href="/elsewhere/">')

    assert "(http://site.example/elsewhere/next.html)" in reading(page).text


def test_page_without_a_main_text_gives_all_its_text() -> None:
    """A page of buttons and fragments still says something; scripts never do."""
    page = "<html><body><div>Open</div><div>9-17</div><script>var hidden = 1</script></body></html>"
    text = reading(page).text

    assert text.split() == ["Open", "9-17"]


def test_page_of_links_is_a_list_of_links() -> None:
    """Nothing but navigation: that is what it holds."""
    anchors = "".join(f'<li><a href="/p{n}">Page {n}</a></li>' for n in range(60))
    text = reading(f"<html><body><ul>{anchors}</ul></body></html>").text

    assert "(http://site.example/p3)" in text
    assert "(20 more links are not shown)" in text or "(http://site.example/p59)" in text


@pytest.mark.parametrize("content", ["", "   ", "<html><body></body></html>", "<!-- -->", "\0\0\0"])
def test_page_without_text_is_a_problem(content: str) -> None:
    """Said in words; nothing is made up."""
    assert reading(content).problem != ""


@pytest.mark.parametrize(
    "content",
    [
        "<div>" * 5_000 + "deep" + "</div>" * 5_000,
        "<p>" + "<b>" * 3_000 + "x",
        "<table>" * 500,
        "<a href='" * 400,
    ],
    ids=["deep", "open", "tables", "quotes"],
)
def test_odd_html_ends_well(content: str) -> None:
    """A text or a problem, never an exception."""
    found = reading(content)

    assert bool(found.text) != bool(found.problem)


def test_xml_declaration_is_no_obstacle() -> None:
    """XHTML as it is sent."""
    assert LONG.strip() in reading(f'<?xml version="1.0" encoding="utf-8"?>\n{PAGE}').text


# --- charsets -----------------------------------------------------------------------------------------------

GERMAN = "Größe und Überfluß der Häfen, schön gezählt"


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        (GERMAN.encode(), "", GERMAN),
        (GERMAN.encode("latin-1"), "iso-8859-1", GERMAN),
        (GERMAN.encode("utf-16"), "", GERMAN),
        (b"\xef\xbb\xbf" + GERMAN.encode(), "latin-1", GERMAN),
        (GERMAN.encode("latin-1") * 8, "", GERMAN * 8),
        ("日本語のページです。".encode("shift-jis"), "shift_jis", "日本語のページです。"),
        (b"abc", "no-such-charset", "abc"),
        (b"abc", "base64", "abc"),
        (b"a-b" * 1_000_000, "punycode", "a-b" * 1_000_000),
        (rb"\u0041", "unicode_escape", r"\u0041"),
        ("“Größe”".encode("cp1252"), "latin1", "“Größe”"),
        ("Ж".encode("koi8-r"), "KOI8-R", "Ж"),
        ("\U00020000".encode("gb18030"), "gb2312", "\U00020000"),
        (b"ok \xff\xfe", "utf-8", "ok \ufffd\ufffd"),
    ],
)
def test_text_is_decoded_by_what_is_declared_else_as_it_looks(
    content: bytes, declared: str, text: str
) -> None:
    """A mark of byte order counts most; an unknown charset counts nothing."""
    assert decoded(content, declared, "text") == text


def test_html_says_its_charset_itself() -> None:
    """`<meta charset>` holds where the server is silent, and not against the server."""
    page = f'<html><head><meta charset="windows-1251"></head><body>{"Порт"}</body></html>'

    assert "Порт" in decoded(page.encode("cp1251"), "", "html")
    assert "Порт" in decoded(page.encode(), "utf-8", "html")


# --- kinds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "content", "kind"),
    [
        ("text/html", b"x", "html"),
        ("application/xhtml+xml", b"x", "html"),
        ("text/plain", b"x", "text"),
        ("text/plain", b"<!doctype html><p>x", "html"),
        ("text/markdown", b"# x", "text"),
        ("application/json", b"{}", "text"),
        ("application/ld+json", b"{}", "text"),
        ("application/rss+xml", b"<rss/>", "text"),
        ("application/pdf", b"x", "pdf"),
        ("application/octet-stream", b"%PDF-1.7", "pdf"),
        ("text/html", b"%PDF-1.7", "pdf"),
        ("", b"<html><p>x", "html"),
        ("", b"plain words", "text"),
        ("application/octet-stream", b"\x7fELF\0\0", None),
        ("image/png", b"\x89PNG", None),
        ("application/zip", b"PK", None),
    ],
)
def test_kind_follows_the_server_and_the_first_bytes(
    media_type: str, content: bytes, kind: Kind | None
) -> None:
    """What can't be read by anything here has none."""
    assert kind_of(media_type, content) == kind


# --- pages of a long text -----------------------------------------------------------------------------------


@given(st.text(alphabet="ab .\n", max_size=400), st.integers(2, 50))
def test_pages_hold_the_whole_text(text: str, size: int) -> None:
    """None is longer than wanted, none is empty but the only one, and nothing but white space is lost."""
    pages = pages_of(text, size)

    assert all(len(page) <= size for page in pages)
    assert pages == [""] or all(pages)
    assert "".join("".join(pages).split()) == "".join(text.split())


def test_page_ends_where_a_paragraph_does() -> None:
    """The second paragraph is whole on the second page."""
    first, second = "a " * 300, "b " * 300

    assert pages_of(f"{first}\n\n{second}", 800) == [first.strip(), second.strip()]


def test_page_that_is_not_there_is_a_problem() -> None:
    """It says how many there are."""
    assert (
        reading("word " * 1_000, "text", page=9, size=1_000).problem
        == "it has 5 pages, and page 9 was asked for"
    )


# --- PDF ----------------------------------------------------------------------------------------------------


def test_pdf_is_read_page_by_page() -> None:
    """As many whole pages as fit; the number of the next one follows from the last."""
    content = pdf(*(f"Page {n}\n" + "word\n" * 30 for n in range(1, 6)), title="Tide tables")
    found = reading(content, "pdf", page=2, size=400)

    assert (found.page, found.last, found.pages) == (2, 3, 5)
    assert (found.title, found.date) == ("Tide tables", "2026-03-01")
    assert found.text.startswith("[page 2 of 5]\nPage 2\nword")
    assert "[page 3 of 5]" in found.text
    assert "Page 4" not in found.text


@pytest.mark.parametrize(
    ("content", "page", "why"),
    [
        (b"%PDF-1.4\nnothing at all", 1, "it is broken"),
        (pdf("x")[:120], 1, "it is broken"),
        (pdf("", ""), 1, "it holds no text; it may be a scan, whose pages are pictures"),
        (pdf("x"), 2, "it has 1 page, and page 2 was asked for"),
        (pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"), 1, ""),
        (pdf("x").replace(b"/Count 1", b"/Count 999999999"), 1, ""),
        (
            pdf("x").replace(b"/MediaBox [0 0 612 792]", b"/Annots [99 0 R 7 (a)]    "),
            1,
            "it is broken (AttributeError",
        ),
    ],
    ids=[
        "nothing",
        "cut off",
        "a scan",
        "no such page",
        "its own child",
        "a lie about its pages",
        "odd links",
    ],
)
def test_pdf_that_cannot_be_read_says_why(content: bytes, page: int, why: str) -> None:
    """A problem in words, or a text where pypdf makes sense of it; never an exception."""
    found = reading(content, "pdf", page=page)

    assert found.problem.startswith(why)
    assert found.problem or found.text


def test_links_of_a_pdf_stand_beneath_its_pages() -> None:
    """Where they lead, spelled so that they can be fetched; not those that lead nowhere on the web."""
    assert reading(pdf("words", link="http://a.example/x y"), "pdf").text == (
        "[page 1 of 1]\nwords\nlink: http://a.example/x%20y"
    )
    assert "link:" not in reading(pdf("words", link="javascript:x"), "pdf").text


def test_page_too_long_to_look_for_a_main_text_gives_all_of_it() -> None:
    """A book on one page: its title, and its words in order."""
    found = reading(f"<html><title>A book</title><body>{'<p>word word</p>' * 130_000}</body></html>")

    assert (found.title, found.text[:19]) == ("A book", "word word\nword word")
    assert found.pages > 100


@given(st.binary(max_size=60), st.integers(0, 500))
def test_damaged_pdf_is_no_accident(noise: bytes, at: int) -> None:
    """Any bytes anywhere in it: a text or a problem."""
    whole = pdf("some words")
    found = reading(whole[:at] + noise + whole[at + len(noise) :], "pdf")

    assert bool(found.text) != bool(found.problem)


# --- results ------------------------------------------------------------------------------------------------


def test_results_are_numbered_plain_and_without_repeats() -> None:
    """Markup and entities are gone, an address comes once, what can't be fetched not at all."""
    found = cleaned(
        [
            Found(
                "<b>Harbour</b> &amp; mole",
                "http://a.example/x",
                "It <strong>opened</strong> in 1874",
                "2026-03-01T10:00:00",
            ),
            Found("Again", "http://a.example/x#part"),
            Found("", "http://b.example/größe"),
            Found("Trap", "javascript:alert(1)"),
            Found("Trap", "http://user:pass@a.example/"),
        ],
        limit=5,
    )

    assert listed(found) == (
        "1. Harbour & mole\n   http://a.example/x\n   2026-03-01 · It opened in 1874\n\n"
        "2. http://b.example/gr%C3%B6%C3%9Fe\n   http://b.example/gr%C3%B6%C3%9Fe"
    )


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://a.example/a b?q=ü", "https://a.example/a%20b?q=%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://a.example/%20?x=1&y=(2)#top", "https://a.example/%20?x=1&y=(2)"),
        ("ftp://a.example/", None),
        ("http://[broken/", None),
        ("", None),
    ],
)
def test_address_is_spelled_so_that_it_can_be_fetched(url: str, spelled: str | None) -> None:
    """Percent-encoded, the host in ASCII, what is encoded left as it is."""
    assert fetchable(url) == spelled
