"""From a tree to the folder: the one function that writes there, and never over a person's change.

For each path that differs between `old` and `new`:

    the folder holds      what happens
    --------------------  ------------------------------------------------------------
    `new`                 nothing
    `old`                 it becomes `new`, at once (a temporary file, fsync, rename)
    anything else         nothing; the path is foreign

So a projection that was killed goes on where it stopped when it is called again. Removals come first, what is
inside before its folder; then the rest, folders before what is inside.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from typing import Literal

from autoagent.errors import StoreUnavailable
from autoagent.folder.beneath import NOT_A_FOLDER, Root, open_file, set_folder_mode, trouble
from autoagent.folder.cache import Key, key_of
from autoagent.folder.temp import new_temp, remove_temp, remove_temps
from autoagent.paths import raw
from autoagent.ports import Objects, Projection
from autoagent.trees import Tree, TreeEntry, diff

_BLOCK_BYTES = 1 << 20
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems without hard links answer; there a plain rename must do."""
_OWN_BITS = 0o700
"""What we need on a folder to fill it."""


@dataclass(frozen=True)
class _Held:
    """What the folder holds at a path now."""

    kind: Literal["nothing", "file", "link", "folder", "other"]
    sha256: str = ""
    """Of a file's content or a link's target; `?` where it is neither that of `old` nor of `new`."""
    status: os.stat_result | None = None

    @property
    def mode(self) -> int:
        return 0 if self.status is None else stat.S_IMODE(self.status.st_mode)

    def holds(self, entry: TreeEntry | None) -> bool:
        """The same kind and content; modes are compared apart."""
        if entry is None:
            return self.kind == "nothing"
        return self.kind == entry.kind and self.sha256 == entry.sha256


class Projector:
    """One projection. Raises `Unavailable` where the disk refuses; what is done by then stays done."""

    def __init__(self, root: Root, objects: Objects, known: Mapping[Key, TreeEntry]) -> None:
        self._root, self._objects, self._known = root, objects, known
        self._written: set[str] = set()
        self._foreign: set[str] = set()
        self._touched: set[str] = set()
        """Folders whose names changed."""
        self._late_modes: dict[str, int] = {}
        """Modes of new folders that we could not fill once they have them."""

    def run(self, old: Tree, new: Tree, temps: Iterable[str] = ()) -> Projection:
        """`temps`: folders where an earlier projection is known to have left temporary files."""
        paths = diff(old, new).paths
        for folder in sorted({*temps, *(_split(path)[0] for path in paths)}):
            self._sweep(folder)
        for path in reversed(paths):
            with _naming(path):
                self._clear(path, old.entries.get(path), new.entries.get(path))
        for path in paths:
            if path in new.entries and path not in self._foreign:
                with _naming(path):
                    self._fill(path, old.entries.get(path), new.entries[path])
        for path, mode in reversed(self._late_modes.items()):
            with _naming(path):
                if (parent := self._parent(path)) is not None:
                    set_folder_mode(parent, raw(_split(path)[1]), mode)
        for folder in sorted(self._touched):
            self._sync(folder)
        return Projection(tuple(sorted(self._written)), tuple(sorted(self._foreign)))

    # --- one path

    def _clear(self, path: str, old: TreeEntry | None, new: TreeEntry | None) -> None:
        """Remove what must go: a path that `new` lacks, or a folder or a file that gives way to the other."""
        if old is None or (new is not None and not _gives_way(old, new)):
            return
        held = self._look(path, old, new)
        if held.kind == "nothing" or held.holds(new):
            return
        if not held.holds(old):
            self._foreign.add(path)
        elif old.kind == "folder":
            self._remove_folder(path)
        else:
            self._remove_file(path, held)

    def _fill(self, path: str, old: TreeEntry | None, new: TreeEntry) -> None:
        """Make a path what `new` says it is."""
        held = self._look(path, old, new)
        mode_was = old.mode if old is not None and old.kind == new.kind and old.mode != new.mode else None
        if held.holds(new) and (mode_was is None or held.mode == new.mode):
            if old is None and new.kind == "folder" and held.mode == new.mode | _OWN_BITS:
                self._defer_mode(path, new)  # made by a projection that was killed before its end
            return
        # nothing where a folder gave way to a file, or the reverse: a projection was killed in between
        is_old = held.holds(old) or (held.kind == "nothing" and old is not None and _gives_way(old, new))
        if mode_was is not None:
            is_old = (held.holds(old) or held.holds(new)) and held.mode in (mode_was, new.mode)
        folder = self._parent(path)
        if not is_old or folder is None or (held.kind == "folder" and new.kind != "folder"):
            self._foreign.add(path)
        elif self._put(folder, path, held, new, new.mode if mode_was is not None else None):
            self._note(path)
        else:
            self._foreign.add(path)

    def _put(self, folder: int, path: str, held: _Held, new: TreeEntry, mode: int | None) -> bool:
        """Whether it could be put there; `mode` `None` keeps the mode of what is replaced."""
        name = raw(_split(path)[1])
        if held.kind == "folder":
            set_folder_mode(folder, name, new.mode)
            return True
        temp = new_temp()
        try:
            if new.kind == "folder":
                os.mkdir(temp, 0o700, dir_fd=folder)
                set_folder_mode(folder, temp.encode(), new.mode | _OWN_BITS)
                self._defer_mode(path, new)
            elif new.kind == "link":
                os.symlink(self._objects.get(new.sha256), temp.encode(), dir_fd=folder)
            else:
                keeps = mode is None and held.kind == "file"
                self._write(folder, temp, new, held.mode if keeps else new.mode, held.status)
            return _publish(folder, temp, name, held, new.kind)
        finally:
            remove_temp(folder, temp)

    def _write(
        self, folder: int, temp: str, entry: TreeEntry, mode: int, replaced: os.stat_result | None
    ) -> None:
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        hashed = new_sha256()
        with open(fd, "wb") as out, self._objects.open(entry.sha256) as content:  # noqa: PTH123  # a descriptor
            while block := content.read(_BLOCK_BYTES):
                hashed.update(block)
                out.write(block)
            if hashed.hexdigest() != entry.sha256:
                raise StoreUnavailable(
                    f"the object {entry.sha256} is damaged: its bytes don't match its name"
                )
            if replaced is not None and os.geteuid() == 0:  # root must not take a person's file away
                os.fchown(fd, replaced.st_uid, replaced.st_gid)
            os.fchmod(fd, mode)
            out.flush()
            os.fsync(fd)

    def _remove_file(self, path: str, held: _Held) -> None:
        folder = self._parent(path)
        name = raw(_split(path)[1])
        if folder is None or not _is_still(folder, name, held):
            self._foreign.add(path)
            return
        os.unlink(name, dir_fd=folder)
        self._note(path)

    def _remove_folder(self, path: str) -> None:
        """What a person put into it keeps it; the next scan shows both."""
        folder = self._parent(path)
        assert folder is not None
        try:
            os.rmdir(raw(_split(path)[1]), dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            self._note(path)

    # --- looking

    def _look(self, path: str, old: TreeEntry | None, new: TreeEntry | None) -> _Held:
        folder = self._parent(path)
        if folder is None:
            return _Held("nothing")
        name = raw(_split(path)[1])
        status = _lstat(folder, name)
        if status is None:
            return _Held("nothing")
        if stat.S_ISDIR(status.st_mode):
            return _Held("folder", status=status)
        if stat.S_ISLNK(status.st_mode):
            return _Held("link", new_sha256(os.readlink(name, dir_fd=folder)).hexdigest(), status)
        if not stat.S_ISREG(status.st_mode):
            return _Held("other", "?", status)
        may_be = any(e is not None and e.kind == "file" and e.size == status.st_size for e in (old, new))
        return _Held("file", self._hash(folder, name, status) if may_be else "?", status)

    def _hash(self, folder: int, name: bytes, status: os.stat_result) -> str:
        """Of a file's content; `?` where it changes meanwhile."""
        if (known := self._known.get(key_of(status))) is not None:
            return known.sha256
        fd = open_file(folder, name)
        if fd is None:
            return "?"
        hashed, left = new_sha256(), status.st_size + 1
        with open(fd, "rb") as stream:  # noqa: PTH123  # a descriptor
            while left > 0 and (block := stream.read(min(left, _BLOCK_BYTES))):
                hashed.update(block)
                left -= len(block)
            return hashed.hexdigest() if key_of(os.fstat(fd)) == key_of(status) else "?"

    def _parent(self, path: str) -> int | None:
        return self._folder(_split(path)[0])

    def _folder(self, folder: str) -> int | None:
        """The descriptor of a folder; `None` where that is none (any more)."""
        try:
            return self._root.folder(folder)
        except OSError as error:
            if error.errno in NOT_A_FOLDER:
                return None
            raise

    # --- folders

    def _note(self, path: str) -> None:
        self._written.add(path)
        self._touched.add(_split(path)[0])

    def _defer_mode(self, path: str, new: TreeEntry) -> None:
        if new.mode | _OWN_BITS != new.mode:
            self._late_modes[path] = new.mode

    def _sweep(self, folder: str) -> None:
        with _naming(folder):
            if (fd := self._folder(folder)) is not None:
                remove_temps(fd)

    def _sync(self, folder: str) -> None:
        """Make a folder's names durable; a file system that has no such thing says EINVAL."""
        with _naming(folder):
            fd = self._folder(folder)
            try:
                if fd is not None:
                    os.fsync(fd)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise


def _publish(folder: int, temp: str, name: bytes, held: _Held, kind: str) -> bool:
    """Give the temporary file its name, at once; whether what `held` says was still there."""
    if not _is_still(folder, name, held):
        return False
    if held.kind != "nothing" or kind == "folder":
        os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    try:
        os.link(temp, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _is_still(folder: int, name: bytes, held: _Held) -> bool:
    """Whether nobody touched it since we looked: the last thing before it is replaced."""
    status = _lstat(folder, name)
    if status is None or held.status is None:
        return status is None and held.status is None
    return key_of(status) == key_of(held.status)


def _lstat(folder: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _gives_way(old: TreeEntry, new: TreeEntry) -> bool:
    """One of them is a folder, so that no rename can put `new` in the place of `old`."""
    return old.kind != new.kind and "folder" in (old.kind, new.kind)


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise trouble("write", path, error) from error
