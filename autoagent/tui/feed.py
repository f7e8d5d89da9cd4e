"""The activity's list: its rows are made as they are looked at, folded and unfolded in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.geometry import Size
from textual.message import Message

from autoagent.console.figures import several
from autoagent.console.line import Line, Part, line
from autoagent.state import RunState
from autoagent.tui.activity import Item
from autoagent.tui.item_lines import Columns
from autoagent.tui.lines import Lines
from autoagent.tui.stream import Stream
from autoagent.tui.view import Row, wrapped

MOST = 400
"""Rows of an item that is unfolded in place; a page shows all."""
_INDENT = 5


class Feed(Lines):
    """What a run does, as it does it. Enter unfolds a row in place, and folds it again."""

    DEFAULT_CSS = "Feed { scrollbar-gutter: stable; overflow-x: hidden; }"

    class Unfolding(Message):
        """A row is to be unfolded: whoever has the journal answers with `unfold`."""

        def __init__(self, feed: Feed, item: int) -> None:
            super().__init__()
            self.feed, self.item = feed, item

        @property
        def control(self) -> Feed:
            return self.feed

    def __init__(self, whole: Callable[[int], Sequence[str]], *, id: str | None = None) -> None:
        """`whole`: all lines that came out, by the entry that holds them."""
        super().__init__(id=id, follows=True)
        self.stream = self.rows = Stream(whole)
        self._whole = whole
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
        self.cursor, self._unfolded = 0, {}
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
                self.refresh_line(row - first)

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
        if at in self.stream.opened:
            top = self._top(at)
            self.stream.fold(at)
            del self._unfolded[at]
            self._placed((at, 0), top)
            self._go(self.stream.row(at))
        else:
            self.post_message(self.Unfolding(self, at))

    def unfold(self, at: int, lines: Sequence[Line]) -> None:
        """All that is behind an item, below it."""
        self._unfolded[at] = lines
        top = self._top(at)
        self.stream.open(at, self._broken(lines))
        self._placed((at, 0), top)
        self._go(self.stream.row(at))

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
