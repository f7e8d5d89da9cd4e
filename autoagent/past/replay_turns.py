"""Whose turn it is in a replay: our code runs until it waits, then the record says what comes next.

What our code wants to record is held against the record and the recorded entry is taken into the state, so
that one difference doesn't make others. A lane that goes another way is stopped, and the rest of its entries
is given; the other lanes go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from autoagent import events as e
from autoagent.clock import Clock
from autoagent.errors import ModelUnavailable, SandboxUnavailable
from autoagent.events import CallEnded, Event
from autoagent.loop.asking import Asking
from autoagent.loop.context import LaneWork
from autoagent.loop.history import History
from autoagent.loop.requests import STOPPED
from autoagent.messages import Reply
from autoagent.past.replay_findings import Findings
from autoagent.past.replay_gates import Cut, Diverged, Gate, Gates, at_work
from autoagent.past.replay_names import Names
from autoagent.past.replay_record import MEMORY, PLAN, RUN, Leg, Noted, lane_by
from autoagent.past.replay_words import Read, difference, said
from autoagent.state import LaneState, QuestionState, RunState
from autoagent.trees import Conflict, load_tree, merge

T = TypeVar("T")
E = TypeVar("E", bound=Event)

_QUIET = 25
"""Turns of the loop without a sign of life after which everything waits: no chain of callbacks is as long."""


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
    gates: Gates = field(default_factory=Gates)
    _names: Names = field(default_factory=Names)
    _left: set[str] = field(default_factory=set)
    _askers: dict[str, str] = field(default_factory=dict)
    """Question -> whose code waits for its answer."""

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
            self.gates.close()
            self.carried.cancel()
            await asyncio.gather(self.carried, return_exceptions=True)

    async def _quiet(self) -> bool:
        """Wait until everybody waits; `False` where the run's own code has ended."""
        calm, seen = 0, self.gates.stirred
        while calm < _QUIET:
            await asyncio.sleep(0)
            calm = calm + 1 if seen == self.gates.stirred else 0
            seen = self.gates.stirred
            if self.carried.done():
                return False
        return True

    async def _run_out(self) -> None:
        """Everything is done: our code has nothing left to record either."""
        while await self._quiet() and (gate := self.gates.passing(lambda g: True)) is not None:
            self.gates.release(gate)

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
            case e.ModelReplied(call=call) | e.ModelFailed(call=call) if self.gates.release_for(
                "reply", call, event
            ):
                return True
            case e.CallEnded(call=call) if self.gates.release_for("ended", call, event):
                return True
            case e.CriterionChecked() if self.gates.release_for("checked", "", event):
                return True
            case e.QuestionAnswered(question=id, by="nobody", text=text):
                asked = self.state.questions.get(self._names.here.get(id, id))
                if asked is not None and asked.is_open:
                    self.asking.give_up(asked.question, text)
                    return True
            case e.FolderChanged() if (gate := self.gates.passing(lambda g: g.kind == "look")) is not None:
                self.gates.release(gate)
                return True
            case _:
                pass
        for fits in (self._queues, lambda g: g.lane == one.lane, lambda g: " " in g.lane, lambda g: True):
            if (gate := self.gates.passing(fits)) is not None:
                self.gates.release(gate)
                return True
        return self._stop(event)

    def _queues(self, gate: Gate) -> bool:
        """Whether a lane is on its way to wait until it is alone, as the next one that does.

        That stands in no entry, but nothing is started meanwhile.
        """
        if gate.kind != "look" or gate.lane not in self.state.lanes:
            return False
        heads: dict[str, Event] = {}
        for one in self.record[self.at : self.leg.last]:
            if isinstance(one.event, e.SubTaskStarted):
                break
            heads.setdefault(one.lane, one.event)
        held = {g.lane for g in self.gates}
        queue = [name for name, x in heads.items() if isinstance(x, e.LaneConflicted) and name in held]
        return queue[:1] == [gate.lane] and self._must_be_alone(self.state.lanes[gate.lane])

    def _must_be_alone(self, lane: LaneState) -> bool:
        """Whether it has conflicted before, conflicts with `main` as it is, and isn't alone."""
        others = [x for x in self.state.lanes.values() if x.ended is None and x is not lane]
        if not lane.conflicts or not others:
            return False
        objects = self.history.journal.objects
        base, ours, theirs = (load_tree(t, objects) for t in (lane.base, self.state.main, lane.tree))
        return isinstance(merge(base, ours, theirs, objects), Conflict)

    def _stop(self, event: Event) -> bool:
        """What stopped the process from outside: a person, or something that could not be had."""
        stopped = self.ahead(e.RunInterrupted)
        if stopped is None or not isinstance(event, e.ModelFailed | e.RunInterrupted):
            return False
        if not stopped.unavailable:
            return self.carried.cancelling() == 0 and self.carried.cancel()
        ended = {x.event.call for x in self.record[self.at : self.leg.last] if isinstance(x.event, CallEnded)}
        for gate in self.gates:
            if gate.kind == "checked" or (gate.kind == "ended" and gate.about not in ended):
                self.gates.fail(gate, SandboxUnavailable(stopped.unavailable))
                return True
        return False

    def _leave(self) -> bool:
        """Questions that this process got no answer to: who asked them parks."""
        stays = self.leg.owner is not None and self.leg.owner.attended
        if stays and self.ahead(e.RunParked) is None:
            return False  # somebody was there, and the question was on their screen
        coming = {
            x.question: x for x in self.undone() if isinstance(x, e.QuestionAnswered | e.QuestionVoided)
        }
        waiting = [q.question for q in self.state.waiting]
        busy = [x for x in self.state.lanes.values() if x.ended is None]
        are_others = len(busy) > sum(q.lane is not None for q in waiting)
        left = []
        for question in waiting:
            answer = coming.get(self._names.there.get(question.id, question.id))
            # who parks while others work goes on from there when the answer has come
            is_later = isinstance(answer, e.QuestionAnswered) and not stays and question.lane and are_others
            if question.id not in self._left and (answer is None or is_later):
                left.append(question.id)
        for id in left:
            self._left.add(id)
            self.asking.leave(id)
        parking = {self._askers.get(q.question.id, q.question.lane or RUN) for q in self._parked()}
        gate = self.gates.passing(lambda g: g.lane in parking)
        if gate is not None:
            self.gates.release(gate)
        return bool(left) or gate is not None

    def _parked(self) -> list[QuestionState]:
        """Questions that are left open; who asked them isn't held up on the way to parking."""
        return [q for q in self.state.waiting if q.question.id in self._left]

    def _stalled(self, one: Noted) -> None:
        """Our code waits, and the record goes on: the entry is given."""
        if not self._given:
            self.findings.differs(one.lane, one.entry.seq, f"was: {said(one.event)}; now nothing comes")
        if one.is_of_a_lane:
            self._part(one.lane, self.at)
        self._give(self.at, one)

    def give_due(self) -> None:
        """Give what comes next, as far as our code has no part in it."""
        while (one := self._next()) is not None and (one.is_given or one.lane in self._given):
            self._give(self.at, one)

    def _give(self, index: int, one: Noted) -> None:
        self._finish(index)
        self.history.give(self._names.in_replay(one.event))

    # --- what our code records ----------------------------------------------------------------------------

    def take(self, events: Sequence[Event]) -> list[Event]:
        """The entries of the record that these are, to be put into the state. Raises `Diverged`, `Cut`."""
        self.gates.stirred += 1
        if self.over:
            raise self._cut()
        self.give_due()
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
            self._askers[event.question.id] = at_work.get()
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
        worker = at_work.get()
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
        self.gates.stirred += 1
        self._done.add(index)
        while self.at in self._done:
            self.at += 1

    def recorded(self, question: str) -> str | None:
        """The record's id of a question that was put down already, here or by a former process."""
        return self._names.there.get(question, question) if question in self.state.questions else None

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
            at_work.set(PLAN)
            await self.pass_by()
            await work
            at_work.set(RUN)
            await self.pass_by()
            return
        at_work.set(name)
        try:
            await work
        except Diverged:
            await self.history.seen(lambda s: s.lanes[name].ended is not None)
        except Cut:
            if self.over:
                raise
            await asyncio.get_running_loop().create_future()
        at_work.set(f"{MEMORY} of {name}")  # the first that comes of a lane's end
        await self.pass_by()

    async def pass_by(self) -> None:
        await self.gates.wait("pass")

    async def wait_where_cut(self) -> None:
        """Never to return where the recorded process ended before it heard."""
        if self.leg.is_cut and not self.over:
            await asyncio.get_running_loop().create_future()

    async def look(self) -> None:
        await self.gates.wait("look")

    async def reply(self, call: str) -> Reply:
        """Raises `ModelUnavailable` where the record has it so."""
        event = await self.gates.wait("reply", call)
        match event:
            case e.ModelReplied(reply=reply):
                return reply
            case e.ModelFailed(why=why):
                raise ModelUnavailable(why)
            case _:
                raise self._cut()

    async def ended(self, call: str) -> CallEnded:
        event = await self.gates.wait("ended", call)
        if not isinstance(event, CallEnded):
            raise self._cut()
        return event

    async def checked(self) -> e.CriterionChecked:
        event = await self.gates.wait("checked")
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
