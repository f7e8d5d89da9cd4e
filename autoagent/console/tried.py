"""A sub-task that got stuck, for the person who is asked for help: what it tried last, and what came."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autoagent.console.figures import several
from autoagent.console.line import Line, Part, block, line, short
from autoagent.console.verdicts import verdict_rows
from autoagent.outcome import results
from autoagent.questions import GIVE_UP, Question
from autoagent.state import LaneState, RunState
from autoagent.turns import Turn

_TRIES = 3
"""Replies that are shown, the last ones."""
_LINES = 6
_CALL = 90
_RUNGS = {
    "nudge": "it was told that it makes no progress",
    "reset": "it began anew",
    "replan": "it was planned anew",
    "stronger": "another model took over",
    "ask": "you were asked",
}


def is_stuck(question: Question) -> bool:
    """Whether the loop asks for help with a sub-task, not the agent itself."""
    subject = question.subject
    made = rf"{re.escape(question.lane or '')}\.stuck\d+"
    return subject.kind == "question" and re.fullmatch(made, subject.call or "") is not None


def tried(question: Question, state: RunState) -> Iterator[Line]:
    """What was done about it, the proof so far, its last replies and what came of them, what helps."""
    lane = state.lanes.get(question.lane or "")
    if lane is None:
        return
    if lane.rungs:
        counts = {rung: lane.rungs.count(rung) for rung in dict.fromkeys(lane.rungs)}
        done = (f"{_RUNGS.get(rung, rung)}{f' {n} times' if n > 1 else ''}" for rung, n in counts.items())
        yield line("What was done about it: ", ", then ".join(done), ".")
    if any(verdict.verdict != "unchecked" for verdict in state.verdicts.values()):
        yield line(Part("proof so far", "dim"))
        yield from verdict_rows(results(state))
    yield from _last_replies(lane)
    yield line("What you write goes to the agent as it is. It goes on from here, with the files as they are.")
    yield line(Part(GIVE_UP, "accent"), " as the whole answer ends this sub-task as failed.")


def _last_replies(lane: LaneState) -> Iterator[Line]:
    turns = tuple(lane.turns)
    replies = [n for n, turn in enumerate(turns) if turn.kind == "reply"]
    shown = turns[replies[-_TRIES] if len(replies) >= _TRIES else 0 :]
    if shown:
        yield line(Part(f"its last {several(min(len(replies), _TRIES), 'reply', 'replies')}", "dim"))
    for turn in shown:
        yield from _turn(turn)


def _turn(turn: Turn) -> Iterator[Line]:
    match turn.kind:
        case "reply":
            yield from block(turn.text.strip(), _LINES) if turn.text.strip() else ()
            for call in turn.calls if turn.style == "tools" else ():
                yield line(Part("calls ", "dim"), call.name, " ", short(call.arguments, _CALL))
        case "result":
            yield line(Part("it came to", "dim")) if turn.ok else line(Part("✗ it failed", "bad"))
            yield from block(turn.text.strip() or "(nothing)", _LINES)
        case "note":
            yield line(Part("it was told ", "dim"), short(turn.text, _CALL))
