"""How often a host is asked: one turn after the other, over all lanes of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Busy(Exception):
    """A host's next turn is too far away."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the next turn is {wait_s:.0f} s away")
        self.wait_s = wait_s


class Rates:
    """Turns of hosts. Safe from any thread: each lane's tools run in one of their own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}
        self._asked_s: dict[str, float] = {}
        """What a host wants between two requests, where it is more than ours."""

    def turn(self, host: str, every_s: float, at_most_s: float) -> float:
        """Take the host's next turn; how many seconds to wait for it. Raises `Busy`, and takes none then."""
        with self._lock:
            now = self._clock()
            at = max(now, self._free_at.get(host, now))
            if at - now > at_most_s:
                raise Busy(at - now)
            self._free_at[host] = at + max(every_s, self._asked_s.get(host, 0))
            return at - now

    def slow_down(self, host: str, every_s: float) -> None:
        """The host wants so many seconds between two requests, from the next one on."""
        with self._lock:
            self._asked_s[host] = every_s

    def rest(self, host: str, seconds: float) -> None:
        """The host wants to hear nothing for so long."""
        with self._lock:
            self._free_at[host] = max(self._clock() + seconds, self._free_at.get(host, 0))


RATES = Rates()
"""Of this process."""
