"""`N..M`: the stretch of a run's journal that a difference is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autoagent.errors import UsageError
from autoagent.past.heads import Head, main_at
from autoagent.state import MAIN

_SPAN = re.compile(r"(\d*)\.\.(\d*)|(\d+)")


@dataclass(frozen=True)
class Span:
    """Two moments, and the trees that were held then."""

    since: int
    """After this entry."""
    until: int
    old: str
    new: str
    lane: str = MAIN
    """Whose trees these are: a fork's where one entry was asked for that moved a fork."""


def is_span(text: str) -> bool:
    """Whether it names entries; a file of such a name is written `./12`."""
    return _SPAN.fullmatch(text) is not None


def span_of(text: str, moves: Sequence[Head], last: int) -> Span:
    """The span that `text` names in a run of `last` entries; `""`: from the start until now.

    `N..M` from after N until after M, `N..` until now, `..M` from the start, `N` what entry N itself did. M
    may come before N: what taking it back would change. Raises `UsageError`.
    """
    match = _SPAN.fullmatch(text or "..")
    if match is None:
        raise UsageError(f"{text!r} names no entries; write N..M, N.., ..M or N")
    if match[3] is not None:
        return _by_one(_number(match[3], last), moves)
    since = _number(match[1], last) if match[1] else 1
    until = _number(match[2], last) if match[2] else last
    return Span(since, until, main_at(moves, since), main_at(moves, until))


def _by_one(seq: int, moves: Sequence[Head]) -> Span:
    """What one entry changed: nothing, where it moved no head."""
    for head in moves:
        if head.seq == seq:
            return Span(seq - 1, seq, head.before, head.after, head.lane)
    tree = main_at(moves, seq)
    return Span(seq - 1, seq, tree, tree)


def _number(text: str, last: int) -> int:
    number = int(text) if len(text) < 10 else 0
    if not 1 <= number <= last:
        raise UsageError(f"there is no entry {text[:20]}; this run's journal has the entries 1 to {last}")
    return number
