"""New content beside its place: written whole and made durable first, then given its name at once.

So a path holds the old or the new content, never a part, also after a power cut. One by one that is an fsync
a file (1-3 ms on a disk that is honest about it); in bulk one `syncfs` serves hundreds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256 as new_sha256

from autoagent.errors import StoreUnavailable
from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder.beneath import NOT_A_FOLDER, Root, set_folder_mode
from autoagent.folder.held import BLOCK_BYTES, Held
from autoagent.folder.temp import TempNames, remove_temp
from autoagent.paths import raw
from autoagent.ports import Objects
from autoagent.trees import TreeEntry

OWN_BITS = 0o700
"""What we need on a folder to fill it."""
MANY = 64
"""From so many paths on, `syncfs` is used where there is one."""

_AT_ONCE = 500
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems without hard links answer; there a plain rename must do."""


@dataclass(frozen=True)
class Staged:
    """A temporary file or link that waits for its name."""

    folder: str
    name: str
    temp: str
    held: Held
    """What it replaces, as we saw it."""

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name


class Staging:
    """Yields each path once it has its name, with whether it could be given. `discard` at the end."""

    def __init__(
        self,
        root: Root,
        objects: Objects,
        temps: TempNames,
        paths: int,
        check: Callable[[], None] = lambda: None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """`check`: the last thing before a name is given."""
        self._root, self._objects, self._temps = root, objects, temps
        self._check, self._faults = check, faults
        self._in_bulk = paths >= MANY and sys.platform.startswith("linux")
        self._staged: list[Staged] = []

    def add(self, path: str, held: Held, new: TreeEntry, mode: int) -> Iterator[tuple[str, bool]]:
        """Write `new` beside `path`; a folder gets its name now, for what will be in it."""
        folder, _, name = path.rpartition("/")
        fd = self._root.folder(folder)
        if new.kind == "folder":
            self._check()
            yield path, _make_folder(fd, raw(name), mode | OWN_BITS)
            return
        staged = Staged(folder, name, self._temps.new(), held)
        self._staged.append(staged)
        if new.kind == "link":
            os.symlink(self._objects.get(new.sha256), raw(staged.temp), dir_fd=fd)
        else:
            self._write(fd, staged, new, mode)
        if new.kind == "link":
            self._staged.pop()
            yield path, self._publish(staged)
        elif len(self._staged) >= (_AT_ONCE if self._in_bulk else 1):
            yield from self.publish()

    def publish(self) -> Iterator[tuple[str, bool]]:
        """Give all that is staged its names."""
        if self._in_bulk and self._staged:
            sync_file_system(self._root.folder(""))
        while self._staged:
            staged = self._staged.pop(0)
            yield staged.path, self._publish(staged)

    def discard(self) -> None:
        """Remove what has got no name."""
        for staged in self._staged:
            if (fd := self._folder(staged)) is not None:
                remove_temp(fd, staged.temp)
        self._staged.clear()

    def sync_names(self, folders: set[str]) -> None:
        """Make the names in these folders durable."""
        if self._in_bulk:
            sync_file_system(self._root.folder(""))
            return
        for folder in sorted(folders):
            try:
                os.fsync(self._root.folder(folder))
            except OSError as error:
                # the folder is gone again, or its file system knows no such thing
                if error.errno not in (*NOT_A_FOLDER, errno.EINVAL):
                    raise

    def _write(self, folder: int, staged: Staged, entry: TreeEntry, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        fd = os.open(staged.temp, flags, 0o600, dir_fd=folder)
        hashed, replaced = new_sha256(), staged.held.status
        with open(fd, "wb") as out, self._objects.open(entry.sha256) as content:  # noqa: PTH123  # a descriptor
            while block := content.read(BLOCK_BYTES):
                hashed.update(block)
                out.write(block)
                self._faults.reached("file half written")
            if hashed.hexdigest() != entry.sha256:
                raise StoreUnavailable(
                    f"the object {entry.sha256} is damaged: its bytes don't match its name"
                )
            if replaced is not None and os.geteuid() == 0:  # root must not take a person's file away
                os.fchown(fd, replaced.st_uid, replaced.st_gid)
            os.fchmod(fd, mode)
            out.flush()
            if not self._in_bulk:
                os.fsync(fd)
        self._faults.reached("file staged")

    def _publish(self, staged: Staged) -> bool:
        """Whether what was seen there was still there, so that this could take its place."""
        fd = self._folder(staged)
        if fd is None:
            return False
        try:
            self._check()
            return staged.held.is_still_in(fd, raw(staged.name)) and _give_name(fd, staged)
        finally:
            remove_temp(fd, staged.temp)

    def _folder(self, staged: Staged) -> int | None:
        try:
            return self._root.folder(staged.folder)
        except OSError as error:
            if error.errno in NOT_A_FOLDER:
                return None
            raise


def sync_file_system(folder: int) -> None:
    """Make everything written so far durable, on the file system that holds a folder. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(folder) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _make_folder(folder: int, name: bytes, mode: int) -> bool:
    """At its place at once; whether the name was free."""
    try:
        os.mkdir(name, mode, dir_fd=folder)
    except FileExistsError:
        return False
    set_folder_mode(folder, name, mode)
    return True


def _give_name(folder: int, staged: Staged) -> bool:
    name = raw(staged.name)
    if staged.held.kind != "nothing":
        os.rename(staged.temp, name, src_dir_fd=folder, dst_dir_fd=folder)
        return True
    try:  # unlike a rename, a link takes no name from anybody
        os.link(staged.temp, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.rename(staged.temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True
