"""The value itself: entries by path, an index of folders, and the canonical manifest that names each folder.

A manifest is `HEADER`, then for each name of the folder, in the order of raw bytes,
`<kind> <mode in octal> <size> <sha256> <name>\\0`; kind is `f`, `l` or `d`, and a folder's SHA-256 is that of
its own manifest. The same folder always gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from autoagent.paths import raw

HEADER = b"autoagent tree 1\n"

_LETTERS = {"file": "f", "link": "l", "folder": "d"}


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a tree."""

    kind: Literal["file", "link", "folder"]
    """`folder` entries exist for every folder, empty ones too. A link is never followed."""
    mode: int
    """Permission bits, set-uid, set-gid and sticky too; 0o777 for a link."""
    size: int
    """Bytes of a file; of a link's target; 0 for a folder."""
    sha256: str
    """Object that holds a file's content or a link's target; empty for a folder."""


@dataclass(frozen=True, slots=True)
class FolderIndex:
    """One folder of a tree: what it holds, and its manifest's name."""

    names: tuple[str, ...]
    """In the order of raw bytes."""
    sha256: str


@dataclass(frozen=True, eq=False, repr=False)
class Tree:
    """An immutable mapping of path to entry, with a name. Trees of the same id are equal."""

    entries: Mapping[str, TreeEntry]
    id: str
    """Hash of the root manifest."""
    _folders: Mapping[str, FolderIndex] | None = field(default=None)

    @cached_property
    def folders(self) -> Mapping[str, FolderIndex]:
        """Folder path -> its index; the root is `""`. Computed once where it wasn't given."""
        return make_tree(self.entries).folders if self._folders is None else self._folders

    def manifest(self, folder: str) -> bytes:
        """The canonical bytes of one folder."""
        return encode_folder(folder, self.folders[folder].names, self.entries, self.folders)

    def beneath(self, folder: str) -> Iterator[str]:
        """Every path inside `folder`, a folder before what it holds."""
        pending = [folder]
        while pending:
            prefix = f"{top}/" if (top := pending.pop()) else ""
            for name in self.folders[top].names:
                path = prefix + name
                yield path
                if path in self.folders:
                    pending.append(path)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Tree) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Tree {self.id[:12]} of {len(self.entries)} paths>"


def make_tree(entries: Mapping[str, TreeEntry]) -> Tree:
    """A tree of these entries, not stored. Every parent must be there as a folder."""
    owned = dict(entries)
    return build_tree(owned, _names(owned), {})


def build_tree(
    entries: Mapping[str, TreeEntry], names: Mapping[str, Iterable[str]], same: Mapping[str, FolderIndex]
) -> Tree:
    """A tree, not stored, of entries whose grouping is known already: folder -> its names, in any order.

    The folders in `same` are taken as they are; everything inside them must be in `same` too.
    """
    folders = dict(same)
    # what is inside has the longer path
    for folder in sorted(names.keys() - same.keys(), key=len, reverse=True):
        ordered = in_order(names[folder])
        data = encode_folder(folder, ordered, entries, folders)
        folders[folder] = FolderIndex(ordered, hashlib.sha256(data).hexdigest())
    return Tree(entries, folders[""].sha256, folders)


def encode_folder(
    folder: str, names: Iterable[str], entries: Mapping[str, TreeEntry], folders: Mapping[str, FolderIndex]
) -> bytes:
    """The manifest of a folder whose inner folders stand in `folders` already."""
    prefix = f"{folder}/" if folder else ""
    rows: list[str] = []
    for name in names:
        path = prefix + name
        entry = entries[path]
        sha256 = folders[path].sha256 if entry.kind == "folder" else entry.sha256
        rows.append(f"{_LETTERS[entry.kind]} {entry.mode:o} {entry.size} {sha256} {name}\0")
    return HEADER + raw("".join(rows))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names as a manifest lists them."""
    return tuple(sorted(names, key=raw))


def is_name(name: str) -> bool:
    """Whether a file system can hold it: not empty, no `/`, no NUL, not `.` or `..`."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _names(entries: Mapping[str, TreeEntry]) -> dict[str, list[str]]:
    """Folder -> its names. Raises `ValueError` where an entry has no folder to be in."""
    names: dict[str, list[str]] = {"": []}
    for path, entry in entries.items():
        if entry.kind == "folder":
            names.setdefault(path, [])
    for path in entries:
        folder, _, name = path.rpartition("/")
        if not is_name(name) or folder not in names:
            raise ValueError(f"the tree's path {path!r} is no path, or its folder {folder!r} is missing")
        names[folder].append(name)
    return names


EMPTY = make_tree({})
"""The tree of an empty folder."""
