"""How an item of the activity is drawn in a given width: fixed columns, foreign text behind `│`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from autoagent.console.figures import local, several
from autoagent.console.line import Line, Part, columns_of, fitting, line
from autoagent.redact import one_line
from autoagent.tui.run.activity import Item, tone_of
from autoagent.tui.run.pace import Request

_STEP, _TIME, _SUB_TASK, _NAME, _LABEL, _RESULT, _TOOK = 3, 8, 6, 12, 8, 9, 7
_TIMED, _WIDE = 66, 92
"""Columns from which time and sub-task, and how long a call took, have room."""
_LONGEST_DOING = 60
SPINNER = "|/-\\"


@dataclass(frozen=True)
class Columns:
    """How wide a row may be, and what has room in it."""

    width: int
    sub_task: int = 2
    """Columns of the longest name of a sub-task, as far as they are had."""

    @property
    def is_timed(self) -> bool:
        return self.width >= _TIMED

    @property
    def is_wide(self) -> bool:
        return self.width >= _WIDE

    @property
    def names(self) -> int:
        """Columns of a sub-task's name."""
        return min(max(self.sub_task, 1), _SUB_TASK)


def item_line(item: Item, columns: Columns, now_s: float | None = None) -> Line:
    """The row of an item. `now_s`: what is under way says for how long."""
    if item.name == "says":
        said = item.output[0] if item.output else ""
        return _place(item, columns) + line(Part(f"{'says':<{_NAME}}  ", "accent"), Part("│ ", "dim"), said)
    if not item.name:
        return _moment(item, columns) + Line(tuple(Part(text, tone_of(tone)) for text, tone in item.said))
    return _call(item, columns, now_s)


def output_line(item: Item, text: str, columns: Columns) -> Line:
    """A line of what came out."""
    return line(Part(_indent(item, columns) + "│ ", "dim"), text)


def fold_line(item: Item, left: int, columns: Columns, *, is_page: bool) -> Line:
    """What stands for the lines that are folded."""
    how = "o shows all" if is_page else "enter unfolds"
    return line(Part(f"{_indent(item, columns)}│ … {several(left, 'more line')} · {how}", "dim"))


def _indent(item: Item, columns: Columns) -> str:
    """Words stand below each other; what came out of a call stands below its step."""
    return " " * (columns_of(_place(item, columns)) + _NAME + 2 if item.name == "says" else _STEP + 2)


def _place(item: Item, columns: Columns) -> Line:
    """Step, time and sub-task."""
    step = Part(f"{item.step or '':>{_STEP}}  ")
    if not columns.is_timed:
        return line(step)
    return line(
        step, Part(f"{_clock(item)}  ", "dim"), Part(f"{_fit(item.sub_task, columns.names)}  ", "dim")
    )


def _moment(item: Item, columns: Columns) -> Line:
    """What belongs to no step has its time alone."""
    at = f"{_clock(item)}  " if columns.is_timed else ""
    return line(" " * (_STEP + 2), Part(at, "dim"))


def _call(item: Item, columns: Columns, now_s: float | None) -> Line:
    place = _place(item, columns)
    label, end = _label(item), _end(item, now_s)
    took = f"  {item.took_s:>{_TOOK - 2}.1f} s" if item.took_s >= 0.1 else " " * (_TOOK + 2)
    right = line(
        Part("  "),
        Part(f"{label.text:>{_LABEL}}", label.tone),
        Part("  "),
        Part(f"{end.text:>{_RESULT}}", end.tone),
        Part(took if columns.is_wide else "", "dim"),
    )
    name = f"{_fit(item.name, _NAME)}  "
    room = max(columns.width - columns_of(place) - len(name) - columns_of(right), 4)
    return place + line(Part(name, "plain"), Part(_fit(item.target, room))) + right


def _label(item: Item) -> Part:
    if len(item.labels) > 1:
        return Part("OUT+PRIV", "outside")
    if item.labels:
        return Part(item.labels[0].upper(), "outside")
    return Part("")


def _end(item: Item, now_s: float | None) -> Part:
    match item.state:
        case "running":
            return Part("not ended", "dim") if now_s is None else _running(now_s - item.at)
        case "asks":
            return Part("! asks", "attention")
        case "answered":
            return Part("✓ yes", "dim")
        case "ended" | "said":
            return Part(item.result)
        case "failed":
            return Part("✗ failed", "bad")
        case "not understood":
            return Part("✗ unclear", "bad")
        case "denied":
            return Part(f"⊘ {item.result or 'denied'}", "bad")
        case "dropped":
            return Part("↺ dropped", "dim")
        case _:
            assert_never(item.state)


def _running(seconds: float) -> Part:
    """The one thing that moves."""
    return Part(f"▸ {spinner(seconds)} {max(int(seconds), 0):>3} s", "accent")


def spinner(seconds: float) -> str:
    return SPINNER[int(seconds * 4) % len(SPINNER)]


def under_way(request: Request, doing: str, columns: Columns, now_s: float, step: int) -> Line:
    """The row of a request to a model; `doing` is which call it writes, foreign text."""
    since_s = request.at.timestamp()
    lane = request.lane if request.role == "worker" else ""
    place = _place(Item(0, 0, since_s, "running", step=step, sub_task=lane), columns)
    end = line("  ", _running(now_s - since_s))
    name = f"{_fit('model' if request.role == 'worker' else request.role, _NAME)}  "
    room = max(columns.width - columns_of(place) - len(name) - columns_of(end), 4)
    shown = _fit(one_line(doing, _LONGEST_DOING) or request.model, room)
    return place + line(Part(name, "accent"), Part(shown, "dim")) + end


def words_line(words: str) -> Line:
    """What has come of a reply."""
    return line(Part(f"{' ' * (_STEP + 2)}│ ", "dim"), words)


def _clock(item: Item) -> str:
    return local(datetime.fromtimestamp(item.at, UTC))


def _fit(text: str, room: int) -> str:
    """A text in exactly so many columns."""
    shown = fitting(Part(text).shown, room)
    return shown + " " * (room - columns_of(line(shown)))
