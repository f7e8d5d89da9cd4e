"""Text of a workspace's files that stands word for word in what a call wrote.

Code reads by `open()`, of which no entry tells; so all files that lay before it are looked at, as far as the
bounds go. Pure over stored objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoagent.errors import ObjectBlanked
from autoagent.past.verbatim import SHORTEST, Written
from autoagent.trees import ObjectSource, load_tree

LARGEST_BYTES = 256 * 1024
"""Of one file; larger ones are left out."""
_FILES = 300
_ALL_BYTES = 4_000_000
_RUNS = 5


@dataclass(frozen=True)
class Quotation:
    """A run of text, and the file that it stands in."""

    path: str
    run: str


def quotations(text: str, tree: str, objects: ObjectSource, *, but: str, named_in: str) -> list[Quotation]:
    """The longest runs of `text` in the files of a tree, longest first; none lies within another.

    `but`: a path that is left out. Of files with the same run, one whose name stands in `named_in` wins.
    """
    if not text.strip():
        return []
    written = Written(text)
    found = [
        Quotation(path, run)
        for path, source in _texts(tree, objects, but, named_in)
        for run in _whole_lines(written.runs_in(source)[:_RUNS], source)
    ]
    found.sort(key=lambda each: -len(each.run))  # stable: of equal ones the first file's
    kept: list[Quotation] = []
    for each in found:
        if len(kept) < _RUNS and not any(each.run in longer.run for longer in kept):
            kept.append(each)
    return kept


def _whole_lines(runs: list[str], source: str) -> Iterator[str]:
    """Runs over several lines without the parts of lines at their ends: a date that many lines share."""
    lines = {line.strip() for line in source.splitlines()}
    for run in runs:
        parts = run.split("\n")
        if len(parts) > 1 and parts[0].strip() not in lines:
            parts = parts[1:]
        if len(parts) > 1 and parts[-1].strip() not in lines:
            parts = parts[:-1]
        if len(whole := "\n".join(parts).strip()) >= SHORTEST:
            yield whole


def _texts(tree: str, objects: ObjectSource, but: str, named_in: str) -> Iterator[tuple[str, str]]:
    """Path and text; those that are named first."""
    files = {
        path: entry
        for path, entry in load_tree(tree, objects).entries.items()
        if entry.kind == "file" and entry.size <= LARGEST_BYTES and path != but
    }
    room = _ALL_BYTES
    for path in sorted(files, key=lambda path: (path.rpartition("/")[2] not in named_in, path))[:_FILES]:
        if (room := room - files[path].size) < 0:
            return
        try:
            data = objects.get(files[path].sha256)
        except ObjectBlanked:  # removed on purpose: there is nothing left to quote
            continue
        if b"\0" not in data:
            yield path, data.decode("utf-8", "replace")
