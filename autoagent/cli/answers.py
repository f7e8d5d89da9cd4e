"""Answers from the command line: bound to the question as it stands now, checked before they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from autoagent.cli.output import note, out
from autoagent.clock import SystemClock
from autoagent.commands import Answer, Approve, Deny
from autoagent.console.figures import age
from autoagent.console.finding import find_question, open_questions, opened, unfinished
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.console.question import answers, whole
from autoagent.console.replying import send
from autoagent.errors import UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.questions import Question
from autoagent.state import QuestionState, RunState
from autoagent.trees import ObjectSource


@dataclass(frozen=True)
class Waiting:
    """A question that waits for a person, and its run."""

    state: RunState
    asked: QuestionState

    def record(self) -> dict[str, JsonValue]:
        """The exact keys of `approvals --json`."""
        question = self.asked.question
        fields: dict[str, JsonValue] = question.model_dump(mode="json")
        subject: dict[str, JsonValue] = question.subject.model_dump(mode="json")
        return {
            "id": question.id,
            "run": self.state.run_id,
            "kind": subject["kind"],
            "choices": fields["choices"],
            "tool": subject["tool"],
            "destination": subject["destination"],
            "args": subject["args"],
            "digest": question.digest,
            "why": question.why,
            "asked_at": self.asked.asked_at.isoformat(),
            "expires_at": fields["expires_at"],
        }


def waiting(journal: SqliteJournal, prefix: str = "") -> list[Waiting]:
    """What waits for a person, the longest first; with `prefix` where its id or its run's starts so.

    Raises `UsageError` where nothing does.
    """
    found = [
        Waiting(state, asked)
        for state in unfinished(journal, note)
        for asked in open_questions(journal, state)
        if state.run_id.startswith(prefix) or asked.question.id.startswith(prefix)
    ]
    if prefix and not found:
        raise UsageError(
            f"nothing that waits for you begins with {prefix!r}; 'autoagent approvals' lists all"
        )
    return sorted(found, key=lambda each: each.asked.asked_at)


def waiting_lines(
    found: Sequence[Waiting], objects: ObjectSource, now: datetime, *, is_alone: bool = False
) -> Iterator[Line]:
    """Each question whole: run, age, record, exact arguments, and the commands that answer.

    `is_alone`: one was asked for by its id, so that files that would leave are shown to their last line.
    """
    if not found:
        yield line("Nobody waits for you.")
    for number, each in enumerate(found):
        if number:
            yield line("")
        question, state = each.asked.question, each.state
        goal = state.goal.goal.strip().partition("\n")[0]
        since = f"asked {_ago(each.asked.asked_at, now)}"
        yield dotted(Part(f"run {state.run_id}", "accent"), since, short(goal, 80))
        yield from whole(question, state, objects, is_alone=is_alone)
        if question.is_expired(now):
            yield line(Part("expired: ", "bad"), f"autoagent resume {state.run_id} asks again")
        else:
            yield line(answers(question))


def _ago(then: datetime, now: datetime) -> str:
    passed = age(then, now)
    return "just now" if passed == "now" else f"{passed} ago"


def approve(prefix: str, covers: int, edit: str | None, *, resume: bool = False) -> int:
    """Send a yes; the exit status. Raises `UsageError` where the question doesn't take it."""
    wanted = None if edit is None else _json(edit)
    made = partial(Approve, covers=covers, edit=wanted)
    return answered(prefix, lambda q: made(question=q.id, digest=q.digest), resume)


def deny(prefix: str, why: str, *, resume: bool = False) -> int:
    """Send a no; the exit status. Raises `UsageError` where the question doesn't take it."""
    return answered(prefix, lambda q: Deny(question=q.id, digest=q.digest, why=why), resume)


def answer(prefix: str, text: str, *, resume: bool = False) -> int:
    """Send a choice or a text; the exit status. Raises `UsageError` where the question doesn't take it."""
    return answered(prefix, lambda q: Answer(question=q.id, digest=q.digest, text=text), resume)


def answered(prefix: str, made: Callable[[Question], Approve | Deny | Answer], resume: bool) -> int:
    """Send an answer; the exit status. With `resume` the run goes on here, if no other process carries it."""
    with opened() as journal:
        run_id, question = _send(journal, prefix, made)
        holder = journal.holder(run_id)
    if holder is not None:
        next_step = f"run {run_id} goes on, carried by {holder}; the first answer that it reads counts"
    else:
        next_step = "going on here" if resume else f"next: autoagent resume {run_id}"
    out(dotted(f"answered {question}", next_step))
    if holder is not None or not resume:
        return 0
    from autoagent.cli.starting import resume as go_on
    from autoagent.wiring import Choices

    return go_on(run_id, Choices(), as_json=False, wait_s=0)


def _send(
    journal: SqliteJournal, prefix: str, made: Callable[[Question], Approve | Deny | Answer]
) -> tuple[str, str]:
    """The run that was asking, and the question. Raises `UsageError` where the answer doesn't fit."""
    state, asked = find_question(journal, prefix, note)
    question = asked.question
    send(journal, state, question, made(question), SystemClock().now(), by="command")
    return state.run_id, question.id


def _json(text: str) -> JsonValue:
    """The JSON that `--edit` gives, or names with `@`. Raises `UsageError`."""
    where = "--edit"
    if text.startswith("@"):
        where = text[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{where} can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{where} isn't UTF-8 ({error.reason}); save it as UTF-8") from None
    try:
        found: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is no JSON: {error}") from None
    if found is None:
        raise UsageError(f"{where} is null; give the arguments as an object")
    return found
