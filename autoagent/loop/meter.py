"""Active time of a run: the clock stands still while everything waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autoagent.clock import Clock


class Meter:
    """Counts seconds while at least one piece of work is active."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active = 0
        self._since = 0.0
        self._seconds = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work: time counts."""
        self._change(+1)
        try:
            yield
        finally:
            self._change(-1)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside `working`: this piece of work waits for a person."""
        self._change(-1)
        try:
            yield
        finally:
            self._change(+1)

    def take(self, at_least: float = 0.0) -> float:
        """Seconds since they were last taken; 0 while they are fewer than `at_least`."""
        self._change(0)
        if self._seconds < at_least:
            return 0.0
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _change(self, by: int) -> None:
        now = self._clock.monotonic()
        if self._active > 0:
            self._seconds += now - self._since
        self._since = now
        self._active += by
