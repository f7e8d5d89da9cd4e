"""What `run` and `resume` were asked for, made into a run that this process carries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from autoagent.cli.carrying import carry
from autoagent.cli.output import note
from autoagent.cli.target import understand
from autoagent.commands import RaiseLimits
from autoagent.console.finding import find_run, opened, state_of
from autoagent.errors import UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import Outcome, ending_of
from autoagent.wiring import Choices, Hooks, Parts
from autoagent.wiring import resume as resume_run
from autoagent.wiring import start as start_run


@dataclass(frozen=True)
class Request:
    """A `run` as it was asked for."""

    target: str
    """A path, or a goal in words."""
    as_json: bool = False
    model: str | None = None
    parallel: int | None = None
    recorded: str | None = None
    strict: bool = False
    raised: RaiseLimits | None = None
    wait_s: float = 0

    @property
    def choices(self) -> Choices:
        return Choices(
            model=self.model,
            parallel=self.parallel,
            recorded=self.recorded,
            strict=self.strict,
            raised=self.raised,
        )


def run(request: Request) -> int:
    """The exit status of a new run."""
    work = understand(request.target)
    work.prepare()

    async def begin(hooks: Hooks, parts: Parts) -> Outcome:
        return await start_run(work.goal, work.workspace, hooks=hooks, choices=request.choices, parts=parts)

    with opened() as journal:
        _mention_earlier(journal, str(work.workspace.resolve()))
        return carry(begin, journal, as_json=request.as_json, wait_s=request.wait_s)


def _mention_earlier(journal: SqliteJournal, workspace: str) -> None:
    """The last run in the same folder, where it stopped half-way: it may be what was meant."""
    last = next((h.id for h in journal.runs() if h.workspace == workspace and h.entries), None)
    if last is not None and ending_of(state_of(journal, last)) in ("parked", "interrupted"):
        note(f"note: run {last} stopped half-way in this folder; 'autoagent resume {last}' goes on")


def resume(prefix: str, choices: Choices, *, as_json: bool, wait_s: float) -> int:
    """The exit status of a run that goes on."""
    with opened() as journal:
        run_id = find_run(journal, prefix)

        async def begin(hooks: Hooks, parts: Parts) -> Outcome:
            return await resume_run(run_id, hooks=hooks, choices=choices, parts=parts)

        return carry(begin, journal, as_json=as_json, wait_s=wait_s, run_id=run_id)


def limits(
    usd: str | None, steps: int | None, minutes: float | None, tokens: int | None
) -> RaiseLimits | None:
    """The limits that were named; `None` where none was."""
    if usd is None and steps is None and minutes is None and tokens is None:
        return None
    return RaiseLimits(usd=None if usd is None else _amount(usd), steps=steps, minutes=minutes, tokens=tokens)


def _amount(usd: str) -> Decimal:
    try:
        amount = Decimal(usd)
    except InvalidOperation:
        amount = Decimal(-1)
    if not 0 <= amount <= 1_000_000:  # not a number compares as false
        raise UsageError(f"--usd takes an amount such as 2.50, not {usd!r}")
    return amount
