"""When the cockpit lets Python's collector look through everything."""

from __future__ import annotations

import gc
import weakref

from autoagent.tui.sweeping import QUIET_S, Sweeping


class Ring:
    """Holds itself: only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_old_is_swept_only_where_nobody_types() -> None:
    """Not within seconds of a key; then it goes. At the end all is as before."""
    before, sweeping = gc.get_threshold(), Sweeping()
    sweeping.begin()
    try:
        ring = Ring()
        gc.collect()  # it is among the old ones now
        left = weakref.ref(ring)
        del ring
        sweeping.look(QUIET_S - 1)
        assert left() is not None
        sweeping.look(QUIET_S)
        assert left() is None
    finally:
        sweeping.end()
    assert gc.get_threshold() == before
