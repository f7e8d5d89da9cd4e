"""What differs between two trees, path by path, as people speak of it: moves are seen as such. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from autoagent.paths import is_beneath
from autoagent.trees import Tree, TreeEntry, diff

Change = Literal["added", "changed", "moved", "removed"]


@dataclass(frozen=True)
class PathChange:
    """One path, as it was and as it is."""

    path: str
    was: TreeEntry | None
    now: TreeEntry | None
    moved_from: str | None = None
    """The path that the same content left; `was` is what stood there."""

    @property
    def change(self) -> Change:
        if self.moved_from is not None:
            return "moved"
        if self.was is None:
            return "added"
        return "removed" if self.now is None else "changed"

    @property
    def is_content(self) -> bool:
        """Other bytes or another kind, not only another mode or place."""
        if self.was is None or self.now is None:
            return True
        return (self.was.kind, self.was.sha256) != (self.now.kind, self.now.sha256)


def changes(old: Tree, new: Tree, roots: Iterable[str] = (".",)) -> tuple[PathChange, ...]:
    """What differs at and beneath the roots, by path.

    A folder is named for itself only where it is empty, has another mode, or changed places with a file.
    """
    roots = tuple(roots)
    found = {
        path: PathChange(path, old.entries.get(path), new.entries.get(path))
        for path in diff(old, new).paths
        if is_beneath(path, roots) and not _is_told_by_others(path, old, new)
    }
    for left, taken in _moves(found.values()):
        del found[left.path]
        found[taken.path] = PathChange(taken.path, left.was, taken.now, left.path)
    return tuple(found[path] for path in sorted(found))


def _is_told_by_others(path: str, old: Tree, new: Tree) -> bool:
    """A folder that came or went with what is in it."""
    was, now = old.folders.get(path), new.folders.get(path)
    if was is None and now is not None:
        return path not in old.entries and bool(now.names)
    return was is not None and now is None and path not in new.entries and bool(was.names)


def _moves(found: Iterable[PathChange]) -> Iterator[tuple[PathChange, PathChange]]:
    """Pairs of a removed and an added path with the same content; each is in one pair at most."""
    removed: dict[tuple[str, str], list[PathChange]] = defaultdict(list)
    added: list[PathChange] = []
    for each in found:
        if each.now is None and each.was is not None and each.was.size:
            removed[each.was.kind, each.was.sha256].append(each)
        elif each.was is None:
            added.append(each)
    for each in added:
        assert each.now is not None
        if left := removed.get((each.now.kind, each.now.sha256)):
            yield left.pop(0), each
