"""A run's steps as a report lists them: replies, calls and what came of them, bounded. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from autoagent import events as e
from autoagent.past.heard import named
from autoagent.past.ledger import At, Ledger
from autoagent.redact import cut

_MOST_STEPS = 2_000
_LONGEST = 4_000
"""Characters of one value."""
_ROOM = 6_000_000
"""Characters of all values; a page that no browser opens tells nothing."""


@dataclass(frozen=True)
class Step:
    """One thing that was done, and what came of it."""

    entry: int
    at: datetime
    lane: str
    what: str
    kind: str
    """`reply`, or a call's effect."""
    mark: str
    """``: it ended; `denied`, `failed`, `open`, `refuted` (it said done, and it wasn't)."""
    amount: str
    said: str
    """The model's words, or a call's arguments."""
    came: str
    """A call's observation."""
    labels: tuple[str, ...] = ()


def steps_of(ledger: Ledger) -> tuple[Step, ...]:
    """In the order of the journal; as many as a page can hold, the last ones where there are more."""
    found = [*_calls(ledger), *_replies(ledger)]
    found.sort(key=lambda each: each.entry)
    room, kept = _ROOM, []
    for each in reversed(found[-_MOST_STEPS:]):
        room -= len(each.said) + len(each.came)
        if room < 0:
            break
        kept.append(each)
    return tuple(reversed(kept))


def _calls(ledger: Ledger) -> list[Step]:
    return [_call(at) for at in ledger.calls.values()]


def _call(at: At) -> Step:
    decided, result, first = at.decision, at.result, at.decided[0]
    seconds = "" if result is None else f"{result.seconds:.1f} s"
    return Step(
        entry=first.seq,
        at=first.at,
        lane=decided.lane,
        what=named(decided),
        kind=decided.effect,
        mark=_mark(at),
        amount=seconds,
        said=_arguments(decided),
        came="(not ended)" if result is None else cut(result.output, _LONGEST),
        labels=() if result is None else result.labels,
    )


def _mark(at: At) -> str:
    if at.result is None:
        return "open"
    if at.result.ok:
        return ""
    if at.decision.tool == "finish":
        return "refuted"
    is_denied = at.decision.understood and (at.decision.decision == "deny" or not at.started)
    return "denied" if is_denied else "failed"


def _arguments(decided: e.CallDecided) -> str:
    """Texts as they are, one value after the other: code and mails are read, not JSON."""
    parts = []
    for name, value in decided.args.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return cut("\n".join(parts), _LONGEST)


def _replies(ledger: Ledger) -> list[Step]:
    found = []
    for id, entry in ledger.replies.items():
        reply, called = entry.event, ledger.requests[id].event
        assert isinstance(reply, e.ModelReplied)
        assert isinstance(called, e.ModelCalled)
        if not reply.reply.text.strip():
            continue  # nothing but calls, which are steps themselves
        found.append(
            Step(
                entry=entry.seq,
                at=entry.at,
                lane=reply.lane,
                what=f"{reply.reply.model or called.model} as {called.role}",
                kind="reply",
                mark="",
                amount=f"{reply.tokens} tokens, ${reply.cost_usd:.4f}",
                said=cut(reply.reply.text, _LONGEST),
                came="",
            )
        )
    return found
