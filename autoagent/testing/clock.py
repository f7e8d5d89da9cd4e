"""`FakeClock`: time that passes only when a test says so, or when somebody sleeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Implements `autoagent.clock.Clock`. Sleeping takes no real time and moves both clocks on."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed_s = 0.0
        self.slept: list[float] = []
        """Every sleep in seconds, in order."""

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_time(seconds)
        await asyncio.sleep(0)  # others get their turn, as with a real sleep

    def pass_time(self, seconds: float) -> None:
        self._passed_s += seconds
