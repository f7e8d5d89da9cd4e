"""Follows the journal in a thread of its own: reads what is new, folds it, and tells the screens.

It writes nothing. A journal that can't be read is a row that says so, never the end of the watch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent.console.finding import open_questions
from autoagent.errors import AutoagentError, NewerVersion, StoreDamaged
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import ending_of
from autoagent.ports import RunHead
from autoagent.state import RunState, advance
from autoagent.tui.view import UNREAD, Row, Seen, activity

_BATCH = 1_000
"""Entries that are folded before a screen hears of them."""


@dataclass(frozen=True)
class Heard:
    """What is new of the run that is open."""

    run_id: str
    rows: tuple[Row, ...]
    is_first: bool
    """The rows take the place of all that was shown before."""


class Watch:
    """Reads all runs of a home, again and again, until it is stopped."""

    def __init__(
        self,
        home: Path,
        on_runs: Callable[[Sequence[Seen]], None],
        on_heard: Callable[[Heard], None],
        on_problem: Callable[[str], None],
        poll_s: float = 0.25,
    ) -> None:
        """The callbacks are called in the watch's thread."""
        self._home, self._poll_s = home, poll_s
        self._on_runs, self._on_heard, self._on_problem = on_runs, on_heard, on_problem
        self._states: dict[str, RunState] = {}
        self._last: dict[str, Seen] = {}
        self._told: list[Seen] | None = None
        """What the screens know of all runs."""
        self._opened: str | None = None
        self._folded: RunState | None = None
        """Of the run that is open: as far as its rows were told."""
        self._over, self._due = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="autoagent-watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; returns when its journal is closed."""
        self._over.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def open(self, run_id: str | None) -> None:
        """Tell every entry of this run from now on, from its first."""
        self._opened, self._folded = run_id, None
        self._due.set()

    def look(self) -> None:
        """Look at once, not only when it is time again."""
        self._due.set()

    # --- in the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            journal = SqliteJournal(self._home)
        except AutoagentError as error:
            self._on_problem(str(error))
            return
        try:
            while not self._over.is_set():
                self._look(journal)
                self._due.wait(self._poll_s)
                self._due.clear()
        finally:
            journal.close()

    def _look(self, journal: SqliteJournal) -> None:
        try:
            heads = [head for head in journal.runs() if head.entries]
            if (opened := self._opened) is not None:
                self._tell(journal, opened)
            seen = {head.id: self._unread(head) for head in heads if head.id not in self._last}
            if seen:  # a long run is read for seconds: the list is there before
                self._say([{**seen, **self._last}[head.id] for head in heads])
            self._last = {head.id: self._seen(journal, head) for head in heads}
        except AutoagentError as error:
            self._on_problem(str(error))
            return
        self._say([*self._last.values()])

    def _say(self, seen: list[Seen]) -> None:
        if seen != self._told:
            self._told = seen
            self._on_runs(seen)

    @staticmethod
    def _unread(head: RunHead) -> Seen:
        """A run of which no more is known yet than that it is there."""
        last_at = head.last_at or head.created_at
        return Seen(head.id, None, UNREAD, None, last_at)

    def _seen(self, journal: SqliteJournal, head: RunHead) -> Seen:
        """A run, folded from where it was seen last."""
        holder = journal.holder(head.id)
        last_at = head.last_at or head.created_at
        try:
            state = self._states[head.id] = self._advanced(journal, head)
        except NewerVersion as error:
            return Seen(head.id, None, "newer", holder, last_at, problem=str(error))
        except StoreDamaged as error:
            return Seen(head.id, None, "damaged", holder, last_at, problem=str(error))
        waiting = () if state.ended else tuple(q.question.id for q in open_questions(journal, state))
        return Seen(head.id, state, ending_of(state, holder is not None), holder, last_at, waiting)

    def _advanced(self, journal: SqliteJournal, head: RunHead) -> RunState:
        state = self._states.get(head.id) or RunState(head.id)
        if state.seq >= head.entries:
            return state
        try:
            for entry in journal.read(head.id, after=state.seq):
                state = advance(state, entry)
        except (AssertionError, AttributeError, LookupError, ValueError) as error:
            what = f"run {head.id}: its entries make no sense ({type(error).__name__})"
            raise StoreDamaged(f"{what}; 'autoagent verify {head.id}' says what to do") from error
        return state

    def _tell(self, journal: SqliteJournal, run_id: str) -> None:
        """The rows of what is new in the run that is open."""
        while self._opened == run_id and not self._over.is_set():
            state, is_first = self._folded or RunState(run_id), self._folded is None
            entries = journal.read(run_id, after=state.seq, upto=state.seq + _BATCH)
            if not entries:
                return
            rows: list[Row] = []
            for entry in entries:
                before, state = state, advance(state, entry)
                rows += activity(before, entry, state)
            if self._opened != run_id:
                return
            self._folded = state
            self._on_heard(Heard(run_id, tuple(rows), is_first))
