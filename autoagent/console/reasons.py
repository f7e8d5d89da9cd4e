"""The chain that led to something, as people read it: a line a step, what led to it beneath."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoagent.console.line import Line, Part, Tone, block, line, short
from autoagent.past.step import Step

_QUOTE_LINES = 8
_LONGEST = 160
_TONES: dict[str, Tone] = {"verbatim": "attention", "change": "accent", "person": "accent", "undo": "accent"}
_KNOWN: tuple[str, ...] = ("plan", "sub_task", "reply", "call")
"""Told once: further down only their entry is named."""


def reasons(steps: Iterable[Step]) -> Iterator[Line]:
    """Each with a blank line between."""
    for number, each in enumerate(steps):
        if number:
            yield line("")
        yield from _lines(each, 0, set())


def _lines(step: Step, depth: int, told: set[int]) -> Iterator[Line]:
    number = "" if step.entry is None else str(step.entry)
    pad = "  " * depth
    at = f"  {step.at.astimezone():%Y-%m-%d %H:%M:%S}" if step.at is not None and depth == 0 else ""
    labels = [Part(f" {label.upper()}", "outside") for label in step.labels]
    text = short(step.text, _LONGEST, _TONES.get(step.kind, "plain"))
    yield line(Part(f"{number:>5}  ", "dim"), pad, text, *labels, Part(at, "dim"))
    if step.entry is not None and step.kind in _KNOWN:
        if step.entry in told:
            return
        told.add(step.entry)
    if step.quote.strip():
        yield from (line(" " * 7, pad) + each for each in block(step.quote.strip("\n"), _QUOTE_LINES))
    for each in step.because:
        yield from _lines(each, depth + 1, told)
