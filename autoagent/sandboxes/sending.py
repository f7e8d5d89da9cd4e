"""A working copy's tree as frames for a runner: only what differs from what its container holds."""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.paths import raw
from autoagent.redact import one_line
from autoagent.sandboxes.limits import MB, Limits
from autoagent.trees import ObjectSource, Tree, TreeEntry, diff
from autoagent_sandbox import wire

_LETTERS = {"file": "f", "link": "l", "folder": "d"}
_PAGE_BYTES = 4096


def frames_between(held: Tree, wanted: Tree, objects: ObjectSource) -> Iterator[bytes]:
    """Frames that make a container which holds `held` hold `wanted`."""
    changes = diff(held, wanted)
    other_kind = [p for p in changes.changed if held.entries[p].kind != wanted.entries[p].kind]
    gone = [wire.to_wire(raw(path)) for path in sorted({*changes.removed, *other_kind}, reverse=True)]
    if gone:
        yield wire.pack_json(wire.DELETE, gone)
    rows: list[wire.Row] = []
    content: list[bytes] = []
    size = 0
    for path in sorted({*changes.added, *changes.changed}):
        for row, part in _parts(path, wanted.entries[path], objects):
            rows.append(row)
            content.append(part)
            size += len(part)
            if size >= wire.CHUNK_BYTES or len(rows) >= wire.ROWS_OF_A_FRAME:
                yield wire.pack_members(rows, b"".join(content))
                rows, content, size = [], [], 0
    if rows:
        yield wire.pack_members(rows, b"".join(content))


def why_too_large(tree: Tree, limits: Limits) -> str | None:
    """Why a tree can't be put into the sandbox, and what to set; `None` where it fits."""
    setting = (
        "raise workspace_mb under [sandbox] in config.toml, or move elsewhere what the goal does not need"
    )
    if (paths := len(tree.entries)) > limits.workspace_files:
        return f"the workspace holds {paths} paths and the sandbox takes {limits.workspace_files}"
    size = 0
    for path, entry in tree.entries.items():
        if entry.size > limits.file_bytes:
            return (
                f"{one_line(path)!r} has {entry.size // MB} MB and the sandbox takes files up to "
                f"{limits.file_bytes // MB} MB, a quarter of its workspace; {setting}"
            )
        size += -(-entry.size // _PAGE_BYTES) * _PAGE_BYTES
    if size > limits.workspace_bytes:
        return f"the workspace needs {size // MB} MB and the sandbox has {limits.workspace_mb}; {setting}"
    return None


def _parts(path: str, entry: TreeEntry, objects: ObjectSource) -> Iterator[tuple[wire.Row, bytes]]:
    name, letter = wire.to_wire(raw(path)), _LETTERS[entry.kind]
    if entry.kind == "folder":
        yield (name, letter, entry.mode & 0o777, 0, 0, 0), b""
    elif entry.size <= wire.CHUNK_BYTES:
        data = objects.get(entry.sha256)
        yield (name, letter, entry.mode & 0o777, len(data), 0, len(data)), data
    else:
        with objects.open(entry.sha256) as stream:
            for offset in range(0, entry.size, wire.CHUNK_BYTES):
                part = stream.read(wire.CHUNK_BYTES)
                yield (name, letter, entry.mode & 0o777, entry.size, offset, len(part)), part
