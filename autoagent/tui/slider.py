"""The past as a line: marks where a person would stop, over a track as wide as the screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoagent import events as e
from autoagent.console.line import Line, Part, Tone, line
from autoagent.events import Entry

_SIGNS: Mapping[str, Tone] = {"✗": "bad", "✓": "good", "!": "attention", "⊘": "bad", "↺": "dim", "s": "plain"}
"""Marks of the slider, the more telling first."""


def marks(event: e.Event) -> str:
    """The sign of an entry that a person would stop at; empty for all others."""
    match event:
        case e.RunEnded(ending=ending):
            return "✓" if ending == "proved" else "✗"
        case e.QuestionAsked():
            return "!"
        case e.CallDecided(decision="deny"):
            return "⊘"
        case e.LaneReset() | e.LadderClimbed() | e.Undone():
            return "↺"
        case e.CallEnded(tree=tree) if tree is not None:
            return "s"
        case _:
            return ""


def slider(entries: Sequence[Entry], at: int, width: int) -> tuple[Line, Line]:
    """Marks over a track as wide as the screen: s snapshot, ! question, ⊘ denied, ↺ tried again, ✓ ✗ end."""
    last = max(len(entries) - 1, 1)
    columns_of: dict[int, set[str]] = {}
    for entry in entries:
        if sign := marks(entry.event):
            columns_of.setdefault((entry.seq - 1) * (width - 1) // last, set()).add(sign)
    shown = [
        next((Part(sign, tone) for sign, tone in _SIGNS.items() if sign in columns_of.get(n, ())), Part(" "))
        for n in range(width)
    ]
    here = (at - 1) * (width - 1) // last
    track = line(Part("─" * here, "dim"), Part("●", "accent"), Part("─" * (width - here - 1), "dim"))
    return Line(tuple(shown)), track
