"""What a model says while it says it, for the last line of a terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from autoagent.console.progress import Progress
from autoagent.journal.home import home
from autoagent.live.attending import Attendant, Live


@contextlib.contextmanager
def attended(progress: Progress) -> Iterator[Callable[[str], None]]:
    """Gives a function that takes the run to hear; off a terminal nothing is heard."""
    if not progress.screen.is_terminal:
        yield lambda run_id: None
        return
    loop = asyncio.get_running_loop()

    def heard(live: Live) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody reads on
            loop.call_soon_threadsafe(progress.hear_live, live.replies)

    attendant = Attendant(home(), heard)
    attendant.start()
    try:
        yield attendant.attend
    finally:
        attendant.stop()
        progress.hear_live({})
