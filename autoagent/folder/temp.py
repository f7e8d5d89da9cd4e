"""Names of our own temporary files in the user's folder: made by a projection, gone when it ends.

A killed projection leaves some behind; a scan leaves them out, and the next projection removes them. A name
is signed with a key that lies outside the workspace, so nobody else's file is ever taken for one of them.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import stat
from pathlib import Path

_PREFIX = ".autoagent-tmp-"
_NAME = re.compile(re.escape(_PREFIX) + "([0-9a-f]{16})-([0-9a-f]{32})")
_KEY_BYTES = 32
_OF_THIS_PROCESS = secrets.token_bytes(_KEY_BYTES)

_log = logging.getLogger("autoagent.folder")


class TempNames:
    """The names that one key makes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self) -> str:
        nonce = secrets.token_hex(8)
        return f"{_PREFIX}{nonce}-{self._signature(nonce)}"

    def owns(self, name: str) -> bool:
        """Whether it was made with this key."""
        if not name.startswith(_PREFIX) or (match := _NAME.fullmatch(name)) is None:
            return False
        return hmac.compare_digest(self._signature(match[1]), match[2])

    def remove_left(self, folder: int) -> None:
        """Remove what is left in a folder, given its descriptor: files and links, never a folder."""
        for name in filter(self.owns, os.listdir(folder)):
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                remove_temp(folder, name)

    def _signature(self, nonce: str) -> str:
        return hmac.digest(self._key, nonce.encode(), "sha256").hex()[:32]


def temp_names(key_path: Path | None) -> TempNames:
    """With the key kept at a path, made where it is missing; `None`: with one that ends with this process."""
    if key_path is None:
        return TempNames(_OF_THIS_PROCESS)
    try:
        if (key := _read_key(key_path)) is None:
            key_path.parent.mkdir(parents=True, exist_ok=True)
            new = key_path.with_name(f"{key_path.name}.{secrets.token_hex(4)}")
            new.write_bytes(secrets.token_bytes(_KEY_BYTES))
            new.replace(key_path)
            key = _read_key(key_path)
    except OSError as error:
        _log.warning("the key of temporary names can't be kept (%s); a killed run may leave files", error)
        key = None
    return TempNames(key or _OF_THIS_PROCESS)


def remove_temp(folder: int, name: str) -> None:
    """Remove one that we made, if it is still there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def _read_key(path: Path) -> bytes | None:
    """`None` where there is no whole one."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == _KEY_BYTES else None
