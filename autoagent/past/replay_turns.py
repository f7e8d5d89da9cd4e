"""Whose turn it is in a replay: our code runs until it waits, then the record says what comes next.

What our code wants to record is held against the record and the recorded entry is taken into the state, so
that one difference doesn't make others. A lane that goes another way is stopped, and the rest of its entries
is given; the other lanes go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, NoReturn, TypeVar

from autoagent import events as e
from autoagent.clock import Clock
from autoagent.errors import LeaseLost, ModelUnavailable, SandboxUnavailable
from autoagent.events import CallEnded, Event
from autoagent.loop.asking import Asking
from autoagent.loop.context import LaneWork
from autoagent.loop.history import History
from autoagent.loop.requests import STOPPED
from autoagent.loop.workspace import Workspace
from autoagent.messages import Reply
from autoagent.past.replay_findings import Findings
from autoagent.past.replay_names import Names
from autoagent.past.replay_record import MEMORY, PLAN, RUN, Leg, Noted, lane_by
from autoagent.past.replay_words import Read, difference, said
from autoagent.questions import Subject
from autoagent.state import RunState

T = TypeVar("T")
E = TypeVar("E", bound=Event)

_QUIET = 25
"""Turns of the loop without a sign of life after which everything waits: no chain of callbacks is as long."""

_at_work: ContextVar[str] = ContextVar("at_work", default=RUN)
"""Whose code runs: a lane, or the run's own."""


class Diverged(Exception):
    """Not an error: our code went another way than the record, which has been noted."""


class Cut(LeaseLost):
    """The recorded process ended here; what it would have done next nobody knows."""


@dataclass(eq=False)
class _Gate:
    """Somebody who waits for a turn."""

    kind: Literal["pass", "look", "reply", "ended", "checked"]
    about: str
    lane: str
    turn: asyncio.Future[Event | None]


@dataclass(eq=False)
class Turns:
    """One process of the record, entry by entry."""

    record: Sequence[Noted]
    leg: Leg
    at: int
    """The first entry that isn't done."""
    findings: Findings
    read: Read
    clock: Clock
    history: HistoryInTurn = field(init=False)
    asking: Asking = field(init=False)
    carried: asyncio.Task[RunState] = field(init=False)
    over: bool = False
    turned: int | None = None
    """The entry from which the run itself went another way."""
    _given: set[str] = field(default_factory=set)
    """Lanes whose entries are taken as they stand."""
    _done: set[int] = field(default_factory=set)
    _gates: list[_Gate] = field(default_factory=list)
    _names: Names = field(default_factory=Names)
    _left: set[str] = field(default_factory=set)
    _askers: dict[str, str] = field(default_factory=dict)
    """Question -> whose code waits for its answer."""
    _leaving: set[str] = field(default_factory=set)
    """Who parks now."""
    _stirred: int = 0

    @property
    def state(self) -> RunState:
        return self.history.state

    @property
    def is_ended(self) -> bool:
        """Whether this process has recorded the run's end: what lanes still did then is chance."""
        return any(isinstance(event, e.RunEnded) for event in self.done())

    # --- driving ------------------------------------------------------------------------------------------

    async def drive(self) -> None:
        """Carry the leg to its end; what is left undone then isn't compared."""
        try:
            while await self._quiet() and (one := self._next()) is not None:
                if not self._serve(one):
                    self._stalled(one)
            if not self.leg.is_cut:
                await self._run_out()
        finally:
            self.over = True
            self._release_all()
            self.carried.cancel()
            await asyncio.gather(self.carried, return_exceptions=True)

    async def _quiet(self) -> bool:
        """Wait until everybody waits; `False` where the run's own code has ended."""
        calm, seen = 0, self._stirred
        while calm < _QUIET:
            await asyncio.sleep(0)
            calm = calm + 1 if seen == self._stirred else 0
            seen = self._stirred
            if self.carried.done():
                return False
        return True

    async def _run_out(self) -> None:
        """Everything is done: our code has nothing left to record either."""
        while await self._quiet() and (gate := self._passing(lambda g: True)) is not None:
            self._release(gate)

    def _serve(self, one: Noted) -> bool:
        """Let the next entry come about: give it, or whom it needs its turn. Whether something moved."""
        if one.is_given or one.lane in self._given:
            self._give(self.at, one)
            return True
        if self._leave():
            return True
        event = one.event
        match event:
            case e.ModelFailed(why=why) if why == STOPPED:
                pass
            case e.ModelReplied(call=call) | e.ModelFailed(call=call) if self._release_for(
                "reply", call, event
            ):
                return True
            case e.CallEnded(call=call) if self._release_for("ended", call, event):
                return True
            case e.CriterionChecked() if self._release_for("checked", "", event):
                return True
            case e.QuestionAnswered(question=id, by="nobody", text=text):
                asked = self.state.questions.get(self._names.here.get(id, id))
                if asked is not None and asked.is_open:
                    self.asking.give_up(asked.question, text)
                    return True
            case e.FolderChanged() if (gate := self._passing(lambda g: g.kind == "look")) is not None:
                self._release(gate)
                return True
            case _:
                pass
        for fits in (self._queues, lambda g: g.lane == one.lane, lambda g: " " in g.lane, lambda g: True):
            if (gate := self._passing(fits)) is not None:
                self._release(gate)
                return True
        return self._stop(event)

    def _queues(self, gate: _Gate) -> bool:
        """Whether a lane is on its way to wait until it is alone: nothing is started meanwhile."""
        lane = self.state.lanes.get(gate.lane)
        if lane is None or not lane.conflicts or gate.kind != "look":
            return False
        coming = next((x for x in self.undone() if getattr(x, "lane", "") == gate.lane), None)
        others = [x for x in self.state.lanes.values() if x.ended is None and x is not lane]
        return bool(others) and isinstance(coming, e.LaneConflicted)

    def _stop(self, event: Event) -> bool:
        """What stopped the process from outside: a person, or something that could not be had."""
        stopped = self.ahead(e.RunInterrupted)
        if stopped is None or not isinstance(event, e.ModelFailed | e.RunInterrupted):
            return False
        if not stopped.unavailable:
            return self.carried.cancelling() == 0 and self.carried.cancel()
        ended = {x.event.call for x in self.record[self.at : self.leg.last] if isinstance(x.event, CallEnded)}
        for gate in self._gates:
            if gate.kind == "checked" or (gate.kind == "ended" and gate.about not in ended):
                self._gates.remove(gate)
                gate.turn.set_exception(SandboxUnavailable(stopped.unavailable))
                return True
        return False

    def _leave(self) -> bool:
        """Questions that this process got no answer to: who asked them parks."""
        stays = self.leg.owner is not None and self.leg.owner.attended
        if stays and self.ahead(e.RunParked) is None:
            return False  # somebody was there, and the question was on their screen
        later = {
            x.event.question
            for x in self.record[self.at : self.leg.last]
            if isinstance(x.event, e.QuestionAnswered | e.QuestionVoided)
        }
        waiting = [q.question.id for q in self.state.waiting]
        left = [q for q in waiting if self._names.there.get(q, q) not in later and q not in self._left]
        for question in left:
            self._left.add(question)
            asked = self.state.questions[question].question
            self._leaving.add(self._askers.get(question, asked.lane or RUN))
            self.asking.leave(question)
        gate = self._passing(lambda g: g.lane in self._leaving)
        if gate is not None:
            self._release(gate)
        return bool(left) or gate is not None

    def _stalled(self, one: Noted) -> None:
        """Our code waits, and the record goes on: the entry is given."""
        if not self._given:
            self.findings.differs(one.lane, one.entry.seq, f"was: {said(one.event)}; now nothing comes")
        if one.is_of_a_lane:
            self._part(one.lane, self.at)
        self._give(self.at, one)

    def _give(self, index: int, one: Noted) -> None:
        self._finish(index)
        self.history.give(self._names.in_replay(one.event))

    # --- whose turn ---------------------------------------------------------------------------------------

    async def _wait(
        self, kind: Literal["pass", "look", "reply", "ended", "checked"], about: str = ""
    ) -> Event | None:
        if self.over:
            return None
        gate = _Gate(kind, about, _at_work.get(), asyncio.get_running_loop().create_future())
        self._gates.append(gate)
        self._stirred += 1
        try:
            return await gate.turn
        finally:
            if gate in self._gates:
                self._gates.remove(gate)

    def _release(self, gate: _Gate, event: Event | None = None) -> None:
        self._stirred += 1
        self._gates.remove(gate)
        if not gate.turn.done():
            gate.turn.set_result(event)

    def _release_for(self, kind: str, about: str, event: Event) -> bool:
        gate = next((g for g in self._gates if g.kind == kind and g.about == about), None)
        if gate is not None:
            self._release(gate, event)
        return gate is not None

    def _passing(self, fits: Callable[[_Gate], bool]) -> _Gate | None:
        return next((g for g in self._gates if g.kind in ("pass", "look") and fits(g)), None)

    def _release_all(self) -> None:
        for gate in [g for g in self._gates if g.kind in ("pass", "look")]:
            self._release(gate)

    # --- what our code records ----------------------------------------------------------------------------

    def take(self, events: Sequence[Event]) -> list[Event]:
        """The entries of the record that these are, to be put into the state. Raises `Diverged`, `Cut`."""
        self._stirred += 1
        if self.over:
            raise self._cut()
        self._leaving.discard(_at_work.get())
        while (one := self._next()) is not None and (one.is_given or one.lane in self._given):
            self._give(self.at, one)
        planned: list[int] = []
        try:
            for event in events:
                planned.append(self._match(event, planned))
        except Cut:  # all that is left of a transaction whose end is cut off
            self.history.give(*self._taken(planned))
            raise
        return self._taken(planned)

    def _taken(self, planned: Sequence[int]) -> list[Event]:
        """The entries at these indexes, as the replay names things; they are done."""
        for index in planned:
            self._finish(index)
            self.findings.compared(self.record[index].lane)
        return [self._names.in_replay(self.record[index].event) for index in planned]

    def _match(self, event: Event, planned: Sequence[int]) -> int:
        """The index of the recorded entry that `event` is; what differs is noted."""
        now = self._names.in_record(event)
        lane = lane_by(now, self.findings.known)
        if lane in self._given:
            raise Diverged
        index = next(
            (
                i
                for i in range(self.at, self.leg.last)
                if i not in self._done and i not in planned
                and self.record[i].lane == lane and not self.record[i].is_given
            ),
            None,
        )  # fmt: skip
        if index is None:
            if self.leg.is_cut or (self.is_ended and " " not in lane):
                raise self._cut()
            seq = self.record[self.leg.last - 1].entry.seq
            self._diverge(lane, seq, self.leg.last, f"was: nothing more; now: {said(now)}")
        one = self.record[index]
        if isinstance(one.event, e.RunInterrupted) and not isinstance(now, e.RunInterrupted):
            raise self._cut()
        if isinstance(one.event, e.QuestionAsked) and isinstance(event, e.QuestionAsked):
            self._names.bind(one.event.question.id, event.question.id)
            self._askers[event.question.id] = _at_work.get()
            now = self._names.in_record(event)
        if (
            found := difference(one.event, now, self.read, is_priced=self.leg.equipment is not None)
        ) is not None:
            self.findings.differs(lane, one.entry.seq, found.text)
            if found.is_another_way:
                self._diverge(lane, one.entry.seq, index, found.text)
        return index

    def _diverge(self, lane: str, seq: int, index: int, text: str) -> NoReturn:
        """Note it, and stop whoever went another way."""
        self.findings.differs(lane, seq, text)
        worker = _at_work.get()
        if worker in (RUN, PLAN):
            self.turned = index
        else:
            self._part(worker, index)
        raise Diverged

    def _part(self, lane: str, index: int) -> None:
        """From here on the lane's entries are given."""
        if lane not in self._given:
            self._given.add(lane)
            rest = (x.entry.seq for x in self.record[index : self.leg.last] if x.lane == lane)
            self.findings.not_compared(lane, next(rest, self.record[self.leg.last - 1].entry.seq))

    def _cut(self) -> Cut:
        return Cut(self.history.run_id, self.history.lease.epoch)

    def _next(self) -> Noted | None:
        return self.record[self.at] if self.at < self.leg.last else None

    def _finish(self, index: int) -> None:
        self._stirred += 1
        self._done.add(index)
        while self.at in self._done:
            self.at += 1

    def undone(self) -> Iterator[Event]:
        """What is to come in this process, in order."""
        return (self.record[i].event for i in range(self.at, self.leg.last) if i not in self._done)

    def done(self) -> Iterator[Event]:
        """What this process has come to, in order."""
        return (self.record[i].event for i in range(self.leg.first, self.leg.last) if i in self._done)

    def ahead(self, kind: type[E], test: Callable[[E], bool] = lambda event: True) -> E | None:
        """The next event of a kind."""
        return next((x for x in self.undone() if isinstance(x, kind) and test(x)), None)

    # --- what the stand-ins ask ---------------------------------------------------------------------------

    async def around(self, name: str, work: LaneWork) -> None:
        """Carry out a lane's work; where it went another way, wait until the record has ended the lane."""
        if name not in self.state.lanes:  # a re-plan: its prompt tells how far the others are at this moment
            _at_work.set(PLAN)
            await self.pass_by()
            await work
            _at_work.set(RUN)
            await self.pass_by()
            return
        _at_work.set(name)
        try:
            await work
        except Diverged:
            await self.history.seen(lambda s: s.lanes[name].ended is not None)
        except Cut:
            if self.over:
                raise
            await asyncio.get_running_loop().create_future()
        _at_work.set(f"{MEMORY} of {name}")  # the first that comes of a lane's end
        await self.pass_by()

    async def pass_by(self) -> None:
        await self._wait("pass")

    async def wait_where_cut(self) -> None:
        """Never to return where the recorded process ended before it heard."""
        if self.leg.is_cut and not self.over:
            await asyncio.get_running_loop().create_future()

    async def look(self) -> None:
        await self._wait("look")

    async def reply(self, call: str) -> Reply:
        """Raises `ModelUnavailable` where the record has it so."""
        event = await self._wait("reply", call)
        match event:
            case e.ModelReplied(reply=reply):
                return reply
            case e.ModelFailed(why=why):
                raise ModelUnavailable(why)
            case _:
                raise self._cut()

    async def ended(self, call: str) -> CallEnded:
        event = await self._wait("ended", call)
        if not isinstance(event, CallEnded):
            raise self._cut()
        return event

    async def checked(self) -> e.CriterionChecked:
        event = await self._wait("checked")
        if not isinstance(event, e.CriterionChecked):
            raise self._cut()
        return event


class HistoryInTurn(History):
    """A history whose entries are held against the record."""

    turns: Turns

    def record(self, *events: Event, sync: bool = False) -> RunState:
        return super().record(*self.turns.take(events), sync=sync)

    def give(self, *events: Event) -> None:
        """Entries that our code has no part in."""
        super().record(*events)

    async def until(self, test: Callable[[RunState], T | None]) -> T:
        await self.turns.pass_by()
        return await super().until(test)

    async def seen(self, test: Callable[[RunState], bool]) -> None:
        """As `until`, without waiting for a turn."""
        while not test(self.state):
            await self.until_next()


class WorkspaceInTurn(Workspace):
    """A workspace whose folder is looked at when its turn has come."""

    turns: Turns

    async def catch_up(self) -> Subject | None:
        await self.turns.look()
        return await super().catch_up()
