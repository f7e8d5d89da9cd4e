"""An answer given in another process than the one that asked: checked against the question, then sent."""

from __future__ import annotations

from datetime import datetime

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.finding import answers_on_the_way
from autoagent.errors import UsageError
from autoagent.loop.answers import refusal, unusable
from autoagent.ports import Journal
from autoagent.questions import Question
from autoagent.state import RunState

Reply = Approve | Deny | Answer


def send(
    journal: Journal, state: RunState, question: Question, command: Reply, now: datetime, by: str
) -> None:
    """Append an answer to the run's commands. Raises `UsageError` where it doesn't fit: nothing is sent."""
    if why := objection(journal, state, question, command, now):
        raise UsageError(why)
    journal.send(state.run_id, command, by=by)


def objection(
    journal: Journal, state: RunState, question: Question, command: Reply, now: datetime
) -> str | None:
    """Why an answer doesn't fit; `None` where it does."""
    if why := refusal(state, command, now):
        return why
    if question.id in answers_on_the_way(journal, state):
        taken = f"'autoagent resume {state.run_id}' takes the answer"
        return f"question {question.id} was answered already; {taken}"
    if not isinstance(command, Approve):
        return None
    if command.edit is not None and (why := unusable(state, question, command.edit)):
        return f"the edit can't be used: {why}; nothing was answered"
    if command.covers > 1 and question.subject.kind != "call":
        return f"question {question.id} is about no call; a yes covers more only of calls"
    return None
