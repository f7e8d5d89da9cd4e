"""What stands behind a row: an entry whole, the lines that differ, what led to it. Reads the journal."""

from __future__ import annotations

from collections.abc import Sequence

from autoagent import events as e
from autoagent.console.changes import Caps, differences
from autoagent.console.line import Line, line
from autoagent.errors import StoreDamaged
from autoagent.events import Entry
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.changes import changes
from autoagent.past.patch import patch
from autoagent.trees import load_tree
from autoagent.tui.drawing.view import unfolded
from autoagent.tui.run.activity import texts

_NEAR = 50
"""Entries back in which a call's decision is looked for, where it isn't known."""


def entry_at(journal: SqliteJournal, run_id: str, seq: int) -> Entry:
    """Raises what the journal does, and `StoreDamaged` where the entry has gone since it was shown."""
    for entry in journal.read(run_id, seq - 1, seq):
        return entry
    raise StoreDamaged(
        f"run {run_id}: entry {seq} isn't there any more; 'autoagent verify {run_id}' says more"
    )


def everything(journal: SqliteJournal, run_id: str, seq: int, began: int = 0) -> list[Line]:
    """All that an entry holds; `began`: of a call's end, where it began. Raises what the journal does."""
    entry = entry_at(journal, run_id, seq)
    return unfolded(entry, decision_of(journal, run_id, entry, began))


def decision_of(journal: SqliteJournal, run_id: str, entry: Entry, began: int = 0) -> e.CallDecided | None:
    """How a call that has ended began; `began`: where, if that is known."""
    if not isinstance(entry.event, e.CallEnded):
        return None
    near = range(began, began + 1) if 0 < began < entry.seq else range(max(entry.seq - _NEAR, 1), entry.seq)
    for each in reversed(journal.read(run_id, near.start - 1, near.stop - 1)):
        if isinstance(each.event, e.CallDecided) and each.event.call == entry.event.call:
            return each.event
    return None


def output_of(journal: SqliteJournal, run_id: str, seq: int) -> Sequence[str]:
    """All lines that came out."""
    return texts(entry_at(journal, run_id, seq).event)


def differing(journal: SqliteJournal, old: str, new: str, path: str | None = None) -> list[Line]:
    """The lines that differ between two trees, of one path or of all."""
    objects = journal.objects
    found = changes(load_tree(old, objects), load_tree(new, objects))
    pairs = [(each, patch(each, objects)) for each in found if path is None or each.path == path]
    return list(differences(pairs, Caps())) or [line("nothing")]


def led_to(journal: SqliteJournal, run_id: str, what: str) -> list[Line]:
    """What led to an entry, a path, a call. Reads the whole run. Raises `UsageError`."""
    from autoagent.console.reasons import reasons
    from autoagent.past.ledger import Ledger
    from autoagent.past.why import why

    return list(reasons(why(Ledger(run_id, journal.read(run_id)), what, journal.objects)))
