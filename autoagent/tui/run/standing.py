"""How a run stands that nobody carries, and which keys do something about it. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autoagent.console.line import Line, Part, line, short, wrapped
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.activity import unsure
from autoagent.tui.runs.overview import Seen

Keys = Callable[[str], str]
"""The key of an action, as it is written in a sentence."""
_LONGEST_REASON = 300

_LEFT = ("run.resume", "run.past", "run.cancel", "run.back")
_USEFUL = {
    "stopped": _LEFT,
    "interrupted": _LEFT,
    "unavailable": _LEFT,
    "parked": _LEFT,
    "limit": ("run.limit", "run.resume", "run.past", "run.diff", "run.back"),
}
_ENDED = ("run.past", "run.diff", "run.why", "run.back")
_AT_WORK = ("run.steer", "run.pause", "run.find", "run.why", "run.diff", "run.back")


def useful(run: Seen | None) -> tuple[str, ...]:
    """The actions that the footer names first: those that make sense as the run stands."""
    if run is None or run.state is None:
        return ()
    if run.waiting:
        return ("app.answer", *(_LEFT[1:] if run.holder is None else _AT_WORK))
    if run.holder is not None:
        return _AT_WORK
    return _USEFUL.get(run.name, _ENDED)


def standing_rows(run: Seen, keys: Keys, width: int) -> list[Row]:
    """What the end of the activity says of a run that could go on; nothing while a process carries it, or it
    waits for an answer."""
    if run.holder is not None or run.state is None or run.waiting:  # a question has its own row
        return []
    pieces = [piece for each in _said(run, keys) for piece in wrapped(each, max(width, 20))]
    return [Row(line("")), *map(Row, pieces)] if pieces else []


def _said(run: Seen, keys: Keys) -> Iterator[Line]:
    state = run.state
    assert state is not None
    safe = f"The run is safe at step {state.steps}; {keys('run.resume')} goes on from there."
    match run.name:
        case "stopped":
            yield line(Part("✗ ", "bad"), "No process carries it any more: it was killed, or it crashed.")
            if (begun := unsure(state)) is not None:
                yield line(Part("! ", "attention")) + begun + line("; you are asked about it first.")
            yield line(safe)
        case "limit":
            reason = state.ended.reason if state.ended is not None else ""
            yield line(Part("= ", "dim"), short(f"Stopped at a limit: {reason}.", _LONGEST_REASON))
            more = f"{keys('run.limit')} raises it, then {keys('run.resume')} goes on from step {state.steps}"
            yield line(f"{more}; nothing is repeated.")
        case "unavailable":
            yield line(Part("✗ ", "bad"), short(f"Stopped: {state.unavailable}", _LONGEST_REASON))
            yield line(safe)
        case "interrupted" | "parked":
            yield line(safe)
        case _:
            return
