"""The journal of this home, and runs and questions by the start of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from autoagent.commands import Answer, Approve, Deny
from autoagent.errors import NewerVersion, StoreDamaged, StoreUnavailable, UsageError
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import Outcome, outcome
from autoagent.ports import Journal, SentCommand
from autoagent.state import QuestionState, RunState, fold
from autoagent.trees import EMPTY, Tree, load_tree


@contextmanager
def opened() -> Iterator[SqliteJournal]:
    """The journal of the home folder, open."""
    journal = SqliteJournal(home())
    try:
        yield journal
    finally:
        journal.close()


def find_run(journal: SqliteJournal, prefix: str) -> str:
    """The id of the one run whose id starts so. Raises `UsageError`."""
    ids = [head.id for head in journal.runs()]
    return _one(prefix, ids, "run", "'autoagent runs' lists them")


def state_of(journal: SqliteJournal, run_id: str) -> RunState:
    """The run as its journal has it.

    Raises `UsageError` for a run that never began, `StoreDamaged` for one whose entries make no sense.
    """
    entries = journal.read(run_id)
    try:
        state = fold(run_id, entries)
    except (AssertionError, AttributeError, LookupError, ValueError) as error:
        if (found := journal.verify(run_id)).first_bad is None:
            raise  # a bug of ours
        what = f"run {run_id}: entry {found.first_bad} is not what was written: {found.why}"
        raise StoreDamaged(f"{what}; 'autoagent verify {run_id}' says what to do") from error
    if state.started is None:
        raise UsageError(f"run {run_id} never began: its journal is empty")
    return state


def unfinished(journal: SqliteJournal, left_out: Callable[[str], None]) -> Iterator[RunState]:
    """The runs that have not ended, newest first; those that never began are left out.

    `left_out` hears of each whose journal can't be read.
    """
    for head in journal.runs():
        if head.entries and head.last_kind != "run_ended":
            try:
                state = state_of(journal, head.id)
            except (StoreDamaged, NewerVersion) as unread:
                left_out(f"left out: {unread}")
                continue
            if state.ended is None:
                yield state


def answers_on_the_way(journal: Journal, state: RunState) -> dict[str, SentCommand]:
    """Question -> the first answer that was sent to it, where the run has taken none yet."""
    found: dict[str, SentCommand] = {}
    for sent in journal.commands(state.run_id, state.commands):
        if isinstance(sent.command, Approve | Deny | Answer):
            found.setdefault(sent.command.question, sent)
    return found


def first_answer(journal: Journal, run_id: str, question: str) -> SentCommand | None:
    """The answer to a question that was sent first; `None` where none was, or at the run's own terminal."""
    for sent in journal.commands(run_id):
        if isinstance(sent.command, Approve | Deny | Answer) and sent.command.question == question:
            return sent
    return None


def open_questions(journal: Journal, state: RunState) -> tuple[QuestionState, ...]:
    """What waits for a person, oldest first."""
    on_the_way = answers_on_the_way(journal, state)
    return tuple(asked for asked in state.waiting if asked.question.id not in on_the_way)


def find_question(
    journal: SqliteJournal, prefix: str, left_out: Callable[[str], None]
) -> tuple[RunState, QuestionState]:
    """The question whose id starts so, in a run that hasn't ended; an open one before others.

    Raises `UsageError`.
    """
    known = {
        id: (state, asked) for state in unfinished(journal, left_out) for id, asked in state.questions.items()
    }
    waiting = [id for id, (_, asked) in known.items() if asked.is_open]
    fitting = [id for id in waiting if prefix and id.startswith(prefix)] or known
    return known[_one(prefix, fitting, "question", "'autoagent approvals' lists those that wait")]


def outcome_of(journal: SqliteJournal, state: RunState, problem: str | None = None) -> Outcome:
    """The run's record as it stands; without its files where they can't be read."""
    start, main = _tree(journal, state.start_tree), _tree(journal, state.main)
    is_carried = journal.holder(state.run_id) is not None
    head = _link(journal, state.run_id)
    return outcome(state, start, main, journal_head=head, problem=problem, is_carried=is_carried)


def _link(journal: SqliteJournal, run_id: str) -> str:
    try:
        return journal.link(run_id)
    except StoreUnavailable:
        return ""


def _tree(journal: SqliteJournal, id: str) -> Tree:
    try:
        return load_tree(id, journal.objects)
    except StoreUnavailable:  # the record of a run whose store is broken says that, not its files
        return EMPTY


def _one(prefix: str, ids: Iterable[str], noun: str, where: str) -> str:
    fitting = [id for id in ids if id == prefix] or [id for id in ids if prefix and id.startswith(prefix)]
    if not fitting:
        raise UsageError(f"there is no {noun} {prefix[:40]!r}; {where}")
    if len(fitting) > 1:
        raise UsageError(f"{prefix[:40]!r} could be {', '.join(fitting[:8])}; write more of the {noun}'s id")
    return fitting[0]
