"""Which answer fits a question, and what two versions of one question have to do with each other. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from autoagent.commands import Answer, Approve, Deny
from autoagent.errors import ToolError
from autoagent.plan import parse_plan
from autoagent.questions import Question, Subject
from autoagent.redact import one_line
from autoagent.state import QuestionState, RunState


def refusal(state: RunState, command: Approve | Deny | Answer, at: datetime) -> str | None:
    """Why an answer given at that time doesn't fit its question as it stands; `None` where it does."""
    asked = state.questions.get(command.question)
    if asked is None:
        return f"there is no question {command.question!r} in run {state.run_id}"
    if asked.answer is not None:
        return f"question {command.question} was answered already, by {asked.answer.by}"
    if asked.voided is not None:
        return f"question {command.question} no longer stands: {asked.voided}"
    if asked.question.digest != command.digest:
        return f"question {command.question} has changed since it was shown; look at it again"
    if asked.question.is_expired(at):
        return f"{expired(asked.question)}; 'autoagent resume {state.run_id}' asks again"
    if isinstance(command, Answer) == asked.question.is_yes_no:
        return _wrong_kind(asked.question)
    if isinstance(command, Answer) and not command.text.strip():
        return f"question {command.question} wants a text, and this one is empty"
    choices = asked.question.choices
    if isinstance(command, Answer) and choices and command.text not in choices:
        return f"question {command.question} takes one of: {', '.join(choices)}"
    if isinstance(command, Approve) and command.covers > 1:
        return _uncovered(asked.question, command)
    return None


def unusable(state: RunState, question: Question, edit: JsonValue) -> str | None:
    """Why this can't stand in the place of the call, or plan, that is asked about; `None` where it may.

    The question shows every argument of a call, so an edit that has others is a slip of the person's.
    """
    args, kind = question.subject.args, question.subject.kind
    if kind == "plan":
        return _no_plan(edit, tuple(s.id for s in state.begun))
    if kind != "call" or not isinstance(args, dict):
        return None
    if not isinstance(edit, dict):
        return "edited arguments are a JSON object, with all that the question shows"
    if missing := [repr(name) for name in args if name not in edit]:
        return f"{', '.join(missing)} is missing; give all arguments that the question shows"
    if others := [repr(one_line(name, 40)) for name in edit if name not in args]:
        return f"{question.subject.tool} has no {', '.join(others)}; it takes {', '.join(args)}"
    return None


def _no_plan(edit: JsonValue, begun: tuple[str, ...]) -> str | None:
    try:
        parse_plan(edit, known=begun)
    except ToolError as error:
        return str(error)
    return None


def _uncovered(question: Question, command: Approve) -> str | None:
    """Why a yes can't count for later questions as well; `None` where it can."""
    if command.edit is not None:
        return f"question {question.id}: a yes with edited arguments counts for this call alone, not for more"
    if question.subject.kind == "call" and not question.subject.destination:
        return (
            f"question {question.id}: nobody can say whom this reaches, so a yes counts for this call alone; "
            "approve each by itself"
        )
    return None


def _wrong_kind(question: Question) -> str:
    if question.is_yes_no:
        return f"question {question.id} is a yes or no; use 'autoagent approve' or 'autoagent deny'"
    wanted = " | ".join(question.choices) or "a text"
    return f"question {question.id} takes {wanted}; use 'autoagent answer {question.id} …'"


def expired(question: Question) -> str:
    """That it is too late for an answer, in words."""
    return f"question {question.id} expired at {question.expires_at:%Y-%m-%d %H:%M} UTC, unanswered"


# --- two versions of one question ---------------------------------------------------------------------------


def is_former(asked: QuestionState, subject: Subject) -> bool:
    """Whether a question stands for the same as `subject` in another version, and nothing came of it yet.

    The answer about a call is used when the call starts, and then nobody asks again.
    """
    is_unused = asked.is_open or (asked.answer is not None and subject.kind == "call")
    return asked.voided is None and is_unused and _is_about(asked.question, subject)


def replaced(state: RunState, question: Question) -> QuestionState | None:
    """The question that this one was asked in the place of, which became void; `None` where there is none."""
    found = None
    for asked in state.questions.values():
        if asked.question.id == question.id:
            break
        if asked.voided is not None and _is_about(asked.question, question.subject):
            found = asked
    return found


def _is_about(question: Question, subject: Subject) -> bool:
    """Whether an open question is about the same thing as `subject`, in another version."""
    known = question.subject
    if known.kind != subject.kind:
        return False
    match subject.kind:
        case "call" | "recovery" | "question":
            return known.call == subject.call
        case "criterion" | "task":
            return known.args == subject.args
        case "spend":
            return _checkpoint(known) == _checkpoint(subject)
        case "plan" | "finish" | "folder":
            return True


def _checkpoint(subject: Subject) -> object:
    return subject.args.get("checkpoint") if isinstance(subject.args, dict) else None


def difference(old: Subject, new: Subject) -> str:
    """What changed between two versions of a question, in words."""
    was, now = old.model_dump(mode="json"), new.model_dump(mode="json")
    changed = [name for name in was if was[name] != now[name]]
    return ", ".join(part for name in changed for part in _changes(name, was[name], now[name]))


_UNREADABLE = {
    "plugin_hash": "the plugin's code or settings",
    "tree": "the workspace's files",
    "rules": "what the goal allows",
}
"""Parts of a subject that are hashes, and say nothing to a person."""


def _changes(name: str, was: Any, now: Any) -> list[str]:
    """What changed in one part of a subject."""
    if name in _UNREADABLE:
        return [_UNREADABLE[name]]
    if name in ("args", "files") and isinstance(was, dict) and isinstance(now, dict):
        of = "file " if name == "files" else ""
        keys = [key for key in dict.fromkeys((*was, *now)) if was.get(key) != now.get(key)]
        return [f"{of}{one_line(k, 60)} {_short(was.get(k))} -> {_short(now.get(k))}" for k in keys]
    return [f"{name} {_short(was)} -> {_short(now)}"]


def _short(value: object) -> str:
    if isinstance(value, list):
        value = "+".join(str(item) for item in value) or "none"
    return one_line(str(value), 60)
