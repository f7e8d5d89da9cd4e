"""`show`: everything about one run on a page, and as a record for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.ending import ending
from autoagent.console.finding import answers_on_the_way, open_questions, outcome_of, state_of
from autoagent.console.line import Line, Part, Tone, block, columns, dotted, line, short
from autoagent.console.listing import state_name
from autoagent.console.question import answers, whole
from autoagent.errors import StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import Outcome
from autoagent.ports import SentCommand
from autoagent.questions import answerer
from autoagent.state import RunState
from autoagent.trees import ObjectSource, diff, load_tree

_OUTCOMES: dict[str, tuple[str, Tone]] = {
    "done": ("✓", "plain"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
    "running": ("▸", "accent"),
    "to come": ("-", "plain"),
}
_MOST_FILES = 200


@dataclass(frozen=True)
class Shown:
    """One run, as it stands."""

    state: RunState
    outcome: Outcome
    state_name: str
    holder: str | None
    files: tuple[tuple[str, str], ...]
    """(`+`, `~` or `-`, path)."""
    unread: str = ""
    """Why `files` are not known; empty where they are."""
    on_the_way: tuple[SentCommand, ...] = ()
    """Answers that were given, and that the run hasn't taken yet."""
    objects: ObjectSource | None = None

    def record(self) -> dict[str, JsonValue]:
        """The final record with what led there."""
        started = self.state.started
        assert started is not None
        plan = self.state.plan.sub_tasks if self.state.plan is not None else ()
        fields: dict[str, JsonValue] = self.outcome.model_dump(mode="json")
        return {
            **fields,
            "usd": float(self.outcome.usd),
            "state": self.state_name,
            "holder": self.holder,
            "goal": started.goal.goal,
            "workspace": self.state.workspace,
            "forked": None if self.state.forked is None else self.state.forked.source,
            "undone": None if self.state.undone is None else self.state.undone.to,
            "model": self.state.model,
            "sandbox": self.state.sandbox,
            "limits": {**self.state.limits.model_dump(mode="json"), "usd": float(self.state.limits.usd)},
            "plan": [{"id": s.id, "title": s.title, "outcome": self.state.outcome(s.id)} for s in plan],
            "sent": list(self.state.sent),
            "on_word": list(self.state.on_word),
            "unsure": list(self.state.unsure),
        }


def shown(journal: SqliteJournal, run_id: str) -> Shown:
    """Read the run. Raises `UsageError` for one that never began."""
    state = state_of(journal, run_id)
    files, unread = _changed(journal, state)
    asked = () if state.ended is not None else open_questions(journal, state)
    waiting = tuple(each.question.id for each in asked)
    on_the_way = {} if state.ended is not None else answers_on_the_way(journal, state)
    return Shown(
        state=state,
        outcome=outcome_of(journal, state).model_copy(update={"waiting": waiting}),
        state_name=state_name(journal, state),
        holder=journal.holder(run_id),
        files=files,
        unread=unread,
        on_the_way=tuple(sent for id, sent in on_the_way.items() if id in state.questions),
        objects=journal.objects,
    )


def _changed(journal: SqliteJournal, state: RunState) -> tuple[tuple[tuple[str, str], ...], str]:
    """Signs and paths of what differs from the start, and why they are unknown where they are."""
    try:
        changes = diff(load_tree(state.start_tree, journal.objects), load_tree(state.main, journal.objects))
    except StoreUnavailable as error:
        return (), str(error)
    signs = {"+": changes.added, "~": changes.changed, "-": changes.removed}
    return tuple((sign, path) for sign, paths in signs.items() for path in paths), ""


def shown_lines(run: Shown) -> Iterator[Line]:
    """The page."""
    started = run.state.started
    assert started is not None
    yield from block(started.goal.goal.strip(), before="  ")
    yield line("")
    who = f"carried by {run.holder}" if run.holder else None
    yield dotted(run.state_name, who, f"model {run.state.model}", f"sandbox {run.state.sandbox}")
    yield dotted(run.state.workspace, f"since {started_at(run)}")
    yield from _turns(run.state)
    yield from _plan(run.state, is_carried=run.holder is not None)
    yield from _questions(run)
    yield from _files(run)
    if run.state.sent or run.state.unsure:
        yield from _section("Left the house", _left(run.state))
    if run.outcome.result:
        yield from _section("The agent reports, in its own words", block(run.outcome.result, before="  │ "))
    yield line("")
    yield from ending(run.outcome, run.state, is_shown=True)


def _left(state: RunState) -> Iterator[Line]:
    on_word = Counter(state.on_word)
    for sent in state.sent:
        word = Part("you said that it had happened", "attention") if on_word[sent] > 0 else None
        on_word[sent] -= 1
        yield dotted(line("  ", short(sent, 120)), word)
    for sent in state.unsure:
        yield dotted(line("  ", short(sent, 120)), Part("may have happened: nobody has heard", "attention"))


def _turns(state: RunState) -> Iterator[Line]:
    """Where its history left another run's, or was taken back."""
    if state.forked is not None:
        yield line(f"fork of run {state.forked.source} at entry {state.forked.at}")
    if state.undone is not None:
        yield line(f"undone to entry {state.undone.to}: the files are as they were then")


def started_at(run: Shown) -> str:
    """Local time."""
    assert run.state.started_at is not None
    return f"{run.state.started_at.astimezone():%Y-%m-%d %H:%M:%S}"


def _section(title: str, lines: Iterator[Line]) -> Iterator[Line]:
    yield line("")
    yield line(Part(title, "accent"))
    yield from lines


def _plan(state: RunState, *, is_carried: bool) -> Iterator[Line]:
    if state.plan is None:
        return
    rows = []
    for sub_task in state.plan.sub_tasks:
        outcome = state.outcome(sub_task.id)
        mark, tone = _OUTCOMES[outcome]
        said = "begun" if outcome == "running" and not is_carried else outcome
        lane = state.lane_of(sub_task.id)
        result = short(lane.result, 80, "dim") if lane is not None and lane.result else Part("")
        rows.append(
            (Part(f"  {mark}", tone), Part(sub_task.id), short(sub_task.title, 60), Part(said), result)
        )
    yield from _section(f"Plan v{state.plan.version}", columns(rows))


def _questions(run: Shown) -> Iterator[Line]:
    for id in run.outcome.waiting:
        question = run.state.questions[id].question
        yield from _section("Waits for you", whole(question, run.state, run.objects))
        yield line(answers(question))
    if run.on_the_way:
        yield from _section("Answered, and not taken yet", columns(_sent(run)))
        taken = "the run takes it" if run.holder else f"autoagent resume {run.state.run_id} goes on with it"
        yield line("  ", taken)
    asked = [q for q in run.state.questions.values() if q.answer is not None]
    if asked:
        rows = []
        for each in asked:
            assert each.answer is not None
            said = each.answer.text if each.answer.verdict == "text" else each.answer.verdict
            what = each.question.subject.tool or each.question.subject.kind
            by = (
                f"by {answerer(each.answer.by)}"
                if each.voided is None
                else "void: asked again, since it has changed"
            )
            rows.append((Part(f"  {each.question.id}"), Part(what), short(said, 60), Part(by)))
        yield from _section("Answered", columns(rows))


def _sent(run: Shown) -> Iterator[tuple[Part, ...]]:
    """Question, what it is about, the answer, and when it was given."""
    for sent in run.on_the_way:
        command = sent.command
        assert isinstance(command, Approve | Deny | Answer)
        subject = run.state.questions[command.question].question.subject
        match command:
            case Approve():
                said = "yes" if command.edit is None else "yes, edited"
            case Deny(why=why):
                said = f"no: {why}" if why else "no"
            case Answer(text=text):
                said = text
        what = subject.tool or subject.kind
        at = f"{sent.at.astimezone():%Y-%m-%d %H:%M}"
        yield Part(f"  {command.question}"), Part(what), short(said, 60), Part(at)


def _files(run: Shown) -> Iterator[Line]:
    if run.unread:
        yield from _section("Files", iter([line("  not known: ", short(run.unread, 300))]))
    if not run.files:
        return
    lines = [line(f"  {sign} ", path) for sign, path in run.files[:_MOST_FILES]]
    if len(run.files) > _MOST_FILES:
        lines.append(line(f"  … {len(run.files) - _MOST_FILES} more"))
    yield from _section("Files", iter(lines))
