"""What a question asks about, in full: a layout for each kind, drawn from the record alone.

The model's words are shown only where they are the subject, and framed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from pydantic import JsonValue

from autoagent.console.arguments import arguments, as_json
from autoagent.console.beside import SIDE_BY_SIDE, differing
from autoagent.console.enclosed import FEW_LINES, MOST_LINES, enclosed
from autoagent.console.ending import tally
from autoagent.console.figures import clock, local, money, several, size
from autoagent.console.line import Line, Part, block, dotted, line
from autoagent.console.powers import powers
from autoagent.console.tried import is_stuck, tried
from autoagent.console.verdicts import verdict_rows
from autoagent.errors import StoreUnavailable
from autoagent.goal import SubTask, described
from autoagent.loop.answers import difference, replaced
from autoagent.outcome import results
from autoagent.past.changes import PathChange, changes
from autoagent.paths import spelled
from autoagent.questions import Question, Subject
from autoagent.state import RunState
from autoagent.trees import ObjectSource, TreeEntry, load_tree

if TYPE_CHECKING:
    from autoagent.past.patch import Patch

_LONGEST_LINE = 2_000
"""Characters of one line of a file."""
_MEANINGS = {
    ("recovery", "done"): "it did happen: it isn't done again, and the agent is told so",
    ("recovery", "run again"): "do it now; if it did happen, it happens twice",
    ("recovery", "skip"): "leave it: it isn't done again, and the agent is told that it was skipped",
    ("folder", "mine"): "yours stays; the agent's version is dropped",
    ("folder", "theirs"): "the agent's version takes its place; yours is dropped",
    ("folder", "both"): "yours stays, and the agent's is put beside it under a name of its own",
    ("task", "yes"): "this sub-task begins",
    ("task", "no"): "it is skipped; the agent is told why",
    ("finish", "yes"): "the run ends, with this proof",
    ("finish", "no"): "it goes on working, and is told why",
    ("spend", "yes"): "it goes on, up to its limits",
    ("spend", "no"): "the run ends here; what it has made stays",
    ("criterion", "yes"): "it counts as proved, on your word",
    ("criterion", "no"): "it counts as refuted, and the agent is told why",
    ("plan", "yes"): "it starts, with exactly this plan",
    ("plan", "no"): "nothing starts; the agent plans anew, and is told why",
}
"""(kind, choice) -> what it brings about."""
_BOTH = (
    "You and the agent have both changed what stands below. Nothing was overwritten: "
    "your folder holds yours, as you left it, until you say which version stays."
)
_OVER = {
    "task": "exactly this sub-task",
    "finish": "the proof, and what was changed",
    "criterion": "what you judge, and what was changed",
    "spend": "what it took so far",
    "question": "in its own words",
    "recovery": "what is known, and what isn't",
    "folder": "yours and the agent's",
}
_CHANGED_PATHS = 20
_NAME_COLUMNS = 10
_LINES_OF_A_PATH = 60
"""Of what the run has changed, where a person judges that."""
_FEW_OF_A_PATH = 8
"""The same where the proof has judged already."""
_SHORT = 60
"""Characters of two values that have room on one line."""
_OF_A_FILE = ("content", "old", "new")
"""Arguments of a call that changes a file whose effect on it is shown in their place."""


@dataclass(frozen=True)
class Page:
    """What a question is drawn with."""

    objects: ObjectSource | None = None
    """Where the versions of files are; `None`: no lines of files are shown."""
    columns: int = 0
    """Of the screen; with enough of them versions stand side by side."""
    differing_lines: int = 20
    """Shown of one path that isn't what an answer authorises."""
    file_lines: int = FEW_LINES
    """Shown of a file that would leave with a call."""
    is_read: bool = False
    """It can be scrolled: with the lines of the files that a person is to judge."""


def over(question: Question) -> str:
    """What stands over the lines of `in_full`."""
    if is_stuck(question):
        return "what it tried"
    return _OVER.get(question.subject.kind, "exactly this")


def in_full(question: Question, state: RunState, page: Page) -> Iterator[Line]:
    """Everything between the head and the answers."""
    subject = question.subject
    yield from anew(question, state, page)
    match subject.kind:
        case "call":
            yield from exactly(question, state, page)
        case "plan":
            yield from exactly(question, state, page)
            yield _field("may", powers(state.goal))
            yield from meanings(question, state)
        case "question":
            yield from tried(question, state) if is_stuck(question) else exactly(question, state, page)
        case "task":
            yield from exactly(question, state, page)
            yield from meanings(question, state)
        case "finish":
            yield from verdict_rows(results(state))
            yield from meanings(question, state)
            yield from (_field(name, said) for name, said in tally(state))
            yield from _work_done(subject, state, page, _FEW_OF_A_PATH)
        case "criterion":
            yield from exactly(question, state, page)
            yield from meanings(question, state)
            yield from _work_done(subject, state, page)
        case "spend":
            yield from _so_far(state)
            yield from meanings(question, state)
        case "recovery":
            yield from _begun(question, state)
            yield from meanings(question, state)
            yield from exactly(question, state, page)
        case "folder":
            yield line(_BOTH)
            yield from meanings(question, state)
            yield from exactly(question, state, page)
        case _:
            assert_never(subject.kind)


def exactly(question: Question, state: RunState, page: Page) -> Iterator[Line]:
    """The exact arguments, all of them: what an answer authorises; of files what differs, where known."""
    subject = question.subject
    if subject.kind == "folder":
        yield from _versions(subject, page)
    elif subject.kind in ("plan", "task"):
        yield from _sub_tasks(subject.args)
    elif (written := _written(question, state, page)) is not None:
        yield from _rewritten(subject.args, *written, page)
    elif isinstance(subject.args, Mapping):
        yield from arguments(subject.args)
    elif subject.args is not None:
        yield from block(subject.args if isinstance(subject.args, str) else as_json(subject.args))
    for path, sha256 in subject.files.items():
        length = question.explained.sizes.get(path)
        amount = f"  {size(length)}" if length is not None else ""
        yield _field("file", path, amount, Part(f"  sha256 {sha256[:12]}", "dim"))
        if page.objects is not None:
            yield from enclosed(sha256, page.objects, page.file_lines, _rest(question, page))


def _rest(question: Question, page: Page) -> str:
    """Where a person finds what a page has no room for."""
    if page.file_lines < MOST_LINES:
        return f"autoagent approvals {question.id} shows all"
    return "open the file for the rest of it"


def meanings(question: Question, state: RunState) -> Iterator[Line]:
    """What each answer brings about, where its name doesn't say it."""
    kind = question.subject.kind
    for choice in question.choices:
        meaning = _MEANINGS.get((kind, choice))
        if (kind, choice) == ("plan", "no") and state.plan is not None and state.plan.source == "goal":
            meaning = "nothing starts, and the run ends: the plan is the goal's own"
        if meaning is not None:
            yield line(Part(f"{choice:<{_NAME_COLUMNS}} ", "accent"), meaning)


# --- asked anew ---------------------------------------------------------------------------------------------


def anew(question: Question, state: RunState, page: Page) -> Iterator[Line]:
    """What is other than in the question that this one was asked in the place of."""
    former = replaced(state, question)
    if former is None:
        return
    was, now = former.question.subject, question.subject
    yield line(
        Part(f"Asked anew: {former.question.id} stands no longer, no answer to it counts.", "attention")
    )
    if was == now:
        yield line(f"{former.voided}; nothing in it has changed")
    elif now.kind == "folder":  # what its arguments say are hashes
        yield line("The files have changed again since.")
    else:
        yield from _changed(was, now, page)


def _changed(was: Subject, now: Subject, page: Page) -> Iterator[Line]:
    """Arguments in both versions, then in words what else is other."""
    if isinstance(was.args, dict) and isinstance(now.args, dict):
        yield from rewritten(was.args, now.args, page)
        was = was.model_copy(update={"args": now.args})
    if was != now:
        yield line("changed: ", difference(was, now))


def rewritten(was: JsonValue, now: JsonValue, page: Page) -> Iterator[Line]:
    """Each argument that is other than it was, in both versions."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        yield from _other("all of it", was, now, page)
        return
    for name in dict.fromkeys((*was, *now)):
        if was.get(name) != now.get(name):
            yield from _other(name, was.get(name), now.get(name), page)


def _other(name: str, was: JsonValue, now: JsonValue, page: Page) -> Iterator[Line]:
    """One argument in both versions."""
    from autoagent.past.patch import patch_of  # 4 ms, and most questions compare nothing

    before, after = (value if isinstance(value, str) else as_json(value) for value in (was, now))
    if len(before) + len(after) <= _SHORT and "\n" not in before + after:
        yield line("changed: ", Part(f"{name} ", "dim"), before, Part(" → ", "dim"), after)
        return
    yield line("changed: ", Part(name, "dim"))
    found = patch_of(*(f"{text}\n".encode("utf-8", "replace") for text in (before, after)))
    yield from differing(found.lines, page.columns)


# --- a call that changes a file -----------------------------------------------------------------------------


def _written(question: Question, state: RunState, page: Page) -> tuple[str, Patch] | None:
    """Path, and what the call would change in it; `None` where the call isn't of that kind."""
    from autoagent.past.patch import patch_of  # 4 ms, and most questions compare nothing

    subject = question.subject
    call, lane = state.calls.get(subject.call or ""), state.lanes.get(question.lane or "")
    args = subject.args
    if page.objects is None or call is None or lane is None or not isinstance(args, Mapping):
        return None
    path = args.get("path")
    if "content" in args and ("old" in args or "new" in args):
        return None  # nobody knows which of them counts: the arguments are shown, all of them
    if call.decided.effect != "write" or not isinstance(path, str):
        return None
    try:
        entry = load_tree(lane.tree, page.objects).entries.get(path)
        was = page.objects.get(entry.sha256) if entry is not None and entry.kind == "file" else b""
    except StoreUnavailable:
        return None  # the arguments say it all the same
    now = _as_written(args, was)
    found = None if now is None else patch_of(was, now)
    return None if found is None or found.body != "text" else (path, found)


def _as_written(args: Mapping[str, JsonValue], was: bytes) -> bytes | None:
    """The file as the arguments would have it; `None` where they don't say it, or can't be carried out."""
    content, old, new = (args.get(name) for name in _OF_A_FILE)
    if isinstance(content, str):
        return content.encode("utf-8", "replace")
    if not isinstance(old, str) or not isinstance(new, str):
        return None
    before = old.encode("utf-8", "replace")
    return was.replace(before, new.encode("utf-8", "replace")) if before and was.count(before) == 1 else None


def _rewritten(args: JsonValue, path: str, found: Patch, page: Page) -> Iterator[Line]:
    assert isinstance(args, Mapping)
    yield from arguments({name: value for name, value in args.items() if name not in _OF_A_FILE})
    yield line(Part(f"{path}  +{found.added} −{found.removed}, against the file as it is", "dim"))
    yield from differing(found.lines, page.columns)


# --- what was done, and what it took ------------------------------------------------------------------------


def _work_done(subject: Subject, state: RunState, page: Page, most: int = _LINES_OF_A_PATH) -> Iterator[Line]:
    """What the run has changed so far, in the tree that the question is about."""
    if page.objects is None:
        return
    try:
        start, now = load_tree(state.start_tree, page.objects), load_tree(subject.tree or "", page.objects)
    except StoreUnavailable as error:
        yield line(f"what has changed can't be read: {error}")
        return
    found = changes(start, now)
    for each in found[:_CHANGED_PATHS]:
        yield _field(each.change, spelled(each.path))
        if page.is_read:
            yield from _lines_of(each, page, most)
    if (left := len(found) - _CHANGED_PATHS) > 0:
        yield line(Part(f"… {several(left, 'more path')}", "dim"))
    if not page.is_read:
        yield line(Part(f"autoagent diff {state.run_id} shows the lines", "dim"))


def _lines_of(change: PathChange, page: Page, most: int) -> Iterator[Line]:
    """What differs in a path, as far as a page of it goes."""
    from autoagent.past.patch import patch  # 4 ms, and most questions compare nothing

    assert page.objects is not None
    lines = patch(change, page.objects).lines
    if change.was is None and lines[:1] and lines[0].startswith("@@"):
        lines = lines[1:]  # of a new file the place says nothing
    yield from differing(lines[:most], page.columns)
    if (left := len(lines) - most) > 0:
        yield line(Part(f"│ … {several(left, 'more line')}; d in the run shows all", "dim"))


def _so_far(state: RunState) -> Iterator[Line]:
    """What it took, against the limits, and what there is for it."""
    limits = state.limits
    yield _field("spent", f"{money(state.usd)} of {limits.usd:.2f}")
    yield _field("steps", f"{state.steps} of {limits.steps}")
    yield _field("time", f"{clock(state.seconds)} of {clock(limits.minutes * 60)}, without waiting for you")
    yield _field("tokens", f"{state.tokens:,} of {limits.tokens:,}")
    if state.plan is not None:
        done = sum(state.outcome(each.id) == "done" for each in state.plan.sub_tasks)
        yield _field("plan", f"{done} of {len(state.plan.sub_tasks)} sub-tasks done")
    yield from verdict_rows(results(state))


# --- after a crash ------------------------------------------------------------------------------------------


def _begun(question: Question, state: RunState) -> Iterator[Line]:
    """What is known of a call that was begun and never reported back, what isn't, and what is sent when."""
    subject = question.subject
    call = state.calls.get(subject.call or "")
    began_at = call.started.began_at if call is not None and call.started is not None else None
    at = f" at {began_at.astimezone():%Y-%m-%d} {local(began_at)}" if began_at is not None else ""
    yield _field("known", f"{subject.tool} was begun{at}, with exactly what stands below")
    whom = f" and {subject.destination} has it" if subject.destination else ""
    yield _field("not", f"whether it came to its end{whom}: the process was gone before it could say")
    if "run again" in question.choices:
        sends = "Nothing is sent until you answer, and nothing is sent twice unless you choose 'run again'."
    else:
        sends = "Nothing is sent, whatever you answer."
    yield line(sends)


# --- two versions of a file ---------------------------------------------------------------------------------


def _versions(subject: Subject, page: Page) -> Iterator[Line]:
    """Each path that both changed: how large the two are, and the lines that differ."""
    args = subject.args if isinstance(subject.args, Mapping) else {}
    found = args.get("paths")
    paths = [str(path) for path in found] if isinstance(found, list) else []
    if page.objects is None:
        yield from (_field("path", path) for path in paths)
        return
    try:
        yours, agents = (load_tree(str(id), page.objects) for id in (args.get("yours"), subject.tree or ""))
        is_wide = page.columns >= SIDE_BY_SIDE
        where = ("left, with -,", "right, with +,") if is_wide else ("lines with -", "lines with +")
        said = f"{where[0]} stand in your folder, whoever wrote them; {where[1]} in the agent's version"
        yield line(Part(said, "dim"))
        for path in paths:
            yield from _compared(PathChange(path, yours.entries.get(path), agents.entries.get(path)), page)
    except StoreUnavailable as error:
        yield line(f"the two versions can't be read: {error}")


def _compared(change: PathChange, page: Page) -> Iterator[Line]:
    from autoagent.past.patch import patch  # 4 ms, and most questions compare nothing

    assert page.objects is not None
    sizes = f" · in your folder {_held(change.was)} · the agent's {_held(change.now)}"
    yield _field("path", change.path, Part(sizes, "dim"))
    lines = patch(change, page.objects).lines
    shown = [
        text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
        for text in lines[: page.differing_lines]
    ]
    yield from differing(shown, page.columns)
    if (left := len(lines) - len(shown)) > 0:
        yield line(Part(f"│ … {several(left, 'more line')}", "dim"))


def _held(entry: TreeEntry | None) -> str:
    if entry is None:
        return "is not there"
    return size(entry.size) if entry.kind == "file" else f"is a {entry.kind}"


# --- a plan -------------------------------------------------------------------------------------------------


def _sub_tasks(args: JsonValue) -> Iterator[Line]:
    """A plan, or one sub-task, with all that its approval covers."""
    shown = args if isinstance(args, dict) else {}
    rows = shown.get("sub_tasks", [args])
    for row in rows if isinstance(rows, list) else ():
        sub_task = SubTask.model_validate(row)
        after = f"after {', '.join(sub_task.depends_on)}" if sub_task.depends_on else None
        yield dotted(line(Part(f"{Part(sub_task.id).shown:<4} ", "accent"), sub_task.title), after)
        yield from told_of(sub_task)
    proposed = shown.get("criteria")
    for text in proposed if isinstance(proposed, list) else ():
        yield line(Part("the goal would count as reached when ", "dim"), str(text))


def told_of(sub_task: SubTask) -> Iterator[Line]:
    """What a worker is told to do, and how it is checked."""
    if sub_task.instructions:
        yield from block(sub_task.instructions, before="     │ ")
    for criterion in sub_task.done_when:
        yield line(Part("     done when ", "dim"), described(criterion))


def _field(name: str, *parts: str | Part) -> Line:
    return line(Part(f"{name:<7}", "dim"), *parts)
