"""The replies that come in, as one who watches knows them: a fold over what was told. Pure.

Of each only the last words are kept, however long it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from autoagent.live.wire import Hello, Message, ReplyBegun, ReplyGrew, ReplyOver, TryFailed

TAIL_CHARS = 2_000
"""Of the last words so many are kept at least, at most twice as many: their lines break anew but seldom."""
_MOST = 64
"""Replies at a time; a run has a few lanes."""


@dataclass(frozen=True)
class Incoming:
    """One reply, as far as it has come."""

    id: str
    lane: str
    role: str
    number: int
    at: datetime
    """When it was asked for."""
    tail: str = ""
    """The last words: of its text, or of the arguments of the call that it is writing."""
    chars: int = 0
    """All that has come of that."""
    call: int | None = None
    """The call that it is writing; `None`: its text."""
    tool: str = ""
    tries: int = 0
    """Those that failed."""
    why: str = ""
    """Why the last of them did; foreign text."""
    again_at: datetime | None = None
    """When the try after it begins, or began."""
    entry: int | None = None
    """It is over: the run's entries up to this one say what became of it."""

    @property
    def words(self) -> str:
        """The last words on one line; line breaks and quotes of arguments as meant, not as JSON has them."""
        said = self.tail
        if self.call is not None:
            said = said.rstrip("\\").replace("\\n", " ").replace('\\"', '"')
        return " ".join(said.split())


Replies = Mapping[str, Incoming]


def heard(replies: Replies, message: Message) -> Replies:
    """The replies after a message; what fits nothing changes nothing."""
    match message:
        case ReplyBegun(reply=id):
            going = {k: each for k, each in replies.items() if each.entry is None or k == id}
            if len(going) >= _MOST and id not in going:
                return replies
            # what is over is shown until the journal says more; but not once its lane goes on
            over = {k: each for k, each in replies.items() if k not in going and each.lane != message.lane}
            kept = {**over, **going} if len(over) + len(going) < _MOST else going
            return {**kept, id: Incoming(id, message.lane, message.role, message.number, message.at)}
        case ReplyGrew(reply=id) if id in replies:
            return {**replies, id: _grown(replies[id], message)}
        case TryFailed(reply=id) if id in replies:
            failed = replace(replies[id], tries=message.tries, why=message.why, again_at=message.again_at)
            return {**replies, id: failed}
        case ReplyOver(reply=id) if id in replies:
            return {**replies, id: replace(replies[id], entry=message.entry)}
        case Hello() | ReplyGrew() | TryFailed() | ReplyOver():
            return replies


def _grown(reply: Incoming, more: ReplyGrew) -> Incoming:
    if more.call != reply.call:
        reply = replace(reply, tail="", chars=0, call=more.call, tool="")
    tail = reply.tail + more.text
    if len(tail) > 2 * TAIL_CHARS:
        tail = tail[-TAIL_CHARS:]
    return replace(reply, tail=tail, chars=reply.chars + len(more.text), tool=more.tool or reply.tool)
