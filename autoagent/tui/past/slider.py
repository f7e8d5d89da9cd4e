"""The past as lines over a track: what was spent, where a person would stop, and where one is. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from autoagent import events as e
from autoagent.console.figures import clock, local, money
from autoagent.console.line import Line, Part, Tone, line
from autoagent.events import Entry
from autoagent.state import RunState
from autoagent.tui.run.activity import Item, activity

CHECKPOINT = 500
"""Entries between two states that are kept; the others are folded from the one before."""
_SIGNS: Mapping[str, Tone] = {"✗": "bad", "✓": "good", "!": "attention", "⊘": "bad", "↺": "dim", "s": "plain"}
"""Marks of the slider, the more telling first."""
_BARS = "▁▂▃▄▅▆▇█"
_NARROW = 100
_NAME, _BESIDE = 7, 37
"""Columns for the names of the lines, and beside the track."""
LEGEND = "s files  ! asked  ⊘ denied  ↺ again"


@dataclass
class Track:
    """What the slider needs to know of a run, gathered as it is folded."""

    states: list[RunState] = field(default_factory=list)
    """The first, and each behind so many entries (`CHECKPOINT`)."""
    stops: list[int] = field(default_factory=list)
    """Entries that say something: where a step back or on leads to."""
    began: dict[int, int] = field(default_factory=dict)
    """Of a call's end: where it began."""
    marks: list[tuple[int, str]] = field(default_factory=list)
    """(entry, sign) where a person would stop."""
    spent: array[float] = field(default_factory=lambda: array("d"))
    """US dollars after each entry."""
    first: datetime | None = None
    last: RunState | None = None
    _open: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.spent)

    def add(self, before: RunState, entry: Entry, after: RunState) -> None:
        if (entry.seq - 1) % CHECKPOINT == 0:
            self.states.append(before)
        self.first, self.last = self.first or entry.at, after
        self.spent.append(float(after.usd))
        if sign := marks(entry.event):
            self.marks.append((entry.seq, sign))
        if found := list(activity(before, entry, after)):
            self.stops.append(entry.seq)
            for item in found:
                self._note(item)

    def _note(self, item: Item) -> None:
        if item.is_open and item.began:
            self._open[item.call] = item.seq
        elif item.call in self._open:
            self.began[item.seq] = self._open.pop(item.call)


def marks(event: e.Event) -> str:
    """The sign of an entry that a person would stop at; empty for all others."""
    match event:
        case e.RunEnded(ending=ending):
            return "✓" if ending == "proved" else "✗"
        case e.QuestionAsked():
            return "!"
        case e.CallDecided(decision="deny") | e.QuestionAnswered(verdict="no"):
            return "⊘"
        case e.LaneReset() | e.LadderClimbed() | e.Undone():
            return "↺"
        case e.CallEnded(tree=tree) if tree is not None:
            return "s"
        case _:
            return ""


def slider(track: Track, at: int, entry_at: datetime, usd: Decimal, width: int) -> tuple[Line, ...]:
    """What was spent (where there is room), the marks, and the track, with what they say at entry `at`."""
    is_wide = width >= _NARROW
    columns = max(width - 1 - (_NAME + _BESIDE if is_wide else 24), 10)
    places = _Places(len(track), columns)
    here = places.column(at)
    assert track.first is not None
    after = clock(max((entry_at - track.first).total_seconds(), 0))
    when = f"  {local(entry_at)} · {after} after start" if is_wide else f" {local(entry_at)} · {money(usd)}"
    marked = Line(tuple(_marked(track, places)))
    line_of_time = line(
        Part("├" + "─" * max(here - 1, 0) if here else "", "dim"),
        Part("●", "accent"),
        Part("─" * (columns - here - 2) + "┤" if here < columns - 1 else "", "dim"),
    )
    if not is_wide:
        return line(" ") + marked, line(" ") + line_of_time + line(when)
    total = Decimal(str(track.spent[-1]))
    amounts = f"{money(usd)} of {money(total)}" if total else "nothing spent"
    spent = line(" $      ") + _spark(track, places, here) + line(Part(f"  {amounts}"))
    names = line(Part(f"  {LEGEND}", "dim"))
    return (
        spent,
        line(Part(" marks  ", "dim")) + marked + names,
        line(Part(" time   ", "dim")) + line_of_time + line(when),
    )


@dataclass(frozen=True)
class _Places:
    """Entries in columns."""

    entries: int
    columns: int

    def column(self, seq: int) -> int:
        return (seq - 1) * (self.columns - 1) // max(self.entries - 1, 1)

    def entry(self, column: int) -> int:
        """The last one that stands there, counted from 0."""
        return min((column + 1) * max(self.entries - 1, 1) // max(self.columns, 1), self.entries - 1)


def _marked(track: Track, places: _Places) -> Iterator[Part]:
    signs: dict[int, set[str]] = {}
    for seq, sign in track.marks:
        signs.setdefault(places.column(seq), set()).add(sign)
    for n in range(places.columns):
        there: set[str] | Sequence[str] = signs.get(n, ())
        yield next((Part(sign, tone) for sign, tone in _SIGNS.items() if sign in there), Part(" "))


def _spark(track: Track, places: _Places, here: int) -> Line:
    """How the money went: a column is as high as what was spent by then."""
    most = track.spent[-1] or 1.0
    bars = [
        _BARS[min(int(track.spent[places.entry(n)] / most * (len(_BARS) - 1)), len(_BARS) - 1)]
        for n in range(places.columns)
    ]
    return line(Part("".join(bars[: here + 1]), "accent"), Part("".join(bars[here + 1 :]), "dim"))
