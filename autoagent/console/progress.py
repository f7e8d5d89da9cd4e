"""Follows a run and says what happens: lines as entries come, a live last line, a heartbeat. Owns its own
state of the run, folded from what it hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from time import monotonic

from autoagent.clock import SystemClock
from autoagent.console.events import called, place_of, title_of, told
from autoagent.console.figures import clock, local, money
from autoagent.console.line import Line, Part, columns_of, dotted, line, short
from autoagent.console.screen import Screen
from autoagent.events import Entry, QuestionAsked
from autoagent.live.replies import Incoming, Replies
from autoagent.state import LaneState, RunState, advance, fold

_COLUMNS = 79
"""Of a terminal that has room for the live line with the last words of a reply."""
Read = Callable[[str], list[Entry]]
"""All entries of a run so far."""


class Progress:
    """Says what a run does, on one screen."""

    def __init__(
        self,
        screen: Screen,
        read: Read,
        *,
        is_attended: bool = False,
        is_elsewhere: bool = False,
        are_numbered: bool = False,
        tick_s: float = 1.0,
        heartbeat_s: float = 60.0,
    ) -> None:
        """`is_attended`: questions are put to a person on this screen, so they aren't announced as well.

        `is_elsewhere`: another process carries the run, so there is no live line but what it says of a reply.
        `are_numbered`: the entry's number stands before each line.
        """
        self.screen = screen
        self.state: RunState | None = None
        self.is_stopping = False
        self._are_numbered, self._is_elsewhere = are_numbered, is_elsewhere
        self._is_attended, self._tick_s, self._heartbeat_s = is_attended, tick_s, heartbeat_s
        self._read = read
        self._run_id: str | None = None
        self._heard: list[Entry] = []
        self._coming: Incoming | None = None
        """A reply, as far as it has come."""
        self._since = self._spoke = monotonic()

    def begin(self, run_id: str) -> None:
        """The run has this name; what was heard of it so far is said now."""
        self._run_id = run_id
        heard, self._heard = self._heard, []
        for entry in heard:
            self.hear(entry)

    def hear(self, entry: Entry) -> None:
        """One entry more; those before it are read from the journal where they weren't heard."""
        if self._run_id is None:
            self._heard.append(entry)
            return
        if self.state is None or self.state.seq + 1 != entry.seq:
            known = [earlier for earlier in self._read(self._run_id) if earlier.seq < entry.seq]
            self.state = fold(self._run_id, known)
        before, self.state = self.state, advance(self.state, entry)
        self._since = monotonic()
        if not (self._is_attended and isinstance(entry.event, QuestionAsked)):
            for each in told(before, entry.event, self.state):
                self._say(self._numbered(entry.seq) + each, entry.at)
        self._draw()

    def hear_live(self, replies: Replies) -> None:
        """The live line ends with the last words of the reply that comes in."""
        self._coming = next((reply for reply in replies.values() if reply.entry is None), None)
        self._draw()

    def note(self, text: str) -> None:
        """One line of ours about what was chosen, or what is slow."""
        self.screen.say(line(Part("note: ", "dim"), short(text, 300)))

    async def beat(self) -> None:
        """Keep the live line moving; off a terminal, say after a silent minute that the run is alive."""
        while True:
            await asyncio.sleep(self._tick_s)
            self._draw()
            silent_s = monotonic() - self._spoke
            if not self.screen.is_terminal and self.state is not None and silent_s >= self._heartbeat_s:
                self._say(self._now(self.state), SystemClock().now())

    def _numbered(self, seq: int) -> Line:
        return line(Part(f"{seq:>5}  ", "dim")) if self._are_numbered else line()

    def _say(self, what: Line, at: datetime) -> None:
        self._spoke = monotonic()
        self.screen.say(line(Part(f"{local(at)} ", "dim")) + what)

    def _draw(self) -> None:
        if self.screen.is_terminal and self.state is not None:
            over = self.state.ended is not None or self.state.interrupted or self.state.parked is not None
            is_silent = over or (self._is_elsewhere and self._coming is None)
            self.screen.live(None if is_silent else self._live(self.state))

    def _live(self, state: RunState) -> Line:
        reply = self._coming
        if reply is None or not reply.tail:
            return self._now(state)
        place = place_of(state, reply.lane)
        who = "model" if reply.role == "worker" else reply.role
        asked_s = max((SystemClock().now() - reply.at).total_seconds(), 0.0)
        now = dotted(
            line(Part("▸ ", "accent"), Part(f"{place} " if place else "", "dim"), f"{who} {clock(asked_s)}"),
            f"{money(state.usd)}/{state.limits.usd:.2f}",
            Part(self._keys(), "dim"),
        )
        room = _COLUMNS - columns_of(now) - len(" │ ")
        words = reply.words
        while columns_of(line(words)) > room:
            words = words[-room:].partition(" ")[2] or words[1:][-room:]
        return now + line(Part(" │ ", "dim"), Part(words, "dim"))

    def _now(self, state: RunState) -> Line:
        """What is under way, for how long, and what was spent of what."""
        limits = state.limits
        return dotted(
            line(Part("▸ ", "accent"), *_activity(state), f" {clock(monotonic() - self._since)}"),
            f"{money(state.usd)}/{limits.usd:.2f}",
            f"{state.steps}/{limits.steps}",
            Part(self._keys(), "dim"),
        )

    def _keys(self) -> str:
        if not self.screen.is_terminal or self._is_elsewhere:
            return ""
        return "stopping; ^c again stops at once" if self.is_stopping else "^c stops"


def _activity(state: RunState) -> Iterator[Part]:
    """The lane at work, and what it waits for."""
    if state.waiting:
        yield Part("waits for you", "attention")
        return
    lanes = [lane for lane in state.lanes.values() if lane.ended is None]
    if not lanes:
        yield Part(_between(state))
        return
    lane = lanes[-1]
    yield Part(f"{place_of(state, lane.name)} ", "dim")
    yield short(title_of(state, lane.sub_task), 40)
    yield Part(" · ", "dim")
    yield from _step(state, lane)


def _between(state: RunState) -> str:
    """What a run does while no sub-task is at work."""
    if state.recalled is None:
        return "remembering"
    if (
        state.plan is None
        or not state.plan.approved
        or any(held.role == "planner" for held in state.held.values())
    ):
        return "planning"
    return "checking" if state.lanes else "starting"


def _step(state: RunState, lane: LaneState) -> Iterator[Part]:
    mine = (call for call in state.calls.values() if call.decided.lane == lane.name)
    started = [call.decided for call in mine if call.started is not None and call.ended is None]
    if started:
        yield from called(started[-1])
    elif any(held.lane == lane.name for held in state.held.values()):
        yield Part("model")
    else:
        yield Part("…")
