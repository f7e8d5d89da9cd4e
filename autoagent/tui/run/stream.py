"""The rows of an activity, made as they are looked at: each item its own, with some of what came out below.

Owns what is folded and unfolded, and which row shows what. Pure; the list that draws it is `feed`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import overload

from autoagent.console.line import Line
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.activity import SHOWN, Item
from autoagent.tui.run.item_lines import Columns, fold_line, item_line, output_line
from autoagent.tui.run.kept import Kept

MOST = 400
"""Lines of one item that are unfolded in place; a page shows all."""
_LOOKED_AT = 64
"""Outputs read anew that are kept while everything is unfolded."""


class Stream(Sequence[Row]):
    """Rows of items, and behind them those of what is under way (`tail`)."""

    def __init__(self, whole: Callable[[int], Sequence[str]]) -> None:
        """`whole`: all lines that came out, by the entry that holds them."""
        self._whole = lru_cache(_LOOKED_AT)(whole)
        self.items = Kept()
        self.seqs, self._says = array("I"), bytearray()
        self._folded, self._full = array("I"), array("I")
        """Rows of each item, the one way and the other."""
        self._heights, self._tops = array("I"), array("I")
        self._rows = 0
        self._pending: dict[str, int] = {}
        self.opened: dict[int, tuple[Line, ...]] = {}
        self.is_full = False
        self.tail: Sequence[Row] = ()
        self.columns = Columns(80)
        self.now_s: float | None = None
        """When it is drawn; `None`: nobody carries the run, so nothing is under way."""

    # --- content --------------------------------------------------------------------------------------------

    def add(self, items: Iterable[Item]) -> None:
        """More items; what has ended takes the place of what had begun."""
        first = len(self.items)
        new: list[Item] = []
        changed = first
        for item in items:
            at = self._pending.get(item.call) if item.call else None
            if at is None and item.state == "dropped":
                continue
            if at is None:
                at = first + len(new)
                new.append(item)
                self._note(item)
            else:
                new_at = at - first
                known = new[new_at] if new_at >= 0 else self.items[at]
                # what a person was asked about has begun when it was started, not when they were asked
                at_s = item.at if item.state == "running" else known.at
                item = item._replace(began=known.began, at=at_s, step=known.step)
                if new_at >= 0:
                    new[new_at] = item
                else:
                    self.items.put(at, item)
                changed = min(changed, at)
                self._note(item, at)
            if item.is_open:
                self._pending[item.call] = at
            elif item.call:
                self._pending.pop(item.call, None)
        self.items.extend(new)
        self._lay(changed)

    def _note(self, item: Item, at: int | None = None) -> None:
        if at is None:
            at = len(self.seqs)
            self.seqs.append(item.seq)
            self._says.append(item.name == "says")
            for each in (self._folded, self._full, self._heights, self._tops):
                each.append(0)
        own = 0 if self._says[at] and item.lines else 1  # words of the model begin in their own row
        self.seqs[at] = item.seq
        self._folded[at] = own + min(item.lines, SHOWN)
        self._full[at] = own + (item.lines if item.lines <= MOST else MOST + 1)
        self._heights[at] = self._height(at)

    def _height(self, at: int) -> int:
        """Rows of an item: its own, and those below."""
        if (opened := self.opened.get(at)) is not None:
            return 1 + len(opened)
        return self._full[at] if self.is_full else self._folded[at]

    def _lay(self, first: int) -> None:
        """Where each item from `first` on begins."""
        top = self._tops[first - 1] + self._heights[first - 1] if first else 0
        ends = array("I", accumulate(self._heights[first:], initial=top))
        self._rows = ends.pop()
        self._tops[first:] = ends

    # --- folding --------------------------------------------------------------------------------------------

    def open(self, at: int, lines: Sequence[Line]) -> None:
        """These lines stand below an item, instead of the first of its output."""
        self.opened[at] = tuple(lines)
        self._heights[at] = self._height(at)
        self._lay(at)

    def fold(self, at: int) -> None:
        self.opened.pop(at, None)
        self._heights[at] = self._height(at)
        self._lay(at)

    def fold_all(self) -> None:
        """Fold what is unfolded; where nothing is, unfold every output."""
        self.is_full = not self.is_full and not self.opened
        self.opened.clear()
        self._heights = array("I", self._full if self.is_full else self._folded)
        self._lay(0)

    # --- places ---------------------------------------------------------------------------------------------

    def place(self, row: int) -> tuple[int, int]:
        """(item, row within it); of the tail (number of items, row within the tail)."""
        if row >= self._rows or not self.seqs:
            return len(self.seqs), max(row - self._rows, 0)
        at = bisect_right(self._tops, row) - 1
        return at, row - self._tops[at]

    def row(self, at: int, within: int = 0) -> int:
        """The inverse; where the item has fewer rows now, its last."""
        if at >= len(self.seqs):
            return min(self._rows + within, max(len(self) - 1, 0))
        return self._tops[at] + min(within, self._heights[at] - 1)

    def rows_of(self, at: int) -> int:
        return self._heights[at]

    @property
    def pending(self) -> Iterable[int]:
        """Items that are under way."""
        return self._pending.values()

    # --- rows -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._rows + len(self.tail)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        if isinstance(at, slice):
            return [self[n] for n in range(len(self))[at]]
        at = range(len(self))[at]
        if at >= self._rows:
            return self.tail[at - self._rows]
        number, within = self.place(at)
        item = self.items[number]
        shown = item_line(item, self.columns, self.now_s) if not within else self._below(number, item, within)
        return Row(shown, str(item.seq))

    def _below(self, at: int, item: Item, within: int) -> Line:
        if (opened := self.opened.get(at)) is not None:
            return opened[within - 1]
        number = within if self._says[at] else within - 1
        lines: Sequence[str] = item.output
        room = len(lines) if item.lines <= SHOWN else SHOWN - 1
        if self.is_full and item.lines > SHOWN:
            lines, room = self._whole(item.seq), min(item.lines, MOST)
        if number < room:  # what was blanked since has fewer lines
            return output_line(item, lines[number] if number < len(lines) else "", self.columns)
        return fold_line(item, item.lines - room, self.columns, is_page=self.is_full)
