"""Workspace paths as models write them, and roots as goals write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.errors import ToolError
from autoagent.paths import from_raw, is_beneath, overlaps, raw, workspace_path

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("notes/a.md", "notes/a.md"),
        ("./notes//a.md", "notes/a.md"),
        ("notes/", "notes"),
        ("a/b/../c", "a/c"),
        ("a/..", "."),
        (".", "."),
        ("./", "."),
        ("/workspace/notes/a.md", "notes/a.md"),
        ("/workspace", "."),
        ("/workspace/", "."),
        ("/workspace//a", "a"),
        (" a ", " a "),
        ("...", "..."),
        ("a\nb", "a\nb"),
        ("\udcff", "\udcff"),
        ("\udcc3\udca9", "é"),
    ],
)
def test_what_a_model_writes_becomes_one_spelling(text: str, path: str) -> None:
    """Relative, without `.` and `..`, the sandbox's mount left out."""
    assert workspace_path(text) == path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("..", "leads out of the workspace"),
        ("a/../../b", "leads out of the workspace"),
        ("/workspace/../etc/passwd", "leads out of the workspace"),
        ("/etc/passwd", "is absolute"),
        ("/workspaces/a", "is absolute"),
        ("a\0b", "NUL"),
        ("\ud83d", "lone surrogate"),
        ("x" * 256, "too long"),
        ("ü" * 128, "too long"),
        ("a/" * 2500, "too long"),
    ],
)
def test_what_is_no_path_is_refused_with_the_reason(text: str, why: str) -> None:
    """The model reads what is wrong with it."""
    with pytest.raises(ToolError, match=why):
        workspace_path(text)


@given(st.text(max_size=30))
def test_a_path_stays_inside_and_is_its_own_spelling(text: str) -> None:
    """Whatever comes in: what comes out is relative, has no dots, and comes out the same again."""
    try:
        path = workspace_path(text)
    except ToolError:
        return

    assert not path.startswith("/")
    assert path == "." or all(name not in ("", ".", "..") for name in path.split("/"))
    assert workspace_path(path) == path or not path.strip()
    assert from_raw(raw(path)) == path


@pytest.mark.parametrize(
    ("root", "inside", "outside"),
    [
        (".", ["a", "a/b", ".git/HEAD"], []),
        ("notes/", ["notes", "notes/a", "notes/x/y"], ["notes2", "notes.md", "x/notes"]),
        ("notes", ["notes", "notes/a"], ["notes2"]),
        ("./notes", ["notes/a"], ["a"]),
        ("a.md", ["a.md"], ["b/a.md", "a.md2"]),
        ("*.md", ["a.md", ".md", ".hidden.md", "a.md/x"], ["a.txt", "docs/a.md", "a.mdx"]),
        ("**/*.md", ["a.md", "docs/a.md", "docs/x/a.md"], ["a.txt", "docs/a.md.txt"]),
        ("src/**/*.py", ["src/a.py", "src/x/y/a.py"], ["a.py", "src/a.txt", "lib/src/a.py"]),
        ("src/**", ["src/a", "src/x/y"], ["srcs/a"]),
        ("logs/202?-*.log", ["logs/2025-a.log"], ["logs/20255-a.log", "logs/x/2025-a.log"]),
        ("[a-c].txt", ["a.txt", "[a-c].txt"], ["d.txt", "ab.txt"]),
        ("[!a]x", ["bx"], ["ax", "/x"]),
        ("a[b", ["a[b"], ["ab"]),
        ("a+b(c)", ["a+b(c)"], ["aab(c)"]),
        ("*", ["a", "a/b"], []),
    ],
)
def test_roots(root: str, inside: list[str], outside: list[str]) -> None:
    """A root is a path with what is beneath it, or a glob."""
    assert [p for p in inside if not is_beneath(p, [root])] == []
    assert [p for p in outside if is_beneath(p, [root])] == []


def test_no_roots_hold_nothing() -> None:
    """And more roots hold more."""
    assert not is_beneath("a", [])
    assert is_beneath("b/c", ["a", "b"])


@pytest.mark.parametrize(
    ("path", "root", "does"),
    [
        ("tests", "tests/secret.py", True),
        (".", "tests/", True),
        ("tests/a", "tests", True),
        ("testsuite", "tests/a", False),
        ("src", "src/**/*.py", True),
        ("src/x", "src/**/*.py", True),
        ("docs", "src/**/*.py", False),
        ("anything", "**/*.py", True),
        ("a", "b", False),
    ],
)
def test_overlap_asks_whether_a_folder_may_hold_a_root(path: str, root: str, does: bool) -> None:
    """What is deleted with a folder counts, not only its own name."""
    assert overlaps(path, [root]) is does


@given(st.lists(names, min_size=1, max_size=4).map("/".join), st.lists(names, min_size=1, max_size=3))
def test_a_root_holds_itself_and_what_is_beneath(path: str, deeper: list[str]) -> None:
    """Of any name, whatever a pattern could make of it."""
    if not {".", ".."} & set(path.split("/")):
        assert is_beneath("/".join([path, *deeper]), [path])
        assert is_beneath(path, [path + "/"])
