"""Command lines of checks that can be followed without a shell: `python FILE [args]` and `python -c CODE`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_SHELL = re.compile(r"[$`\\]")
"""Means something to a shell even inside double quotes."""
_GLOB = re.compile(r"[*?\[\]{}~]")
_FLAGS = frozenset({"-I", "-B", "-E", "-s", "-S", "-u", "-P"})


@dataclass(frozen=True)
class PythonCommand:
    """`python FILE args`, or `python -c code args`."""

    file: str | None
    code: str
    args: tuple[str, ...]


class NeedsShell(ValueError):
    """Why a command line can't be followed."""


def parse_command(line: str) -> PythonCommand:
    """The Python command that `line` is. Raises `NeedsShell` for everything else."""
    words = _words(line)
    if not words or not re.fullmatch(r"python(3(\.\d+)?)?", words[0]):
        raise NeedsShell(f"only `python FILE` can be checked without a shell, not {line!r}")
    rest = words[1:]
    while rest and rest[0] in _FLAGS:
        rest.pop(0)
    if len(rest) > 1 and rest[0] == "-c":
        return PythonCommand(None, rest[1], _plain(rest[2:], line))
    if not rest or rest[0].startswith("-"):
        raise NeedsShell(
            f"only `python FILE` and `python -c CODE` can be checked without Docker, not {line!r}"
        )
    file, *args = _plain(rest, line)
    return PythonCommand(file, "", tuple(args))


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise NeedsShell(f"the command {line!r} can't be read: {error}") from None
    if _SHELL.search(line) or "\n" in line or any(set(word) <= set("();<>|&") and word for word in words):
        raise NeedsShell(f"{line!r} needs a shell")
    return words


def _plain(words: list[str], line: str) -> tuple[str, ...]:
    if any(_GLOB.search(word) for word in words):
        raise NeedsShell(f"{line!r} needs a shell, which would expand its patterns")
    return tuple(words)
