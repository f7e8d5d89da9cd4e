"""Ends a run for good, whoever carries it; where nobody does, this process takes it over for that."""

from __future__ import annotations

from autoagent.cli.finding import find_run, opened, state_of
from autoagent.cli.output import out
from autoagent.clock import SystemClock
from autoagent.commands import Cancel
from autoagent.errors import RunOwned, UsageError
from autoagent.events import CommandTaken, RunEnded
from autoagent.journal.process import this_process
from autoagent.journal.sqlite import SqliteJournal
from autoagent.loop.history import History
from autoagent.ports import SentCommand


def cancel(prefix: str, why: str) -> None:
    """Raises `UsageError` for an unknown run, and for one that has ended."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        if (ended := state_of(journal, run_id).ended) is not None:
            raise UsageError(f"run {run_id} has ended already: {ended.ending}, {ended.reason}")
        sent = journal.send(run_id, Cancel(why=why), by="command")
        if holder := journal.holder(run_id):
            out(f"run {run_id} is told to end; {holder} carries it")
            return
        try:
            _end(journal, run_id, sent, why)
        except RunOwned as owned:  # somebody was quicker, and reads the command
            out(f"run {run_id} is told to end; {owned}")
        else:
            out(f"run {run_id} cancelled; nobody was carrying it")


def _end(journal: SqliteJournal, run_id: str, sent: SentCommand, why: str) -> None:
    """Record the end under a lease of our own."""
    lease = journal.acquire(run_id, str(this_process()))
    try:
        history = History(journal, lease, SystemClock())
        if history.state.ended is None:
            reason = "cancelled by command" + (why and f": {why}")
            history.record(
                CommandTaken(number=sent.number), RunEnded(ending="cancelled", reason=reason), sync=True
            )
    finally:
        journal.release(lease)
