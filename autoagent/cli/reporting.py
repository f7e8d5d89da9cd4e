"""`report`: a run as one HTML file."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from autoagent.cli.output import out
from autoagent.console.figures import size
from autoagent.console.finding import find_run, opened, outcome_of, state_of
from autoagent.errors import UsageError
from autoagent.report import gathered, page

_MARK = b"<title>autoagent report "


def report(prefix: str, into: str | None) -> None:
    """Write it. Raises `UsageError` for an unknown run, one that never began, and a file that is there."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        state = state_of(journal, run_id)
        if state.started is None:
            raise UsageError(f"run {run_id} never began: its journal is empty, so there is nothing to report")
        entries = journal.read(run_id)
        text = page(
            gathered(
                entries,
                state,
                outcome_of(journal, state),
                journal.verify(run_id),
                journal.objects,
                holder=journal.holder(run_id),
                now=datetime.now(UTC),
            )
        )
    path = Path(into or f"autoagent-{run_id}.html")
    _write(path, text.encode())
    out(f"{path} · {size(len(text.encode()))} · of {len(entries)} entries")


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all. A former report is replaced; any other file stays."""
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder; name a file")
    part = path.with_name(f".{path.name}.part")
    try:
        if path.exists() and _MARK not in path.read_bytes()[:2_000]:
            raise UsageError(f"{str(path)!r} is there already and no report; --into names another file")
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UsageError(f"{str(path)!r} can't be written: {error.strerror}") from error
