"""The replies that come in at a run, as the rows at the end of its activity. Pure, and without Textual.

Which requests are under way is in the journal; what has come of their replies is heard, and may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoagent.console.figures import several
from autoagent.console.line import Line, Part, columns_of, line, short, wrapped
from autoagent.live.replies import Incoming, Replies
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.item_lines import Columns, under_way, words_line
from autoagent.tui.run.pace import Request

_MOST_LINES = 3
_NARROWEST = 20
_LONGEST_WHY = 160
_INDENT = " " * 5


def tail_rows(
    requests: Mapping[str, Request], replies: Replies, columns: Columns, now_s: float, step: int
) -> list[Row]:
    """For each request who is asked and for how long, then the last words of what has come of its reply.

    Of one reply three lines of words at most, of several each one.
    """
    most = _MOST_LINES if len(requests) == 1 else 1
    rows: list[Row] = []
    for id, request in requests.items():
        reply = replies.get(id)
        doing = reply.tool if reply is not None and reply.call is not None else ""
        rows.append(Row(under_way(request, doing, columns, now_s, step)))
        if reply is not None and (said := trying(request, reply, now_s, step - 1)) is not None:
            pieces = wrapped(said, max(columns.width, _NARROWEST) - len(_INDENT))
            rows += [Row(line(_INDENT) + each) for each in pieces[:_MOST_LINES]]
        words = "" if reply is None else reply.words
        if words:
            width = max(columns.width, _NARROWEST)
            lines = wrapped(words_line(words), width) if most > 1 else [_last(words, width)]
            rows += [Row(each) for each in lines[-most:]]
    return rows


def trying(request: Request, reply: Incoming, now_s: float, step: int) -> Line | None:
    """What failed so far of a reply that hasn't a word yet, and what comes next; `None` where nothing did."""
    if not reply.tries or reply.chars or reply.again_at is None:
        return None
    since_s, in_s = int(now_s - request.at.timestamp()), int(reply.again_at.timestamp() - now_s)
    tries = several(reply.tries, "try", "tries")
    return line(
        Part("✗ ", "bad"),
        short(request.model, 40),
        Part(f" has not answered for {max(since_s, 0)} s ({tries}): ", "attention"),
        short(reply.why, _LONGEST_WHY),
        Part(f". The run is safe at step {step}; "),
        f"trying again in {in_s} s" if in_s > 0 else "trying again now",
    )


def trying_in_short(replies: Replies, requests: Mapping[str, Request]) -> str:
    """For the title: which try it is; empty where no try failed."""
    tries = max((each.tries for id, each in replies.items() if id in requests and not each.chars), default=0)
    return f"try {tries + 1}, no answer yet" if tries else ""


def _last(words: str, width: int) -> Line:
    """As many of the last words as have room."""
    found = words_line(words)
    if columns_of(found) <= width:
        return found
    words = words[-width:]
    while columns_of(found := words_line(f"… {words}")) > width:
        words = words.partition(" ")[2] or words[1:]
    return found
