"""`tail`: the lines of a run from its journal, the same that the run itself prints."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator

from autoagent.console.finding import find_run, opened
from autoagent.console.progress import Progress
from autoagent.console.screen import Screen
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.live.attending import Attendant, Live


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
    with _attended(run_id, progress) if screen.is_terminal else contextlib.nullcontext():
        async for entry in journal.follow(run_id):
            progress.hear(entry)
            if screen.is_gone or (progress.state is not None and progress.state.ended is not None):
                return


@contextlib.contextmanager
def _attended(run_id: str, progress: Progress) -> Iterator[None]:
    """Replies are heard while they come in."""
    loop = asyncio.get_running_loop()

    def heard(live: Live) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody reads on
            loop.call_soon_threadsafe(progress.hear_live, live.replies)

    attendant = Attendant(home(), heard)
    attendant.start()
    attendant.attend(run_id)
    try:
        yield
    finally:
        attendant.stop()
        progress.screen.live(None)


def _progress(journal: SqliteJournal, run_id: str, are_numbered: bool) -> tuple[Screen, Progress]:
    screen = Screen.on(sys.stdout, may_fail=False)
    progress = Progress(screen, journal.read, is_elsewhere=True, are_numbered=are_numbered)
    progress.begin(run_id)
    return screen, progress
