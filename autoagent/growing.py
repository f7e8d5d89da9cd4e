"""Values that only grow, shared from one to the next: adding costs what is added, not what is there.

Each is immutable to whoever holds it: what a later one adds is not seen in an earlier one. The items stand in
one list that all of them share; whoever adds to another than the newest gets a copy of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import islice
from typing import TypeVar, overload

T = TypeVar("T")


class Log(Sequence[T]):
    """A sequence; equal to another one with the same items."""

    __slots__ = ("_items", "_length")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._length = len(self._items)

    def plus(self, *items: T) -> Log[T]:
        """This one with `items` at its end."""
        grown: Log[T] = Log.__new__(Log)
        is_newest = len(self._items) == self._length
        grown._items = self._items if is_newest else self._items[: self._length]
        grown._items.extend(items)
        grown._length = self._length + len(items)
        return grown

    def goes_on(self, earlier: Log[T]) -> bool:
        """Whether it was made from `earlier` by adding to it, which is known without looking at an item."""
        return self._items is earlier._items and len(self) >= len(earlier)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return islice(self._items, self._length)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        if isinstance(at, slice):
            return tuple(self._items[n] for n in range(self._length)[at])
        return self._items[range(self._length)[at]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Log) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Log({list(self)!r})"


class Seen(Set[T]):
    """A set of what came by, in the order in which it first did."""

    __slots__ = ("_count", "_numbers")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._numbers = {item: number for number, item in enumerate(dict.fromkeys(items))}
        self._count = len(self._numbers)

    def plus(self, items: Iterable[T]) -> Seen[T]:
        """This one with `items` too."""
        new = [item for item in dict.fromkeys(items) if item not in self]
        if not new:
            return self
        is_newest = len(self._numbers) == self._count
        grown: Seen[T] = Seen(()) if is_newest else Seen(self)
        if is_newest:
            grown._numbers = self._numbers
        for item in new:
            grown._numbers[item] = len(grown._numbers)
        grown._count = len(grown._numbers)
        return grown

    def __contains__(self, item: object) -> bool:
        return self._numbers.get(item, self._count) < self._count  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        return islice(self._numbers, self._count)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Seen({list(self)!r})"
