"""Objects in memory, for tests: the whole port, nothing on disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import BinaryIO

from autoagent.errors import ObjectBlanked, StoreUnavailable


class MemoryObjects:
    """Implements `autoagent.ports.Objects`; `data` may be looked into, and damaged by a test."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.blanked: set[str] = set()

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.data.setdefault(sha256, bytes(data))
        return sha256

    def put_stream(self, stream: BinaryIO) -> tuple[str, int]:
        data = stream.read()
        return self.put(data), len(data)

    def get(self, sha256: str) -> bytes:
        data = self.data.get(sha256)
        if data is None and sha256 in self.blanked:
            raise ObjectBlanked(sha256)
        if data is None:
            raise StoreUnavailable(f"the object {sha256} is not in the store")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreUnavailable(f"the object {sha256} is damaged: its bytes don't match its name")
        return data

    def blank(self, names: Iterable[str]) -> None:
        for sha256 in names:
            self.data.pop(sha256, None)
            self.blanked.add(sha256)

    def open(self, sha256: str) -> BinaryIO:
        return io.BytesIO(self.get(sha256))

    def has(self, sha256: str) -> bool:
        return sha256 in self.data
