"""What the last scan knew of each file, so that an unchanged one is not read again.

A row's key changes whenever the file does: any write moves ctime, which nobody can set. Only the coarseness
of a file system's clock could hide a change, so a file younger than that when it was read gets no row.
The cache on disk is worth what the store behind it holds: it names the tree that was stored after all of its
objects, and is dropped where that tree isn't there, or where anything about the file is odd.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path

from autoagent.ports import Objects
from autoagent.trees import TreeEntry

Key = tuple[int, int, int, int, int, int]
"""(device, inode, size, mtime_ns, ctime_ns, st_mode)"""

TRUSTED_AGE_NS = 10_000_000
"""One tick of the coarsest Linux kernel (HZ=100)."""
COARSE_AGE_NS = 2_000_000_000
"""For a ctime of whole seconds, which a file system without a finer clock gives."""

_MAGIC = b"autoagent scan 1\n"
_ROW = struct.Struct("<QQQqqI32s")

_log = logging.getLogger("autoagent.folder")


def key_of(status: os.stat_result) -> Key:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_mode,
    )


def is_trusted(key: Key, now_ns: int) -> bool:
    """Whether a write after `now_ns`, when the file was still unread, must show in the key."""
    ctime_ns = key[4]
    age_ns = now_ns - ctime_ns
    return age_ns >= (TRUSTED_AGE_NS if ctime_ns % 1_000_000_000 else COARSE_AGE_NS)


def load(path: Path, objects: Objects) -> dict[Key, TreeEntry]:
    """The rows of an earlier process; none where there are none to be trusted."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        _log.warning("the scan cache can't be read (%s); every file is read again", error)
        return {}
    body = data[len(_MAGIC) + 32 :]
    digest = data[len(_MAGIC) : len(_MAGIC) + 32]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        _log.warning("the scan cache is damaged; every file is read again")
        return {}
    if not objects.has(body[:32].hex()):
        _log.info("the scan cache belongs to another store; every file is read again")
        return {}
    return {row[:6]: _entry(row[:6], row[6].hex()) for row in _ROW.iter_unpack(body[32:])}


def save(path: Path, tree_id: str, rows: Mapping[Key, TreeEntry]) -> None:
    """Replace the cache; a disk that refuses costs only time, next time."""
    packed = b"".join(_ROW.pack(*key, bytes.fromhex(entry.sha256)) for key, entry in rows.items())
    body = bytes.fromhex(tree_id) + packed
    temp = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two processes must not write one file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temp.write_bytes(_MAGIC + hashlib.sha256(body).digest() + body)
        temp.replace(path)
    except OSError as error:
        _log.warning("the scan cache can't be written (%s); the next run reads every file", error)


def _entry(key: Key, sha256: str) -> TreeEntry:
    mode = key[5]
    if stat.S_ISLNK(mode):
        return link_entry(key[2], sha256)
    return TreeEntry("file", stat.S_IMODE(mode), key[2], sha256)


def link_entry(size: int, sha256: str) -> TreeEntry:
    """A link's own mode means nothing and differs between systems: always 0o777."""
    return TreeEntry("link", 0o777, size, sha256)
