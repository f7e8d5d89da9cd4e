"""Follows the journal in a thread of its own: reads what is new, folds it, and tells the screens.

It writes nothing. A journal that can't be read is a row that says so, never the end of the watch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoagent import garbage
from autoagent.console.finding import open_questions
from autoagent.errors import AutoagentError, NewerVersion, StoreDamaged
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import ending_of
from autoagent.ports import RunHead
from autoagent.state import RunState, advance
from autoagent.tui.run.activity import Item, activity
from autoagent.tui.run.pace import Pulse, pulse
from autoagent.tui.run.trail import Fact, facts
from autoagent.tui.runs.overview import UNREAD, Seen

_FIRST, _BATCH = 500, 2_000
"""Entries that are folded before a screen hears of them: few, then many, as each time costs a frame."""
_STRETCH = 200
"""Entries that are read and folded at a stretch: 5 ms, in which a key waits."""
_KEY_S, _WAY_S = 0.25, 0.02
"""For so long after a key each stretch is followed by a rest, in which the screen is drawn undisturbed."""
_LONG = 10_000
"""Entries from which Python's search for garbage would be felt: they are left out of it for good."""


@dataclass
class Told:
    """What entries say of the run that is open."""

    items: list[Item] = field(default_factory=list)
    """For its activity."""
    facts: list[Fact] = field(default_factory=list)
    """For its files, proof and memory."""


@dataclass
class _Read:
    """A run as far as it was read."""

    state: RunState
    pulse: Pulse = field(default_factory=Pulse)

    def go_on(self, journal: SqliteJournal, rest: Callable[[], None], told: Told | None = None) -> bool:
        """Fold what is next, if anything is, and add what it says to `told`. Raises what the journal does.

        `rest`: called between stretches, for whoever has something more urgent to do.
        """
        first = self.state.seq
        last = first + (_BATCH if first else _FIRST)
        while self.state.seq < last and self._fold(journal, min(self.state.seq + _STRETCH, last), told):
            rest()
        return self.state.seq > first

    def _fold(self, journal: SqliteJournal, last: int, told: Told | None) -> bool:
        """Up to entry `last`; whether all those entries were there."""
        try:
            with garbage.put_off():
                for entry in journal.read(self.state.run_id, self.state.seq, last):
                    before, self.state = self.state, advance(self.state, entry)
                    self.pulse = pulse(self.pulse, entry, self.state)
                    if told is not None:
                        told.items += activity(before, entry, self.state)
                        told.facts += facts(before, entry, self.state)
        except (AssertionError, AttributeError, LookupError, ValueError) as error:
            id = self.state.run_id
            what = f"run {id}: its entries make no sense ({type(error).__name__})"
            raise StoreDamaged(f"{what}; 'autoagent verify {id}' says what to do") from error
        return self.state.seq == last


@dataclass(eq=False)
class _Opened:
    """The run that is open on a screen; opened again it is another one."""

    run_id: str
    read: _Read | None = None
    """As far as its items were told."""


@dataclass(frozen=True)
class Heard:
    """What is new of the run that is open."""

    run_id: str
    told: Told
    is_first: bool
    """It takes the place of all that was shown before."""
    state: RunState
    """The run after the last of its entries."""
    pulse: Pulse


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
        self._read: dict[str, _Read] = {}
        self._last: dict[str, Seen] = {}
        self._told: list[Seen] | None = None
        """What the screens know of all runs."""
        self._opened: _Opened | None = None
        self._typed_at = 0.0
        self._settled = 0
        """Entries that the search for garbage leaves out."""
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
        self._opened = None if run_id is None else _Opened(run_id)
        self._due.set()

    def give_way(self) -> None:
        """A person is typing: what is read can wait, the screen can't."""
        self._typed_at = time.monotonic()

    def rest(self) -> None:
        """For a thread between two stretches of work: makes room for what a person types."""
        if time.monotonic() - self._typed_at < _KEY_S:
            self._over.wait(_WAY_S)

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
            self._show_opened(journal)
            seen = {head.id: self._unread(head) for head in heads if head.id not in self._last}
            if seen:  # a long run is read for seconds: the list is there before
                self._say([{**seen, **self._last}[head.id] for head in heads])
            self._last = {head.id: self._seen(journal, head) for head in heads}
        except AutoagentError as error:
            self._on_problem(str(error))
            return
        self._say([*self._last.values()])
        if (folded := sum(read.state.seq for read in self._read.values())) > self._settled + _LONG:
            garbage.settle()
            self._settled = folded

    def _show_opened(self, journal: SqliteJournal) -> None:
        """One that can't be read is told of once, and the others are looked at all the same."""
        if (opened := self._opened) is None:
            return
        try:
            self._tell(journal, opened)
        except AutoagentError as error:
            self._opened = None
            self._on_problem(str(error))

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
            read = self._advanced(journal, head)
        except NewerVersion as error:
            return Seen(head.id, None, "newer", holder, last_at, problem=str(error))
        except StoreDamaged as error:
            return Seen(head.id, None, "damaged", holder, last_at, problem=str(error))
        state = read.state
        waiting = () if state.ended else tuple(q.question.id for q in open_questions(journal, state))
        name = ending_of(state, holder is not None)
        return Seen(head.id, state, name, holder, last_at, waiting, pulse=read.pulse)

    def _advanced(self, journal: SqliteJournal, head: RunHead) -> _Read:
        """The run up to its last entry; of the run that is open most was read for its items already."""
        read = self._read.get(head.id) or _Read(RunState(head.id))
        while not self._over.is_set():
            if (opened := self._opened) is not None and opened.read is None:
                self._show_opened(journal)  # whoever opens a run doesn't wait until all others are read
            shown = opened.read if opened is not None and opened.run_id == head.id else None
            if shown is not None and shown.state.seq > read.state.seq:
                read = _Read(shown.state, shown.pulse)
            self._read[head.id] = read
            if read.state.seq >= head.entries or not read.go_on(journal, self.rest):
                break
        return read

    def _tell(self, journal: SqliteJournal, opened: _Opened) -> None:
        """The items of what is new in the run that is open."""
        is_first, read = opened.read is None, opened.read or _Read(RunState(opened.run_id))
        opened.read = read
        while self._opened is opened and not self._over.is_set():
            told = Told()
            if not read.go_on(journal, self.rest, told) or self._opened is not opened:
                return
            self._on_heard(Heard(opened.run_id, told, is_first, read.state, read.pulse))
            is_first = False
