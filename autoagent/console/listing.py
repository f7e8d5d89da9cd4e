"""`runs`: all runs as rows, and as records for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from autoagent.console.figures import age, money
from autoagent.console.finding import open_questions, state_of
from autoagent.console.line import Line, Part, Tone, columns, short
from autoagent.errors import NewerVersion, StoreDamaged
from autoagent.journal.sqlite import SqliteJournal
from autoagent.messages import Frozen
from autoagent.outcome import ending_of, is_ending_past, proved_now
from autoagent.ports import RunHead
from autoagent.state import RunState


class ListedRun(Frozen):
    """A run in a list."""

    id: str
    workspace: str
    goal: str
    state: str
    """An ending, `parked`, `interrupted`, `running`, `stopped` (no process has it), `damaged`, `newer`."""
    waiting: tuple[str, ...]
    """Ids of open questions."""
    proved: int
    """Criteria, of the files as they are."""
    criteria: int
    usd: float
    limit_usd: float
    steps: int
    created_at: datetime
    last_at: datetime
    taken_back: bool = False
    """It ended, and then files that its verdicts were about were taken back."""


def listed(journal: SqliteJournal, head: RunHead) -> ListedRun:
    """A run that began; one whose journal can't be read is `damaged` or `newer`, and hides no other."""
    try:
        state = state_of(journal, head.id)
    except StoreDamaged:
        return _unread(head, "damaged", f"autoagent verify {head.id}")
    except NewerVersion:
        return _unread(head, "newer", "written by a newer autoagent; upgrade to read it")
    return ListedRun(
        id=head.id,
        workspace=head.workspace,
        goal=state.goal.goal,
        state=state_name(journal, state),
        waiting=() if state.ended else tuple(q.question.id for q in open_questions(journal, state)),
        proved=proved_now(state),
        criteria=len(state.criteria),
        usd=float(state.usd),
        limit_usd=float(state.limits.usd),
        steps=state.steps,
        created_at=head.created_at,
        last_at=head.last_at or head.created_at,
        taken_back=is_ending_past(state),
    )


def _unread(head: RunHead, state: str, advice: str) -> ListedRun:
    return ListedRun(
        id=head.id,
        workspace=head.workspace,
        goal=advice,
        state=state,
        waiting=(),
        proved=0,
        criteria=0,
        usd=0,
        limit_usd=0,
        steps=0,
        created_at=head.created_at,
        last_at=head.last_at or head.created_at,
    )


def state_name(journal: SqliteJournal, state: RunState) -> str:
    """The ending as the journal has it; a run without one is `running` only while a process carries it."""
    return ending_of(state, journal.holder(state.run_id) is not None)


_PLAIN: tuple[str, Tone] = ("-", "plain")
_WAITS: tuple[str, Tone] = ("!", "attention")
_MARKS: dict[str, tuple[str, Tone]] = {
    "proved": ("✓", "good"),
    "unproved": ("✗", "bad"),
    "running": ("▸", "accent"),
    "parked": ("=", "dim"),
    "damaged": ("✗", "bad"),
}


def rows(runs: Sequence[ListedRun]) -> Iterator[Line]:
    """A heading, and a row a run."""
    from decimal import Decimal

    now = datetime.now(UTC)
    table = [tuple(Part(name, "dim") for name in ("", "run", "state", "last", "spent", "goal"))]
    for run in runs:
        mark, tone = _WAITS if run.waiting else _PLAIN if run.taken_back else _MARKS.get(run.state, _PLAIN)
        since = ", then taken back:" if run.taken_back else ""
        proof = f" {run.proved} of {run.criteria}" if run.criteria else ""
        spent = f"{money(Decimal(str(run.usd)))} of {money(Decimal(str(run.limit_usd)))}"
        table.append(
            (
                Part(mark, tone),
                Part(run.id),
                Part(f"{run.state}{since}{proof}{', waits for you' if run.waiting else ''}"),
                Part(age(run.last_at, now)),
                Part(spent),
                short(run.goal.strip().split("\n")[0], 60),
            )
        )
    yield from columns(table)
