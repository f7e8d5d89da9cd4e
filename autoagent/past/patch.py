"""The lines that differ between two versions of a file, as a unified diff with bounds. Pure over objects."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from autoagent.past.changes import PathChange
from autoagent.trees import ObjectSource, TreeEntry

TEXT_LIMIT_BYTES = 512 * 1024
"""Larger files are told by size and hash."""
_LINES = 6_000
"""Lines of one side, without what both begin and end with: comparing costs their product at worst."""
_CONTEXT = 3
_NO_END = "\\ No newline at end of file"

Body = Literal["text", "binary", "large", "none"]
"""What is compared: lines, or size and hash alone; `none`: no content changed."""


@dataclass(frozen=True)
class Patch:
    """How a path's content changed."""

    body: Body
    lines: tuple[str, ...] = ()
    """Of a unified diff, from its first `@@` on, without line breaks."""
    added: int = 0
    removed: int = 0


def patch(change: PathChange, objects: ObjectSource) -> Patch:
    """The difference of one path. Links are compared by their targets. Raises `StoreUnavailable`."""
    if not change.is_content:
        return Patch("none")
    was, now = _content(change.was, objects), _content(change.now, objects)
    return Patch("large") if was is None or now is None else patch_of(was, now)


def patch_of(was: bytes, now: bytes) -> Patch:
    """The difference of two contents."""
    old, new = _lines_of(was), _lines_of(now)
    if old is None or new is None:
        return Patch("binary")
    if not old and not new:
        return Patch("none")
    same = _same_at_both_ends(old, new)
    if max(len(old), len(new)) - sum(same) > _LINES:
        return Patch("large")
    lines = tuple(_unified(old, new, *same))
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    return Patch("text", lines, added, removed)


def _content(entry: TreeEntry | None, objects: ObjectSource) -> bytes | None:
    """Bytes of a file, target of a link, nothing for a folder; `None` where there are too many."""
    if entry is None or entry.kind == "folder":
        return b""
    return objects.get(entry.sha256) if entry.size <= TEXT_LIMIT_BYTES else None


def _lines_of(data: bytes) -> list[str] | None:
    """Each with its line break; `None` for what is no text."""
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


def _same_at_both_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines both begin, and end, with."""
    most = min(len(old), len(new))
    head = 0
    while head < most and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < most - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


def _unified(old: list[str], new: list[str], head: int, tail: int) -> Iterator[str]:
    """The hunks, with the line numbers of the whole files."""
    skipped = max(head - _CONTEXT, 0)
    kept = max(tail - _CONTEXT, 0)
    middle = old[skipped : len(old) - kept], new[skipped : len(new) - kept]
    matcher = difflib.SequenceMatcher(None, *middle, autojunk=True)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        (_, a, _, c, _), (_, _, b, _, d) = group[0], group[-1]
        yield f"@@ -{_range(a + skipped, b + skipped)} +{_range(c + skipped, d + skipped)} @@"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from _marked(" ", middle[0][i:j])
            else:
                yield from _marked("-", middle[0][i:j])
                yield from _marked("+", middle[1][k:m])


def _marked(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield sign + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield _NO_END


def _range(start: int, stop: int) -> str:
    """As unified diffs write it: from 1, and one less where it is empty."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
