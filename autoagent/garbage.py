"""Python's search for cyclic garbage, put off while many values are made that hold no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_off() -> Iterator[None]:
    """No search meanwhile: walking 100,000 entries again and again doubles the time to read or fold them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def settle() -> None:
    """What there is now is never searched again: for values that hold no cycles and stay."""
    gc.freeze()
