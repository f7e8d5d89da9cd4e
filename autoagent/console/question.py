"""A question as a person sees it, drawn from the record alone: whom it reaches, then exactly what is asked.

The model's words are shown only where they are the subject, and framed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from textwrap import wrap

from pydantic import JsonValue

from autoagent.console.asked import Page, in_full
from autoagent.console.enclosed import FEW_LINES, MOST_LINES
from autoagent.console.figures import money, several, size
from autoagent.console.line import Line, Part, block, dotted, line, short
from autoagent.console.tried import is_stuck
from autoagent.events import Label
from autoagent.questions import Question, answering
from autoagent.state import RunState
from autoagent.trees import ObjectSource

_SUBJECTS = {
    "plan": "THE PLAN, before anything starts",
    "task": "START A SUB-TASK",
    "finish": "END THE RUN",
    "spend": "GO ON SPENDING",
    "criterion": "YOUR VERDICT on a criterion",
    "question": "THE AGENT ASKS",
    "recovery": "DID THIS HAPPEN?",
    "folder": "YOUR FILES AND THE AGENT'S DIFFER",
}
_EFFECTS = {"read": "FETCH", "write": "CHANGE FILES", "external": "SEND"}
_EFFECTS_SAID = {
    "read": "it only reads",
    "write": "undo takes it back",
    "external": "it can't be undone",
}
_READ: tuple[tuple[Label, str], ...] = (("outside", "OUTSIDE text"), ("private", "PRIVATE data"))
_SHORT_WHY, _WRAPPED = 300, 100
_OTHER_LETTERS = 4
"""Named, of one destination."""
_LONGEST_DESTINATION = 120
"""On one line; the question itself shows it whole."""


def headline(question: Question, state: RunState) -> Line:
    """The question on one line, with the commands that answer it."""
    return dotted(line(question.id, " ") + what_is_asked(question, state), answers(question))


def what_is_asked(question: Question, state: RunState, *, is_open: bool = True) -> Line:
    """The question on one line; one that is over draws no eye."""
    subject = question.subject
    what = [Part(_what(question, state), "attention" if is_open else "plain")]
    if subject.tool is not None:
        what += [
            Part(" "),
            short(subject.tool, 40),
            Part(" TO " if _reaches(question) else ""),
            _to(question),
        ]
    elif isinstance(subject.args, str):
        what += [Part(" │ "), short(subject.args, 80)]
    return line(*what)


def answers(question: Question) -> str:
    """The commands that answer a question."""
    first, *others = answering(question)
    command = "" if question.is_yes_no else f"autoagent answer {question.id} "
    return " | ".join([first, *(other.removeprefix(command) for other in others)])


def head(question: Question, state: RunState) -> Iterator[Line]:
    """What is asked with its effect, who is reached, and why."""
    subject = question.subject
    tool = line(short(subject.tool, 60)) if subject.tool is not None else None
    what = line(Part(_what(question, state), "attention"))
    yield dotted(what, tool, _amount(question), _effect(question, state))
    if _reaches(question):
        named = Part("  named in your goal" if _is_named(question, state) else "", "dim")
        yield _field("TO", _to(question), named)
        yield from (_field("", Part(said, "bad")) for said in other_letters(subject.destination or ""))
    yield _field("ASKED", "because ", short(question.why, _SHORT_WHY))
    if len(question.why) > _SHORT_WHY:  # how a tool has changed: all of that is allowed by a yes
        yield from block("\n".join(wrap(question.why, _WRAPPED)))
    if read := [*_read(question, state)]:
        yield _field("", *read)
    if question.explained.note:
        yield _field("", Part(question.explained.note, "attention"))


def whole(
    question: Question, state: RunState, objects: ObjectSource | None = None, *, is_alone: bool = False
) -> Iterator[Line]:
    """Everything that stands before the answers: head, who asks, what exactly, what is left, the digest.

    `is_alone`: it was asked for by its id, so that files are shown to their last line.
    """
    yield from head(question, state)
    if (asking := asks(question, state)) is not None:
        yield _field("FOR", "sub-task ", asking)
    yield from in_full(question, state, Page(objects, file_lines=MOST_LINES if is_alone else FEW_LINES))
    if question.expires_at is not None:
        yield line(f"can be answered until {question.expires_at.astimezone():%Y-%m-%d %H:%M}")
    asked = state.questions.get(question.id)
    there_is = left(state) if asked is None or asked.is_open else None
    yield line(
        Part(str(dotted(f"question {question.id}", f"fingerprint {question.digest[:12]}", there_is)), "dim")
    )


def asks(question: Question, state: RunState) -> str | None:
    """The sub-task that asks, with its title, and the step; `None` where the whole run asks."""
    if question.sub_task is None:
        return None
    asked, lane = state.questions.get(question.id), state.lanes.get(question.lane or "")
    title = f" {lane.task.title}" if lane is not None else ""
    return f"{question.sub_task}{title}" + (f" · step {asked.step}" if asked is not None else "")


def left(state: RunState) -> str:
    """What there still is of the limits."""
    limits = state.limits
    usd, steps = max(limits.usd - state.usd, Decimal(0)), max(limits.steps - state.steps, 0)
    minutes = max(float(limits.minutes) - state.seconds / 60, 0)
    return f"left {money(usd)}, {several(steps, 'step')}, {minutes:.0f} min"


def _what(question: Question, state: RunState) -> str:
    if is_stuck(question):
        return "A SUB-TASK IS STUCK and asks for your help"
    if question.subject.kind != "call":
        return _SUBJECTS[question.subject.kind]
    call = state.calls.get(question.subject.call or "")
    return _EFFECTS[call.decided.effect] if call is not None else "CALL"


def _effect(question: Question, state: RunState) -> str | None:
    call = state.calls.get(question.subject.call or "") if question.subject.tool is not None else None
    return _EFFECTS_SAID[call.decided.effect] if call is not None else None


def _amount(question: Question) -> str | None:
    """How much would be sent: the texts of the arguments, and the files; of a plan how many sub-tasks."""
    subject = question.subject
    if subject.kind == "plan" and isinstance(subject.args, dict):
        tasks = subject.args.get("sub_tasks")
        count = len(tasks) if isinstance(tasks, list) else 0
        return f"v{subject.args.get('version')}, {several(count, 'sub-task')}"
    if subject.destination is None or subject.tool is None:
        return None
    if not subject.files:
        return size(_bytes(subject.args))
    sizes = question.explained.sizes
    of = f" of {size(sum(sizes.values()))}" if sizes.keys() >= subject.files.keys() else ""
    return f"{size(_bytes(subject.args))} and {several(len(subject.files), 'file')}{of}"


def _bytes(value: JsonValue) -> int:
    """Of all texts in a value."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, list):
        return sum(_bytes(each) for each in value)
    return sum(_bytes(each) for each in value.values()) if isinstance(value, dict) else 0


def _reaches(question: Question) -> bool:
    """Whether somebody outside learns of it, known or not."""
    return question.subject.destination is not None


def _to(question: Question) -> Part:
    destination = question.subject.destination
    if destination is None:
        return Part("")
    return Part(destination) if destination else Part("somebody unknown", "bad")


def _is_named(question: Question, state: RunState) -> bool:
    """Whether the goal names this very receiver; never where policy says no, or hasn't looked."""
    named = {one for each in state.goal.allow.send.values() for one in each} if state.started else set()
    is_as_it_was = question.subject.tool not in state.changed
    return (
        is_as_it_was
        and question.subject.destination in named
        and "not named in your goal" not in question.why
    )


def other_letters(destination: str) -> Iterator[str]:
    """Letters beyond ASCII by their names: some look like others, and lead to somebody else.

    Spaces too: what stands behind one could be taken for words of ours.
    """
    if " " in destination.replace(", ", ","):
        yield "it has spaces in it: all of this line is whom it reaches"
    letters = [char for char in dict.fromkeys(destination) if not char.isascii()]
    for char in letters[:_OTHER_LETTERS]:
        yield f"{char} is U+{ord(char):04X}, {unicodedata.name(char, 'without a name')}"
    if len(letters) > _OTHER_LETTERS:
        yield f"and {len(letters) - _OTHER_LETTERS} more letters beyond ASCII"


def _read(question: Question, state: RunState) -> Iterator[Part]:
    """What the run has read that makes a difference, and what brought it in first."""
    found = [(label, said) for label, said in _READ if label in question.subject.labels]
    for number, (label, said) in enumerate(found):
        origin = state.origins.get(label)
        yield Part(f"{' and ' if number else 'this run has read '}{said}", "outside")
        if origin is not None:
            yield Part(f" (step {origin.step}, ")
            yield short(origin.what, 60)
            yield Part(")")


def _field(name: str, *parts: str | Part) -> Line:
    return line(Part(f"{name:<7}", "dim"), *parts)
