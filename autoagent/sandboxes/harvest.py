"""Files that come out of a sandbox: gathered, counted, and applied to a working copy as one set."""

from __future__ import annotations

from autoagent.errors import ToolError
from autoagent.redact import one_line
from autoagent.sandboxes.limits import Limits
from autoagent.sandboxes.protocol import BadGuest, Part, is_inside, read_parts, read_paths, read_removed
from autoagent.trees import TreeEntry, WorkingCopy


class Refused(Exception):
    """What the job left can't be taken; the text is a clause for the model."""


class Harvest:
    """What a job changed since the last `apply`."""

    def __init__(self, files: WorkingCopy, limits: Limits) -> None:
        self._files, self._limits = files, limits
        self._entries: dict[str, TreeEntry] = {}
        self._links: dict[str, bytes] = {}
        self._removed: list[str] = []
        self._open: tuple[str, bytearray] | None = None
        self._bytes = 0

    def add(self, payload: bytes) -> None:
        """Take a frame of files. Raises `BadGuest`."""
        for part in read_parts(payload):
            self._bytes += len(part.content)
            if (
                self._bytes > self._limits.workspace_bytes
                or len(self._entries) > self._limits.workspace_files
            ):
                raise BadGuest("it sent more files than a workspace holds")
            self._take(part)

    def remove(self, payload: bytes) -> None:
        """Take a frame of removed paths. Raises `BadGuest`."""
        self._removed += read_removed(payload)

    def apply(self, removed: tuple[str, ...] = ()) -> None:
        """Write everything to the working copy, and forget it.

        Raises `Refused` for a link that leads out of the workspace and `BadGuest` for files that contradict
        each other; the working copy may then hold half of them.
        """
        if self._open is not None:
            raise BadGuest(f"it sent half of {self._open[0]!r}")
        for path in sorted({*self._removed, *read_paths(removed)}, reverse=True):
            if self._files.stat(path) is not None:
                self._files.delete(path)
        for path, entry in sorted(self._entries.items()):
            self._place(path, entry)
        self._entries, self._links, self._removed, self._bytes = {}, {}, [], 0

    def _take(self, part: Part) -> None:
        if part.kind == "folder":
            self._entries[part.path] = TreeEntry("folder", part.mode, 0, "")
            return
        content = self._whole(part)
        if content is None:
            return
        sha256 = self._files.objects.put(content)
        self._entries[part.path] = TreeEntry(part.kind, part.mode, part.size, sha256)
        if part.kind == "link":
            self._links[part.path] = content

    def _whole(self, part: Part) -> bytes | None:
        """The content of a file whose last part this is."""
        if part.offset == 0 and part.is_last and self._open is None:
            return part.content
        if part.offset == 0 and self._open is None:
            self._open = (part.path, bytearray())
        if self._open is None or self._open[0] != part.path or len(self._open[1]) != part.offset:
            raise BadGuest(f"it sent parts of {part.path!r} out of order")
        self._open[1].extend(part.content)
        if not part.is_last:
            return None
        content, self._open = bytes(self._open[1]), None
        return content

    def _place(self, path: str, entry: TreeEntry) -> None:
        before = self._files.stat(path)
        if before is not None and _is_same(before, entry):
            return
        if entry.kind == "link" and not is_inside(path, self._links[path]):
            target = self._links[path].decode("utf-8", "backslashreplace")
            raise Refused(
                f"the link {one_line(path)!r} to {one_line(target)!r} leads out of the workspace; "
                "links must be relative and stay inside it"
            )
        try:
            self._files.place(path, entry)
            if entry.kind != "link":
                self._files.set_mode(path, entry.mode)
        except ToolError as error:
            raise BadGuest(f"it sent files that contradict each other: {error}") from error


def _is_same(before: TreeEntry, after: TreeEntry) -> bool:
    """Whether nothing changed; bits that a sandbox never sees (set-uid and so on) don't count."""
    return (before.kind, before.mode & 0o777, before.size, before.sha256) == (
        after.kind,
        after.mode,
        after.size,
        after.sha256,
    )
