"""What the memory browser says: rows of what was found, and all of one of them. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoagent.console.line import Line, Part, block, dotted, line, short
from autoagent.ids import memory_id
from autoagent.ports import MemoryHit, MemoryPoint
from autoagent.tui.drawing.view import Row
from autoagent.tui.runs.overview import Seen

_SHOWN_LINES = 3
_NEWEST = 20
PERSON = "person"


def hit_rows(hits: Sequence[MemoryHit]) -> list[Row]:
    """Each with where it comes from and its first lines; every line of it stands for it."""
    rows: list[Row] = []
    for hit in hits:
        point = hit.point
        beside = Part("beside one that fits", "dim") if hit.beside is not None else None
        head = dotted(
            line(Part(f"{point.at.astimezone():%Y-%m-%d}", "accent")),
            _origin(point),
            _label(point),
            beside,
            short(point.goal, 60, "dim") if point.goal else None,
        )
        text = block(point.text, _SHOWN_LINES, before="  │ ")
        rows += [Row(head, point.id), *(Row(each, point.id) for each in text)]
    return rows


def _origin(point: MemoryPoint) -> str:
    if point.source == PERSON:
        return "a note of yours"
    where = f"run {point.run}" + (f", sub-task {point.sub_task}" if point.sub_task else "")
    return f"came out of {where}" if point.source == "outcome" else f"remembered by {where}"


def _label(point: MemoryPoint) -> Part:
    """Always a word, in capitals for what others may have written."""
    if point.labels:
        return Part(" ".join(label.upper() for label in point.labels), "outside")
    return Part("yours", "dim")


_MEANING: Mapping[str, str] = {
    "outside": "OUTSIDE: its run had read text from elsewhere, and so has every run that recalls it.",
    "private": "PRIVATE: its run had read private files, and so has every run that recalls it.",
}


def point_lines(point: MemoryPoint) -> list[Line]:
    """All of one: what it says, where it comes from, and what its labels mean."""
    return [
        dotted(
            line(Part(f"{point.at.astimezone():%Y-%m-%d %H:%M}", "accent")), _origin(point), _label(point)
        ),
        *([line("goal: ", short(point.goal, 300))] if point.goal else []),
        *(line(Part(_MEANING[label], "dim")) for label in point.labels if label in _MEANING),
        line(""),
        *block(point.text),
        line(""),
        line(Part(f"autoagent memory forget {point.id}", "dim")),
    ]


def newest(runs: Sequence[Seen]) -> list[str]:
    """Ids of what the latest runs left, newest run first."""
    latest = sorted(runs, key=lambda run: run.last_at, reverse=True)
    ids = [
        memory_id(run.id, lane)
        for run in latest
        if run.state is not None
        for lane in sorted(run.state.remembered)
    ]
    return ids[:_NEWEST]
