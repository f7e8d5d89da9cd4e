"""Finds a text in an activity, also in what is folded. Reads the journal, and is read in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from autoagent.journal.sqlite import SqliteJournal
from autoagent.tui.run.activity import Item, texts

_KINDS = ("call_ended", "model_replied", "memory_recalled")
"""Entries whose output an item holds only the first lines of."""


def found(
    journal: SqliteJournal,
    run_id: str,
    sought: str,
    blocks: Iterable[tuple[int, Sequence[Item]]],
    rest: Callable[[], None],
) -> Iterator[list[int]]:
    """The items in which a text stands, in whatever case: block by block, in order.

    `rest`: called between them, for whoever has something more urgent to do.
    """
    lowered = sought.lower()
    for first, items in blocks:
        folded = _folded(journal, run_id, lowered, items)
        yield [
            first + n for n, item in enumerate(items) if item.seq in folded or lowered in item.words.lower()
        ]
        rest()


def _folded(journal: SqliteJournal, run_id: str, lowered: str, items: Sequence[Item]) -> set[int]:
    """Entries with the text in lines that no item shows."""
    seqs = {item.seq for item in items if item.lines > len(item.output)}
    if not seqs:
        return set()
    entries = journal.holding(run_id, lowered, _KINDS, min(seqs) - 1, max(seqs))
    return {
        each.seq
        for each in entries
        if each.seq in seqs and any(lowered in text.lower() for text in texts(each.event))
    }
