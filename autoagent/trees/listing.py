"""A tree as text, for a prompt or a person: short, complete about what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.paths import spelled
from autoagent.trees.tree import Tree

_CAPS = (1_000_000, 200, 100, 50, 20, 10, 5)
"""Names shown of one folder: the largest of these with which the whole fits."""


def listing(tree: Tree, limit: int = 200, folder: str = "") -> str:
    """What a folder (`""`: the root) holds: paths of the tree with sizes, one a line.

    About `limit` lines of 100 characters; what is left out is counted.

    Hidden folders, such as `.git`, are one line each. Where there is too much, every folder shows its first
    names only; where that is still too much, the folders nearest to the root.
    """
    if not tree.folders[folder].names:
        return "(empty)"
    for cap in _CAPS:
        lines = _lines(tree, folder, cap, limit)
        if lines is not None:
            return "\n".join(lines)
    return "\n".join(_shallow(tree, folder, limit))


def _lines(tree: Tree, folder: str, cap: int, limit: int) -> list[str] | None:
    """All lines with at most `cap` names of each folder; `None` where there are more than `limit`."""
    lines: list[str] = []
    cost = 0
    for line in _walk(tree, folder, cap):
        lines.append(line)
        cost += _cost(line)
        if cost > limit:
            return None
    return lines


def _cost(line: str) -> int:
    """A long path counts as several lines."""
    return 1 + len(line) // 100


def _walk(tree: Tree, start: str, cap: int) -> Iterator[str]:
    pending: list[tuple[str, str]] = [("folder", start)]
    while pending:
        kind, folder = pending.pop()
        if kind == "line":
            yield folder
            continue
        names = tree.folders[folder].names
        prefix = f"{folder}/" if folder else ""
        shown = names if len(names) <= cap else names[:cap]
        later: list[tuple[str, str]] = []
        for name in shown:
            path = prefix + name
            later.append(("line", _line(tree, path)))
            if tree.entries[path].kind == "folder" and not name.startswith("."):
                later.append(("folder", path))
        if len(shown) < len(names):
            later.append(
                ("line", f"{spelled(prefix)}… and {_count(len(names) - len(shown), 'more name')} here")
            )
        pending.extend(reversed(later))


def _shallow(tree: Tree, start: str, limit: int) -> list[str]:
    """The folders nearest to the root, a few names each, as far as `limit` goes."""
    shown: list[tuple[str, str]] = []
    cost = 1
    level = [start]
    while level:
        deeper: list[str] = []
        for path in (p for folder in level for p in _first(tree, folder, limit // 2)):
            line = _line(tree, path)
            cost += _cost(line)
            if cost > limit:
                return _with_rest(tree, start, shown)
            shown.append((path, line))
            if path in tree.folders and not path.rpartition("/")[2].startswith("."):
                deeper.append(path)
        level = deeper
    return _with_rest(tree, start, shown)


def _first(tree: Tree, folder: str, cap: int) -> list[str]:
    prefix = f"{folder}/" if folder else ""
    return [prefix + name for name in tree.folders[folder].names[:cap]]


def _with_rest(tree: Tree, start: str, shown: list[tuple[str, str]]) -> list[str]:
    left = sum(1 for _ in tree.beneath(start)) - len(shown)
    return [*(line for _, line in sorted(shown)), f"… and {_count(left, 'more path')} not shown"]


def _line(tree: Tree, path: str) -> str:
    entry = tree.entries[path]
    if entry.kind == "link":
        return f"{spelled(path)} (link)"
    if entry.kind == "file":
        return f"{spelled(path)} ({_count(entry.size, 'byte')})"
    names = tree.folders[path].names
    if not names:
        return f"{spelled(path)}/ (empty folder)"
    if path.rpartition("/")[2].startswith("."):
        return f"{spelled(path)}/ (hidden folder, {_count(len(names), 'name')})"
    return f"{spelled(path)}/"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
