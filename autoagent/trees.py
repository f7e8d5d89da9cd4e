"""Trees: immutable pictures of a workspace. Pure values: no disk; bytes come from `ObjectSource`.

A tree maps relative paths to entries. It is stored as one canonical manifest a folder, so that unchanged
folders are shared, and named by the SHA-256 of its root manifest. Paths are `str` with `/` between names;
bytes of a name that are no UTF-8 stand as surrogates (PEP 383), so any name survives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a tree."""

    kind: Literal["file", "link", "folder"]
    """`folder` entries exist for every folder, empty ones too. A link is never followed."""
    mode: int
    """Permission bits."""
    size: int
    """Bytes of a file; of a link's target; 0 for a folder."""
    sha256: str
    """Object that holds a file's content or a link's target; empty for a folder."""


@dataclass(frozen=True)
class Changes:
    """From one tree to another, by path, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted({*self.added, *self.changed, *self.removed}))


class ObjectSource(Protocol):
    """The part of `ports.Objects` that trees need."""

    def put(self, data: bytes) -> str: ...
    def get(self, sha256: str) -> bytes: ...
    def open(self, sha256: str) -> BinaryIO: ...


@dataclass(frozen=True)
class Tree:
    """An immutable mapping of path to entry, with a name."""

    entries: Mapping[str, TreeEntry]
    id: str
    """Hash of the root manifest."""


def diff(old: Tree, new: Tree) -> Changes: ...


@dataclass(frozen=True)
class Conflict:
    """Paths that both sides changed differently."""

    paths: tuple[str, ...]


def merge(base: Tree, ours: Tree, theirs: Tree, objects: ObjectSource) -> Tree | Conflict: ...


class WorkingCopy:
    """A private copy of a tree that a write works on; `tree()` is the result. Reads see earlier writes."""

    def __init__(self, tree: Tree, objects: ObjectSource) -> None: ...
    def stat(self, path: str) -> TreeEntry | None: ...
    def paths(self) -> Iterator[str]: ...
    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes: ...
    def write(self, path: str, data: bytes, mode: int | None = None) -> None: ...
    def delete(self, path: str) -> None: ...
    def move(self, path: str, to: str) -> None: ...
    def make_folder(self, path: str) -> None: ...
    def replace(self, tree: Tree) -> None: ...
    def tree(self) -> Tree: ...


def restrict(tree: Tree, roots: Iterable[str]) -> Tree: ...
