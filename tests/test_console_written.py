"""Arguments as a person edits them: texts as they stand, and back."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from autoagent.console.written import as_written, read

LETTER: dict[str, JsonValue] = {"to": "anna", "text": "Dear Anna,\n\nthanks\n", "cc": ["ben"], "n": 5}


def test_a_text_stands_as_it_is_beneath_its_name() -> None:
    """All else is JSON."""
    assert as_written({"to": "anna", "text": "a\nb", "n": 5}) == (
        "=== to\nanna\n=== text\na\nb\n=== n (JSON)\n5\n=== end\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        LETTER,
        {"text": "=== end\n==== x\nq"},
        {"a": "", "b": "\n\n", "c": " x \t"},
        {"a": "x", "b": "x\r\ny", "c": "\x1b[1m", "d": "p\u2028q\x0c"},
        {"a b": "x"},
        {"end": "x"},
        {},
        [1, {"a": None}],
        "words",
    ],
)
def test_what_isn_t_edited_comes_back_as_it_was(args: JsonValue) -> None:
    """Also with the empty lines that an editor puts behind it."""
    text = as_written(args)

    assert (read(text, args), read(f"{text}\n\n", args)) == (args, args)


def test_nothing_that_a_terminal_obeys_stands_in_it() -> None:
    """Such a text is JSON, with escapes."""
    assert as_written({"a": "x", "b": "\x1b[2J"}) == '=== a\nx\n=== b (JSON)\n"\\u001b[2J"\n=== end\n'


def test_an_edit_is_read_line_by_line() -> None:
    """Empty lines that only set blocks apart are none of a name's; JSON may take the place of all of it."""
    edited = as_written(LETTER).replace("thanks", "thank\nyou").replace("anna\n", "ben\n\n")

    assert read(edited, LETTER) == {**LETTER, "to": "ben", "text": "Dear Anna,\n\nthank\nyou\n"}
    assert read('{"to": "x"}', LETTER) == {"to": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n=== to\n=== end", "line 1: begin with === and the name of an argument: === to"),
        ("=== to\nanna", "the last line is gone: === end"),
        ("=== to\na\n=== to\nb\n=== end", "line 3: === to is there twice"),
        ("=== to\na\n=== cc (JSON)\n[\n\n=== end", "line 5, at '(empty)': a value is missing"),
        ('=== n (JSON)\n["a" "b"]\n=== end', "line 2, at .*: a comma is missing"),
        ("{", "line 1, at '{': a .name. is missing"),
    ],
)
def test_a_mistake_is_said_in_words_with_its_line(text: str, said: str) -> None:
    """Of what is edited, not of a part of it."""
    with pytest.raises(ValueError, match=said.replace("(", "\\(").replace(")", "\\)")):
        read(text, LETTER)
