"""Two versions of the same paths: one in its place, the other beside it. Pure over trees; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable

from autoagent.ports import Objects
from autoagent.trees import Tree, WorkingCopy

DELETED = "(deleted)"
"""Where a version is that isn't there."""


def resolved(choice: str, paths: Iterable[str], mine: Tree, theirs: Tree, objects: Objects) -> Tree:
    """`mine` with their versions of `paths` in place (`theirs`), beside (`both`) or left out (`mine`)."""
    copy = WorkingCopy(mine, objects)
    match choice:
        case "theirs":
            for path in sorted(paths):
                _put(copy, path, theirs)
        case "both":
            place_beside(copy, paths, theirs, "agent")
        case _:
            pass
    return copy.tree()


def place_beside(copy: WorkingCopy, paths: Iterable[str], source: Tree, suffix: str) -> dict[str, str]:
    """Put the source's versions of `paths` beside the copy's: a.md as a.md.`suffix`.

    Path -> where its version is now, `DELETED` where it has none. Nothing that is there gives way.
    """
    kept: dict[str, str] = {}
    tops: dict[str, str] = {}
    for path in sorted(paths):
        entry = source.entries.get(path)
        if entry is None:
            kept[path] = DELETED
            continue
        top = next((t for t in tops if path.startswith(f"{t}/")), None) or _blocked(copy, path)
        if entry.kind == "folder" and top not in tops and copy.stat(path) == entry:
            continue
        tops[top] = tops.get(top) or _free(copy, f"{top}.{suffix}")
        kept[path] = tops[top] + path[len(top) :]
        copy.place(kept[path], entry)
    return kept


def _put(copy: WorkingCopy, path: str, source: Tree) -> None:
    """Make `path` what it is in `source`, nothing where there is nothing."""
    entry = source.entries.get(path)
    in_the_way = path if entry is None else _blocked(copy, path)
    there = copy.stat(in_the_way)
    if there is not None and not (entry is not None and there.kind == entry.kind == "folder"):
        copy.delete(in_the_way)
    if entry is not None:
        copy.place(path, entry)


def _blocked(copy: WorkingCopy, path: str) -> str:
    """The first part of `path` that is there and no folder; the path itself where its way is free."""
    names = path.split("/")
    for end in range(1, len(names)):
        top = "/".join(names[:end])
        entry = copy.stat(top)
        if entry is None or entry.kind != "folder":
            return path if entry is None else top
    return path


def _free(copy: WorkingCopy, path: str) -> str:
    name, number = path, 2
    while copy.stat(name) is not None:
        name, number = f"{path}{number}", number + 1
    return name
