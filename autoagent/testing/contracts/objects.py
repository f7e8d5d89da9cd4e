"""What every store of objects promises, as tests.

Derive from `ObjectsContract`, override its `objects` fixture and `damage`.
"""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.ports import Objects

SIZES = (0, 1, 4_096, 65_535, 65_536, 65_537, 3_000_000)
"""Bytes; stores treat small and large objects differently, and 64 KiB is where ours divides them."""


def some_bytes(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that don't repeat early; the same for the same arguments."""
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size_bytes)


class ShortReads(io.RawIOBase):
    """A stream that gives a few bytes a read, as a pipe does, and may break at its end."""

    def __init__(self, data: bytes, step_bytes: int = 7_001, error: OSError | None = None) -> None:
        self._rest, self._step_bytes, self._error = data, step_bytes, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._error is not None and not self._rest:
            raise self._error
        size_bytes = min(len(buffer), self._step_bytes, len(self._rest))
        buffer[:size_bytes], self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
        return size_bytes


class ObjectsContract:
    """Immutable bytes named by their SHA-256."""

    @pytest.fixture
    def objects(self) -> Objects:
        """An empty store."""
        raise NotImplementedError("override the fixture `objects`")

    def damage(self, objects: Objects, sha256: str) -> None:
        """Change a stored object's bytes behind the store's back, keeping their number."""
        raise NotImplementedError("override the method `damage`")

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_what_is_put_can_be_got(self, objects: Objects, size_bytes: int) -> None:
        """`put` names the bytes by their hash, and `get` gives the same bytes."""
        data = some_bytes(size_bytes)
        sha256 = objects.put(data)

        assert sha256 == hashlib.sha256(data).hexdigest()
        assert objects.get(sha256) == data
        assert objects.has(sha256)

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_a_stream_is_stored_like_its_bytes(self, objects: Objects, size_bytes: int) -> None:
        """`put_stream` gives the hash and the size, and stores what `put` would."""
        data = some_bytes(size_bytes)

        assert objects.put_stream(io.BytesIO(data)) == (hashlib.sha256(data).hexdigest(), size_bytes)
        assert objects.get(hashlib.sha256(data).hexdigest()) == data

    @pytest.mark.parametrize("size_bytes", [10, 65_537, 200_000])
    def test_a_stream_may_give_less_than_asked(self, objects: Objects, size_bytes: int) -> None:
        """A stream is read to its end, however little it gives at once."""
        data = some_bytes(size_bytes)
        stream: BinaryIO = ShortReads(data)  # type: ignore[assignment]

        sha256, stored_bytes = objects.put_stream(stream)

        assert stored_bytes == size_bytes
        assert objects.get(sha256) == data

    @pytest.mark.parametrize("size_bytes", [10, 200_000])
    def test_a_failing_stream_stores_nothing(self, objects: Objects, size_bytes: int) -> None:
        """What reading a stream raises comes through, and no object is left."""
        data = some_bytes(size_bytes)
        stream: BinaryIO = ShortReads(data, error=OSError(5, "the source broke"))  # type: ignore[assignment]

        with pytest.raises(OSError, match="the source broke"):
            objects.put_stream(stream)
        assert not objects.has(hashlib.sha256(data).hexdigest())

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_opening_reads_in_pieces(self, objects: Objects, size_bytes: int) -> None:
        """`open` gives a stream at its start, in which one can seek."""
        data = some_bytes(size_bytes)
        sha256 = objects.put(data)

        with objects.open(sha256) as file:
            assert file.read(10) == data[:10]
            file.seek(size_bytes // 2)
            assert file.read() == data[size_bytes // 2 :]

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_putting_twice_is_putting_once(self, objects: Objects, size_bytes: int) -> None:
        """The same bytes have one name, from `put` and from `put_stream`."""
        data = some_bytes(size_bytes)
        first = objects.put(data)

        assert objects.put(data) == first
        assert objects.put_stream(io.BytesIO(data)) == (first, size_bytes)
        assert objects.get(first) == data

    def test_many_objects_stay_apart(self, objects: Objects) -> None:
        """Each name keeps its own bytes."""
        stored = {objects.put(some_bytes(50 + i, i)): some_bytes(50 + i, i) for i in range(300)}

        assert len(stored) == 300
        assert all(objects.get(sha256) == data for sha256, data in stored.items())

    @pytest.mark.parametrize("size_bytes", [100, 100_000])
    def test_the_callers_buffer_may_change_later(self, objects: Objects, size_bytes: int) -> None:
        """What is stored is what the buffer held when `put` was called."""
        buffer = bytearray(some_bytes(size_bytes))
        before = bytes(buffer)
        sha256 = objects.put(buffer)  # type: ignore[arg-type]
        buffer[0] ^= 0xFF

        assert objects.get(sha256) == before

    @pytest.mark.parametrize("name", [64 * "0", "", "0", "../../etc/passwd", 64 * "g", 64 * "A"])
    def test_what_is_not_there_is_an_error(self, objects: Objects, name: str) -> None:
        """`get` and `open` of an unknown name, or of what is none, raise `StoreUnavailable`."""
        assert not objects.has(name)
        with pytest.raises(StoreUnavailable, match="object"):
            objects.get(name)
        with pytest.raises(StoreUnavailable, match="object"):
            objects.open(name)

    @pytest.mark.parametrize("size_bytes", [100, 100_000])
    def test_damaged_bytes_are_never_given_out(self, objects: Objects, size_bytes: int) -> None:
        """Bytes that don't match their name are an error that names the object."""
        sha256 = objects.put(some_bytes(size_bytes))
        self.damage(objects, sha256)

        with pytest.raises(StoreUnavailable, match=f"{sha256}.*bytes don't match"):
            objects.get(sha256)
        with pytest.raises(StoreUnavailable, match=f"{sha256}.*bytes don't match"):
            objects.open(sha256)
