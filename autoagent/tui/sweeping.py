"""Python's collector, kept from looking through everything while somebody types.

With a long run in memory that takes a tenth of a second, every second or so: a key's frame would wait for it.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _NEVER = 5_000, 10, 100_000
"""Thresholds of the three generations: the first two are done in milliseconds."""
LOOK_S = 30
"""Between two looks whether the oldest may be swept."""
QUIET_S = 3
"""Nobody types who hasn't for so long."""


class Sweeping:
    """The oldest generation is swept only where nobody types. It is the whole process's: for one cockpit."""

    def __init__(self) -> None:
        self._before = gc.get_threshold()

    def begin(self) -> None:
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)

    def look(self, quiet_s: float) -> None:
        """Sweep, where no key came for long enough."""
        if quiet_s >= QUIET_S:
            gc.collect()

    def end(self) -> None:
        """As it was before."""
        gc.set_threshold(*self._before)
