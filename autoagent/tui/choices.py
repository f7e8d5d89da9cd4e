"""The answers that a question offers, and what is said where it takes none any more. Pure: no Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from autoagent.console.line import Line, Part, line
from autoagent.questions import Question
from autoagent.state import QuestionState
from autoagent.tui.overview import Seen, since_then, span

_VERDICTS = {"yes": "Allowed", "no": "Denied", "text": ""}
_WHO = {
    "terminal": "by you, at a terminal",
    "command": "by a command",
    "approver": "by the program that started the run",
    "nobody": "as the goal says for when nobody answers",
    "rule": "by an earlier yes to the next N",
}
"""How an answer came, in words."""


@dataclass(frozen=True)
class Choice:
    """One answer that is offered."""

    key: str
    """Name of its key."""
    said: str
    action: str


LATER = Choice("question.later", "later", "later")
CLOSE = Choice("question.later", "close", "later")


def offered(question: Question) -> tuple[Choice, ...]:
    """The answers to an open question; the first is where the cursor starts: one that lets nothing out."""
    return tuple(_yes_or_no(question) if question.is_yes_no else _named(question))


def _yes_or_no(question: Question) -> Iterator[Choice]:
    kind = question.subject.kind
    yield Choice("question.no", "no", "no")
    yield Choice("question.yes", "yes, once" if kind == "call" else "yes", "yes")
    if kind == "call" and question.subject.destination:
        yield Choice("question.many", "yes to the next N…", "many")
    if kind in ("call", "plan"):
        yield Choice("question.edit", "edit", "edit")
    yield Choice("question.because", "no, because…", "because")
    yield LATER


def _named(question: Question) -> Iterator[Choice]:
    if not question.choices:
        yield Choice("question.take", "answer …", "write")
        yield LATER
        return
    yield LATER
    for number, said in enumerate(question.choices, 1):
        yield Choice(f"question.choice_{number}", said, f"pick({number})")


def choice_row(choices: Sequence[Choice], at: int, key_of: Callable[[str], str]) -> Line:
    """The answers beside each other with their keys, the one under the cursor marked."""
    said = [f"{key_of(choice.key)} {choice.said}" for choice in choices]
    return line(
        *(Part(f"▌{text}▐", "accent") if number == at else f" {text} " for number, text in enumerate(said))
    )


def over(run: Seen, asked: QuestionState) -> str | None:
    """Why no answer counts any more, for people; `None` while one does."""
    if asked.answer is not None:
        what = _VERDICTS[asked.answer.verdict] or f"Answered {asked.answer.text!r}"
        return f"{what} {_WHO.get(asked.answer.by, f'by {asked.answer.by}')}. Nothing left to do here."
    if asked.voided is not None:
        return f"It no longer stands: {asked.voided}. Where it still matters it is asked anew."
    if run.state is not None and run.state.ended is not None:
        return f"The run has ended ({run.name}). Nothing left to do here."
    if asked.question.id not in run.waiting:
        return "Answered from elsewhere; the run takes it as soon as it goes on."
    return None


def waits(asked: QuestionState, now: datetime) -> str:
    """That nothing happens by itself, since when it waits, and how long it can."""
    until = asked.question.expires_at
    left = f"expires in {span(until - now)}, then asked anew" if until is not None else ""
    since = f"asked {since_then(asked.asked_at, now)}"
    return " · ".join(word for word in ("nothing happens until you answer", since, left) if word)
