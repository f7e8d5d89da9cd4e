"""Lines for people: whatever they hold, they stay one line, and a terminal obeys nothing of it."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.console.figures import clock, money, size
from autoagent.console.line import Part, block, columns, dotted, line, short


def is_harmless(text: str) -> bool:
    """No control or format character, surrogate, or break of a line: nothing for a terminal to obey."""
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for char in text)


HOSTILE = [
    "first\nsecond",
    "carriage\rreturn",
    "\x1b[2J\x1b[31mred\x07",
    "\x9b31m",
    "a\u202eb\u2066c\u200bd",
    "next\x85line\u2028para\u2029",
    "\udcff\x00\x7f",
    "tab\tstop\x0bfeed\x0c",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_stays_one_line_that_a_terminal_shows_and_does_not_obey(text: str) -> None:
    """Line breaks, escape codes, bidi marks and surrogates are spelled out or become spaces."""
    for drawn in (str(line("said: ", text)), str(line(short(text, 40)))):
        assert is_harmless(drawn)
        assert len(drawn.splitlines()) == 1


@given(st.lists(st.text(), max_size=5))
def test_no_text_whatever_breaks_a_line(texts: list[str]) -> None:
    """Any text in any part gives one harmless line."""
    assert is_harmless(str(line(*texts)))
    assert is_harmless(str(dotted(*texts)))


def test_colours_stand_around_parts_and_come_from_nowhere_else() -> None:
    """A part's own escape codes are spelled out, inside the colour that we give it."""
    drawn = line("a ", Part("\x1b[0mb", "bad")).draw(coloured=True)

    assert drawn == "a \x1b[31m\\x1b[0mb\x1b[0m"


def test_a_block_frames_each_line_of_foreign_text() -> None:
    """What looks like a line of ours stands behind a bar."""
    lines = [str(each) for each in block("x\n✓ proved  all of it\r\n14:00:00 ! a")]

    assert lines == ["│ x", "│ ✓ proved  all of it\\x0d", "│ 14:00:00 ! a"]


def test_a_long_block_says_how_much_it_leaves_out() -> None:
    """At most so many lines, the last of which counts the rest."""
    assert [str(each) for each in block("a\nb\nc\nd", most=3)] == ["│ a", "│ b", "│ … 2 more lines"]


def test_a_line_is_cut_by_columns_not_by_characters() -> None:
    """Wide characters take two columns; a cut line never wraps."""
    assert line("日本語").draw(columns=5) == "日本…"
    assert line("abc", "def").draw(columns=4) == "abc…"
    assert line("abc").draw(columns=3) == "abc"


def test_columns_stand_beneath_each_other() -> None:
    """Also where a cell holds wide characters or hostile text."""
    rows = [(Part("a"), Part("x")), (Part("日本"), Part("y")), (Part("\x1b"), Part("z"))]

    assert [str(each) for each in columns(rows)] == ["a     x", "日本  y", "\\x1b  z"]


def test_signs_have_ascii_forms() -> None:
    """Where the stream's encoding has no such signs."""
    assert line("✓ proved · ▸ │").draw(ascii_only=True) == "+ proved - > |"


def test_empty_parts_leave_no_separator() -> None:
    """`None` and empty texts vanish from a dotted line."""
    assert str(dotted("a", None, "", line(""), "b")) == "a · b"


def test_figures_read_as_people_write_them() -> None:
    """Small sums show their digits; durations and sizes take the unit that fits."""
    assert [money(Decimal(usd)) for usd in ("0", "0.31", "0.0042", "12")] == [
        "$0.00",
        "$0.31",
        "$0.0042",
        "$12.00",
    ]
    assert [clock(s) for s in (9, 552, 3723)] == ["0:09", "9:12", "1:02:03"]
    assert [size(n) for n in (212, 8_100, 3_000_000, 81_000_000_000)] == [
        "212 B",
        "8.1 KB",
        "3.0 MB",
        "81.0 GB",
    ]
