"""The activity's list: its rows are made as they are looked at, folded and unfolded in place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from textual.geometry import Size

from autoagent.console.figures import several
from autoagent.console.line import Line, Part, line, wrapped
from autoagent.state import RunState
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.activity import Item
from autoagent.tui.run.item_lines import Columns
from autoagent.tui.run.stream import Stream

MOST = 400
"""Rows of an item that is unfolded in place; a page shows all."""
_INDENT = 5


class Feed(Lines):
    """What a run does, as it does it. Enter unfolds a row in place, and folds it again."""

    DEFAULT_CSS = "Feed { scrollbar-gutter: stable; overflow-x: hidden; }"

    def __init__(
        self,
        whole: Callable[[int], Sequence[str]],
        behind: Callable[[Item], Sequence[Line] | None],
        *,
        id: str | None = None,
    ) -> None:
        """`whole`: all lines that came out, by the entry that holds them.

        `behind`: all that an item stands for; `None` where that can't be read.
        """
        super().__init__(id=id, follows=True)
        self.stream = self.rows = Stream(whole)
        self._whole, self._behind = whole, behind
        self.matches: list[int] = []
        """Items in which the text that is marked stands, in order."""
        self._opened_by_search: int | None = None
        self._unfolded: dict[int, Sequence[Line]] = {}
        """As they were given, before they were broken at this width."""
        self._seen = 0
        """Items that were there when the list was last followed."""

    # --- content --------------------------------------------------------------------------------------------

    def begin(self, items: Sequence[Item]) -> None:
        """Of another run, or of the same one from its start."""
        columns = self.stream.columns
        self.stream = self.rows = Stream(self._whole)
        self.stream.columns = columns
        self.cursor, self._unfolded, self.matches, self._opened_by_search = 0, {}, [], None
        self.take(items)

    def take(self, items: Sequence[Item]) -> None:
        """More of it. The cursor stays on what it stood on, and so does the view."""
        with_cursor = self.stream.place(self.cursor)
        top = self.stream.place(self.scroll_offset.y)
        self.stream.add(items)
        self._placed(with_cursor, top)

    def tailed(self, rows: Sequence[Row]) -> None:
        """What is under way, below all else; these rows take the place of those before."""
        if list(self.stream.tail) == list(rows):
            return
        place, top = self.stream.place(self.cursor), self.stream.place(self.scroll_offset.y)
        self.stream.tail = tuple(rows)
        self._placed(place, top)

    def known(self, state: RunState) -> None:
        """The run as it stands: how much room the names of its sub-tasks take."""
        ids = [each.id for each in state.plan.sub_tasks] if state.plan is not None else []
        longest = max(map(len, ids), default=2)
        if longest != self.stream.columns.sub_task:
            self.stream.columns = Columns(self.stream.columns.width, longest)
            self.refresh()

    def tick(self, now_s: float | None) -> None:
        """Another moment has come: what is under way says so."""
        self.stream.now_s = now_s
        first, last = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        for at in self.stream.pending:
            if first <= (row := self.stream.row(at)) < last:
                self.refresh_line(row)

    @property
    def item(self) -> int | None:
        """The one under the cursor."""
        at, _ = self.stream.place(self.cursor)
        return at if at < len(self.stream.items) else None

    @property
    def news(self) -> int:
        """How much has come since the list was last followed."""
        return len(self.stream.items) - self._seen

    # --- folding --------------------------------------------------------------------------------------------

    def action_choose(self) -> None:
        """Unfold what is under the cursor; where it is unfolded, fold it."""
        if (at := self.item) is None:
            return
        self._opened_by_search = None
        if at in self.stream.opened:
            self._fold(at)
        else:
            self._unfold(at)
        self._go(self.stream.row(at))

    def _fold(self, at: int) -> None:
        top = self._top(at)
        self.stream.fold(at)
        del self._unfolded[at]
        self._placed((at, 0), top)

    def _unfold(self, at: int) -> None:
        """All that is behind an item, below it."""
        if (lines := self._behind(self.stream.items[at])) is None:
            return
        self._unfolded[at] = lines
        top = self._top(at)
        self.stream.open(at, self._broken(lines))
        self._placed((at, 0), top)

    def _broken(self, lines: Sequence[Line]) -> list[Line]:
        """Lines as they have room, as many as are shown in place."""
        width = max(self.columns - _INDENT, 20)
        pieces = [line(" " * _INDENT) + piece for each in lines for piece in wrapped(each, width)]
        left = len(pieces) - MOST
        more = line(Part(f"{' ' * _INDENT}│ … {several(left, 'more line')} · o shows all", "dim"))
        return pieces if left <= 0 else [*pieces[:MOST], more]

    def fold_all(self) -> None:
        """Fold what is unfolded; where nothing is, unfold all."""
        at, _ = self.stream.place(self.cursor)
        top = self._top(at)
        self.stream.fold_all()
        self._unfolded.clear()
        self._placed((at, 0), top)
        self._go(self.stream.row(at))

    def _top(self, at: int) -> tuple[int, int]:
        """The first row in view; not below the item."""
        return min(self.stream.place(self.scroll_offset.y), (at, 0))

    def _at_end(self) -> None:
        if self.follows and self.scroll_offset.y < self.max_scroll_y:
            self.scroll_end(animate=False, immediate=True)

    def _to_end(self) -> None:
        self._seen = len(self.stream.items)
        super()._to_end()

    # --- finding --------------------------------------------------------------------------------------------

    def sought(self, text: str) -> None:
        """Mark this text wherever it stands; nothing any more where it is empty."""
        self.marked, self.matches = text, []
        if not text and self._opened_by_search is not None and self._opened_by_search in self._unfolded:
            self._fold(self._opened_by_search)
        self._opened_by_search = None
        self.refresh()

    def matched(self, items: Sequence[int], first: int) -> None:
        """These items from item `first` on have it."""
        self.matches = [*self.matches[: bisect_left(self.matches, first)], *items]

    def next_match(self, by: int) -> int | None:
        """Go to the next one, or with -1 to the one before; past the last the first. Its place, from 1."""
        at, within = self.stream.place(self.cursor)
        if (row := self._matching_row(at, within + by, by)) is not None:
            self._go(self.stream.row(at, row))
        elif self.matches:
            place = bisect_right(self.matches, at) if by > 0 else bisect_left(self.matches, at) - 1
            self._show_match(self.matches[place % len(self.matches)], by)
        at, _ = self.stream.place(self.cursor)
        place = bisect_left(self.matches, at)
        return place + 1 if place < len(self.matches) and self.matches[place] == at else None

    def _show_match(self, at: int, by: int) -> None:
        """Unfold an item whose match is folded; what was unfolded for the last one is folded again."""
        if (last := self._opened_by_search) is not None and last in self._unfolded and last != at:
            self._fold(last)
            self._opened_by_search = None
        first = 0 if by > 0 else self.stream.rows_of(at) - 1
        if self._matching_row(at, first, by) is None and at not in self.stream.opened:
            self._unfold(at)
            self._opened_by_search = at
            first = 0 if by > 0 else self.stream.rows_of(at) - 1
        self._go(self.stream.row(at, self._matching_row(at, first, by) or 0))

    def _matching_row(self, at: int, first: int, by: int) -> int | None:
        """The row of an item, from its row `first` on, that has the text."""
        if at >= len(self.stream.items) or not self.marked:
            return None
        count, sought = self.stream.rows_of(at), self.marked.lower()
        rows = range(first, count) if by > 0 else range(min(first, count - 1), -1, -1)
        top = self.stream.row(at)
        return next((n for n in rows if sought in str(self.stream[top + n].line).lower()), None)

    # --- laying out -----------------------------------------------------------------------------------------

    def go_to(self, at: int, within: int = 0) -> None:
        self._go(self.stream.row(at, within))

    def _placed(self, cursor: tuple[int, int], top: tuple[int, int]) -> None:
        """Rows have come or gone: cursor and view stay on what they were on."""
        self._resized()
        if self.follows:
            self._to_end()
            self.call_after_refresh(self._at_end)  # a scroll bar that isn't there yet can't be moved
            return
        self.cursor = self.stream.row(*cursor)
        if (row := self.stream.row(*top)) != self.scroll_offset.y:
            self.scroll_to(y=row, animate=False, immediate=True)

    def _lay_out(self) -> None:
        place, top = self.stream.place(self.cursor), self.stream.place(self.scroll_offset.y)
        width = self.columns
        if width and width != self.stream.columns.width:
            self.stream.columns = Columns(width, self.stream.columns.sub_task)
            for at, lines in self._unfolded.items():
                self.stream.open(at, self._broken(lines))
        self._placed(place, top)

    def _resized(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.stream))
        self.refresh()
