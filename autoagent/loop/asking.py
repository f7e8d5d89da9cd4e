"""Questions to people: asked once, durable, answered by whoever is first.

There is one `ask` for every kind of question. Where nobody is there to answer, it raises `Parked`, and the
lane can be taken up again from the journal when the answer has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoagent.commands import Answer, Approve, Deny
from autoagent.errors import UsageError
from autoagent.events import (
    CommandRefused,
    CommandTaken,
    Event,
    QuestionAnswered,
    QuestionAsked,
    QuestionVoided,
    RunEnded,
)
from autoagent.grants import Ruling
from autoagent.ids import new_id
from autoagent.loop.answers import difference, expired, is_former, refusal
from autoagent.loop.history import History
from autoagent.loop.meter import Meter
from autoagent.ports import SentCommand
from autoagent.questions import YES_NO, Explained, Question, Subject
from autoagent.state import QuestionState, RunState, Standing

Approver = Callable[[Question, RunState], Awaitable[Approve | Deny | Answer | None]]
"""Asks the person who is there; `None`: they leave it for later. Cancelled when answered elsewhere."""

Grants = Callable[[Question, datetime], Ruling]
"""What the person's grants say of a question at a moment; never raises."""

_AGAIN = "; asked again, since it has changed: "


class Parked(Exception):
    """Not an error: this piece of work waits for a person who isn't there."""

    def __init__(self, question: str) -> None:
        self.question = question
        super().__init__(f"waiting for the answer to question {question}")


@dataclass
class Asking:
    """Asks, waits, and turns commands into answers."""

    history: History
    meter: Meter
    approver: Approver | None = None
    wait_s: float = 0
    """How long to wait for an answer from another terminal where no approver is here."""
    expire_after: timedelta | None = None
    """How long a question may be answered; `None`: for ever."""
    grants: Grants | None = None
    """The person's; `None`: there are none here."""
    _later: set[str] = field(default_factory=set)
    """Questions that the approver left for later."""

    async def ask(
        self,
        subject: Subject | Callable[[], Subject],
        why: str | Callable[[], str],
        *,
        choices: tuple[str, ...] = YES_NO,
        lane: str | None = None,
        sub_task: str | None = None,
        explained: Callable[[], Explained] = Explained,
    ) -> QuestionAnswered:
        """The answer to a question about exactly `subject`, asked now or at any time before.

        A function says what the question is about, and why it is asked, at this moment: where the former
        changes before the answer is used, the question is void and asked anew.
        Raises `Parked` where nobody is there and the goal says so.
        """
        while True:
            now = subject() if callable(subject) else subject
            asked = self._find(now)
            if asked is None:
                asked_at = self.history.clock.now()
                question = Question(
                    id=new_id(6),
                    subject=now,
                    why=why() if callable(why) else why,
                    choices=choices,
                    lane=lane,
                    sub_task=sub_task,
                    expires_at=None if self.expire_after is None else asked_at + self.expire_after,
                    explained=explained(),
                )
                asked = self._put_down(question, asked_at)
            elif asked.is_open:
                asked = self._looked_up_again(asked)
            if asked.answer is not None:
                return asked.answer
            await self._wait(asked.question, subject)

    def _put_down(self, question: Question, asked_at: datetime) -> QuestionState:
        """Record a question, in the place of those that it makes void: open, or answered for nothing.

        What has changed since a person was asked is for a person to see, whatever covers it.
        """
        former = [q for q in self.history.state.questions.values() if is_former(q, question.subject)]
        was_a_persons = any(q.answer is None or q.answer.by != "grant" for q in former)
        if former:
            change = difference(former[-1].question.subject, question.subject)
            question = question.model_copy(update={"why": f"{question.why}{_AGAIN}{change}"})
        ruling = self._ruling(question, asked_at)
        if ruling.note:
            explained = question.explained.model_copy(update={"note": ruling.note})
            question = question.model_copy(update={"explained": explained})
        self.history.record(
            *(_voided(q.question, question.subject) for q in former),
            QuestionAsked(question=question, asked_at=asked_at),
            *(() if former else self._ruled(question))
            or (() if was_a_persons else _granted(question, ruling)),
            sync=True,
        )
        self.history.faults.reached("question put down")
        if self.approver is None and self.wait_s <= 0:
            self.give_up(question)
        return self.history.state.questions[question.id]

    async def _wait(self, question: Question, subject: Subject | Callable[[], Subject]) -> None:
        """Return when there is an answer, or the question has become another one."""

        def is_over(state: RunState) -> bool:
            if (
                _has_changed(subject, question)
                or not state.questions[question.id].is_open
                or self._left(question.id)
            ):
                return True
            return self.approver is None and self._is_late(question)

        await self.history.durable()
        self.history.faults.reached("waiting for a person")
        with self.meter.waiting():
            if self.approver is not None:
                await self.history.until(is_over)
                return
            try:
                async with asyncio.timeout(self.wait_s):
                    await self.history.until(is_over)
            except TimeoutError:
                self.give_up(question)
        self.expire()
        if self.history.state.questions[question.id].is_open and not _has_changed(subject, question):
            raise Parked(question.id)

    def leave(self, question: str) -> None:
        """Nobody will answer this for now: who waits for it parks."""
        self._later.add(question)
        self.history.wake()

    def _left(self, question: str) -> bool:
        if question in self._later:
            raise Parked(question)
        return False

    def _is_answered(self, question: Question) -> bool:
        """Whether a person's answer is on its way."""
        sent = self.history.journal.commands(self.history.run_id, self.history.state.commands)
        commands = (each.command for each in sent)
        return any(isinstance(c, Approve | Deny | Answer) and c.question == question.id for c in commands)

    def expire(self, *, at_start: bool = False) -> None:
        """Do as `if_nobody_answers` says about open questions whose time is over.

        With `park` they are void and asked anew: at once where a person is here, else at the next resume.
        """
        for question in [q.question for q in self.history.state.waiting if self._is_late(q.question)]:
            self.give_up(question, expired(question))
            if not self.history.state.questions[question.id].is_open:
                continue
            if at_start or self.approver is not None:
                void = QuestionVoided(question=question.id, why=expired(question))
                self.history.record(void, sync=True)
            else:
                self.history.wake()

    def _is_late(self, question: Question) -> bool:
        return question.is_expired(self.history.clock.now())

    # --- the person who is here ---------------------------------------------------------------------------

    async def attend(self) -> None:
        """Put open questions to the approver, one at a time, oldest first; runs beside the lanes."""
        while True:
            asked = await self.history.until(self._next)
            await self._show(asked.question)

    def _next(self, state: RunState) -> QuestionState | None:
        waiting = [q for q in state.waiting if q.question.id not in self._later]
        return waiting[0] if waiting else None

    async def _show(self, question: Question) -> None:
        """One question to the person here; the first answer wins, wherever it comes from."""
        here = asyncio.ensure_future(self._person(question))
        elsewhere = asyncio.ensure_future(self.history.until(lambda s: not s.questions[question.id].is_open))
        try:
            await asyncio.wait({here, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            here.cancel()
            elsewhere.cancel()
            results = await asyncio.gather(here, elsewhere, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    async def _person(self, question: Question) -> None:
        assert self.approver is not None
        command = await self.approver(question, self.history.state)
        if command is None:
            self.leave(question.id)
        elif not self.history.state.questions[question.id].is_open:
            return  # answered elsewhere while the person was typing
        elif self._is_late(question):
            self.expire()
        elif why := refusal(self.history.state, command, self.history.clock.now()):
            raise UsageError(f"the approver's answer can't be taken: {why}")
        else:
            self.history.record(*self.events_of(command, by="terminal"), sync=True)

    # --- commands -----------------------------------------------------------------------------------------

    def obey(self, sent: SentCommand) -> None:
        """Record what a command to a question does, or why it can't be obeyed."""
        command = sent.command
        assert isinstance(command, Approve | Deny | Answer)
        if why := refusal(self.history.state, command, sent.at):
            self.history.record(CommandRefused(number=sent.number, why=why))
        else:
            events = self.events_of(command, by=sent.by)
            self.history.record(*events, CommandTaken(number=sent.number), sync=True)

    @staticmethod
    def events_of(command: Approve | Deny | Answer, by: str) -> tuple[Event, ...]:
        """The fact that an answer is."""
        match command:
            case Approve():
                return (
                    QuestionAnswered(
                        question=command.question,
                        digest=command.digest,
                        verdict="yes",
                        edit=command.edit,
                        covers=command.covers,
                        by=by,
                    ),
                )
            case Deny(question=q, digest=d, why=why):
                return (QuestionAnswered(question=q, digest=d, verdict="no", text=why, by=by),)
            case Answer(question=q, digest=d, text=text):
                return (QuestionAnswered(question=q, digest=d, verdict="text", text=text, by=by),)

    def _find(self, subject: Subject) -> QuestionState | None:
        """The question about exactly this, if it was asked and still stands."""
        for asked in reversed([*self.history.state.questions.values()]):
            if asked.question.subject == subject and asked.voided is None:
                return asked
        return None

    # --- where nobody is asked ----------------------------------------------------------------------------

    def _ruling(self, question: Question, now: datetime) -> Ruling:
        """What the person's grants say at this moment, read anew: one that was taken back counts no more."""
        is_about_a_call = question.subject.kind == "call" and question.explained.always is not None
        return self.grants(question, now) if self.grants is not None and is_about_a_call else Ruling()

    def _looked_up_again(self, asked: QuestionState) -> QuestionState:
        """An open question of a former process, answered where a grant covers it by now.

        Not one that was asked again because it had changed: that change is for a person to see.
        """
        question, now = asked.question, self.history.clock.now()
        if _AGAIN in question.why or question.is_expired(now) or self._is_answered(question):
            return asked
        if answered := _granted(question, self._ruling(question, now)):
            self.history.record(*answered, sync=True)
        return self.history.state.questions[question.id]

    def _ruled(self, question: Question) -> tuple[Event, ...]:
        """The answer that an earlier `y -N` gives to the same kind of call, asked for the same reason.

        Not where the plugin has changed since: that yes was to another program.
        """
        subject = question.subject
        rules = self.history.state.standing if subject.kind == "call" and subject.destination else ()
        for rule in rules:
            same = (rule.tool, rule.destination) == (subject.tool, subject.destination)
            if same and rule.why.partition(_AGAIN)[0] == question.why:
                origin, covers = self._origin(rule)
                if origin.subject.plugin_hash == subject.plugin_hash:
                    said = (
                        f"covered by your yes to question {origin.id}, which was for {covers} of {rule.tool}"
                    )
                    return (_answered(question, "yes", f"{said} to {rule.destination}", "rule"),)
        return ()

    def _origin(self, rule: Standing) -> tuple[Question, int]:
        """The question whose yes covers more of the same, and how many."""
        covering = [
            (q.question, q.answer.covers)
            for q in self.history.state.questions.values()
            if q.answer is not None
            and q.answer.covers > 1
            and (q.question.subject.tool, q.question.subject.destination) == (rule.tool, rule.destination)
        ]
        return covering[-1]

    def give_up(self, question: Question, why: str = "nobody was there to answer") -> None:
        """Nobody has answered: what the goal wants then. A recovery always waits for its person."""
        asked = self.history.state.questions[question.id]
        if not asked.is_open or question.subject.kind == "recovery":
            return
        match self.history.state.goal.if_nobody_answers:
            case "park":
                return
            case "skip":
                self.history.record(_nobody(question, why), sync=True)
            case "stop":
                reason = f"{why}: {question.why}"
                ended = () if self.history.state.ended else (RunEnded(ending="unproved", reason=reason),)
                self.history.record(_nobody(question, why), *ended, sync=True)


def _has_changed(subject: Subject | Callable[[], Subject], question: Question) -> bool:
    """Whether what a question is about is something else by now."""
    return callable(subject) and subject() != question.subject


def _voided(question: Question, now: Subject) -> QuestionVoided:
    return QuestionVoided(question=question.id, why=difference(question.subject, now))


def _granted(question: Question, ruling: Ruling) -> tuple[Event, ...]:
    """The answer that a grant of the person's gives, with the rule in words."""
    if not ruling.grant:
        return ()
    answer = _answered(question, "yes", ruling.text, "grant")
    return (answer.model_copy(update={"grant": ruling.grant}),)


def _nobody(question: Question, why: str) -> QuestionAnswered:
    return _answered(question, "no" if question.is_yes_no else "text", why, "nobody")


def _answered(question: Question, verdict: str, text: str, by: str) -> QuestionAnswered:
    answer = {"question": question.id, "digest": question.digest, "verdict": verdict, "text": text, "by": by}
    return QuestionAnswered.model_validate(answer)
