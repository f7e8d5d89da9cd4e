"""Whether what a person types can be meant for what they see: not in its first moment, and not in a burst."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

DEAD_S = 0.5
"""Keys don't count until a question was seen so long, and none was typed so long."""
QUIET_S = 1.5
"""Without a key for so long nobody is in the middle of something."""
BURST_S = 0.003
"""Keys that come closer than this come from a paste, not from fingers."""


class Attention:
    """Keys count once something was in view for a while, and none was typed for as long."""

    def __init__(self, dead_s: Callable[[], float], now: Callable[[], float] = monotonic) -> None:
        self._dead_s, self._now = dead_s, now
        self._alive_at = self._open_at = float("inf")

    def sleep(self) -> None:
        """Nothing counts until `wake`."""
        self._alive_at = self._open_at = float("inf")

    def wake(self) -> None:
        """It is in view from now on; called again, since it has changed, the while begins anew."""
        self._alive_at = self._now() + self._dead_s()
        self._open_at = min(self._open_at, self._alive_at)

    @property
    def is_awake(self) -> bool:
        """Whether a key would count as an answer."""
        return self._now() >= self._alive_at

    @property
    def is_open(self) -> bool:
        """Whether it was in view for a while at all: enough for what answers nothing."""
        return self._now() >= self._open_at

    def is_early(self) -> bool:
        """Whether a key comes too early; each such key puts the moment off."""
        if self.is_awake:
            return False
        self._alive_at = max(self._alive_at, self._now() + self._dead_s())
        return True


class Typing:
    """When keys came, over all screens."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now, self._last_at, self._gap_s = now, now(), float("inf")

    def heard(self) -> None:
        """A key came, or a paste."""
        at = self._now()
        self._gap_s, self._last_at = at - self._last_at, at

    @property
    def quiet_s(self) -> float:
        """How long none came."""
        return self._now() - self._last_at

    @property
    def is_burst(self) -> bool:
        """Whether the last one came with the one before it, as in a paste."""
        return self._gap_s < BURST_S
