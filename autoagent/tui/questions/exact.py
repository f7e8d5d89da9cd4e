"""What an answer authorises, scrolled: knows which of its lines were in view; edits the rows of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.errors import NoWidget
from textual.message import Message
from textual.strip import Strip

from autoagent.console.line import Line
from autoagent.goal import SubTask
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.questions.draft import Draft
from autoagent.tui.questions.matter import EditedPlan
from autoagent.tui.questions.rewording import RewordScreen

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class Exact(Lines):
    """Lines that count as seen once they were in view, wherever they stand after an edit or a resize.

    With a `plan` there is a cursor, which appears as soon as it is moved, and keys that edit its row.
    """

    DEFAULT_CSS = "Exact { overflow-x: hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "add", "a further row of a plan", show=False, id="question.add"),
        Binding("x", "remove", "remove a plan's row", show=False, id="question.remove"),
        Binding("J", "shift(1)", "a plan's row further down", show=False, id="question.lower"),
        Binding("K", "shift(-1)", "a plan's row further up", show=False, id="question.raise"),
        Binding("u", "undo", "take the last edit back", show=False, id="question.undo"),
    ]

    app: Cockpit

    class Looked(Lines.Moved):
        """Other lines are in view."""

    class Edited(Message):
        """The plan is other than it was; with `why` it isn't."""

        def __init__(self, why: str | None) -> None:
            super().__init__()
            self.why = why

    def __init__(self, may_edit: Callable[[], bool], *, id: str) -> None:
        super().__init__(id=id, has_cursor=False, is_wrapped=True)
        self._may_edit = may_edit
        self.plan: EditedPlan | None = None
        self._seen: set[tuple[Line, int]] = set()
        self._known: list[tuple[Line, int]] = []
        """Each line, and how many like it stand above."""
        self._unseen: set[tuple[Line, int]] = set()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of rows are there where a plan is: help names them nowhere else."""
        is_of_rows = action in ("add", "remove", "shift", "undo")
        return self.plan is not None if is_of_rows else super().check_action(action, parameters)

    def forget(self) -> None:
        """Something else is shown from now on."""
        self._unsee()
        self.leave_rows()
        self.scroll_to(y=0, animate=False)

    # --- what was seen --------------------------------------------------------------------------------------

    @property
    def unseen(self) -> int:
        """Lines that were never in view."""
        return len(self._unseen)

    @property
    def place(self) -> str:
        """Which lines are in view, and how many were not yet."""
        first = self.scroll_offset.y
        last = min(first + self._in_view, len(self.rows))
        unseen = f" · {self.unseen} not seen yet" if self.unseen else ""
        return (
            f"lines {first + 1}–{last} of {len(self.rows)}{unseen}" if len(self.rows) > last - first else ""
        )

    @property
    def _in_view(self) -> int:
        """Rows that the screen has room for; 0 while it isn't there."""
        try:
            place = self.screen.find_widget(self)
        except NoWidget:
            return 0
        below_top = place.visible_region.bottom - self.content_region.y
        return max(min(self.scrollable_content_region.height, below_top), 0)

    def show_unseen(self) -> None:
        """Bring the first line into view that never was."""
        first = next((n for n, each in enumerate(self._known) if each in self._unseen), 0)
        self.scroll_to(y=first, animate=False)

    def _lay_out(self) -> None:
        super()._lay_out()
        counts: Counter[Line] = Counter()
        self._known = []
        for row in self.rows:
            self._known.append((row.line, counts[row.line]))
            counts[row.line] += 1
        self._unseen = {*self._known} - self._seen
        self.call_after_refresh(self.look)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.call_after_refresh(self.look)  # once it is drawn

    def look(self) -> None:
        """What is in view now was seen; a row that the screen cuts off wasn't."""
        top = self.scroll_offset.y
        room = self.columns
        found = self._known[top : top + self._in_view]
        whole = {each for each in found if cell_len(str(each[0])) <= room}
        self._seen |= whole
        self._unseen -= whole
        self.post_message(self.Looked(self, self.key))

    def on_resize(self) -> None:
        if not self.scroll_offset.y:  # its height isn't settled yet: what was below wasn't looked at
            self._unsee()

    def _unsee(self) -> None:
        self._seen, self._unseen = set(), {*self._known}

    # --- rows -----------------------------------------------------------------------------------------------

    @property
    def is_among_rows(self) -> bool:
        return self._has_cursor

    @property
    def is_on_row(self) -> bool:
        """Whether the cursor stands on a sub-task."""
        return self._has_cursor and bool(self.key)

    def render_line(self, y: int) -> Strip:
        """A row of a plan with a sign of the cursor, which is seen without colour too."""
        strip = super().render_line(y)
        if not (self.plan is not None and self.is_on_row and self.is_chosen(self.scroll_offset.y + y)):
            return strip
        sign = strip.crop(1, 2)
        style = next((segment.style for segment in sign if segment.style is not None), None)
        return Strip.join([strip.crop(0, 1), Strip([Segment("▌", style)]), strip.crop(2)])

    def leave_rows(self) -> None:
        """The cursor goes; it comes back where it was."""
        self._has_cursor = False
        self.refresh()

    def action_move(self, by: int) -> None:
        if self.plan is not None and not self._has_cursor:
            self._has_cursor = True
            self.cursor, by = max(self.cursor, 1), 0  # below the heading
        super().action_move(by)

    def point_at(self, key: str) -> None:
        """Put the cursor on the first row with a key."""
        found = next((n for n, row in enumerate(self.rows) if row.key == key), None)
        if found is not None:
            self._has_cursor = True
            self._go(found)

    # --- a plan's rows --------------------------------------------------------------------------------------

    def _row(self) -> int | None:
        """The sub-task under the cursor; with none there the first is pointed at, and nothing is done."""
        if self.plan is None or not self._may_edit():
            return None
        if self.is_on_row:
            return int(self.key)
        if self.plan.draft.rows:
            self.point_at("0")
            self.post_message(self.Edited("this row, or which one? j and k move"))
        return None

    def action_remove(self) -> None:
        if (at := self._row()) is not None:
            self._change(lambda draft: draft.dropped(at), at)

    def action_shift(self, by: int) -> None:
        if (at := self._row()) is not None:
            self._change(lambda draft: draft.moved(at, by), at + by)

    def action_undo(self) -> None:
        if self.plan is not None and self._may_edit():
            self._change(lambda draft: draft.undone(), int(self.key or 0))

    def action_add(self) -> None:
        """A further row, once it has been written: behind the cursor's, else at the end."""
        if self.plan is None or not self._may_edit():
            return
        draft = self.plan.draft
        at = int(self.key) if self._has_cursor and self.key else len(draft.rows) - 1
        self._write(draft.fresh(at), at + 1, lambda draft, task: draft.added(at, task), at + 1)

    def action_reword(self) -> None:
        """The row under the cursor, else the first: what is written there can still be dropped."""
        if self.plan is not None and self._may_edit() and not self.is_on_row and self.plan.draft.rows:
            self.point_at("0")
        if (at := self._row()) is None or self.plan is None:
            return
        if why := self.plan.draft.fixed(at):
            self.post_message(self.Edited(why))
            return
        self._write(self.plan.draft.rows[at].task, at, lambda draft, task: draft.reworded(at, task), at)

    def _write(
        self, task: SubTask, number: int, made: Callable[[Draft, SubTask], Draft | str], then: int
    ) -> None:
        def written(found: SubTask | None) -> None:
            if found is not None:
                self._change(lambda draft: made(draft, found), then)

        assert self.plan is not None
        others = " ".join(each.id for each in self.plan.draft.sub_tasks if each.id != task.id)
        self.app.push_screen(RewordScreen(task, number + 1, others, self.app.key_of), written)

    def _change(self, edit: Callable[[Draft], Draft | str], then: int) -> None:
        """Edit the plan; the cursor goes on to row `then`."""
        if self.plan is None or not self._may_edit():
            return
        why = self.plan.change(edit)
        if why is None:
            self.show(self.plan.rows(self.columns))
            if self._has_cursor:
                self.point_at(str(min(then, len(self.plan.draft.rows) - 1)))
        self.post_message(self.Edited(why))
