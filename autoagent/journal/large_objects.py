"""Large objects as files named by their SHA-256. Owns the folder `objects/` of a home and every fsync in it.

A file under its final name is whole and on disk: it is written beside, fsynced, renamed, and its folder
fsynced. Storing the same bytes twice, from any process, ends in the same file.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, BinaryIO

from autoagent.errors import StoreUnavailable
from autoagent.faults import NO_FAULTS, Faults

CHUNK_BYTES = 1024 * 1024
LEFTOVER_AFTER_S = 24 * 3600.0
"""A temporary file this old belongs to a process that was killed."""


class LargeObjects:
    """The files of one home."""

    def __init__(self, folder: Path, faults: Faults = NO_FAULTS) -> None:
        self._folder, self._faults = folder, faults
        self._verified: dict[str, tuple[int, ...]] = {}

    def has(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    def put(self, sha256: str, data: bytes) -> None:
        """Store `data`, whose hash is known, unless it is there."""
        path = self._path(sha256)
        # a file of another size was damaged from outside, and is mended
        if not path.exists() or path.stat().st_size != len(data):
            self.store(io.BytesIO(), data)

    def store(self, stream: BinaryIO, start: bytes = b"") -> tuple[str, int]:
        """Copy `start` and all of `stream`, a chunk at a time; (hash, size in bytes).

        Raises `StoreUnavailable`, and what reading `stream` raises.
        """
        try:
            with self._temporary() as file:
                sha256, size_bytes = _copy(start, stream, file)
                os.fsync(file.fileno())
                self._faults.reached("object written")
                self._move_in(Path(file.name), sha256)
                self._faults.reached("object in place")
        except _SourceFailed as failed:
            raise failed.error from None
        except OSError as error:
            raise StoreUnavailable(
                f"objects {str(self._folder)!r} can't be written: {error.strerror or error}; "
                "free some space or set AUTOAGENT_HOME to a folder of yours, then resume"
            ) from error
        return sha256, size_bytes

    def remove(self, sha256: str) -> None:
        """Overwrite the bytes and unlink the file, where there is one. Raises `StoreUnavailable`."""
        path = self._path(sha256)
        try:
            with path.open("r+b") as file:
                left = path.stat().st_size
                while left > 0:
                    left -= file.write(bytes(min(left, CHUNK_BYTES)))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            _fsync_folder(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailable(f"object {str(path)!r} can't be removed: {error.strerror}") from error

    def open(self, sha256: str) -> BinaryIO:
        """The file, from its start, its bytes checked. Raises `StoreUnavailable`."""
        try:
            file = self._path(sha256).open("rb")
        except OSError as error:
            raise unreadable(sha256, error.strerror or str(error)) from error
        try:
            self._verify(sha256, file)
        except BaseException:
            file.close()
            raise
        return file

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _verify(self, sha256: str, file: io.BufferedReader) -> None:
        """Check the bytes, once in this process while the file stays as it is."""
        stat = os.fstat(file.fileno())
        identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if self._verified.get(sha256) == identity:
            return
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise unreadable(sha256, "its bytes don't match its name")
        file.seek(0)
        self._verified[sha256] = identity

    @contextmanager
    def _temporary(self) -> Iterator[IO[bytes]]:
        folder = self._folder / "tmp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)  # there only if it was not moved

    def _move_in(self, temporary: Path, sha256: str) -> None:
        folder = self._path(sha256).parent
        is_new = not folder.exists()
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary.replace(self._path(sha256))
        _fsync_folder(folder)
        if is_new:
            _fsync_folder(self._folder)


def unreadable(sha256: str, why: str) -> StoreUnavailable:
    return StoreUnavailable(f"object {sha256} can't be read: {why}; restore the home's objects from a copy")


class _SourceFailed(Exception):
    """Reading what shall be stored went wrong, which is no fault of the store."""

    def __init__(self, error: OSError) -> None:
        self.error = error


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise _SourceFailed(error) from error


def _copy(start: bytes, stream: BinaryIO, file: IO[bytes]) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in chain([start], _chunks(stream)):
        digest.update(chunk)
        size_bytes += file.write(chunk)
    file.flush()
    return digest.hexdigest(), size_bytes


def _sweep(folder: Path) -> None:
    oldest = time.time() - LEFTOVER_AFTER_S
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:  # another process stored it, or swept it
            continue


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
