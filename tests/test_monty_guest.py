"""What stands in for modules that monty lacks gives what CPython's own modules give.

The functions run here in CPython, where many inputs cost little; that they run in monty too is tested by
`test_monty_sandbox.py`.
"""

from __future__ import annotations

import fnmatch
import glob
import heapq
import io
import math
import operator
import shutil
import statistics
import string
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.sandboxes.monty_guest import MODULES

TEXTS = st.text(alphabet="ab -_.,'\n\t1é", max_size=80)
NUMBERS = st.lists(st.integers(-50, 50) | st.floats(-100, 100), min_size=2, max_size=12)


@given(TEXTS, st.integers(6, 20), st.sampled_from(["", "> ", "    "]), st.sampled_from(["", "- "]))
def test_wrap_breaks_where_textwrap_does(text: str, width: int, first: str, other: str) -> None:
    """At spaces, after hyphens, and inside words that are too long."""
    wrap = MODULES["textwrap"]()["wrap"]

    lines = wrap(text, width, initial_indent=first, subsequent_indent=other)
    assert lines == textwrap.wrap(text, width, initial_indent=first, subsequent_indent=other)


@given(TEXTS, st.integers(8, 30))
def test_other_text_functions_are_textwraps(text: str, width: int) -> None:
    """dedent, indent, shorten."""
    names = MODULES["textwrap"]()

    assert names["dedent"](text) == textwrap.dedent(text)
    assert names["indent"](text, "> ") == textwrap.indent(text, "> ")
    assert names["shorten"](text, width) == textwrap.shorten(text, width)


@given(NUMBERS)
def test_statistics_agree(values: list[float]) -> None:
    """To nine digits: CPython sums exactly, we in floats."""
    for name, function in MODULES["statistics"]().items():
        expected = getattr(statistics, name)(values)
        if name == "multimode":
            assert function(values) == expected
        else:
            assert math.isclose(function(values), expected, rel_tol=1e-9, abs_tol=1e-9), name


@given(st.text(alphabet="ab.]1", max_size=6), st.text(alphabet="ab*?[]!.1", max_size=6))
def test_patterns_match_what_fnmatch_matches(name: str, pattern: str) -> None:
    """Sets, negated sets, and brackets that are never closed."""
    assert MODULES["fnmatch"]()["fnmatch"](name, pattern) == fnmatch.fnmatchcase(name, pattern)


@given(st.lists(st.integers(0, 9)), st.integers(-1, 5))
def test_heaps_give_their_items_in_order(items: list[int], count: int) -> None:
    """By popping, and as the largest and smallest."""
    names, heap = MODULES["heapq"](), []
    for item in items:
        names["heappush"](heap, item)

    assert names["nlargest"](count, items) == heapq.nlargest(count, items)
    assert names["nsmallest"](count, items) == heapq.nsmallest(count, items)
    assert [names["heappop"](heap) for _ in items] == sorted(items)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ["a.txt", "b.md", ".hidden.txt", "sub/c.txt", "sub/deep/d.txt", "sub/.h/e.txt", "x[1].txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.txt",
        "a.txt",
        "no.txt",
        "sub/*.txt",
        "*/*.txt",
        "**/*.txt",
        "sub/**/*.txt",
        ".*",
        "?.md",
        "[ab].*",
    ],
)
@pytest.mark.parametrize("recursive", [False, True])
def test_glob_finds_what_glob_finds(folder: Path, pattern: str, recursive: bool) -> None:
    """Relative and absolute; hidden names only where they are asked for."""
    found = MODULES["glob"]()["glob"]

    for asked in (pattern, str(folder / pattern)):
        expected = glob.glob(asked, recursive=recursive)  # noqa: PTH207 - what it is measured against
        assert sorted(found(asked, recursive=recursive)) == sorted(expected)


def test_copies_and_moves_are_shutils(folder: Path) -> None:
    """Into a folder or onto a name, and whole folders."""
    ours, theirs = MODULES["shutil"](), vars(shutil)
    for names, out in ((ours, Path("ours")), (theirs, Path("theirs"))):
        out.mkdir()
        names["copy"]("a.txt", out)
        names["copyfile"]("b.md", str(out / "copied.md"))
        names["copytree"]("sub", out / "tree")
        names["move"](str(out / "tree/deep"), str(out))
        names["move"](str(out / "copied.md"), str(out / "moved.md"))
        names["rmtree"](out / "tree/.h")

    def held(top: Path) -> dict[str, str]:
        return {str(p.relative_to(top)): p.read_text() for p in top.rglob("*") if p.is_file()}

    assert held(Path("ours")) == held(Path("theirs"))


def test_constants_are_strings() -> None:
    """Every constant of `string`."""
    names = MODULES["string"]()

    assert {key: value for key, value in names.items() if isinstance(value, str)} == {
        key: value
        for key, value in vars(string).items()
        if key.islower() and isinstance(value, str) and key[0] != "_"
    }
    assert names["capwords"]("ab  CD") == string.capwords("ab  CD")


@pytest.mark.parametrize("keys", [(0,), (1, 0)])
def test_getters_are_operators(keys: tuple[int, ...]) -> None:
    """One key gives a value, several a tuple."""
    assert MODULES["operator"]()["itemgetter"](*keys)("xy") == operator.itemgetter(*keys)("xy")


def test_text_in_memory_is_a_file() -> None:
    """Reading, writing and iterating as `io.StringIO` does."""
    for made in (MODULES["io"]()["StringIO"], io.StringIO):
        text = made("one\ntwo\nthree")
        said = [text.readline(), text.read(2), list(text), text.seek(0), text.write("ONE"), text.getvalue()]

        assert said == ["one\n", "tw", ["o\n", "three"], 0, 3, "ONE\ntwo\nthree"]


def test_suppress_swallows_only_what_it_names() -> None:
    """As `contextlib.suppress`."""
    suppress = MODULES["contextlib"]()["suppress"]

    with suppress(KeyError, ValueError):
        raise ValueError
    with pytest.raises(TypeError), suppress(KeyError):
        raise TypeError
