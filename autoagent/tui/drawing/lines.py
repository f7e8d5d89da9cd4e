"""A list of lines of any length: only those in view are drawn. All text is plain text, never markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from autoagent.console.line import Line, Tone, wrapped
from autoagent.tui.drawing.view import Row

_TONES = ("plain", "dim", "good", "bad", "attention", "accent", "outside", "gone")


class _OfRow(Message):
    """Something about the row under the cursor."""

    def __init__(self, lines: Lines, key: str) -> None:
        super().__init__()
        self.lines, self.key = lines, key

    @property
    def control(self) -> Lines:
        return self.lines


class Lines(ScrollView, can_focus=True):
    """Rows with a cursor. Following, it stays at the end until somebody scrolls up."""

    ALLOW_MAXIMIZE = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{name}" for name in (*_TONES, "cursor", "marked")}
    DEFAULT_CSS = """
    Lines { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Lines.wrapped { scrollbar-gutter: stable; }
    Lines > .lines--dim { color: $quiet; }
    Lines > .lines--good { color: $text-success; }
    Lines > .lines--bad { color: $text-error; }
    Lines > .lines--attention { color: $text-warning; text-style: bold; }
    Lines > .lines--accent { color: $text-accent; }
    Lines > .lines--outside { color: $text-secondary; text-style: bold; }
    Lines > .lines--gone { color: $quiet; text-style: strike; }
    Lines > .lines--cursor { background: $cursor-row; text-style: bold; }
    Lines > .lines--marked { text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False, id="lines.down"),
        Binding("up,k", "move(-1)", "up", show=False, id="lines.up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="lines.page_down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="lines.page_up"),
        Binding("g,home", "to(0)", "first", show=False, id="lines.first"),
        Binding("G,end", "to(-1)", "last, and follow", show=False, id="lines.last"),
        Binding("enter", "choose", "open", show=False, id="lines.open"),
    ]

    class Chosen(_OfRow):
        """Enter, or a click, on a row that stands for something."""

    class Moved(_OfRow):
        """The cursor stands elsewhere."""

    def __init__(
        self,
        *,
        id: str | None = None,
        follows: bool = False,
        has_cursor: bool = True,
        is_wrapped: bool = False,
    ) -> None:
        super().__init__(id=id, classes="wrapped" if is_wrapped else None)
        self.follows = self._may_follow = follows
        self._is_wrapped, self._has_cursor = is_wrapped, has_cursor
        self.rows: Sequence[Row] = []
        self._given: list[Row] = []
        self.cursor = 0
        self._styles: dict[tuple[Tone, bool], Style] = {}
        """(tone, whether the cursor is there) -> how it is drawn in this frame."""
        self.marked = ""
        """Text that is marked wherever it stands, in whatever case."""

    # --- content --------------------------------------------------------------------------------------------

    def show(self, rows: Sequence[Row], *, keeps: bool = True) -> None:
        """Other rows; the cursor stays on what it stood on, where that is still there and `keeps` says so."""
        if self._given == rows:
            return
        key = self.key if keeps else ""
        self._given = list(rows)
        self._lay_out()
        kept = next((n for n, row in enumerate(self.rows) if row.key == key and key), None)
        self.cursor = min(self.cursor, max(len(self.rows) - 1, 0)) if kept is None else kept
        if self.follows:
            self._to_end()

    def show_lines(self, lines: Sequence[Line]) -> None:
        self.show([Row(each) for each in lines])

    @property
    def key(self) -> str:
        """What the row under the cursor stands for; empty for nothing."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else ""

    @property
    def columns(self) -> int:
        """Columns that a row has, beside the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def unseen(self) -> int:
        """Rows below the last one in view."""
        return max(len(self.rows) - (self.scroll_offset.y + self.scrollable_content_region.height), 0)

    def _laid(self, rows: Sequence[Row]) -> list[Row]:
        if not self._is_wrapped or not self.size.width:
            return list(rows)
        width = max(self.columns, 20)
        return [Row(piece, row.key) for row in rows for piece in wrapped(row.line, width)]

    def _lay_out(self) -> None:
        self.rows = self._laid(self._given)
        self._resized()

    def _resized(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.refresh()

    def on_resize(self) -> None:
        self._lay_out()
        if self.follows:
            self._to_end()

    # --- drawing --------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """A frame: what its styles come to is found out once, and not for each part of a line."""
        self._styles = {}
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        number, width = self.scroll_offset.y + y, self.columns
        has_cursor = self._has_cursor and self.has_focus and self.is_chosen(number)
        base = self._style("plain", has_cursor)
        if number >= len(self.rows):
            return Strip.blank(width, base)
        segments, room = list[Segment](), width + 1
        for part in self.rows[number].line.parts:
            if room <= 0:
                break
            shown = part.shown[:room]  # no more characters than columns: a line may be megabytes long
            room -= len(shown)
            segments += self._segments(shown, self._style(part.tone, has_cursor))
        strip = Strip(segments)
        if strip.cell_length > width:
            return Strip([*strip.crop(0, width - 1), Segment("…", base)], width)
        return strip.adjust_cell_length(width, base)

    def is_chosen(self, number: int) -> bool:
        """Whether the cursor is drawn on this row."""
        return number == self.cursor

    def _style(self, tone: Tone, has_cursor: bool) -> Style:
        if (known := self._styles.get((tone, has_cursor))) is not None:
            return known
        style = self.rich_style if (tone, has_cursor) == ("plain", False) else self._style("plain", False)
        if tone != "plain":
            style += self.get_component_rich_style(f"lines--{tone}", partial=True)
        if has_cursor:
            style += self.get_component_rich_style("lines--cursor", partial=True)
        self._styles[tone, has_cursor] = style
        return style

    def _segments(self, text: str, style: Style) -> Iterator[Segment]:
        """A text in its style, and in it what is marked."""
        sought, done = self.marked.lower(), 0
        lowered = text.lower() if sought else ""
        if sought and len(lowered) == len(text):
            over = self.get_component_rich_style("lines--marked", partial=True)
            while (at := lowered.find(sought, done)) >= 0:
                yield Segment(text[done:at], style)
                done = at + len(sought)
                yield Segment(text[at:done], style + over)
        yield Segment(text[done:], style)

    # --- moving ---------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        if not self._has_cursor:
            self.scroll_relative(y=by, animate=False)
            return
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        if not self._has_cursor:
            self.scroll_relative(y=by * max(self.size.height - 1, 1), animate=False)
            return
        self._go(self.cursor + by * max(self.size.height - 1, 1))

    def action_to(self, where: int) -> None:
        if where < 0:
            self.follows = self._may_follow
            self._to_end()
            self.post_message(self.Moved(self, self.key))
        else:
            self._go(0)

    def _go(self, to: int) -> None:
        last = max(len(self.rows) - 1, 0)
        self.cursor = min(max(to, 0), last)
        self.follows = self._may_follow and self.cursor == last
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
        self.refresh()
        self.post_message(self.Moved(self, self.key))

    def _to_end(self) -> None:
        self.cursor = max(len(self.rows) - 1, 0)
        self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def on_mouse_scroll_up(self) -> None:
        """Whoever turns back wants to read."""
        self.follows = False

    def action_choose(self) -> None:
        if self.key:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: object) -> None:
        number = self.scroll_offset.y + getattr(event, "y", 0)
        if self._has_cursor and number < len(self.rows):
            self._go(number)
