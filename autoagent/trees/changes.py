"""Between trees: what differs, three-way merge by path, and the part beneath some roots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autoagent.paths import is_beneath
from autoagent.trees.manifest import ObjectSource
from autoagent.trees.tree import Tree, TreeEntry, make_tree
from autoagent.trees.working import WorkingCopy


@dataclass(frozen=True)
class Changes:
    """From one tree to another, by path, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Other content, mode or kind."""
    removed: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted({*self.added, *self.changed, *self.removed}))


@dataclass(frozen=True)
class Conflict:
    """Paths that both sides changed differently, sorted."""

    paths: tuple[str, ...]


def diff(old: Tree, new: Tree) -> Changes:
    """What differs; a folder's own entry by its mode only. Folders with equal manifests cost nothing."""
    added: list[str] = []
    changed: list[str] = []
    removed: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        was, now = old.folders.get(folder), new.folders.get(folder)
        if was == now:
            continue
        prefix = f"{folder}/" if folder else ""
        for name in {*(was.names if was else ()), *(now.names if now else ())}:
            path = prefix + name
            before, after = old.entries.get(path), new.entries.get(path)
            if before is None:
                added.append(path)
            elif after is None:
                removed.append(path)
            elif before != after:
                changed.append(path)
            if path in old.folders or path in new.folders:
                pending.append(path)
    return Changes(tuple(sorted(added)), tuple(sorted(changed)), tuple(sorted(removed)))


def merge(base: Tree, ours: Tree, theirs: Tree, objects: ObjectSource) -> Tree | Conflict:
    """Both sides' changes since `base` in one stored tree, or the paths where they can't be.

    By path, never inside a file: a path that both changed must be equal on both sides. A folder that one side
    removed stays where the other put something into it. A file on one side where the other keeps a folder is
    a conflict. Order of the sides does not matter.
    """
    our_paths, their_paths = diff(base, ours).paths, diff(base, theirs).paths
    clashes = {p for p in {*our_paths} & {*their_paths} if ours.entries.get(p) != theirs.entries.get(p)}
    merged = dict(ours.entries)
    for path in their_paths:
        if (entry := theirs.entries.get(path)) is None:
            merged.pop(path, None)
        else:
            merged[path] = entry
    kept: set[str] = set()
    for path in (*our_paths, *their_paths):
        if path in merged:
            clashes |= _mend_parents(path, merged, kept, ours, theirs, clashes)
    if clashes:
        return Conflict(tuple(sorted(clashes)))
    return _apply(ours, merged, {*their_paths, *kept}, objects)


def restrict(tree: Tree, roots: Iterable[str]) -> Tree:
    """The part of a tree that `autoagent.paths.is_beneath` the roots, with the folders that lead there."""
    roots = tuple(roots)
    entries: dict[str, TreeEntry] = {}
    for path, entry in tree.entries.items():
        if is_beneath(path, roots):
            entries[path] = entry
            while path := path.rpartition("/")[0]:
                entries[path] = tree.entries[path]
    return tree if len(entries) == len(tree.entries) else make_tree(entries)


def _mend_parents(
    path: str, merged: dict[str, TreeEntry], kept: set[str], ours: Tree, theirs: Tree, clashes: set[str]
) -> set[str]:
    """Bring back the folders above `path` that one side removed; the paths in conflict where it can't be."""
    top = path
    while top := top.rpartition("/")[0]:
        if (entry := merged.get(top)) is None:
            folder = ours.entries.get(top) or theirs.entries[top]
            merged[top] = folder
            kept.add(top)
        elif entry.kind != "folder" or (top in clashes and not _is_folder_in_both(top, ours, theirs)):
            return {top, path}
    return set()


def _is_folder_in_both(path: str, ours: Tree, theirs: Tree) -> bool:
    """Or gone from one of them: what is beneath doesn't clash with that."""
    return all(side.entries[path].kind == "folder" for side in (ours, theirs) if path in side.entries)


def _apply(base: Tree, merged: dict[str, TreeEntry], paths: set[str], objects: ObjectSource) -> Tree:
    copy = WorkingCopy(base, objects)
    for path in sorted(paths, reverse=True):
        if path not in merged and copy.stat(path) is not None:
            copy.delete(path)
    for path in sorted(paths):
        if path in merged:
            copy.place(path, merged[path])
    return copy.tree()
