"""The heartbeat of the leases that a process holds, on a thread of its own: no busy loop or tool stops it.

It stops with the process, also with one that is only stopped; then another may take the runs over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from autoagent.errors import StoreUnavailable

_log = logging.getLogger("autoagent.journal")


class Heart:
    """Calls `beat` every so often from `start` to `stop`."""

    def __init__(self, beat: Callable[[], None], every_s: float) -> None:
        self._beat, self._every_s = beat, every_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Nothing happens where it beats already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="journal heart", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """For good; a beat under way has ended when it returns, unless that beat itself stops it.

        It does where it was the last to hold the journal, which then is let go on this thread.
        """
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self._beat()
            except StoreUnavailable as error:
                if self._stopped.is_set():
                    return
                _log.warning("the heartbeat can't be written, and other processes may take over: %s", error)
