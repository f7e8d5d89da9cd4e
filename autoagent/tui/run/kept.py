"""Items of an activity, a million of them in little memory: full blocks are packed. Pure."""

from __future__ import annotations

import marshal
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from autoagent.tui.run.activity import Item

BLOCK = 512
_UNPACKED = 8
"""Blocks that are held as they are, beside the last: a screen looks at two at most."""


class Kept(Sequence[Item]):
    """A list of items. What is looked at again and again is unpacked once."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._packed: list[bytes] = []
        self._last: list[Item] = []
        self._open: OrderedDict[int, list[Item]] = OrderedDict()
        self.extend(items)

    def extend(self, items: Iterable[Item]) -> None:
        for item in items:
            self._last.append(item)
            if len(self._last) == BLOCK:
                self._packed.append(_pack(self._last))
                self._last = []

    def put(self, at: int, item: Item) -> None:
        """Another item in the place of the one there."""
        number, place = divmod(at, BLOCK)
        block = self._block(number)
        block[place] = item
        if number < len(self._packed):
            self._packed[number] = _pack(block)

    def blocks(self, first: int = 0) -> Iterator[tuple[int, Sequence[Item]]]:
        """(index of its first item, items) from the block of item `first` on, as they are now.

        They may be read in another thread; none of them stays unpacked.
        """
        packed, last = tuple(self._packed), tuple(self._last)

        def each() -> Iterator[tuple[int, Sequence[Item]]]:
            for number in range(first // BLOCK, len(packed)):
                yield number * BLOCK, _unpack(packed[number])
            yield len(packed) * BLOCK, last

        return each()

    def __len__(self) -> int:
        return len(self._packed) * BLOCK + len(self._last)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if isinstance(at, slice):
            return [self[n] for n in range(len(self))[at]]
        number, place = divmod(range(len(self))[at], BLOCK)
        return self._block(number)[place]

    def _block(self, number: int) -> list[Item]:
        if number == len(self._packed):
            return self._last
        if number not in self._open:
            self._open[number] = _unpack(self._packed[number])
            if len(self._open) > _UNPACKED:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


def _pack(items: Iterable[Item]) -> bytes:
    return zlib.compress(marshal.dumps([tuple(item) for item in items]), 1)


def _unpack(data: bytes) -> list[Item]:
    return [Item._make(values) for values in marshal.loads(zlib.decompress(data))]
