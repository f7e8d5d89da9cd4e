"""`runs rm` and `gc`: what is no longer wanted goes, after saying what that is."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from pydantic import JsonValue

from autoagent.cli.output import note, out, out_json
from autoagent.console.figures import several, size
from autoagent.console.finding import find_run, opened
from autoagent.console.line import Line, dotted, line, short
from autoagent.errors import UsageError
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.journal.sweeping import Swept, sweep
from autoagent.state import fold, hash_text


def remove(prefixes: Sequence[str], *, yes: bool) -> None:
    """Forget runs, after asking. Raises `UsageError`, `RunOwned`; what was said as removed by then is."""
    may_ask = sys.stdin.isatty() and sys.stdout.isatty()
    if not yes and not may_ask:
        raise UsageError("nobody can be asked here: add --yes")
    with opened() as journal:
        found = {find_run(journal, prefix) for prefix in prefixes}
        runs = [head.id for head in journal.runs() if head.id in found]  # forks are newer: they go first
        for run in runs:
            out(_what_goes(journal, run))
        if not yes and not typer.confirm(f"remove {several(len(runs), 'run')} for good?"):
            out("nothing was removed")
            return
        for run in runs:
            journal.remove(run)
            (home() / "logs" / f"{run}.log").unlink(missing_ok=True)
            out(f"run {run} removed")
    note("its files' contents stay until 'autoagent gc'; its workspace and what memory knows of it stay")


def _what_goes(journal: SqliteJournal, run: str) -> Line:
    head = journal.head(run)
    state = fold(run, journal.read(run))
    waiting = 0 if state.ended is not None else len(state.waiting)
    parts = [short(run, 40), short(f"{head.entries} entries", 40)]
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        parts.append(short(f"{several(waiting, 'question')} that {verb} for you", 60))
    goal = state.goal.goal.strip().split("\n")[0] if state.started is not None else "never began"
    return dotted(*parts, short(goal, 60))


def collect(*, dry_run: bool, as_json: bool) -> None:
    """Delete what no run needs, and say what went. Raises `RunOwned`, `UsageError`."""
    with opened() as journal:
        caches = frozenset(hash_text(head.workspace) for head in journal.runs())
    swept = sweep(home(), caches, dry_run=dry_run)
    if as_json:
        out_json(_record(swept, dry_run))
    else:
        out(*_lines(swept, dry_run))


def _record(swept: Swept, dry_run: bool) -> dict[str, JsonValue]:
    return {
        "objects": swept.objects + swept.files,
        "leftovers": swept.leftovers,
        "bytes": swept.object_bytes + swept.file_bytes + swept.leftover_bytes,
        "kept": swept.kept,
        "free_inside_bytes": swept.free_inside_bytes,
        "dry_run": dry_run,
    }


def _lines(swept: Swept, dry_run: bool) -> list[Line]:
    objects, total = swept.objects + swept.files, swept.object_bytes + swept.file_bytes
    would = "would be " if dry_run else ""
    found = [line(f"{several(objects, 'object')} {would}deleted, {size(total)}; {swept.kept} are needed")]
    if swept.leftovers:
        gone = f"{several(swept.leftovers, 'leftover')} of dead processes and removed runs {would}deleted"
        found.append(line(f"{gone}, {size(swept.leftover_bytes)}"))
    if swept.free_inside_bytes:
        free = size(swept.free_inside_bytes)
        found.append(line(f"{free} are free inside journal.db: the disk has no room to write it anew"))
    return found
