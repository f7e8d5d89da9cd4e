"""Trees in the store: written as manifests, read back strictly."""

from __future__ import annotations

import re
from typing import BinaryIO, Literal, Protocol

from autoagent.errors import StoreUnavailable
from autoagent.paths import from_raw
from autoagent.trees.tree import HEADER, FolderIndex, Tree, TreeEntry

_KINDS: dict[bytes, Literal["file", "link", "folder"]] = {b"f": "file", b"l": "link", b"d": "folder"}
_ROW = re.compile(rb"([fld]) (0|[1-7][0-7]{0,3}) (0|[1-9][0-9]{0,18}) ([0-9a-f]{64}) ([^/\0]+)\0")


class ObjectSource(Protocol):
    """The part of `ports.Objects` that trees need."""

    def put(self, data: bytes) -> str: ...
    def get(self, sha256: str) -> bytes: ...
    def open(self, sha256: str) -> BinaryIO: ...


def store_tree(tree: Tree, objects: ObjectSource, known: Tree | None = None) -> str:
    """Put a tree's manifests, inner folders first, and return its id.

    Folders that `known`, a tree that is already stored, holds at the same path are left out.
    """
    stored = {} if known is None else known.folders
    for folder in sorted(tree.folders, key=len, reverse=True):
        sha256 = tree.folders[folder].sha256
        if folder in stored and stored[folder].sha256 == sha256:
            continue
        if objects.put(tree.manifest(folder)) != sha256:
            raise StoreUnavailable(
                f"the store named the manifest {sha256} otherwise; it is not a store of SHA-256"
            )
    return tree.id


def load_tree(id: str, objects: ObjectSource) -> Tree:
    """The tree of this name. Raises `StoreUnavailable` where a manifest is missing or not canonical."""
    entries: dict[str, TreeEntry] = {}
    folders: dict[str, FolderIndex] = {}
    pending = [("", id)]
    while pending:
        folder, sha256 = pending.pop()
        prefix = f"{folder}/" if folder else ""
        rows = manifest_rows(objects.get(sha256), sha256)
        folders[folder] = FolderIndex(tuple(name for name, _ in rows), sha256)
        for name, entry in rows:
            if entry.kind == "folder":
                pending.append((prefix + name, entry.sha256))
                entry = TreeEntry("folder", entry.mode, 0, "")
            entries[prefix + name] = entry
    return Tree(entries, id, folders)


def entry_in(id: str, path: str, objects: ObjectSource) -> TreeEntry | None:
    """What a stored tree holds at one path; reads only the manifests on the way to it.

    A folder's entry has the SHA-256 of its manifest, so that it differs where anything beneath does.
    """
    entry: TreeEntry | None = TreeEntry("folder", 0o755, 0, id)
    for name in path.split("/"):
        if entry is None or entry.kind != "folder":
            return None
        rows = manifest_rows(objects.get(entry.sha256), entry.sha256)
        entry = next((found for known, found in rows if known == name), None)
    return entry


def manifest_rows(data: bytes, sha256: str) -> list[tuple[str, TreeEntry]]:
    """What one folder holds: names and entries, an inner folder's with its manifest's name.

    Raises `StoreUnavailable` where `data`, the object `sha256`, is no canonical manifest.
    """
    if not data.startswith(HEADER):
        raise _bad(sha256, f"it begins with {data[: len(HEADER)]!r} instead of {HEADER!r}")
    rows: list[tuple[str, TreeEntry]] = []
    at, before = len(HEADER), b""
    while at < len(data):
        row = _ROW.match(data, at)
        if row is None:
            raise _bad(sha256, f"the entry at byte {at} can't be read")
        letter, mode, size, target, name = row.groups()
        if name <= before or name in (b".", b"..") or (letter == b"d" and size != b"0"):
            raise _bad(sha256, f"the entry {name!r} is not what a canonical manifest holds there")
        rows.append((from_raw(name), TreeEntry(_KINDS[letter], int(mode, 8), int(size), target.decode())))
        at, before = row.end(), name
    return rows


def _bad(sha256: str, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the object {sha256} is no manifest of a tree: {why}; the store is damaged, or this is no tree's id"
    )
