"""Questions to people: asked once, durable, answered by whoever is first.

There is one `ask` for every kind of question. Where nobody is there to answer, it raises `Parked`, and the
lane can be taken up again from the journal when the answer has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from autoagent.commands import Answer, Approve, Command, Deny
from autoagent.events import (
    CommandRefused,
    CommandTaken,
    Event,
    QuestionAnswered,
    QuestionAsked,
    QuestionVoided,
    RunEnded,
)
from autoagent.history import History
from autoagent.ids import new_id
from autoagent.meter import Meter
from autoagent.ports import SentCommand
from autoagent.questions import YES_NO, Question, QuestionKind, Subject
from autoagent.state import QuestionState, RunState

Approver = Callable[[Question, RunState], Awaitable[Approve | Deny | Answer | None]]
"""Asks the person who is there; `None`: they leave it for later. Cancelled when answered elsewhere."""


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

    async def ask(
        self,
        subject: Subject,
        why: str,
        *,
        choices: tuple[str, ...] = YES_NO,
        lane: str | None = None,
        sub_task: str | None = None,
    ) -> QuestionAnswered:
        """The answer to a question about exactly `subject`, asked now or at any time before.

        Raises `Parked` where nobody is there and the goal says `park`.
        """
        asked = self._find(subject)
        if asked is None:
            question = Question(
                id=new_id(6), subject=subject, why=why, choices=choices, lane=lane, sub_task=sub_task
            )
            self.history.record(
                *self._voided(subject, "what it was about has changed"),
                QuestionAsked(question=question, asked_at=self.history.clock.now()),
                *self._answered_at_once(question),
                sync=True,
            )
            asked = self.history.state.questions[question.id]
        return asked.answer or await self._wait(asked.question)

    async def _wait(self, question: Question) -> QuestionAnswered:
        def answer(state: RunState) -> QuestionAnswered | None:
            return state.questions[question.id].answer

        await self.history.durable()
        with self.meter.waiting():
            if self.approver is not None:
                return await self.history.until(lambda s: answer(s) or self._left(question.id))
            try:
                async with asyncio.timeout(self.wait_s):
                    return await self.history.until(answer)
            except TimeoutError:
                raise Parked(question.id) from None

    def __post_init__(self) -> None:
        self._later: set[str] = set()

    def _left(self, question: str) -> None:
        if question in self._later:
            raise Parked(question)

    async def attend(self) -> None:
        """Put open questions to the approver, one at a time, oldest first; runs beside the lanes."""
        assert self.approver is not None
        while True:
            asked = await self.history.until(self._next)
            await self._put(asked.question)

    def _next(self, state: RunState) -> QuestionState | None:
        waiting = [q for q in state.waiting if q.question.id not in self._later]
        return waiting[0] if waiting else None

    async def _put(self, question: Question) -> None:
        """One question to the person here; the first answer wins, wherever it comes from."""
        assert self.approver is not None

        async def person() -> None:
            assert self.approver is not None
            command = await self.approver(question, self.history.state)
            if command is None:
                self._later.add(question.id)
                self.history.wake()
            else:
                self.history.record(*self.events_of(command, by="terminal"), sync=True)

        here = asyncio.ensure_future(person())
        elsewhere = asyncio.ensure_future(
            self.history.until(lambda s: not s.questions[question.id].is_open or None)
        )
        try:
            await asyncio.wait({here, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            elsewhere.cancel()
            if not here.done():
                here.cancel()
            results = await asyncio.gather(here, elsewhere, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    def obey(self, sent: SentCommand) -> None:
        """Record what a command to a question does, or why it can't be obeyed."""
        command = sent.command
        assert isinstance(command, Approve | Deny | Answer)
        if why := self.refusal(command):
            self.history.record(CommandRefused(number=sent.number, why=why))
        else:
            events = self.events_of(command, by=sent.by)
            self.history.record(*events, CommandTaken(number=sent.number), sync=True)

    def refusal(self, command: Command) -> str | None:
        """Why an answer can't be taken; `None` where it can."""
        assert isinstance(command, Approve | Deny | Answer)
        return refusal(self.history.state, command)

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
        for asked in reversed(self.history.state.questions.values()):
            if asked.question.subject == subject and asked.voided is None:
                return asked
        return None

    def _voided(self, subject: Subject, why: str) -> tuple[Event, ...]:
        """Open questions about the same call in another version."""
        if subject.call is None:
            return ()
        return tuple(
            QuestionVoided(question=q.question.id, why=why)
            for q in self.history.state.waiting
            if q.question.subject.call == subject.call and q.question.subject.kind == subject.kind
        )

    def _answered_at_once(self, question: Question) -> tuple[Event, ...]:
        """By an earlier `y -N`, or by nobody."""
        state, subject = self.history.state, question.subject
        if subject.kind == "call":
            for rule in state.standing:
                same = (rule.tool, rule.destination) == (subject.tool, subject.destination)
                if same and rule.why == question.why:
                    return (_yes(question, "rule"),)
        if self.approver is not None or self.wait_s > 0 or subject.kind == "recovery":
            return ()
        match state.goal.if_nobody_answers:
            case "park":
                return ()
            case "skip":
                return (_no(question, "nobody was there to answer"),)
            case "stop":
                why = f"nobody was there to answer: {question.why}"
                return (_no(question, "nobody was there"), RunEnded(ending="unproved", reason=why))


def refusal(state: RunState, command: Approve | Deny | Answer) -> str | None:
    """Why an answer doesn't fit its question as it stands; `None` where it does."""
    asked = state.questions.get(command.question)
    if asked is None:
        return f"there is no question {command.question!r} in run {state.run_id}"
    if asked.answer is not None:
        return f"question {command.question} was answered already, by {asked.answer.by}"
    if asked.voided is not None:
        return f"question {command.question} no longer stands: {asked.voided}"
    if asked.question.digest != command.digest:
        return f"question {command.question} has changed since it was shown; look at it again"
    if isinstance(command, Answer) == asked.question.is_yes_no:
        return _wrong_kind(asked.question)
    choices = asked.question.choices
    if isinstance(command, Answer) and choices and command.text not in choices:
        return f"question {command.question} takes one of: {', '.join(choices)}"
    return None


def _wrong_kind(question: Question) -> str:
    if question.is_yes_no:
        return f"question {question.id} is a yes or no; use 'autoagent approve' or 'autoagent deny'"
    wanted = " | ".join(question.choices) or "a text"
    return f"question {question.id} takes {wanted}; use 'autoagent answer {question.id} …'"


def _yes(question: Question, by: str) -> QuestionAnswered:
    return QuestionAnswered(question=question.id, digest=question.digest, verdict="yes", by=by)


def _no(question: Question, why: str) -> QuestionAnswered:
    verdict = "no" if question.is_yes_no else "text"
    return QuestionAnswered(
        question=question.id,
        digest=question.digest,
        verdict="no" if verdict == "no" else "text",
        text=why,
        by="nobody",
    )


__all__ = ["Approver", "Asking", "Parked", "QuestionKind", "refusal"]
