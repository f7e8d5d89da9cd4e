"""The answers that a question offers, and what is said where it takes none any more. Pure: no Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.line import Line, Part, columns_of, dotted, line, short
from autoagent.console.question import asks, left
from autoagent.console.replying import Reply
from autoagent.loop.answers import replaced
from autoagent.ports import SentCommand
from autoagent.questions import Question
from autoagent.redact import one_line
from autoagent.state import QuestionState, RunState
from autoagent.tui.runs.overview import Seen, since_then, span

_MOST_COVERED = 1000
_VERDICTS = {"yes": "Allowed", "no": "Denied", "text": ""}
_WHO = {
    "terminal": "by you, at a terminal",
    "command": "by a command",
    "approver": "by the program that started the run",
    "nobody": "as the goal says for when nobody answers",
    "rule": "by an earlier yes to the next N",
    "grant": "by an always of yours",
}
"""How an answer came, in words."""
_SHORT_DESTINATION = 24


@dataclass(frozen=True)
class Choice:
    """One answer that is offered."""

    key: str
    """Name of its key."""
    said: str
    action: str
    brief: str = ""
    """In place of `said` where the answers have no room beside each other."""


LATER = Choice("question.later", "later", "later")
CLOSE = Choice("question.later", "close", "later")


ALWAYS = (
    Choice("question.no", "back, no always", "no"),
    Choice("question.yes", "always exactly this", "yes"),
)
"""The answers where the rule of an *always* is shown."""


def offered(question: Question, *, is_edited: bool = False) -> tuple[Choice, ...]:
    """The answers to an open question; the first is where the cursor starts: one that lets nothing out."""
    return tuple(_yes_or_no(question, is_edited) if question.is_yes_no else _named(question))


def _yes_or_no(question: Question, is_edited: bool) -> Iterator[Choice]:
    kind = question.subject.kind
    yield Choice("question.no", "no", "no")
    yield Choice("question.yes", "yes, once" if kind == "call" else "yes", "yes")
    if kind == "call" and question.subject.destination:
        yield Choice("question.many", "yes to the next N…", "many", "next N…")
    if kind == "call":
        yield Choice("question.edit", "edit", "edit")
    yield Choice("question.because", "no, because…", "because")
    if question.explained.always is not None and not is_edited:
        to = one_line(question.explained.always.destination, _SHORT_DESTINATION)
        yield Choice("question.always", f"always to {to.removesuffix('…')}…", "always", "always…")
    yield LATER


EDITS = (
    ("question.edit", "reword"),
    ("question.add", "add"),
    ("question.remove", "remove"),
    ("question.lower", "down"),
    ("question.raise", "up"),
    ("question.undo", "undo edit"),
    ("question.outside", "in your editor"),
)
"""(name of a key, what it does to the plan's row under the cursor)."""


def edits_row(key_of: Callable[[str], str]) -> Line:
    """What can be done to a plan's rows; none of it answers."""
    said = "  ".join(f"{key_of(key)} {what}" for key, what in EDITS)
    return line(Part(f" rows: {said}", "dim"))


def _named(question: Question) -> Iterator[Choice]:
    if not question.choices:
        yield Choice("question.take", "answer, or just type", "write")
        yield LATER
        return
    yield LATER
    for number, said in enumerate(question.choices, 1):
        yield Choice(f"question.choice_{number}", said, f"pick({number})")


def choice_row(choices: Sequence[Choice], at: int, key_of: Callable[[str], str], width: int = 1_000) -> Line:
    """The answers beside each other with their keys, the one under the cursor marked; brief where narrow."""
    whole = _row([choice.said for choice in choices], choices, at, key_of)
    if columns_of(whole) <= width:
        return whole
    return _row([choice.brief or choice.said for choice in choices], choices, at, key_of)


def _row(said: Sequence[str], choices: Sequence[Choice], at: int, key_of: Callable[[str], str]) -> Line:
    texts = [f"{key_of(choice.key)} {text}" for choice, text in zip(choices, said, strict=True)]
    return line(
        *(Part(f"▌{text}▐", "accent") if number == at else f" {text} " for number, text in enumerate(texts))
    )


def framed(
    asked: QuestionState,
    state: RunState,
    place: tuple[int, int] | None,
    width: int,
    *,
    is_edited: bool = False,
) -> tuple[Line, Line]:
    """What stands over a question, and under it: which of how many it is, who asks; what there is left."""
    said = "no longer waiting" if place is None else f"{place[0]} of {place[1]} waiting"
    mark = f"fingerprint {asked.question.digest[:12]}"
    if is_edited:
        mark = f"edited by you; asked as {asked.question.digest[:12]}"
    of = short(asks(asked.question, state) or state.goal.goal, max(width - 34, 20))
    return dotted(said, state.run_id, of), dotted(left(state), mark)


def over(run: Seen, asked: QuestionState, sent: SentCommand | None = None) -> str | None:
    """Why no answer counts any more; `None` while one does. `sent`: the first answer, where it is known."""
    at = f" at {sent.at.astimezone():%H:%M}" if sent is not None else ""
    if asked.answer is not None:
        what = _VERDICTS[asked.answer.verdict] or f"Answered {asked.answer.text!r}"
        return f"{what}{at} {_WHO.get(asked.answer.by, f'by {asked.answer.by}')}. Nothing left to do here."
    if asked.voided is not None:
        anew = _anew(run, asked.question)
        then = "] leads to it, asked anew." if anew else "Where it still matters it is asked anew."
        return f"It no longer stands: {asked.voided}. {then}"
    if run.state is not None and run.state.ended is not None:
        return f"The run has ended ({run.name}). Nothing left to do here."
    if asked.question.id not in run.waiting:
        return f"Answered{at} from elsewhere; the run takes it as soon as it goes on."
    return None


def _anew(run: Seen, question: Question) -> bool:
    """Whether a question waits that was asked in the place of this one."""
    if run.state is None:
        return False
    waiting = [run.state.questions[id].question for id in run.waiting]
    former = [replaced(run.state, each) for each in waiting]
    return any(each is not None and each.question.id == question.id for each in former)


def text(question: Question, said: str) -> Reply | str:
    """What was written, as an answer; a text says what is wrong with it."""
    if not said.strip():
        return "write an answer, or esc leaves it for later"
    return Answer(question=question.id, digest=question.digest, text=said)


def denied(question: Question, why: str) -> Reply | str:
    return Deny(question=question.id, digest=question.digest, why=why)


def many(question: Question, count: str) -> Reply | str:
    """A yes to so many; a text says what is wrong with the number."""
    if not count.isdecimal() or not 1 <= int(count) <= _MOST_COVERED:
        return f"a number from 1 to {_MOST_COVERED}"
    return Approve(question=question.id, digest=question.digest, covers=int(count))


def waits(asked: QuestionState, now: datetime) -> str:
    """That nothing happens by itself, since when it waits, and how long it can."""
    until = asked.question.expires_at
    left = f"expires in {span(until - now)}, then asked anew" if until is not None else ""
    since = f"asked {since_then(asked.asked_at, now)}"
    return " · ".join(word for word in ("nothing happens until you answer", since, left) if word)
