"""A private copy of a tree that a write works on: in memory, bytes go to the store, no disk is touched."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import cast

from autoagent.errors import ToolError
from autoagent.paths import ROOT, from_raw, raw, spelled
from autoagent.trees.manifest import ObjectSource
from autoagent.trees.tree import FolderIndex, Tree, TreeEntry, encode_folder, in_order, is_name

FILE_MODE = 0o644
FOLDER_MODE = 0o755
LINK_MODE = 0o777
PLAIN_BITS = 0o777
"""What a write may set: no set-uid, set-gid or sticky bit, which would lend the user's rights to others."""

_TOP = TreeEntry("folder", FOLDER_MODE, 0, "")
_WHOLE_READ_BYTES = 1 << 20
"""Larger objects are opened and read in part."""
_SHOWN = 300


def settable(kind: str, mode: int) -> int:
    """The mode that a write may give: plain bits only, and the user can always get at what was written."""
    return mode & PLAIN_BITS | (0o700 if kind == "folder" else 0o600)


class WorkingCopy:
    """A private copy of a tree that a write works on; `tree()` is the result. Reads see earlier writes.

    Paths are workspace paths as `autoagent.paths.workspace_path` gives them; `.` is the root. What can't be
    done raises `ToolError` with a text for the model, and changes nothing. Links are never followed.
    The cost is that of what is changed, not of the tree, but for one copied dict.
    """

    def __init__(self, tree: Tree, objects: ObjectSource) -> None:
        self.objects = objects
        """Where this copy's bytes are; anything stored there can be placed."""
        self.replace(tree)

    # --- reading

    def stat(self, path: str) -> TreeEntry | None:
        """The entry at a path; `None` where there is nothing."""
        return _TOP if path in ("", ROOT) else self._entries.get(path)

    def paths(self) -> Iterator[str]:
        """Every path, sorted; a folder before what it holds."""
        return iter(sorted(self._entries))

    def names(self, folder: str) -> tuple[str, ...]:
        """What a folder holds, in the order of raw bytes."""
        folder = _key(folder)
        if folder and self._entry(folder).kind != "folder":
            raise ToolError(f"{shown(folder)} is a {self._entries[folder].kind}, not a folder")
        return in_order(self._names(folder))

    def beneath(self, folder: str) -> Iterator[str]:
        """Every path inside a folder, a folder before what it holds."""
        pending = [_key(folder)]
        while pending:
            prefix = f"{top}/" if (top := pending.pop()) else ""
            for name in in_order(self._names(top)):
                yield prefix + name
                if self._entries[prefix + name].kind == "folder":
                    pending.append(prefix + name)

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a file from `offset`, at most `size`; empty past its end."""
        entry = self._file(path)
        end = entry.size if size is None else min(entry.size, offset + size)
        if offset >= end:
            return b""
        if entry.size <= _WHOLE_READ_BYTES:
            return self.objects.get(entry.sha256)[offset:end]
        with self.objects.open(entry.sha256) as stream:
            stream.seek(offset)
            return stream.read(end - offset)

    def read_link(self, path: str) -> bytes:
        """The target of a link, as it was written; it may lead anywhere."""
        entry = self._entry(path)
        if entry.kind != "link":
            raise ToolError(f"{shown(path)} is a {entry.kind}, not a link")
        return self.objects.get(entry.sha256)

    # --- writing

    def write(self, path: str, data: bytes, mode: int | None = None) -> None:
        """Make `path` a file with this content; its folders are made where they are missing.

        `mode` `None` keeps an existing file's, else `FILE_MODE`. Of another, what `settable` takes.
        """
        before = self._writable(path)
        if mode is not None:
            mode = settable("file", mode)
        else:
            mode = FILE_MODE if before is None else before.mode & PLAIN_BITS
        self._put(path, TreeEntry("file", mode, len(data), self.objects.put(data)))

    def link(self, path: str, target: bytes) -> None:
        """Make `path` a symbolic link; where it leads is nobody's concern here."""
        if (before := self.stat(path)) is not None and before.kind == "folder":
            raise ToolError(f"{shown(path)} is a folder; delete it first")
        self._put(path, TreeEntry("link", LINK_MODE, len(target), self.objects.put(target)))

    def place(self, path: str, entry: TreeEntry) -> None:
        """Put an entry whose object is stored already, whatever was at the path.

        A folder placed on a folder keeps what that holds. The entry's mode is taken as it is.
        """
        before = self.stat(_checked(path))
        if before is not None and before.kind == "folder" and entry.kind != "folder":
            self.delete(path)
        self._put(path, entry)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; nothing happens where it is."""
        before = self.stat(path)
        if before is None:
            self._put(path, TreeEntry("folder", FOLDER_MODE, 0, ""))
        elif before.kind != "folder":
            raise ToolError(f"{shown(path)} is a {before.kind}; a folder can't be made there")

    def set_mode(self, path: str, mode: int) -> None:
        """Other permission bits for a file or folder: what `settable` takes of them."""
        entry = self._entry(path)
        if entry.kind == "link":
            raise ToolError(f"{shown(path)} is a link; a link has no mode of its own")
        self._put(path, TreeEntry(entry.kind, settable(entry.kind, mode), entry.size, entry.sha256))

    def delete(self, path: str) -> None:
        """Remove a file, a link, or a folder with everything in it."""
        self._entry(_checked(path))
        doomed = [path]
        if path in self._folders or path in self._changed:
            doomed += self.beneath(path)
        self._own()
        for gone in doomed:
            entry = self._entries.pop(gone)
            if entry.kind == "folder":
                self._changed.pop(gone, None)
                self._folders.pop(gone, None)
        folder, _, name = path.rpartition("/")
        self._touch(folder).discard(name)

    def move(self, path: str, to: str) -> None:
        """Rename a file, a link, or a folder with everything in it; nothing is overwritten."""
        self._entry(_checked(path))
        if path == _checked(to):
            return
        if to.startswith(path + "/"):
            raise ToolError(f"{shown(path)} can't be moved into itself ({shown(to)})")
        if (there := self.stat(to)) is not None:
            raise ToolError(
                f"{shown(to)} exists already, as a {there.kind}; delete it first or choose another name"
            )
        self._check_parents(to)
        entries = [(path, self._entries[path]), *((p, self._entries[p]) for p in list(self._inside(path)))]
        self.delete(path)
        for old, entry in entries:
            self._put(to + old[len(path) :], entry)

    def replace(self, tree: Tree) -> None:
        """Become a copy of another tree; earlier writes are gone."""
        self._tree = tree
        # shared with the tree until the first change copies them (`_own`)
        self._entries = cast(dict[str, TreeEntry], tree.entries)
        self._folders = cast(dict[str, FolderIndex], tree.folders)
        self._changed: dict[str, set[str]] = {}
        self._is_own = False

    def tree(self) -> Tree:
        """The tree as it is now, its manifests stored; only changed folders cost anything."""
        if not self._is_own:
            return self._tree
        dirty = {""}
        for folder in self._changed:
            while folder not in dirty:
                dirty.add(folder)
                folder = folder.rpartition("/")[0]
        for folder in sorted(dirty, key=len, reverse=True):
            names = in_order(self._names(folder))
            data = encode_folder(folder, names, self._entries, self._folders)
            self._folders[folder] = FolderIndex(names, self.objects.put(data))
        self.replace(Tree(self._entries, self._folders[""].sha256, self._folders))
        return self._tree

    # --- inside

    def _names(self, folder: str) -> set[str] | tuple[str, ...]:
        if (changed := self._changed.get(folder)) is not None:
            return changed
        return self._folders[folder].names if folder in self._folders else ()

    def _inside(self, path: str) -> Iterator[str]:
        return self.beneath(path) if self._entries[path].kind == "folder" else iter(())

    def _own(self) -> None:
        """Copy what is shared with the tree, before the first change."""
        if not self._is_own:
            self._entries, self._folders = dict(self._entries), dict(self._folders)
            self._is_own = True

    def _touch(self, folder: str) -> set[str]:
        """A folder's names, to be changed."""
        if folder not in self._changed:
            self._changed[folder] = set(self._names(folder))
        return self._changed[folder]

    def _put(self, path: str, entry: TreeEntry) -> None:
        self._check_parents(_checked(path))
        self._own()
        self._entries[path] = entry
        if entry.kind == "folder":
            self._touch(path)
        folder, _, name = path.rpartition("/")
        while folder and folder not in self._entries:
            self._entries[folder] = TreeEntry("folder", FOLDER_MODE, 0, "")
            self._touch(folder).add(name)
            folder, _, name = folder.rpartition("/")
        self._touch(folder).add(name)

    def _check_parents(self, path: str) -> None:
        folder = path
        while folder := folder.rpartition("/")[0]:
            entry = self._entries.get(folder)
            if entry is not None and entry.kind == "folder":
                return
            if entry is not None:
                what = (
                    "a link, and links are not followed" if entry.kind == "link" else "a file, not a folder"
                )
                raise ToolError(f"{shown(path)} can't be there: {shown(folder)} is {what}")

    def _writable(self, path: str) -> TreeEntry | None:
        entry = self.stat(_checked(path))
        self._check_parents(path)
        if entry is not None and entry.kind == "folder":
            raise ToolError(
                f"{shown(path)} is a folder; write to a file, for example {shown(path + '/a.txt')}"
            )
        if entry is not None and entry.kind == "link":
            raise ToolError(
                f"{shown(path)} is {self._link_text(entry)}; write to another path, or delete it first"
            )
        return entry

    def _file(self, path: str) -> TreeEntry:
        entry = self._entry(path)
        if entry.kind == "folder":
            raise ToolError(f"{shown(path)} is a folder; name a file in it{self._what_is_in(path)}")
        if entry.kind == "link":
            raise ToolError(
                f"{shown(path)} is {self._link_text(entry)}; read the file itself, if it is in the workspace"
            )
        return entry

    def _entry(self, path: str) -> TreeEntry:
        entry = self.stat(path)
        if entry is None:
            raise ToolError(self._missing(path))
        return entry

    def _link_text(self, entry: TreeEntry) -> str:
        target = from_raw(self.objects.get(entry.sha256))
        return f"a link to {shown(target)}, and links are not followed"

    def _missing(self, path: str) -> str:
        """What is wrong with a path that isn't there, and what there is instead."""
        folder, name = _key(path), ""
        while folder and folder not in self._entries:
            folder, _, name = folder.rpartition("/")
        entry = self.stat(folder)
        if entry is not None and entry.kind != "folder":
            return f"{shown(path)} does not exist: {shown(folder)} is a {entry.kind}, not a folder"
        close = get_close_matches(name, self._names(folder), n=3)
        if close:
            prefix = f"{folder}/" if folder else ""
            return (
                f"{shown(path)} does not exist; did you mean {' or '.join(shown(prefix + c) for c in close)}?"
            )
        last = path.rpartition("/")[2]
        same = [p for p in self._entries if p.endswith("/" + last) or p == last]
        if same:
            return f"{shown(path)} does not exist; there is {', '.join(shown(p) for p in sorted(same)[:3])}"
        return f"{shown(path)} does not exist{self._what_is_in(folder)}"

    def _what_is_in(self, folder: str) -> str:
        names = in_order(self._names(_key(folder)))
        where = shown(folder or ROOT) if _key(folder) else "the workspace"
        if not names:
            return f"; {where} is empty"
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        return f"; {where} holds {', '.join(shown(n) for n in names[:10])}{more}"


def shown(path: str) -> str:
    """A path for a sentence: quoted, on one line, nothing hidden, at most 300 characters."""
    text = spelled(path)
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}…'"


def _key(folder: str) -> str:
    return "" if folder == ROOT else folder


def _checked(path: str) -> str:
    """`path` if it names something inside the root, in its one spelling."""
    if path in ("", ROOT):
        raise ToolError("the path is the workspace itself; name something in it")
    try:
        one_spelling = from_raw(raw(path)) == path
    except UnicodeEncodeError:
        one_spelling = False
    if not one_spelling or not all(is_name(name) for name in path.split("/")):
        raise ToolError(f"{shown(path)} is no path inside the workspace; write one like 'notes/a.md'")
    return path
