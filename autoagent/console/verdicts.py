"""Criteria with their verdicts, as an ending and the question before it show them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autoagent.console.line import Line, Part, Tone, columns, short
from autoagent.outcome import CriterionResult

MARKS: Mapping[str, tuple[str, Tone]] = {
    "proved": ("✓ proved", "good"),
    "refuted": ("✗ refuted", "bad"),
    "unchecked": ("? unchecked", "dim"),
}


def verdict_rows(criteria: Iterable[CriterionResult]) -> Iterator[Line]:
    """A row a criterion: verdict, criterion, evidence."""
    rows = []
    for result in criteria:
        mark, tone = MARKS[result.verdict]
        rows.append((Part(mark, tone), short(result.criterion, 60), short(_evidence(result), 100)))
    yield from columns(rows)


def _evidence(result: CriterionResult) -> str:
    """The evidence, and who judged where that was no machine: quotes may look like anything."""
    if result.by == "person":
        return f"a person {result.evidence}"
    mechanical = result.by in ("", "nobody", "file check") or result.by.startswith("sandbox (")
    return result.evidence if mechanical else f"says {result.by}: {result.evidence}"
