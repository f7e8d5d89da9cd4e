"""The state of a run: `fold(events)`. Pure: no clock, no I/O, no randomness.

Everything that decides what happens next is here; what a process holds besides (sockets, containers, tasks)
can be lost at any instant.
"""

from __future__ import annotations

from autoagent.ids import fingerprint as hash_text
from autoagent.state.folding import advance, apply, fold
from autoagent.state.values import (
    MAIN,
    CallState,
    Held,
    LaneState,
    Origin,
    Plan,
    QuestionState,
    RunState,
    Standing,
)

__all__ = [
    "MAIN",
    "CallState",
    "Held",
    "LaneState",
    "Origin",
    "Plan",
    "QuestionState",
    "RunState",
    "Standing",
    "advance",
    "apply",
    "fold",
    "hash_text",
]
