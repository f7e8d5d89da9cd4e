"""Answers from the command line: bound to the question as it stands now, checked before they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from autoagent.cli.finding import answered_on_the_way, find_question, open_questions, opened, unfinished
from autoagent.cli.output import out
from autoagent.clock import SystemClock
from autoagent.commands import Answer, Approve, Deny
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.console.question import answers, whole
from autoagent.errors import UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.loop.asking import refusal
from autoagent.questions import Question
from autoagent.state import QuestionState, RunState


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


def waiting(journal: SqliteJournal) -> list[Waiting]:
    """What waits for a person, the longest first."""
    found = [
        Waiting(state, asked) for state in unfinished(journal) for asked in open_questions(journal, state)
    ]
    return sorted(found, key=lambda each: each.asked.asked_at)


def waiting_lines(found: Sequence[Waiting]) -> Iterator[Line]:
    """Each question whole: run, record, exact arguments, and the commands that answer."""
    if not found:
        yield line("Nobody waits for you.")
    for number, each in enumerate(found):
        if number:
            yield line("")
        yield dotted(Part(f"run {each.state.run_id}", "accent"), short(each.state.goal.goal, 80))
        yield from whole(each.asked.question, each.state)
        yield line(answers(each.asked.question))


def approve(prefix: str, covers: int, edit: str | None) -> None:
    """Send a yes. Raises `UsageError` where the question doesn't take it."""
    wanted = None if edit is None else _json(edit)
    _send(prefix, lambda q: Approve(question=q.id, digest=q.digest, covers=covers, edit=wanted))


def deny(prefix: str, why: str) -> None:
    """Send a no. Raises `UsageError` where the question doesn't take it."""
    _send(prefix, lambda q: Deny(question=q.id, digest=q.digest, why=why))


def answer(prefix: str, text: str) -> None:
    """Send a choice or a text. Raises `UsageError` where the question doesn't take it."""
    _send(prefix, lambda q: Answer(question=q.id, digest=q.digest, text=text))


def _send(prefix: str, made: Callable[[Question], Approve | Deny | Answer]) -> None:
    with opened() as journal:
        state, asked = find_question(journal, prefix)
        question = asked.question
        command = made(question)
        if why := refusal(state, command, SystemClock().now()):
            raise UsageError(why)
        if question.id in answered_on_the_way(journal, state):
            taken = f"'autoagent resume {state.run_id}' takes the answer"
            raise UsageError(f"question {question.id} was answered already; {taken}")
        if isinstance(command, Approve) and command.covers > 1 and question.subject.kind != "call":
            raise UsageError(f"question {question.id} is about no call; --covers is for calls")
        journal.send(state.run_id, command, by="command")
        holder = journal.holder(state.run_id)
    said = f"run {state.run_id} goes on" if holder else f"next: autoagent resume {state.run_id}"
    out(dotted(f"answered {question.id}", said))


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
