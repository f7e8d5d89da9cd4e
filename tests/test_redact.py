"""Foreign text can be shown without moving a cursor, repainting a dialog or hiding a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.redact import cut, one_line, visible

ANY = st.text(st.characters(exclude_categories=()), max_size=40)
"""Every code point, surrogates too."""
ODD = st.text(
    "a \n\t\r\x00\x1b[\x7f\x9b\u200b\u202e\u2028\ud800\udcff\ufeff\ufe0f\u3164☂e\u0301\U000e0041", max_size=40
)


def assert_harmless(text: str) -> None:
    for char in text:
        assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class TestVisible:
    """Everything that a terminal could obey is spelled out."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain text, 100 %", "plain text, 100 %"),
            ("Grüße, 你好, שלום, e\u0301", "Grüße, 你好, שלום, e\u0301"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\x1b[2Jgone", "\\x1b[2Jgone"),
            ("over\rwritten", "over\\x0dwritten"),
            ("\x9b31m\x07", "\\x9b31m\\x07"),
            ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
            ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
            ("line\u2028end", "line\\u2028end"),
            ("b\udcffd", "b\\xffd"),
            ("half \ud83d", "half \\ud83d"),
            ("tag\U000e0041", "tag\\U000e0041"),
            ("filler\u3164", "filler\\u3164"),
            ("hidden\ufe01\U000e0101", "hidden\\ufe01\\U000e0101"),
            ("done ✔\ufe0f ⚠\ufe0f", "done ✔\ufe0f ⚠\ufe0f"),
            ("not here\ufe0f", "not here\\ufe0f"),
        ],
    )
    def test_what_is_shown(self, text: str, shown: str) -> None:
        """Letters of every script stay as they are."""
        assert visible(text) == shown

    @given(ANY | ODD)
    def test_nothing_that_could_be_obeyed_comes_out(self, text: str) -> None:
        """No control, no direction mark, no zero width, no half character, whatever came in."""
        shown = visible(text)

        assert_harmless(shown)
        shown.encode()

    @given(ANY | ODD)
    def test_lines_are_kept(self, text: str) -> None:
        """As many as there were newlines, no more and no fewer."""
        assert visible(text).count("\n") == text.count("\n")
        assert len(visible(text).splitlines()) == len(text.split("\n")) - (not text.split("\n")[-1])

    @given(ANY | ODD)
    def test_showing_twice_is_showing_once(self, text: str) -> None:
        """Text that is harmless already stays."""
        assert visible(visible(text)) == visible(text)


class TestOneLine:
    """A text in a list, a table, a status line."""

    @given(ANY | ODD, st.integers(0, 50))
    def test_it_is_one_harmless_line_within_its_limit(self, text: str, limit: int) -> None:
        """Whatever the text, and however small the room."""
        line = one_line(text * 3, limit)

        assert len(line) <= limit
        assert "\n" not in line
        assert "\t" not in line
        assert_harmless(line)

    @pytest.mark.parametrize(
        ("text", "limit", "line"),
        [
            ("", 10, ""),
            ("  a \n\t b  ", 10, "a b"),
            ("exactly 10", 10, "exactly 10"),
            ("eleven char", 10, "eleven ch…"),
            ("a" + " " * 100 + "b", 10, "a…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ],
    )
    def test_a_cut_is_marked(self, text: str, limit: int, line: str) -> None:
        """Also where only spaces stood between what is shown and what isn't."""
        assert one_line(text, limit) == line

    def test_a_text_of_megabytes_costs_nothing(self) -> None:
        """Only its beginning is looked at."""
        assert one_line("\x1b" * 50_000_000, 8) == "\\x1b\\x1…"


class TestCut:
    """A text with its middle left out."""

    @pytest.mark.parametrize(
        ("text", "limit", "result"),
        [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc\n… 1 characters left out …\nefg"),
            ("abcdefg", 5, "ab\n… 3 characters left out …\nfg"),
            ("abc", 1, "\n… 3 characters left out …\n"),
            ("abc", 0, "\n… 3 characters left out …\n"),
        ],
    )
    def test_both_ends_are_kept(self, text: str, limit: int, result: str) -> None:
        """The note says how much is missing."""
        assert cut(text, limit) == result

    @given(st.text("ab\n", max_size=300), st.integers(0, 100))
    def test_it_is_never_much_longer_than_its_limit(self, text: str, limit: int) -> None:
        """The limit, and the note."""
        assert len(cut(text, limit)) <= max(limit, 0) + 40
