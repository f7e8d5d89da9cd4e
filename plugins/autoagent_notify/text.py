"""What a notification says. Pure.

Everything stands in our words but the goal, the destination and what the agent asks: these are on one line,
short, made visible, and can't mention a whole channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autoagent.door.hooks import Report
from autoagent.questions import Question
from autoagent.redact import one_line

_WHAT = {
    "call": "may this call be made?",
    "plan": "may this plan be carried out?",
    "task": "may this sub-task start?",
    "finish": "may the run end?",
    "spend": "may it go on spending?",
    "criterion": "is this criterion met?",
    "question": "the agent asks",
    "recovery": "did this happen?",
    "folder": "your files and the agent's differ",
}
_MENTION = re.compile(r"@(?=everyone|here|channel|all\b)|<(?=[@!#&])", re.IGNORECASE)
"""What chat services take for a call to all, or to somebody."""


def title_of(report: Report, machine: str) -> str:
    """What has happened, and where."""
    if report.question is not None:
        what = f"a question waits: {_WHAT[report.question.subject.kind]}"
    else:
        what = f"{report.ending}: {_foreign(report.goal, 60)}"
    return f"[{_foreign(machine, 60)}] {what}"


def body_of(report: Report) -> str:
    """The rest, line by line: whom it reaches first, the commands last."""
    rows = [*_asked(report.question), *_ended(report)]
    rows += [
        ("goal", _foreign(report.goal, 160)),
        ("run", f"{report.run_id} in {_foreign(report.workspace, 160)}"),
    ]
    lines = [f"{name}: {text}" for name, text in rows]
    return "\n".join([*lines, "", *report.commands])


def _asked(question: Question | None) -> Iterator[tuple[str, str]]:
    if question is None:
        return
    subject = question.subject
    if subject.destination is not None:
        yield "to", _foreign(subject.destination, 200) or "somebody unknown"
    if subject.tool is not None:
        yield "tool", _foreign(subject.tool, 60)
    if subject.kind in ("question", "criterion") and isinstance(subject.args, str):
        yield "it says" if subject.kind == "question" else "criterion", f"“{_foreign(subject.args, 300)}”"
    yield "why", _foreign(question.why, 300)
    if question.expires_at is not None:
        yield "until", f"{question.expires_at.astimezone():%Y-%m-%d %H:%M}"


def _ended(report: Report) -> Iterator[tuple[str, str]]:
    if report.question is not None:
        return
    code = "" if report.exit_code is None else f", exit {report.exit_code}"
    yield "it ended" if report.kind in ("end", "limit") else "it stopped", f"{report.ending}{code}"
    yield "why", _foreign(report.reason, 300)
    if report.waiting:
        yield "questions that wait", ", ".join(report.waiting)


def _foreign(text: str, limit: int) -> str:
    return _MENTION.sub(lambda found: f"{found[0]} ", one_line(text, limit))
