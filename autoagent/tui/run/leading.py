"""A screen of several panes about one run: goes from pane to pane, and says what led to something in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import work
from textual.screen import Screen

from autoagent.console.line import Line
from autoagent.errors import AutoagentError
from autoagent.tui.drawing.jumping import JumpScreen
from autoagent.tui.drawing.news import News
from autoagent.tui.pages.reading import ReadScreen
from autoagent.tui.run.closer import led_to

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class Leading(Screen[None]):
    """Has a line `#news` above the footer."""

    app: Cockpit

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def tell(self, news: str) -> None:
        self.query_one(News).say(news)

    def action_jump(self) -> None:
        self.app.push_screen(JumpScreen.over(self), lambda pane: pane.focus() if pane is not None else None)

    def action_whole(self) -> None:
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused, container=False)

    def lead_to(self, what: str) -> None:
        """Show what led to an entry, a path, a call."""
        self.tell(f"looking for what led to {what} …")
        self._look_back(what)

    @work(thread=True, exclusive=True, group="why")
    def _look_back(self, what: str) -> None:
        """In a thread: all entries are read."""
        try:
            found = led_to(self.app.journal, self.run_id, what)
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))
        else:
            self.app.call_from_thread(self._told_why, what, found)

    def _told_why(self, what: str, found: Sequence[Line]) -> None:
        self.tell("")
        if self.is_current:
            self.app.push_screen(ReadScreen(f"what led to {what}", found))
