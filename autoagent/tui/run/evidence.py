"""The proof of a run: each verdict with why, by whom, when and how to check it again; and what was recalled.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from autoagent import events as e
from autoagent.console.figures import local, several
from autoagent.console.line import Line, Part, block, dotted, line, short
from autoagent.console.verdicts import MARKS
from autoagent.outcome import again, is_taken_back, results
from autoagent.state import RunState
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.trail import Check, Recall

_EVIDENCE_LINES, _QUOTES = 8, 3


def evidence_rows(
    state: RunState, checks: Mapping[int, Check], recalls: Sequence[Recall], workspace: str
) -> list[Row]:
    """Rows; those of a verdict and of what was recalled stand for their entries."""
    found = results(state)
    proved = sum(each.verdict == "proved" for each in found)
    rows = [Row(line(Part(f"{proved} of {len(found)} proved", "dim")))]
    if not found:
        rows.append(Row(line(Part("The goal has no criteria: nothing can be proved.", "dim"))))
    for number, result in enumerate(found):
        check = checks.get(number)
        key = "" if check is None else str(check.seq)
        rows.append(Row(line(Part(*MARKS[result.verdict]), "  ", str(state.criteria[number])), key))
        is_past = is_taken_back(state, number)
        if is_past:
            rows += [Row(each, key) for each in block(result.evidence, _EVIDENCE_LINES, before="    ↺ ")]
        rows += [Row(each, key) for each in _why(check)]
        if check is not None and not is_past and (command := again(state.criteria[number])):
            rows.append(Row(line(Part("    check it again: ", "dim"), command), key))
    if any(again(state.criteria[n]) and not is_taken_back(state, n) for n in checks):
        rows.append(Row(line(Part(f"    the commands are for {workspace}", "dim"))))
    for recall in recalls:
        rows += [Row(each, str(recall.seq)) for each in _recalled(recall)]
    return rows


def _why(check: Check | None) -> Iterator[Line]:
    if check is None:
        yield line(Part("    not checked yet", "dim"))
        return
    evidence = check.event.evidence
    step = f"step {check.step}" if check.step else None
    yield dotted(line("    ", Part(f"by {evidence.by}", "dim")), Part(_moment(check.at), "dim"), step)
    yield from block(evidence.text, _EVIDENCE_LINES, before="    │ ")
    for path, quote in evidence.quotes[:_QUOTES]:
        yield line(Part("    │ ", "dim"), Part(f"{path}: ", "accent"), short(quote, 300))
    if (left := len(evidence.quotes) - _QUOTES) > 0:
        yield line(Part(f"    │ … {several(left, 'more quote')}", "dim"))


def _recalled(recall: Recall) -> Iterator[Line]:
    """What earlier runs told this one, and why it was taken."""
    yield line("")
    yield line(Part(f"recalled {several(len(recall.event.texts), 'outcome')} of earlier runs", "dim"))
    sources = recall.event.sources
    # texts that say that memory could not be read come from nowhere, and first
    ahead = len(recall.event.texts) - len(sources)
    for text, source in zip_longest(recall.event.texts, (*(None,) * ahead, *sources)):
        if source is not None:
            yield line("  ") + _source(source)
        yield from block(text, _EVIDENCE_LINES, before="    │ ")


def _source(source: e.Recalled) -> Line:
    where = f"run {source.run}" + (f", sub-task {source.sub_task}" if source.sub_task else "")
    why = f"fits with {source.score:.2f}" if source.beside is None else "stands next to one that fits"
    alike = short(f"its goal is alike: {source.goal}", 120) if source.goal else None
    return dotted(short(where, 60), Part(f"{source.at:%Y-%m-%d}", "dim"), why, alike)


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d} {local(at)}"
