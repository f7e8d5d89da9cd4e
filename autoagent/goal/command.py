"""The files that a command line names. Reads words, runs nothing."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from autoagent.errors import ToolError
from autoagent.paths import ROOT, join, workspace_path

_NO_FILE = frozenset("*?$`'\"{}:\n\t ")
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "zsh"})
_INTO = frozenset({"cd", "pushd", "-C"})
_LITERAL = re.compile(r"""(['"])([^'"\n]{1,500})\1""")
_TOKEN = re.compile(r"""[^\s'"`()\[\]{},;=<>|&]+""")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_DEEPEST = 3
"""Shells within shells that are looked into."""


def files_named(command: str, existing: Container[str] | None = None) -> list[str]:
    """The paths that a command line names.

    With the paths that exist, each of them that a word may mean: quoted, after `cd`, as a module after `-m`,
    in code after `-c`. Without them, the words that look like relative files: they hold a dot or a slash.
    """
    if existing is None:
        found = [path for word in _words(command) if (path := _like_a_file(word))]
        return [path for path in found if path != ROOT]
    return list(dict.fromkeys(path for path in _meant(command, existing, _DEEPEST) if path in existing))


def _words(command: str) -> list[str]:
    import shlex  # 2 ms, and only a `run:` needs it

    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # quotes that only a shell understands
        return command.split()


def _value(word: str) -> str:
    """`--config=x.toml`, `tests/test_a.py::test_b`: the part that may be a path."""
    return word.rpartition("=")[2].partition("::")[0]


def _like_a_file(word: str) -> str | None:
    path = _value(word)
    looks_like_file = ("." in path or "/" in path) and not path.startswith(("-", "/"))
    fits = looks_like_file and _NO_FILE.isdisjoint(path) and ".." not in Path(path).parts
    return Path(path).as_posix() if fits else None


def _meant(command: str, existing: Container[str], depth: int) -> Iterator[str]:
    """What each word may mean, from the workspace's own folder and from the folder that `cd` went to."""
    folders: tuple[str, ...] = (ROOT,)
    before, program = "", ""
    for word in _words(command):
        if before in _INTO:
            folders = tuple(dict.fromkeys((ROOT, *_inside((ROOT, folders[-1]), word))))
        elif before == "-m" or word.startswith("-m"):
            yield from _inside(folders, *_module(word.removeprefix("-m")))
        elif before.startswith("-") and before.endswith("c"):
            yield from _in_code(word, folders)
            if program in _SHELLS and depth:
                yield from (x for path in _meant(word, existing, depth - 1) for x in _inside(folders, path))
        else:
            yield from _inside(folders, word, _value(word), *_test_module(word))
        before = word
        program = word.rpartition("/")[2] if not word.startswith("-") else program


def _inside(folders: Sequence[str], *words: str) -> Iterator[str]:
    for folder in folders:
        for word in words:
            path = _path(folder, word)
            if path is not None:
                yield path


def _path(folder: str, word: str) -> str | None:
    """A word as a path of the workspace, seen from a folder of it; `None` where it leads out."""
    if not word or word.startswith("~"):
        return None
    try:
        path = workspace_path(word if word.startswith("/") else join(folder, word))
    except ToolError:
        return None  # most words of a command aren't paths
    return None if path == ROOT else path


def _module(name: str) -> tuple[str, ...]:
    """`python -m pkg.part`: a package's folder, or a file."""
    path = name.replace(".", "/")
    return (path, f"{path}.py") if _MODULE.fullmatch(name) else ()


def _test_module(word: str) -> tuple[str, ...]:
    """`python -m unittest tests.test_a.Case.test_b`: the files that a dotted name may stand in."""
    names = word.split(".")
    if not 2 <= len(names) <= 20 or not _MODULE.fullmatch(word):
        return ()
    starts = ("/".join(names[:count]) for count in range(2, len(names) + 1))
    return tuple(path for start in starts for path in (start, f"{start}.py"))


def _in_code(code: str, folders: Sequence[str]) -> Iterator[str]:
    """Texts in quotes, and all else that looks like a file's name."""
    yield from _inside(folders, *(text for _, text in _LITERAL.findall(code)))
    yield from _inside(folders, *(word for word in _TOKEN.findall(code) if "." in word or "/" in word))
