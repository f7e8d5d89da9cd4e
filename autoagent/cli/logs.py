"""What libraries and plugins log becomes a line on the console, never a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator


class _Notes(logging.Handler):
    """Hands each message to the loop's thread; records come from any."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note, self._loop = note, asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.exc_info is not None and record.exc_info[1] is not None:
            said += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._loop.call_soon_threadsafe(self._note, said)


@contextlib.contextmanager
def noted_logs(note: Callable[[str], None]) -> Iterator[None]:
    """Warnings and errors that are logged, and Python's own warnings, are told to `note`."""
    handler, root = _Notes(note), logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
