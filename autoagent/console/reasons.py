"""The chain that led to something, as people read it: a line a step, what led to it beneath."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from autoagent.console.arguments import arguments
from autoagent.console.line import Line, Part, Tone, block, line, short
from autoagent.past.step import Step

_QUOTE_LINES = 8
_ARGUMENT_LINES = 30
"""Of one value: code is what a person asks for."""
_PROSE = 40
"""Characters of a reply beside its script that tell nothing new: the fence."""
_LONGEST = 160
_TONES: dict[str, Tone] = {"verbatim": "attention", "change": "accent", "person": "accent", "undo": "accent"}
_KNOWN: tuple[str, ...] = ("plan", "sub_task", "reply", "call")
"""Told once: further down only their entry is named."""


def reasons(steps: Iterable[Step]) -> Iterator[Line]:
    """Each with a blank line between."""
    for number, each in enumerate(steps):
        if number:
            yield line("")
        yield from _lines(each, None, 0, set())


def _lines(step: Step, above: Step | None, depth: int, told: set[int]) -> Iterator[Line]:
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
    if step.args:
        yield from (line(" " * 7, pad) + each for each in arguments(_trimmed(step.args), _ARGUMENT_LINES))
    if step.quote.strip() and not _repeats(step, above):
        yield from (line(" " * 7, pad) + each for each in block(step.quote.strip("\n"), _QUOTE_LINES))
    for each in step.because:
        yield from _lines(each, step, depth + 1, told)


def _trimmed(args: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Without the line breaks at the ends of texts: here nobody allows anything."""
    return {name: value.rstrip("\n") if isinstance(value, str) else value for name, value in args.items()}


def _repeats(step: Step, above: Step | None) -> bool:
    """Whether a reply says nothing but the script that was just shown as the call's argument."""
    code = (above.args or {}).get("code") if above is not None else None
    if step.kind != "reply" or not isinstance(code, str):
        return False
    return code.strip() in step.quote and len(step.quote) - len(code.strip()) < _PROSE
