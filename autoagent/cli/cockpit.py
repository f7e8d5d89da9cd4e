"""`tui`: opens the cockpit at this terminal."""

from __future__ import annotations

import sys

from autoagent.cli.output import note
from autoagent.console.finding import find_run, opened
from autoagent.errors import UsageError
from autoagent.journal.home import home


def tui(prefix: str) -> None:
    """Until it is left. Raises `UsageError` where there is no terminal, and for an unknown run."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this is no terminal; 'autoagent runs', 'show' and 'approvals' print the same")
    run_id = None
    if prefix:
        with opened() as journal:
            run_id = find_run(journal, prefix)
    from autoagent.tui.app import Cockpit

    cockpit = Cockpit(home(), run_id)
    cockpit.run()
    note(cockpit.left_at)
