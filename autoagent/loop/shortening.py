"""When a lane's conversation outgrows the model's context, and what of it is sent from then on. Pure.

First old results shrink to handles, then whole steps at the beginning are left out. Either way the next
prompt begins anew for the server's cache, so it is done seldom and then thoroughly.
"""

from __future__ import annotations

from autoagent.events import ContextCompacted
from autoagent.state import LaneState

_FULL = 0.7
"""Share of the context from which on room is made: the reply needs the rest."""
_WORTH = 0.1
"""Share of the context that shortening must free, else whole steps go."""
_AFTERWARDS = 0.5
"""Share of the context that is used after whole steps went."""
_KEPT_TURNS = 6
_BYTES_A_TOKEN = 3


def shortened(lane: LaneState, context_tokens: int) -> ContextCompacted | None:
    """How the conversation goes on, where it leaves too little room; goal, plan and rules always stay."""
    used = prompt_tokens(lane)
    if used < context_tokens * _FULL:
        return None
    upto = max(lane.compacted, len(lane.turns) - _KEPT_TURNS)
    freed = _saved(lane, upto)
    if freed >= context_tokens * _WORTH:
        return ContextCompacted(lane=lane.name, upto=upto, dropped=lane.dropped)
    dropped = _first_kept(lane, upto, used - freed - context_tokens * _AFTERWARDS)
    if dropped == lane.dropped:
        return None
    return ContextCompacted(lane=lane.name, upto=upto, dropped=dropped)


def prompt_tokens(lane: LaneState) -> float:
    """About how long the next prompt is: as the server counted the last one, and what came since."""
    since = 0
    for index in reversed(range(lane.dropped, len(lane.turns))):
        turn = lane.turns[index]
        since += len((turn.shortened if index < lane.compacted else turn).message.wire)
        if turn.kind == "reply" and lane.prompt_tokens:
            return lane.prompt_tokens + since / _BYTES_A_TOKEN
    return since / _BYTES_A_TOKEN


def _saved(lane: LaneState, upto: int) -> float:
    """Tokens that go when the turns before `upto` are shortened."""
    turns = lane.turns[max(lane.compacted, lane.dropped) : upto]
    return sum(len(t.message.wire) - len(t.shortened.message.wire) for t in turns) / _BYTES_A_TOKEN


def _first_kept(lane: LaneState, upto: int, tokens: float) -> int:
    """The first turn that stays where about `tokens` go: a reply, so that no result is without its call."""
    gone, first = 0.0, lane.dropped
    for index in range(lane.dropped, upto):
        turn = lane.turns[index]
        if turn.kind == "reply":
            first = index
            if gone >= tokens:
                break
        gone += len(turn.shortened.message.wire) / _BYTES_A_TOKEN
    return first
