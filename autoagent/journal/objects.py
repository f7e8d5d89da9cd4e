"""Bytes named by their SHA-256: small ones in the database, large ones as files.

A small object goes through the same queue as entries, so it is committed before every entry appended after
it. A large one is on disk when `put` returns.
"""

from __future__ import annotations

import hashlib
import io
import re
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from autoagent.errors import ObjectBlanked
from autoagent.faults import NO_FAULTS, Faults
from autoagent.journal.database import Reader
from autoagent.journal.large_objects import LargeObjects, unreadable
from autoagent.journal.usage import Usage
from autoagent.journal.writer import Writer

SMALL_BYTES = 64 * 1024
"""Objects up to this size lie in the database, where reading one costs 10 µs and no file."""


_NAME = re.compile("[0-9a-f]{64}")


class SqliteObjects:
    """Implements `autoagent.ports.Objects`; any thread may use it."""

    def __init__(self, folder: Path, reader: Reader, writer: Writer, faults: Faults = NO_FAULTS) -> None:
        self._large = LargeObjects(folder, faults)
        self._reader, self._writer = reader, writer
        self._usage = Usage(folder.parent)
        self._lock = threading.Lock()
        self._pending: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        self._usage.share()
        sha256 = hashlib.sha256(data).hexdigest()
        if len(data) <= SMALL_BYTES:
            # one that is only pending is queued again: the first job may come after the caller's entries
            if not self._is_committed(sha256):
                self._queue(sha256, bytes(data))
        else:
            self._large.put(sha256, data)
        return sha256

    def put_stream(self, stream: BinaryIO) -> tuple[str, int]:
        self._usage.share()
        start = _read_up_to(SMALL_BYTES + 1, stream)
        if len(start) <= SMALL_BYTES:
            return self.put(start), len(start)
        return self._large.store(stream, start)

    def get(self, sha256: str) -> bytes:
        data = self._small(sha256)
        if data is None:
            with self._large.open(sha256) as file:
                return file.read()
        return data

    def open(self, sha256: str) -> BinaryIO:
        data = self._small(sha256)
        return self._large.open(sha256) if data is None else io.BytesIO(data)

    def has(self, sha256: str) -> bool:
        self._usage.share()  # who asks may count on it
        with self._lock:
            if sha256 in self._pending:
                return True
        return bool(_NAME.fullmatch(sha256)) and (self._is_committed(sha256) or self._large.has(sha256))

    def close(self) -> None:
        """Let others delete what nothing names."""
        self._usage.close()

    def _is_committed(self, sha256: str) -> bool:
        return self._reader.row("SELECT 1 FROM objects WHERE sha256=?", _key(sha256)) is not None

    def _small(self, sha256: str) -> bytes | None:
        with self._lock:
            if (data := self._pending.get(sha256)) is not None:
                return data
        row = self._reader.row("SELECT data FROM objects WHERE sha256=?", _key(sha256))
        if row is None:
            if self._is_blanked(sha256) and not self._large.has(sha256):
                raise ObjectBlanked(sha256)
            return None
        if hashlib.sha256(row[0]).hexdigest() != sha256:
            raise unreadable(sha256, "its bytes don't match its name")
        return bytes(row[0])

    def _is_blanked(self, sha256: str) -> bool:
        found = self._reader.row("SELECT 1 FROM blanked_objects WHERE sha256=?", _key(sha256))
        return found is not None

    def remove_large(self, names: Iterable[str]) -> None:
        """Remove the files of objects that were blanked. Raises `StoreUnavailable`."""
        for sha256 in names:
            self._large.remove(sha256)

    def _queue(self, sha256: str, data: bytes) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO objects VALUES (?, ?)", (_key(sha256), data))

        def settled(error: Exception | None) -> None:
            with self._lock:
                self._pending.pop(sha256, None)

        with self._lock:
            self._pending[sha256] = data
        try:
            self._writer.queue(insert, settled, size_bytes=len(data))
        except BaseException as error:
            settled(None)
            raise error


def _key(sha256: str) -> bytes:
    if not _NAME.fullmatch(sha256):
        raise unreadable(sha256, "that is no SHA-256 in hex")
    return bytes.fromhex(sha256)


def _read_up_to(size_bytes: int, stream: BinaryIO) -> bytes:
    """That many bytes, or all there are: one `read` of a pipe may give less."""
    data = bytearray()
    while len(data) < size_bytes and (chunk := stream.read(size_bytes - len(data))):
        data += chunk
    return bytes(data)
