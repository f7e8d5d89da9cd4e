"""What an *always* would have answered in past runs, and what the person answered then. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from autoagent import events as e
from autoagent.events import Entry
from autoagent.grants import Rule, would_cover

KINDS = ("question_asked", "question_answered", "question_voided")
"""The kinds of entries that are looked at."""
Said = Literal["yes", "no", "nothing"]


@dataclass(frozen=True)
class Instance:
    """A question that it would have answered."""

    run: str
    question: str
    at: datetime
    said: Said
    """What it was answered; `nothing`: nobody has, or it was void before."""
    by: str = ""
    why: str = ""
    """The person's words, where they said no."""

    @property
    def is_a_persons(self) -> bool:
        return self.said != "nothing" and self.by not in ("rule", "grant", "nobody")


@dataclass(frozen=True)
class Hindsight:
    """Of some runs."""

    runs: int
    """So many were looked at."""
    left_out: int
    """So many weren't: older, or not to be read."""
    questions: int
    """About calls, in these runs; asked again, or shared by a fork, they count once."""
    covered: tuple[Instance, ...]
    """Newest first."""

    @property
    def refused(self) -> tuple[Instance, ...]:
        """Those to which a person said no."""
        return tuple(each for each in self.covered if each.is_a_persons and each.said == "no")


@dataclass(frozen=True)
class Use:
    """How often a grant has answered, in the runs that were looked at."""

    times: int = 0
    last: datetime | None = None


def hindsight(
    rule: Rule, runs: Sequence[tuple[str, Sequence[Entry]]], left_out: int = 0, *, without: str = ""
) -> Hindsight:
    """What `rule` would have answered; whatever the plugin's version was then, and `without` one question."""
    asked, answers, voided = _told(runs)
    standing = [each for id, each in asked.items() if id not in voided and id != without]
    covered = [
        _instance(run, event, answers.get(event.question.id))
        for run, event in standing
        if event.question.explained.always is not None and would_cover(rule, event.question.explained.always)
    ]
    covered.sort(key=lambda each: each.at, reverse=True)
    return Hindsight(len(runs), left_out, len(standing), tuple(covered))


def uses(runs: Iterable[tuple[str, Sequence[Entry]]]) -> dict[str, Use]:
    """Grant -> how often it has answered."""
    found: dict[str, Use] = {}
    seen: set[str] = set()
    for entry in (entry for _, entries in runs for entry in entries):
        event = entry.event
        if isinstance(event, e.QuestionAnswered) and event.grant and event.question not in seen:
            seen.add(event.question)
            known = found.get(event.grant, Use())
            last = entry.at if known.last is None else max(known.last, entry.at)
            found[event.grant] = Use(known.times + 1, last)
    return found


_Asked = tuple[str, e.QuestionAsked]


def _told(
    runs: Iterable[tuple[str, Sequence[Entry]]],
) -> tuple[dict[str, _Asked], dict[str, e.QuestionAnswered], set[str]]:
    """Questions about calls with their runs, answers, and the questions that became void, by id."""
    asked: dict[str, _Asked] = {}
    answers: dict[str, e.QuestionAnswered] = {}
    voided: set[str] = set()
    for run, event in _events(runs):
        match event:
            case e.QuestionAsked(question=question) if question.subject.kind == "call":
                if question.id not in asked or question.subject.run == run:
                    asked[question.id] = (run, event)
            case e.QuestionAnswered(question=id):
                answers[id] = event
            case e.QuestionVoided(question=id):
                voided.add(id)
            case _:
                pass
    return asked, answers, voided


def _events(runs: Iterable[tuple[str, Sequence[Entry]]]) -> Iterator[tuple[str, e.Event]]:
    return ((run, entry.event) for run, entries in runs for entry in entries)


def _instance(run: str, asked: e.QuestionAsked, answer: e.QuestionAnswered | None) -> Instance:
    question = asked.question
    if answer is None or answer.verdict == "text":
        return Instance(run, question.id, asked.asked_at, "nothing")
    why = answer.text if answer.verdict == "no" else ""
    return Instance(run, question.id, asked.asked_at, answer.verdict, answer.by, why)
