"""From a tree to the folder: the one function that writes there, and never over a person's change.

For each path that differs between `old` and `new`:

    the folder holds      what happens
    --------------------  ----------------------------------------------
    `new`                 nothing
    `old`                 it becomes `new`, at once and durably
    anything else         nothing; the path is foreign

So a projection that was killed goes on where it stopped when it is called again. Removals come first, what is
inside before its folder; then the rest, folders before what is inside.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder.beneath import NOT_A_FOLDER, Root, set_folder_mode, trouble
from autoagent.folder.cache import Key
from autoagent.folder.held import NOTHING, Held, look
from autoagent.folder.staging import OWN_BITS, Staging
from autoagent.folder.temp import TempNames
from autoagent.paths import raw
from autoagent.ports import Objects, Projection
from autoagent.trees import Tree, TreeEntry, diff


class Projector:
    """One projection. Raises `Unavailable` where the disk refuses; what is done by then stays done."""

    def __init__(
        self,
        root: Root,
        objects: Objects,
        temps: TempNames,
        known: Mapping[Key, TreeEntry],
        old: Tree,
        new: Tree,
        check: Callable[[], None] = lambda: None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """`known`: what the last scan learned of files. `check` raises where nothing may be written."""
        self._root, self._known, self._old, self._new = root, known, old.entries, new.entries
        self._paths = diff(old, new).paths
        self._temps = temps
        self._staging = Staging(root, objects, temps, len(self._paths), check, faults)
        self._check, self._faults = check, faults
        self._written: set[str] = set()
        self._foreign: set[str] = set()
        self._late_modes: dict[str, int] = {}
        """Modes of new folders that we could not fill once they have them."""

    def run(self, left: Iterable[str] = ()) -> Projection:
        """`left`: folders where an earlier projection is known to have left temporary files."""
        for folder in sorted({*left, *map(_folder_of, self._paths)}):
            with _naming(folder):
                self._sweep(folder)
        for path in reversed(self._paths):
            with _naming(path):
                self._clear(path)
        try:
            self._fill_all()
        finally:
            with _naming(""):
                self._staging.discard()
        return Projection(tuple(sorted(self._written)), tuple(sorted(self._foreign)))

    def _fill_all(self) -> None:
        for path in self._paths:
            if path in self._new and path not in self._foreign:
                with _naming(path):
                    self._fill(path, self._old.get(path), self._new[path])
        with _naming(""):
            self._note(self._staging.publish())
        for path, mode in reversed(self._late_modes.items()):
            if path not in self._foreign:
                with _naming(path):
                    self._set_mode(path, mode)
        with _naming(""):
            self._staging.sync_names({_folder_of(path) for path in self._written})

    # --- removing

    def _clear(self, path: str) -> None:
        """Remove what must go: a path that `new` lacks, or a folder or a file that gives way to the other."""
        old, new = self._old.get(path), self._new.get(path)
        if old is None or (new is not None and not _gives_way(old, new)):
            return
        held = self._look(path)
        if held.kind == "nothing" or held.holds(new):
            return
        if not held.holds(old):
            self._foreign.add(path)
        elif old.kind == "folder":
            self._remove_folder(path)
        else:
            self._remove_file(path, held)

    def _remove_file(self, path: str, held: Held) -> None:
        folder = self._folder(_folder_of(path))
        name = raw(_name_of(path))
        if folder is None or not held.is_still_in(folder, name):
            self._foreign.add(path)
        else:
            self._check()
            os.unlink(name, dir_fd=folder)
            self._written.add(path)
            self._faults.reached("between two paths")

    def _remove_folder(self, path: str) -> None:
        """What a person put into it keeps it; the next scan shows both."""
        if (folder := self._folder(_folder_of(path))) is None:
            return
        self._check()
        try:
            os.rmdir(raw(_name_of(path)), dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            self._written.add(path)

    # --- making

    def _fill(self, path: str, old: TreeEntry | None, new: TreeEntry) -> None:
        """Make a path what `new` says it is."""
        held = self._look(path)
        mode_was = old.mode if old is not None and old.kind == new.kind and old.mode != new.mode else None
        if held.holds(new) and (mode_was is None or held.mode == new.mode):
            if old is None and new.kind == "folder" and held.mode == new.mode | OWN_BITS:
                self._late_modes[path] = new.mode  # made by a projection that was killed before its end
        elif not _is_old(held, old, new, mode_was) or self._folder(_folder_of(path)) is None:
            self._foreign.add(path)
        elif held.kind == "folder":
            self._set_mode(path, new.mode)
            self._written.add(path)
        else:
            if new.kind == "folder" and new.mode | OWN_BITS != new.mode:
                self._late_modes[path] = new.mode
            keeps_mode = mode_was is None and held.kind == new.kind == "file"
            self._note(self._staging.add(path, held, new, held.mode if keeps_mode else new.mode))

    def _note(self, published: Iterable[tuple[str, bool]]) -> None:
        for path, could_be in published:
            (self._written if could_be else self._foreign).add(path)
            self._faults.reached("between two paths")

    def _set_mode(self, path: str, mode: int) -> None:
        if (folder := self._folder(_folder_of(path))) is not None:
            self._check()
            set_folder_mode(folder, raw(_name_of(path)), mode)

    # --- looking

    def _look(self, path: str) -> Held:
        if (folder := self._folder(_folder_of(path))) is None:
            return NOTHING
        asked = (self._old.get(path), self._new.get(path))
        return look(folder, raw(_name_of(path)), asked, self._known)

    def _folder(self, folder: str) -> int | None:
        """The descriptor of a folder; `None` where that is none (any more)."""
        try:
            return self._root.folder(folder)
        except OSError as error:
            if error.errno in NOT_A_FOLDER:
                return None
            raise

    def _sweep(self, folder: str) -> None:
        if (fd := self._folder(folder)) is not None:
            self._temps.remove_left(fd)


def _is_old(held: Held, old: TreeEntry | None, new: TreeEntry, mode_was: int | None) -> bool:
    """Whether what is held may be replaced: it is `old`, or what a killed projection leaves of it."""
    if held.kind == "folder" and new.kind != "folder":
        return False  # a person's files kept it from being cleared
    if mode_was is not None:
        return (held.holds(old) or held.holds(new)) and held.mode in (mode_was, new.mode)
    # nothing where a folder gave way to a file, or the reverse: killed in between
    return held.holds(old) or (held.kind == "nothing" and old is not None and _gives_way(old, new))


def _gives_way(old: TreeEntry, new: TreeEntry) -> bool:
    """One of them is a folder, so that no rename can put `new` in the place of `old`."""
    return old.kind != new.kind and "folder" in (old.kind, new.kind)


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise trouble("write", path, error) from error
