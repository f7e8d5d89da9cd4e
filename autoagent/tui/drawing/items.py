"""A list whose items have several rows: the cursor stands on all rows of one, and goes from item to item."""

from __future__ import annotations

from autoagent.tui.drawing.lines import Lines


class Items(Lines):
    """Rows that stand for the same are one item."""

    def is_chosen(self, number: int) -> bool:
        return number < len(self.rows) and self.rows[number].key == self.key

    def action_move(self, by: int) -> None:
        """To the first row of the next item, or of the one before."""
        starts = [n for n, row in enumerate(self.rows) if not n or row.key != self.rows[n - 1].key]
        if not starts:
            return
        here = sum(start <= self.cursor for start in starts) - 1
        there = starts[min(max(here + by, 0), len(starts) - 1)]
        last = max(n for n, row in enumerate(self.rows) if row.key == self.rows[there].key)
        self._go(last)  # all of it comes into view
        self._go(there)
