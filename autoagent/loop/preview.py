"""The first lines of a workspace's files, for a worker that writes scripts: it sees what it will parse. Pure.

A small model that has not seen a file guesses its format. What is shown counts as read.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoagent.paths import is_beneath
from autoagent.redact import cut
from autoagent.trees import ObjectSource, TreeEntry

LINES = 3
_FILES = 12
_LINE = 120
_LARGEST = 2_000_000


def preview(
    entries: Mapping[str, TreeEntry], objects: ObjectSource, hidden: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """(text, paths shown): the first lines of up to twelve text files that aren't `hidden`.

    Of a folder's files with the same ending only the first one is shown: they tend to look alike.
    """
    parts: list[str] = []
    shown: list[str] = []
    seen: set[tuple[str, str]] = set()
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        look = (folder, name.rpartition(".")[2])
        plain = entry.kind == "file" and 0 < entry.size <= _LARGEST
        if not plain or look in seen or is_beneath(path, hidden) or len(shown) >= _FILES:
            continue
        if (head := _head(objects.get(entry.sha256))) is None:
            continue
        seen.add(look)
        shown.append(path)
        parts.append(f"The first lines of {path}:\n{head}")
    return "\n".join(parts), tuple(shown)


def _head(data: bytes) -> str | None:
    """The first lines; `None` for what is no text."""
    try:
        lines = (
            data[: 20 * _LINE].decode("utf-8", "ignore" if len(data) > 20 * _LINE else "strict").split("\n")
        )
    except UnicodeDecodeError:
        return None
    if any("\0" in line for line in lines):
        return None
    return "\n".join(f"| {cut(line, _LINE)}" for line in lines[:LINES] if line.strip())
