"""A question as a person sees it, drawn from the record alone: destination first, then exactly what is asked.

The model's words are shown only where they are the subject, and framed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from textwrap import wrap

from pydantic import JsonValue

from autoagent.console.arguments import arguments, as_json
from autoagent.console.figures import several, size
from autoagent.console.line import Line, Part, block, dotted, line, short
from autoagent.console.verdicts import verdict_rows
from autoagent.errors import StoreUnavailable
from autoagent.goal import SubTask, described
from autoagent.outcome import results
from autoagent.past.changes import PathChange, changes
from autoagent.paths import spelled
from autoagent.questions import Question, Subject, answering
from autoagent.state import RunState
from autoagent.trees import ObjectSource, TreeEntry, load_tree

_LONGEST_LINE = 300
"""Characters of one line of a file."""
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
_MEANINGS = {
    ("recovery", "done"): "it did happen: it isn't done again, and the agent is told so",
    ("recovery", "run again"): "do it now; if it did happen, it happens twice",
    ("recovery", "skip"): "leave it: it isn't done again, and the agent is told that it was skipped",
    ("folder", "mine"): "yours stays; the agent's version is dropped",
    ("folder", "theirs"): "the agent's version takes its place; yours is dropped",
    ("folder", "both"): "yours stays, and the agent's is put beside it under a name of its own",
}
"""(kind, choice) -> what it brings about."""
_SHORT_WHY, _WRAPPED = 300, 100
_CHANGED_PATHS = 20
_DIFFERING_LINES = 20
"""Shown of one path."""
_NAME_COLUMNS = 10
_OTHER_LETTERS = 4
"""Named, of one destination."""
_LONGEST_DESTINATION = 120
"""On one line; the question itself shows it whole."""


def headline(question: Question, state: RunState) -> Line:
    """The question on one line, with the commands that answer it."""
    subject = question.subject
    what = [Part(_what(question, state), "attention")]
    if subject.tool is not None:
        what += [
            Part(" "),
            short(subject.tool, 40),
            Part(" TO " if _reaches(question) else ""),
            _to(question),
        ]
    elif isinstance(subject.args, str):
        what += [Part(" │ "), short(subject.args, 80)]
    return dotted(line(question.id, " ", *what), answers(question))


def answers(question: Question) -> str:
    """The commands that answer a question."""
    first, *others = answering(question)
    command = "" if question.is_yes_no else f"autoagent answer {question.id} "
    return " | ".join([first, *(other.removeprefix(command) for other in others)])


def head(question: Question, state: RunState) -> Iterator[Line]:
    """What is asked, who is reached, and why."""
    subject = question.subject
    tool = line(short(subject.tool, 60)) if subject.tool is not None else None
    sub_task = f"sub-task {question.sub_task}" if question.sub_task is not None else None
    yield dotted(line(Part(_what(question, state), "attention")), tool, _undo(question, state), sub_task)
    if _reaches(question):
        yield _field("TO", _to(question))
        yield from (_field("", Part(said, "bad")) for said in _other_letters(subject.destination or ""))
    yield _field("ASKED", "because ", short(question.why, _SHORT_WHY), *_labels(question))
    if len(question.why) > _SHORT_WHY:  # how a tool has changed: all of that is allowed by a yes
        yield from block("\n".join(wrap(question.why, _WRAPPED)))


def exactly(question: Question, objects: ObjectSource | None = None) -> Iterator[Line]:
    """The exact arguments, all of them: what an answer authorises. With `objects`, what in them differs."""
    subject = question.subject
    if subject.kind == "folder":
        yield from _versions(subject, objects)
    elif subject.kind in ("plan", "task"):
        yield from _sub_tasks(subject.args)
    elif isinstance(subject.args, Mapping):
        yield from arguments(subject.args)
    elif subject.args is not None:
        yield from block(subject.args if isinstance(subject.args, str) else as_json(subject.args))
    for path, sha256 in subject.files.items():
        length = question.explained.sizes.get(path)
        amount = f"  {size(length)}" if length is not None else ""
        yield _field("file", path, amount, Part(f"  sha256 {sha256[:12]}", "dim"))


def exactly_json(question: Question) -> str:
    """The arguments as JSON, to be edited."""
    return as_json(question.subject.args)


def whole(question: Question, state: RunState, objects: ObjectSource | None = None) -> Iterator[Line]:
    """Head, arguments, what each choice means, and digest: everything that stands before the answers."""
    yield from head(question, state)
    yield from exactly(question, objects)
    yield from rest(question, state, objects)
    yield from meanings(question)
    yield line(Part(f"question {question.id} · digest {question.digest[:12]}", "dim"))


def rest(question: Question, state: RunState, objects: ObjectSource | None = None) -> Iterator[Line]:
    """What else a person needs to answer: before the end, the verdicts and what has changed."""
    if question.subject.kind == "finish":
        yield from verdict_rows(results(state))
        yield from _work_done(question.subject, state, objects)


def meanings(question: Question) -> Iterator[Line]:
    """What each choice brings about, and until when it can be made."""
    for choice in question.choices:
        if meaning := _MEANINGS.get((question.subject.kind, choice)):
            yield line(Part(f"{choice:<{_NAME_COLUMNS}} ", "accent"), meaning)
    if question.expires_at is not None:
        yield line(f"can be answered until {question.expires_at.astimezone():%Y-%m-%d %H:%M}")


def _work_done(subject: Subject, state: RunState, objects: ObjectSource | None) -> Iterator[Line]:
    """What the run has changed so far, in the tree that would be the last."""
    if objects is None:
        return
    try:
        start, now = load_tree(state.start_tree, objects), load_tree(subject.tree or "", objects)
    except StoreUnavailable as error:
        yield line(f"what has changed can't be read: {error}")
        return
    found = changes(start, now)
    for each in found[:_CHANGED_PATHS]:
        yield _field(each.change, spelled(each.path))
    if (left := len(found) - _CHANGED_PATHS) > 0:
        yield line(Part(f"… {several(left, 'more path')}", "dim"))
    yield line(Part(f"autoagent diff {state.run_id} shows the lines", "dim"))


def _what(question: Question, state: RunState) -> str:
    if question.subject.kind != "call":
        return _SUBJECTS[question.subject.kind]
    call = state.calls.get(question.subject.call or "")
    return _EFFECTS[call.decided.effect] if call is not None else "CALL"


def _undo(question: Question, state: RunState) -> str | None:
    call = state.calls.get(question.subject.call or "")
    return "it can't be undone" if call is not None and call.decided.effect == "external" else None


def _reaches(question: Question) -> bool:
    """Whether somebody outside learns of it, known or not."""
    return question.subject.destination is not None


def _to(question: Question) -> Part:
    destination = question.subject.destination
    if destination is None:
        return Part("")
    return Part(destination) if destination else Part("somebody unknown", "bad")


def _other_letters(destination: str) -> Iterator[str]:
    """Letters beyond ASCII by their names: some look like others, and lead to somebody else."""
    letters = [char for char in dict.fromkeys(destination) if not char.isascii()]
    for char in letters[:_OTHER_LETTERS]:
        yield f"{char} is U+{ord(char):04X}, {unicodedata.name(char, 'without a name')}"
    if len(letters) > _OTHER_LETTERS:
        yield f"and {len(letters) - _OTHER_LETTERS} more letters beyond ASCII"


def _labels(question: Question) -> tuple[Part, ...]:
    said = {"outside": " · it has read OUTSIDE text", "private": " · it has read PRIVATE data"}
    return tuple(Part(said[label], "outside") for label in question.subject.labels if label in said)


def _field(name: str, *parts: str | Part) -> Line:
    return line(Part(f"{name:<7}", "dim"), *parts)


def _versions(subject: Subject, objects: ObjectSource | None) -> Iterator[Line]:
    """Each path that both changed: how large the two are, and the lines that differ."""
    args = subject.args if isinstance(subject.args, Mapping) else {}
    found = args.get("paths")
    paths = [str(path) for path in found] if isinstance(found, list) else []
    if objects is None:
        yield from (_field("path", path) for path in paths)
        return
    try:
        yours, agents = load_tree(str(args.get("yours")), objects), load_tree(subject.tree or "", objects)
        for path in paths:
            yield from _compared(PathChange(path, yours.entries.get(path), agents.entries.get(path)), objects)
    except StoreUnavailable as error:
        yield line(f"the two versions can't be read: {error}")
    else:
        yield line(Part("lines with - are yours, lines with + the agent's", "dim"))


def _compared(change: PathChange, objects: ObjectSource) -> Iterator[Line]:
    from autoagent.past.patch import patch  # 4 ms, and most questions compare nothing

    sizes = f" · yours {_held(change.was)} · the agent's {_held(change.now)}"
    yield _field("path", change.path, Part(sizes, "dim"))
    lines = patch(change, objects).lines
    for text in lines[:_DIFFERING_LINES]:
        yield line(Part("│ ", "dim"), text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…")
    if (left := len(lines) - _DIFFERING_LINES) > 0:
        yield line(Part(f"│ … {several(left, 'more line')}", "dim"))


def _held(entry: TreeEntry | None) -> str:
    if entry is None:
        return "is not there"
    return size(entry.size) if entry.kind == "file" else f"is a {entry.kind}"


def _sub_tasks(args: JsonValue) -> Iterator[Line]:
    """A plan, or one sub-task, with all that its approval covers."""
    shown = args if isinstance(args, dict) else {}
    rows = shown.get("sub_tasks", [args])
    for row in rows if isinstance(rows, list) else ():
        sub_task = SubTask.model_validate(row)
        after = f"after {', '.join(sub_task.depends_on)}" if sub_task.depends_on else None
        yield dotted(line(Part(f"{Part(sub_task.id).shown:<4} ", "accent"), sub_task.title), after)
        if sub_task.instructions:
            yield from block(sub_task.instructions, before="     │ ")
        for criterion in sub_task.done_when:
            yield line(Part("     done when ", "dim"), described(criterion))
    proposed = shown.get("criteria")
    for text in proposed if isinstance(proposed, list) else ():
        yield line(Part("the goal would count as reached when ", "dim"), str(text))
