"""The port: scanning and projecting one folder of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from autoagent.errors import Unavailable
from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder import cache
from autoagent.folder.beneath import Identity, Root
from autoagent.folder.project import Projector
from autoagent.folder.scan import Found, Scan, Unsettled, tree_of
from autoagent.folder.temp import temp_names
from autoagent.ports import Objects, Projection
from autoagent.redact import one_line
from autoagent.trees import EMPTY, Tree, TreeEntry, store_tree

TRIES = 5
PAUSE_S = 0.02
SAVED_FROM_BYTES = 16 * 1024 * 1024
"""What must have been read for the cache on disk to be written again, which takes 0.3 ms and more."""
OPENING_BYTES = 256 * 1024
"""What opening a file to read it counts."""


class LocalFolder:
    """Implements `autoagent.ports.Folder` for a folder on disk.

    One process at a time may project; any may scan. Blocks; run it in a thread where a loop must go on.

    Raises:
        UsageError: the folder isn't there or is a link, or holds a named pipe, a socket or a device.
        Unavailable: the disk refuses, another folder has its path now, or a file never settles.
    """

    def __init__(
        self, path: Path, objects: Objects, cache_path: Path | None = None, faults: Faults = NO_FAULTS
    ) -> None:
        """`path` is resolved. `cache_path` `None` keeps what a scan learns in memory only."""
        self._path = path
        self._identity: Identity | None = None
        """Which folder it is, from the first look on."""
        self._objects = objects
        self._cache_path = cache_path
        self._faults = faults
        self._known: dict[cache.Key, TreeEntry] | None = None
        self._last: Tree | None = None
        """The tree of the last scan, stored."""
        self._unsaved_bytes = SAVED_FROM_BYTES
        """What another process would have to read again; the first scan is worth a cache, however small."""
        key_path = cache_path and cache_path.with_name(f"{cache_path.name}.key")
        self._temps = temp_names(key_path)
        self._left: set[str] = set()
        """Folders with temporary files of a killed projection, by the last scan."""

    def scan(self) -> Tree:
        """The folder as it is, stored. Unchanged files are known by their status and not read."""
        if self._known is None:
            self._known = {} if self._cache_path is None else cache.load(self._cache_path, self._objects)
        found = self._settled(self._known)
        tree = tree_of(found, self._last or EMPTY)
        # a root is put last, so one that is there has all its folders there
        if tree is not self._last and not self._objects.has(tree.id):
            store_tree(tree, self._objects, self._last)
        self._save(tree, found)
        self._known, self._last, self._left = found.rows, tree, found.temps
        return tree

    def _save(self, tree: Tree, found: Found) -> None:
        """Keep on disk what took some time to learn."""
        if self._cache_path is None or not found.learned:
            return
        self._unsaved_bytes += sum(OPENING_BYTES + size for size in found.learned)
        if self._unsaved_bytes >= SAVED_FROM_BYTES:
            cache.save(self._cache_path, tree.id, found.rows)
            self._unsaved_bytes = 0

    def project(self, old: Tree, new: Tree, check: Callable[[], None] = lambda: None) -> Projection:
        """Make the folder hold `new` where it held `old`; durable when it returns.

        Path by path, each at once: what holds `new` stays, what holds `old` is replaced, anything else is a
        person's and stays (`foreign`). A folder is removed when it is empty. A mode that only a person
        changed stays. Killed half-way, it goes on when called again. `check` is the last thing before each.
        """
        with self._root() as root:
            known = self._known or {}
            projector = Projector(root, self._objects, self._temps, known, old, new, check, self._faults)
            projection = projector.run(self._left)
        self._left = set()
        return projection

    def _root(self) -> Root:
        root = Root(self._path, self._identity)
        self._identity = root.identity
        return root

    def _settled(self, known: dict[cache.Key, TreeEntry]) -> Found:
        """A pass during which nothing moved."""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_S)
            with self._root() as root:
                try:
                    return Scan(root, self._objects, known, self._last or EMPTY, self._temps).run()
                except Unsettled as error:
                    path = error.path
        raise Unavailable(
            f"'{one_line(path, 300)}' changes all the time while it is read; stop what writes to it, "
            "or move it out of the workspace, then 'autoagent resume'"
        )
