"""`tail`: the lines of a run from its journal, the same that the run itself prints."""

from __future__ import annotations

import asyncio
import sys

from autoagent.cli.attended import attended
from autoagent.console.finding import find_run, opened
from autoagent.console.progress import Progress
from autoagent.console.screen import Screen
from autoagent.journal.sqlite import SqliteJournal


def tail(prefix: str, *, are_numbered: bool = False) -> None:
    """Everything so far; `are_numbered`: with the number of each line's entry."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        screen, progress = _progress(journal, run_id, are_numbered)
        for entry in journal.read(run_id):
            if screen.is_gone:
                return
            progress.hear(entry)


def follow(prefix: str, *, are_numbered: bool = False) -> None:
    """Everything so far and to come, from whichever process, until the run ends or nobody reads."""
    with opened() as journal:
        asyncio.run(_follow(journal, find_run(journal, prefix), are_numbered))


async def _follow(journal: SqliteJournal, run_id: str, are_numbered: bool) -> None:
    screen, progress = _progress(journal, run_id, are_numbered)
    with attended(progress) as attend:
        attend(run_id)
        async for entry in journal.follow(run_id):
            progress.hear(entry)
            if screen.is_gone or (progress.state is not None and progress.state.ended is not None):
                return


def _progress(journal: SqliteJournal, run_id: str, are_numbered: bool) -> tuple[Screen, Progress]:
    screen = Screen.on(sys.stdout, may_fail=False)
    progress = Progress(screen, journal.read, is_elsewhere=True, are_numbered=are_numbered)
    progress.begin(run_id)
    return screen, progress
