"""`diff`: what a run changed, read off its journal; the folder isn't looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import JsonValue

from autoagent.cli.output import out, out_json
from autoagent.console.changes import NO_CAPS, Caps, differences, stat, summed
from autoagent.console.finding import find_run, opened, state_of
from autoagent.console.line import Line, Part, line
from autoagent.errors import ToolError, UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.changes import PathChange, changes
from autoagent.past.heads import heads
from autoagent.past.patch import Patch, patch
from autoagent.past.span import Span, is_span, span_of
from autoagent.paths import ROOT, is_beneath, spelled, workspace_path
from autoagent.state import MAIN
from autoagent.trees import Tree, TreeEntry, load_tree


@dataclass(frozen=True)
class Difference:
    """What changed in a run between two moments."""

    run: str
    span: Span
    pairs: tuple[tuple[PathChange, Patch], ...]

    def record(self) -> dict[str, JsonValue]:
        """For programs, uncut."""
        return {
            "run": self.run,
            "since": self.span.since,
            "until": self.span.until,
            "lane": self.span.lane,
            "files": [record_of(change, patch) for change, patch in self.pairs],
        }


def diff(prefix: str, what: Sequence[str], *, as_stat: bool, show_all: bool, as_json: bool) -> None:
    """Print it. Raises `UsageError` for an unknown run, entry or path."""
    with opened() as journal:
        found = difference(journal, find_run(journal, prefix), what)
    if as_json:
        out_json(found.record())
    else:
        out(*_lines(found, as_stat=as_stat, caps=NO_CAPS if show_all else Caps()))


def difference(journal: SqliteJournal, run_id: str, what: Sequence[str]) -> Difference:
    """Between the moments, and in the paths, that `what` names."""
    state_of(journal, run_id)
    entries = journal.read(run_id)
    text, *paths = what if what and is_span(what[0]) else ["", *what]
    span = span_of(text, heads(run_id, entries), entries[-1].seq)
    old, new = load_tree(span.old, journal.objects), load_tree(span.new, journal.objects)
    found = changes(old, new, [_root(path, old, new) for path in paths] or [ROOT])
    return Difference(run_id, span, tuple((each, patch(each, journal.objects)) for each in found))


def record_of(change: PathChange, patch: Patch) -> dict[str, JsonValue]:
    """One path for programs."""
    return {
        "path": change.path,
        "change": change.change,
        "moved_from": change.moved_from,
        "was": _version(change.was),
        "now": _version(change.now),
        "body": patch.body,
        "added": patch.added,
        "removed": patch.removed,
        "patch": "".join(f"{text}\n" for text in patch.lines),
    }


def _version(entry: TreeEntry | None) -> JsonValue:
    if entry is None:
        return None
    return {
        "kind": entry.kind,
        "mode": f"{entry.mode:03o}",
        "size": entry.size,
        "sha256": entry.sha256,
    }


def _root(text: str, old: Tree, new: Tree) -> str:
    """A path or glob of the workspace. Raises `UsageError` where neither tree holds anything there."""
    try:
        root = workspace_path(text)
    except ToolError as error:
        raise UsageError(str(error)) from None
    known = {*old.entries, *new.entries}
    if root != ROOT and not any(is_beneath(path, (root,)) for path in known):
        close = get_close_matches(root, known, n=3)
        hint = f"; did you mean {' or '.join(repr(spelled(p)) for p in close)}?" if close else ""
        raise UsageError(f"the run's workspace held nothing at '{spelled(root)}' then{hint}")
    return root


def _lines(found: Difference, *, as_stat: bool, caps: Caps) -> list[Line]:
    span = found.span
    where = "" if span.lane == MAIN else f" in lane {span.lane}, not yet merged"
    if not found.pairs:
        return [line(f"Nothing changed between entries {span.since} and {span.until}.")]
    shown = list(stat(found.pairs) if as_stat else differences(found.pairs, caps))
    gap = [] if as_stat else [line("")]
    said = f"{summed(found.pairs)} between entries {span.since} and {span.until}{where}"
    return [*shown, *gap, line(Part(said, "dim"))]
