"""`cancel`: ends a run for good, whoever carries it, and says who obeys."""

from __future__ import annotations

from autoagent import wiring
from autoagent.cli.output import out
from autoagent.console.finding import find_run, opened
from autoagent.errors import RunOwned


def cancel(prefix: str, why: str) -> None:
    """Raises `UsageError` for an unknown run, and for one that has ended."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        try:
            wiring.cancel(journal, run_id, why)
        except RunOwned as owned:
            holder = journal.holder(run_id)
            out(f"run {run_id} is told to end; " + (f"{holder} carries it" if holder else str(owned)))
        else:
            out(f"run {run_id} cancelled; nobody was carrying it")
