"""`fork`: makes one, and says what its past holds that nobody can undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autoagent.cli.output import out
from autoagent.console.finding import find_run, opened
from autoagent.console.line import Line, dotted, line, short
from autoagent.journal.home import home
from autoagent.past.fork import Fork
from autoagent.past.fork import fork as make


def fork(prefix: str, at: int, into: Path | None, model: str | None) -> None:
    """Raises `UsageError`, `StoreDamaged`."""
    with opened() as journal:
        made = make(journal, home(), find_run(journal, prefix), at, into=into, model=model)
    out(*_lines(made))


def _lines(fork: Fork) -> Iterator[Line]:
    yield dotted(f"fork {fork.run} of run {fork.source}", f"up to entry {fork.at}", fork.workspace)
    if fork.sent:
        yield line("Left the house before, and stays done:")
        yield from (line("  ", short(sent, 120)) for sent in fork.sent)
    if fork.under_way:
        yield line(
            f"Was under way: run {fork.source} may have done it since; the fork finds out, or asks you:"
        )
        yield from (line("  ", short(call, 120)) for call in fork.under_way)
    if fork.sent_since:
        yield line(
            f"Run {fork.source} sent {fork.sent_since} × more after entry {fork.at}; "
            "the fork knows nothing of that, and may send it again."
        )
    yield line(f"next: autoagent resume {fork.run}")
