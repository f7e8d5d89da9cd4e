"""Is a lane getting anywhere? Pure: looks at what the state remembers of its last calls."""

from __future__ import annotations

from autoagent.state import LaneState

SAME = 3
"""The same call with the same result, so many times in a row."""
FAILURES = {"tools": 5, "code": 3}
"""Calls that ended badly, or replies without a call, in a row."""
STILL = 20
"""Replies without a change of tree, plan or evidence."""

RUNGS = {
    "tools": ("nudge", "reset", "replan", "stronger", "ask"),
    # a small model repeats its mistake for as long as it reads it: words don't help, a fresh start does
    "code": ("reset", "reset", "reset", "nudge", "replan", "stronger", "ask"),
}
_FRESH_STARTS = RUNGS["code"].count("reset")
_REFUTATION = 1_000
"""Characters of a refutation that a fresh start is told."""


def stuck(lane: LaneState) -> str | None:
    """Why no progress is made, as the model is told it; `None` while there is some."""
    last = lane.signatures
    if len(last) >= SAME and len(set(last[-SAME:])) == 1:
        return f"the same call gave the same result {SAME} times in a row"
    if len(last) >= 4 and last[-1] == last[-3] != last[-2] == last[-4]:
        return "two calls take turns and give the same results again and again"
    if lane.style == "code" and lane.refuted and len(lane.rungs) < _FRESH_STARTS:
        return f"what it wrote was refuted. {lane.turns[-1].text[:_REFUTATION]}"
    if lane.failures >= FAILURES[lane.style]:
        return f"{lane.failures} calls in a row failed{_last_error(lane)}"
    if lane.still >= STILL:
        return f"in {lane.still} replies nothing changed in the workspace, the plan or the evidence"
    return None


def next_rung(lane: LaneState) -> str:
    """The rung after those climbed; the last one again once all were."""
    rungs = RUNGS[lane.style]
    return rungs[min(len(lane.rungs), len(rungs) - 1)]


def _last_error(lane: LaneState) -> str:
    """The line that says what went wrong, so that a fresh start knows it."""
    failed = [t.text for t in lane.turns if t.kind == "result" and not t.ok]
    lines = [x.strip() for x in failed[-1].splitlines() if "Error" in x] if failed else []
    return f", the last with: {lines[-1][:300]}" if lines else ""
