"""A run as it was: a slider over its entries. Read only; nothing is answered from the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Static

from autoagent.console.changes import Caps, differences
from autoagent.console.line import Line, Part, line
from autoagent.errors import AutoagentError
from autoagent.events import Entry
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.changes import changes
from autoagent.past.patch import patch
from autoagent.state import RunState, advance
from autoagent.trees import load_tree
from autoagent.tui.closer import decision_of
from autoagent.tui.drawing import drawn
from autoagent.tui.footer import Keys
from autoagent.tui.lines import Lines
from autoagent.tui.pace import Pulse
from autoagent.tui.reading import ReadScreen
from autoagent.tui.slider import marks, slider
from autoagent.tui.view import gauges, plan_rows, unfolded

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_CHECKPOINT = 500
"""Entries between two states that are kept; the others are folded from the one before."""


class PastScreen(Screen[None]):
    """The run as it was after an entry: plan, proof, gauges, and what that entry holds.

    It is the past: nothing can be answered here. `f` forks from here, `u` takes the folder back to here.
    """

    CSS = """
    PastScreen > #title, PastScreen > #gauges { height: 1; }
    PastScreen #plan { width: 2fr; border: round $quiet; }
    PastScreen #entry { width: 3fr; border: round $primary; }
    PastScreen > #track { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "back", key_display="←", id="past.back"),
        Binding("right", "step(1)", "on", key_display="→", id="past.on"),
        Binding("H", "mark(-1)", "mark back", id="past.mark_back"),
        Binding("L", "mark(1)", "mark on", id="past.mark_on"),
        Binding("home", "to(1)", "first", show=False, priority=True, id="past.first"),
        Binding("end", "to(0)", "last", show=False, priority=True, id="past.last"),
        Binding("d", "diff", "diff to now", id="past.diff"),
        Binding("f", "fork", "fork here", id="past.fork"),
        Binding("u", "undo", "undo to here", id="past.undo"),
        Binding("escape", "app.leave", "back to now", id="past.leave"),
    ]

    app: Cockpit

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.at = 0
        self._entries: Sequence[Entry] = ()
        self._kept: list[RunState] = []

    def compose(self) -> ComposeResult:
        yield Static(f"{self.run_id} …", id="title", markup=False)
        with Horizontal():
            yield Lines(id="plan", has_cursor=False, is_wrapped=True)
            yield Lines(id="entry", has_cursor=False, is_wrapped=True)
        yield Static("", id="gauges", markup=False)
        yield Static("", id="track", markup=False)
        yield Static("", id="news", classes="news", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#entry").focus()
        self._read()

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        """All entries, and a state every so often; in a thread, as a long run takes a moment."""
        journal = SqliteJournal(self.app.home)
        try:
            entries, kept, state = journal.read(self.run_id), [], RunState(self.run_id)
            for entry in entries:
                if (entry.seq - 1) % _CHECKPOINT == 0:
                    kept.append(state)
                state = advance(state, entry)
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))
            return
        finally:
            journal.close()
        self.app.call_from_thread(self._have, entries, kept)

    def _have(self, entries: Sequence[Entry], kept: list[RunState]) -> None:
        self._entries, self._kept = entries, kept
        self.action_to(0)

    def state_at(self, seq: int) -> RunState:
        """The run after an entry."""
        index = (seq - 1) // _CHECKPOINT
        state = self._kept[index]
        for entry in self._entries[index * _CHECKPOINT : seq]:
            state = advance(state, entry)
        return state

    def _show(self) -> None:
        entry, state = self._entries[self.at - 1], self.state_at(self.at)
        what = entry.event.kind.replace("_", " ")
        head = f"{self.run_id} · {what} · {entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
        where = f"  entry {self.at} of {len(self._entries)}"
        self.query_one("#title", Static).update(drawn(line(Part("▌PAST▐ ", "attention"), head, where)))
        plan = self.query_one("#plan", Lines)
        has_begun = state.started is not None
        plan.show(plan_rows(state, {}, plan.columns, state.seconds) if has_begun else [])
        pane = self.query_one("#entry", Lines)
        pane.border_title = f"entry {self.at}"
        pane.show_lines(unfolded(entry, decision_of(self.app.journal, self.run_id, entry)))
        if state.started is not None:
            self.query_one("#gauges", Static).update(
                drawn(gauges(state, Pulse(), state.seconds, self.size.width))
            )
        width = max(self.size.width - 2, 10)
        self.query_one("#track", Static).update(drawn(*slider(self._entries, self.at, width)))

    def tell(self, news: str) -> None:
        self.query_one("#news", Static).update(drawn(line(news)))

    def action_to(self, seq: int) -> None:
        """Entry `seq`; 0: the last."""
        if self._entries:
            self.at = min(max(seq or len(self._entries), 1), len(self._entries))
            self._show()

    def action_step(self, by: int) -> None:
        self.action_to(max(self.at + by, 1))

    def action_mark(self, by: int) -> None:
        """The next entry, or the one before, that a person would stop at."""
        found = [entry.seq for entry in self._entries if marks(entry.event)]
        ahead = [seq for seq in found if (seq > self.at if by > 0 else seq < self.at)]
        if ahead:
            self.action_to(ahead[0] if by > 0 else ahead[-1])

    def action_diff(self) -> None:
        if not self._entries:
            return
        then, now = self.state_at(self.at), self.state_at(len(self._entries))
        objects = self.app.journal.objects
        try:
            found = changes(load_tree(then.main, objects), load_tree(now.main, objects))
            shown: list[Line] = list(differences([(x, patch(x, objects)) for x in found], Caps()))
        except AutoagentError as error:
            self.tell(str(error))
            return
        title = f"what has changed since entry {self.at}"
        self.app.push_screen(ReadScreen(title, shown or [line("nothing")]))

    def action_fork(self) -> None:
        """Go on otherwise from here, in a folder of its own; the fork waits to be resumed."""
        from autoagent.past.fork import fork

        try:
            made = fork(self.app.journal, self.app.home, self.run_id, self.at)
        except AutoagentError as error:
            self.tell(str(error))
        else:
            self.tell(f"fork {made.run} in {made.workspace}; it is in the list, r goes on with it")

    def action_undo(self) -> None:
        """The console shows what that means, and asks."""
        self.app.on_console("undo", self.run_id, "--to", str(self.at))
