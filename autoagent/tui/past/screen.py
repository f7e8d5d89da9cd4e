"""A run as it was: a slider over its entries. Read only; nothing is answered from the past."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from autoagent.errors import AutoagentError
from autoagent.events import Entry
from autoagent.settings import load
from autoagent.state import RunState, advance
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.drawing.view import plan_rows
from autoagent.tui.pages.choosing import ChoiceScreen
from autoagent.tui.pages.reading import ReadScreen
from autoagent.tui.past.slider import CHECKPOINT, Track, slider
from autoagent.tui.past.then import files_then, fork_lines, model_rows, past_title, step_lines, step_title
from autoagent.tui.run.closer import decision_of, differing, entry_at
from autoagent.tui.run.leading import Leading

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_WIDE = 100
_STRETCH = 200
"""Entries that are read and folded at a stretch; between two of them keys come first."""
_PLAYED_S = 0.5
"""How long each stop is shown while it plays."""
_SAME = "as before"


class PastScreen(Leading):
    """The run as it was: plan, files against now, and what that step did.

    It is the past: nothing can be answered here. `f` forks from here, `u` takes the folder back to here.
    """

    CSS = """
    PastScreen > #title { height: 1; }
    PastScreen #left { width: 36%; max-width: 44; }
    PastScreen #left > Lines { border: round $quiet; }
    PastScreen #then { max-height: 40%; }
    PastScreen #entry { width: 1fr; border: round $quiet; }
    PastScreen #entry:focus, PastScreen #left > Lines:focus { border: round $primary; }
    PastScreen > #track { height: auto; }
    PastScreen.narrow #left { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "back", key_display="←", priority=True, id="past.back"),
        Binding("right", "step(1)", "on", key_display="→", priority=True, id="past.on"),
        Binding("H", "mark(-1)", "mark back", id="past.mark_back"),
        Binding("L", "mark(1)", "mark on", id="past.mark_on"),
        Binding("space", "play", "play", tooltip="Step on by itself, until a key", id="past.play"),
        Binding("f", "fork", "fork", tooltip="Go on otherwise from here; asks", id="past.fork"),
        Binding("u", "undo", "undo", tooltip="Take the folder back to here; asks", id="past.undo"),
        Binding("d", "diff", "diff", tooltip="What has changed since", id="past.diff"),
        Binding("w", "why", "why", tooltip="What led to this", id="past.why"),
        Binding("ctrl+left", "entry(-1)", "entry back", show=False, id="past.entry_back"),
        Binding("ctrl+right", "entry(1)", "entry on", show=False, id="past.entry_on"),
        Binding("home", "to(1)", "first", show=False, priority=True, id="past.first"),
        Binding("end", "to(0)", "last", show=False, priority=True, id="past.last"),
        Binding("tab", "app.focus_next", "next pane", show=False, id="past.next_pane"),
        Binding("shift+tab", "app.focus_previous", "pane before", show=False, id="past.pane_before"),
        Binding("ctrl+o", "jump", "jump", tooltip="A letter on each pane", show=False, id="past.jump"),
        Binding("f10", "whole", "whole", tooltip="The pane on the whole screen", show=False, id="past.whole"),
        Binding("a", "unanswered", "answer", show=False, id="past.answer"),
        Binding("escape", "back_to_now", "back to now", id="past.leave", priority=True),
    ]

    app: Cockpit

    def __init__(self, run_id: str, first: int = 0) -> None:
        """`first`: the entry that it opens at; 0: the last that says something."""
        super().__init__(run_id)
        self.at, self._first = 0, first
        self._track = Track()
        self._playing: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(f"{self.run_id} …", id="title", markup=False)
        with Horizontal():
            with Vertical(id="left"):
                yield Lines(id="plan", has_cursor=False, is_wrapped=True)
                yield Lines(id="then", has_cursor=False)
            yield Lines(id="entry", has_cursor=False, is_wrapped=True)
        yield Static("", id="track", markup=False)
        yield News(self.run_id)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#entry").border_subtitle = "past · read only"
        self.query_one("#entry").focus()
        self.query_one(News).hold("its journal is being read …")
        self._read()

    def on_resize(self) -> None:
        self.set_class(self.size.width < _WIDE, "narrow")
        self.call_after_refresh(self._show)

    @work(thread=True, exclusive=True, group="read")
    def _read(self) -> None:
        """In a thread, as a long run takes a moment; of its entries only what the slider needs is kept."""
        journal, state, track, worker = self.app.journal, RunState(self.run_id), Track(), get_current_worker()
        try:
            while entries := journal.read(self.run_id, state.seq, state.seq + _STRETCH):
                for entry in entries:
                    before, state = state, advance(state, entry)
                    track.add(before, entry, state)
                self.app.rest()
                if worker.is_cancelled:
                    return
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))
        else:
            self.app.call_from_thread(self._have, track)

    def _have(self, track: Track) -> None:
        self._track = track
        self.query_one(News).hold("")
        self.action_to(self._first or (track.stops[-1] if track.stops else 0))

    # --- showing --------------------------------------------------------------------------------------------

    def state_at(self, seq: int) -> RunState:
        """The run after an entry."""
        state = self._track.states[(seq - 1) // CHECKPOINT]
        for entry in self.app.journal.read(self.run_id, state.seq, seq):
            state = advance(state, entry)
        return state

    def _show(self) -> None:
        last = self._track.last
        if not self.at or last is None:
            return
        try:
            entry, state = entry_at(self.app.journal, self.run_id, self.at), self.state_at(self.at)
            self._show_step(entry, state)
            self._show_left(state, last)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.query_one("#title", Static).update(drawn(past_title(state, last, self.at, self.size.width)))
        shown = slider(self._track, self.at, entry.at, state.usd, self.size.width)
        self.query_one("#track", Static).update(drawn(*shown))

    def _show_step(self, entry: Entry, state: RunState) -> None:
        began = self._track.began.get(entry.seq, 0)
        decided = decision_of(self.app.journal, self.run_id, entry, began)
        pane = self.query_one("#entry", Lines)
        pane.border_title = drawn(step_title(entry, decided, state))
        pane.show_lines(step_lines(entry, decided, state))

    def _show_left(self, state: RunState, last: RunState) -> None:
        if self.has_class("narrow"):
            return
        plan, then = self.query_one("#plan", Lines), self.query_one("#then", Lines)
        plan.border_title = f"Plan as it was at step {state.steps}"
        has_begun = state.started is not None
        plan.show(plan_rows(state, {}, plan.columns, state.seconds) if has_begun else [])
        found = files_then(state, last, self.app.journal.objects, then.columns) if has_begun else []
        then.border_title = f"Files then · {len(found)} · against now"
        then.show_lines(found)

    # --- moving ---------------------------------------------------------------------------------------------

    def action_to(self, seq: int) -> None:
        """Entry `seq`; 0: the last."""
        if count := len(self._track):
            self.at = min(max(seq or count, 1), count)
            self._show()

    def action_entry(self, by: int) -> None:
        self._stop()
        self.action_to(max(self.at + by, 1))

    def action_step(self, by: int) -> None:
        """The next entry that says something, or the one before."""
        self._stop()
        self._go(self._track.stops, by)

    def action_mark(self, by: int) -> None:
        """The next entry, or the one before, that a person would stop at."""
        self._stop()
        self._go([seq for seq, _ in self._track.marks], by)

    def _go(self, stops: Sequence[int], by: int) -> bool:
        place = bisect_right(stops, self.at) if by > 0 else bisect_left(stops, self.at) - 1
        if not 0 <= place < len(stops):
            return False
        self.action_to(stops[place])
        return True

    def action_play(self) -> None:
        """Step on by itself; the same key, or any step, holds it."""
        if self._playing is not None:
            self._stop()
        else:
            self.query_one(News).hold(f"playing · {self.app.first_key('past.play')} holds it")
            self._playing = self.set_interval(_PLAYED_S, self._play_on)

    def _play_on(self) -> None:
        if not self._go(self._track.stops, 1):
            self._stop()

    def _stop(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._playing = None
            self.query_one(News).hold("")

    # --- looking closer, and doing --------------------------------------------------------------------------

    def action_diff(self) -> None:
        if self._track.last is None:
            return
        try:
            then = self.state_at(self.at)
            shown = differing(self.app.journal, then.main, self._track.last.main)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen(f"what has changed since step {then.steps}", shown))

    def action_why(self) -> None:
        if self.at:
            self._stop()
            self.lead_to(str(self.at))

    def action_fork(self) -> None:
        """Go on otherwise from here, in a folder of its own, with the same model or another one; asks."""
        self._stop()
        try:
            settings = load(self.app.home, os.environ)
        except AutoagentError as error:
            self.tell(str(error))
            return
        if not self.at or (last := self._track.last) is None:
            return
        rows = model_rows(settings.models, _SAME, last.model)
        try:
            said = fork_lines(self.state_at(self.at), last.workspace)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(
            ChoiceScreen(f"Fork run {self.run_id} at entry {self.at}", rows, said), self._fork
        )

    def _fork(self, model: str | None) -> None:
        from autoagent.past.fork import fork

        if model is None or not self.at:
            return
        named = None if model == _SAME else model
        try:
            made = fork(self.app.journal, self.app.home, self.run_id, self._moment(), model=named)
        except AutoagentError as error:
            self.tell(str(error))
        else:
            how = f" with {model}" if named else ""
            key = self.app.first_key("runs.resume")
            self.tell(f"fork {made.run} in {made.workspace}; it is in the list, {key} goes on with it{how}")

    def _moment(self) -> int:
        """The last of the entries that were recorded together with this one: there a run can go on."""
        here = entry_at(self.app.journal, self.run_id, self.at)
        later = self.app.journal.read(self.run_id, self.at, self.at + _STRETCH)
        together = [entry.seq for entry in later if entry.at == here.at]
        return together[-1] if together else here.seq

    def action_undo(self) -> None:
        """The console shows what that means, and asks."""
        self._stop()
        self.app.on_console("undo", self.run_id, "--to", str(self.at))

    def action_unanswered(self) -> None:
        self.tell("Nothing is answered from the past; esc leads back to now.")

    def action_back_to_now(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.app.action_leave()
