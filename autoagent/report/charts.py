"""Where the report's drawings put their parts: the plan as a graph, lanes over time, money over time. Pure.

All numbers are SVG user units; x grows to the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from autoagent import events as e
from autoagent.events import Entry
from autoagent.goal import SubTask
from autoagent.past.ledger import Ledger
from autoagent.report.facts import spent
from autoagent.state import MAIN, RunState

WIDTH = 1000
_BOX, _BOX_GAP, _ROW, _ROW_GAP = 220, 40, 44, 14
_PAGE, _MARGIN, _LETTER = 1130, 34, 7
"""The width of a wide screen, what a box needs besides its title, and what a letter of that does."""
_LANE = 22
_MOST_LANES = 40
_GAP_SHARE = 20
"""A pause is drawn at most as long as this part of the work, so that a night of waiting hides nothing."""
_LONGEST_WORK = timedelta(hours=2)


# --- the plan -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A sub-task."""

    id: str
    title: str
    outcome: str
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """From a sub-task to one that builds on it."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True)
class Graph:
    """The plan, a column for each depth."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    box_width: int = _BOX
    box_height: int = _ROW

    @property
    def title_letters(self) -> int:
        """Of the sub-task's id and title, as many as a box holds."""
        return (self.box_width - _MARGIN) // _LETTER


def graph(state: RunState) -> Graph | None:
    """The plan as it stands; `None` where there is none."""
    if state.plan is None:
        return None
    sub_tasks = state.plan.sub_tasks
    depths = _depths(sub_tasks)
    width_of_box = _box_width(sub_tasks, 1 + max(depths.values(), default=0))
    rows: dict[int, int] = {}
    boxes = []
    for sub_task in sub_tasks:
        depth = depths[sub_task.id]
        row = rows[depth] = rows.get(depth, -1) + 1
        x, y = depth * (width_of_box + _BOX_GAP), row * (_ROW + _ROW_GAP)
        boxes.append(Box(sub_task.id, sub_task.title, state.outcome(sub_task.id), x, y))
    at = {box.id: box for box in boxes}
    arrows = [
        Arrow(at[needed].x + width_of_box, at[needed].y + _ROW // 2, at[s.id].x, at[s.id].y + _ROW // 2)
        for s in sub_tasks
        for needed in s.depends_on
        if needed in at
    ]
    width = max((box.x for box in boxes), default=0) + width_of_box
    height = max((box.y for box in boxes), default=0) + _ROW
    return Graph(tuple(boxes), tuple(arrows), width, height, width_of_box)


def _box_width(sub_tasks: Sequence[SubTask], columns: int) -> int:
    """As wide as the longest title needs, where the page has room for so many beside each other."""
    longest = max((len(f"{s.id} {s.title}") for s in sub_tasks), default=0)
    room = (_PAGE - (columns - 1) * _BOX_GAP) // columns
    return max(_BOX, min(room, _MARGIN + longest * _LETTER))


def _depths(sub_tasks: Sequence[SubTask]) -> dict[str, int]:
    """How many sub-tasks lie before each on its longest way; a checked plan has no circles."""
    known = {s.id: s for s in sub_tasks}
    depths: dict[str, int] = {}

    def depth(id: str) -> int:
        if id not in depths:
            depths[id] = 1 + max((depth(n) for n in known[id].depends_on if n in known), default=-1)
        return depths[id]

    for sub_task in sub_tasks:
        depth(sub_task.id)
    return depths


# --- time ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """A stretch of work in a lane."""

    x: float
    width: float
    y: int
    kind: str
    """`model`, or a call's effect."""
    entry: int
    said: str


@dataclass(frozen=True)
class Mark:
    """A moment: a question, a denial, a verdict, an end."""

    x: float
    sign: str
    entry: int
    """What it leads to: the call of a snapshot, not its end."""
    said: str


@dataclass(frozen=True)
class Strip:
    """Marks over lanes over time, pauses shortened. The marks have a row of their own above the lanes."""

    lanes: tuple[str, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    breaks: tuple[float, ...]
    """Where a pause was shortened."""
    height: int
    more_lanes: int
    width: int = WIDTH
    lane_height: int = _LANE


def strip(ledger: Ledger) -> Strip:
    """The run over time."""
    axis = _Axis(ledger.entries)
    names = list(dict.fromkeys(_lane_of(entry.event) for entry in ledger.entries))
    lanes = [name for name in names if name][:_MOST_LANES] or [MAIN]
    rows = {name: number * _LANE for number, name in enumerate(lanes, 1)}
    return Strip(
        lanes=tuple(lanes),
        bars=tuple(_bars(ledger, axis, rows)),
        marks=tuple(_marks(ledger, axis)),
        breaks=tuple(axis.breaks),
        height=(1 + len(lanes)) * _LANE,
        more_lanes=max(len([n for n in names if n]) - len(lanes), 0),
    )


class _Axis:
    """Times to x; a long pause takes no more room than a short one."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        gaps = [max((b.at - a.at).total_seconds(), 0) for a, b in pairwise(entries)]
        idle = _idle(entries)
        worked = sum(gap for gap, is_idle in zip(gaps, idle, strict=True) if not is_idle)
        most = max(worked / _GAP_SHARE, 1.0)
        self._at: dict[datetime, float] = {}
        self._breaks: list[float] = []
        passed = 0.0
        for entry, gap, is_idle in zip(entries, [*gaps, 0.0], [*idle, False], strict=True):
            self._at.setdefault(entry.at, passed)
            if is_idle and gap > most:
                self._breaks.append(passed + most / 2)
                gap = most
            passed += gap
        self._scale = WIDTH / passed if passed else 0.0

    def __call__(self, time: datetime) -> float:
        return round(self._at[time] * self._scale, 1)

    @property
    def breaks(self) -> list[float]:
        return [round(x * self._scale, 1) for x in self._breaks]


def _idle(entries: Sequence[Entry]) -> list[bool]:
    """Of each gap between two entries whether nothing was done in it: no reply awaited, no call under way.

    Where another process goes on, the one before had died or let go, whatever it was at; and what takes
    hours was a machine that slept.
    """
    at_work: set[tuple[str, str]] = set()
    found = []
    for entry, following in pairwise(entries):
        match entry.event:
            case e.ModelCalled(call=id):
                at_work.add(("request", id))
            case e.ModelReplied(call=id) | e.ModelFailed(call=id):
                at_work.discard(("request", id))
            case e.CallStarted(call=id):
                at_work.add(("call", id))
            case e.CallEnded(call=id):
                at_work.discard(("call", id))
            case e.OwnerChanged():
                at_work.clear()
        is_asleep = following.at - entry.at > _LONGEST_WORK
        found.append(not at_work or is_asleep or isinstance(following.event, e.OwnerChanged))
    return found


def _lane_of(event: e.Event) -> str:
    lane = getattr(event, "lane", None)
    return lane if isinstance(lane, str) and isinstance(event, e.ModelCalled | e.CallDecided) else ""


def _bars(ledger: Ledger, axis: _Axis, rows: dict[str, int]) -> list[Bar]:
    found = []
    for at in ledger.calls.values():
        lane = at.decision.lane
        if lane in rows and at.started:
            begun, over = axis(at.started[-1].at), axis(at.last.at)
            kind = at.decision.effect
            found.append(
                Bar(begun, max(over - begun, 1.5), rows[lane], kind, at.decided[0].seq, at.decision.tool)
            )
    for id, asked in ledger.requests.items():
        event, reply = asked.event, ledger.replies.get(id)
        assert isinstance(event, e.ModelCalled)
        if event.lane in rows and reply is not None:
            begun, over = axis(asked.at), axis(reply.at)
            found.append(
                Bar(begun, max(over - begun, 1.5), rows[event.lane], "model", reply.seq, event.model)
            )
    return found


def _marks(ledger: Ledger, axis: _Axis) -> list[Mark]:
    found = []
    for entry in ledger.entries:
        if (told := _told(entry, ledger)) is not None:
            sign, leads_to, said = told
            found.append(Mark(axis(entry.at), sign, leads_to, said))
    return found


def _told(entry: Entry, ledger: Ledger) -> tuple[str, int, str] | None:
    """Sign, the entry that it leads to, and what it stands for."""
    match entry.event:
        case e.QuestionAsked(question=question):
            return "!", entry.seq, f"asked: {question.why}"
        case e.CallDecided(decision="deny", tool=tool):
            return "⊘", entry.seq, f"denied: {tool}"
        case e.CallEnded(call=id, tree=tree) if tree is not None:
            at = ledger.calls[id]
            return "s", at.decided[0].seq, f"snapshot: {at.decision.tool}"
        case e.LaneReset() | e.LadderClimbed():
            return "↺", entry.seq, "no progress, tried otherwise"
        case e.RunEnded(ending=ending):
            return ("✓" if ending == "proved" else "✗"), entry.seq, ending
        case _:
            return None


# --- money --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """Steps from the left bottom; `path` is what SVG's `d` takes."""

    path: str
    last: str
    """The sum, in words."""
    top: str
    """What the full height stands for."""


def curves(ledger: Ledger, height: int = 80) -> tuple[Curve, Curve] | None:
    """Dollars and tokens over the same time as the strip; `None` where nothing was charged."""
    points = list(spent(ledger.entries))
    if not points:
        return None
    axis = _Axis(ledger.entries)
    usd, tokens = points[-1][1], points[-1][2]
    money = _steps([(axis(x.at), float(value)) for x, value, _ in points], float(usd), height)
    counted = _steps([(axis(x.at), float(value)) for x, _, value in points], float(tokens), height)
    return (
        Curve(money, f"${usd:.4f}", f"${usd:.4f}"),
        Curve(counted, f"{tokens} tokens", f"{tokens} tokens"),
    )


def _steps(points: Sequence[tuple[float, float]], top: float, height: int) -> str:
    """A staircase: what was spent stays spent."""
    parts, y = [f"M0 {height}"], float(height)
    for x, value in points:
        parts.append(f"H{x:g}")
        y = height - (value / top * height if top else 0)
        parts.append(f"V{y:.1f}")
    return " ".join([*parts, f"H{WIDTH}"])
