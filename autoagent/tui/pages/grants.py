"""What the person always allows: each literal rule, how often it was used, and taking it back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from autoagent.console.always import MOST_RUNS, newest, row
from autoagent.console.line import line
from autoagent.errors import AutoagentError
from autoagent.grants import Grant
from autoagent.grants_file import GrantsFile
from autoagent.past.hindsight import Use, uses
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.drawing.view import Row

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_NONE = "No always has been given. A on a question gives one, after it has shown what it would cover."


class GrantsScreen(Screen[None]):
    """What you always allow: the literal rules. `x` twice takes back the one under the cursor.

    From the next question on it counts no more, also in runs that are under way.
    """

    CSS = """
    GrantsScreen > Lines { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "revoke", "revoke", tooltip="Take it back; asks", id="grants.revoke"),
        Binding("escape", "app.leave", "back", id="grants.back"),
    ]

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._revoking = ""

    def compose(self) -> ComposeResult:
        yield Lines(id="grants", is_wrapped=True)
        yield News()
        yield Keys()

    def on_mount(self) -> None:
        self.query_one(Lines).focus()
        self._read()

    def tell(self, news: str) -> None:
        self.query_one(News).say(news)

    @work(exclusive=True)
    async def _read(self) -> None:
        now = self.app.now()
        try:
            found = [each for each in GrantsFile(self.app.home).read() if each.holds(now)]
            runs, left_out = await asyncio.to_thread(newest, self.app.journal)
        except AutoagentError as error:
            self.tell(str(error))
            return
        used = uses(runs)
        pane = self.query_one(Lines)
        pane.border_title = f"Always allowed ({len(found)})"
        pane.border_subtitle = f"uses are those of the newest {MOST_RUNS} runs" if left_out else ""
        pane.show([made for each in found for made in self._rows(each, used)] or [Row(line(_NONE), "")])

    def _rows(self, grant: Grant, used: dict[str, Use]) -> list[Row]:
        return [Row(each, grant.id) for each in row(grant, used.get(grant.id, Use()), self.app.now())]

    def action_revoke(self) -> None:
        """The second time it is done."""
        chosen = self.query_one(Lines).key
        if not chosen:
            return
        if self._revoking != chosen:
            self._revoking = chosen
            self.tell(f"x once more takes {chosen} back; any other key leaves it")
            return
        self._revoking = ""
        try:
            grant = GrantsFile(self.app.home).revoke(chosen, self.app.now())
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.tell(f"taken back: {grant.said}")
        self._read()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self._revoking = ""
