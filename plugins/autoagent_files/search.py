"""Searching lines by a regular expression that nobody vouches for.

Python's `re` can't be stopped: `(a+)+$` on one line of thirty letters takes minutes and holds the interpreter
lock. So the matching is done by a process of its own (`matcher.py`, 25 ms), which is killed at a time limit.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autoagent.door.tools import FilesView, ToolError
from autoagent.messages import Frozen
from autoagent.paths import spelled
from autoagent_files.text import binary_kind, counted

TIMEOUT_S = 10.0
MOST_MATCHES = 100
MOST_BYTES = 32_000_000
"""Of all files together, held in memory twice for a moment."""
PATTERN_CHARS = 1_000

_MATCHER = str(Path(__file__).with_name("matcher.py"))


class _Answer(Frozen):
    """What the matcher says."""

    matches: tuple[tuple[int, int, str], ...]
    """(which file, line number, text)"""
    notes: tuple[str, ...]


@dataclass
class _Searched:
    """What is given to the matcher, and what isn't."""

    paths: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def found(files: FilesView, pattern: str, path: str, timeout_s: float = TIMEOUT_S) -> str:
    """Matching lines, and what was not searched. Raises `ToolError` for a pattern that can't be used."""
    if not pattern:
        raise ToolError("`pattern` is empty; give a text or a regular expression to look for")
    if len(pattern) > PATTERN_CHARS:
        raise ToolError(f"`pattern` is longer than {PATTERN_CHARS} characters; look for a part of it")
    searched = _collect(files, path)
    answer = await _match(pattern, searched, timeout_s)
    lines = [f"{spelled(searched.paths[n])}:{number}: {line}" for n, number, line in answer.matches]
    names = [spelled(p) for p in searched.paths if pattern in p.rpartition("/")[2]][:10]
    if not lines:
        lines = [f"no line matches in {counted(len(searched.paths), 'file')}"]
        if names:
            lines.append(f"but these files are named like it: {', '.join(names)}")
    return "\n".join([*lines, *(f"[{note}]" for note in (*answer.notes, *searched.notes))])


def _collect(files: FilesView, path: str) -> _Searched:
    searched = _Searched()
    total = binary = 0
    for file in _files_in(files, path, searched):
        entry = files.stat(file)
        if entry is not None and entry.size > MOST_BYTES:
            searched.notes.append(
                f"{spelled(file)} was not searched: it has {entry.size} bytes; read it in pages"
            )
            continue
        data = files.read(file)
        if binary_kind(data) is not None:
            binary += 1
        elif total + len(data) > MOST_BYTES:
            searched.notes.append(
                f"only the files up to {spelled(file)} were searched: search in a subfolder"
            )
            break
        else:
            total += len(data)
            searched.paths.append(file)
            searched.contents.append(data)
    if binary:
        searched.notes.append(f"{counted(binary, 'binary file')} not searched")
    return searched


def _files_in(files: FilesView, path: str, searched: _Searched) -> Iterator[str]:
    """Files beneath `path`; hidden folders only where it leads into one."""
    tree = files.tree()
    if path != "." and tree.entries[path].kind != "folder":
        yield path
        return
    hidden: list[str] = []
    pending = ["" if path == "." else path]
    while pending:
        folder = pending.pop()
        inner: list[str] = []
        for name in tree.folders[folder].names:
            inside = f"{folder}/{name}" if folder else name
            kind = tree.entries[inside].kind
            if kind == "file":
                yield inside
            elif kind == "folder" and name.startswith("."):
                hidden.append(spelled(inside))
            elif kind == "folder":
                inner.append(inside)
        pending.extend(reversed(inner))
    if hidden:
        more = ", …" if len(hidden) > 5 else ""
        searched.notes.append(f"hidden folders not searched: {', '.join(hidden[:5])}{more}")


async def _match(pattern: str, searched: _Searched, timeout_s: float) -> _Answer:
    head = {"pattern": pattern, "sizes": [len(c) for c in searched.contents], "most": MOST_MATCHES}
    request = json.dumps(head).encode() + b"\n" + b"".join(searched.contents)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", _MATCHER),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={},  # it needs no key of anybody's
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, problem = await process.communicate(request)
    except TimeoutError:
        raise ToolError(
            f"the search was stopped after {timeout_s:g} s: the pattern {pattern!r} takes too long to match; "
            "look for a plain text, or without repetitions inside repetitions"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        why = (
            problem.decode(errors="replace").strip().rpartition("\n")[2]
            or f"exit status {process.returncode}"
        )
        raise ToolError(f"the search failed ({why}); look for something simpler, or in fewer files")
    return _Answer.model_validate_json(output)
