"""Forking a run: its history up to an entry goes on in another folder, under another id.

The folder is made first, then the fork in one transaction; a process that is killed between leaves a folder
and no fork. The run that it comes from is only read, so another process may carry it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoagent.errors import StoreDamaged, UsageError
from autoagent.events import Entry, Forked, RunEnded
from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder.fresh import empty_folder
from autoagent.ids import new_id
from autoagent.past.undo import effects_after
from autoagent.ports import Journal
from autoagent.state import CallState, RunState, fold
from autoagent.trees import EMPTY, load_tree
from autoagent.wiring import keep_apart, local_folder


@dataclass(frozen=True)
class Fork:
    """A fork that was made."""

    run: str
    source: str
    at: int
    workspace: str
    sent: tuple[str, ...]
    """Effects outside, up to `at`, that ended well: they are in its past too."""
    sent_since: int
    """How many effects outside the source had after `at`, which are not."""
    under_way: tuple[str, ...]
    """External calls that were started and not ended at `at`: the source may have done them since."""


def fork(
    journal: Journal,
    home: Path,
    run_id: str,
    at: int,
    *,
    into: Path | None = None,
    model: str | None = None,
    faults: Faults = NO_FAULTS,
) -> Fork:
    """A new run with the history of `run_id` up to entry `at`, and a folder that holds `main` as it was then.

    Raises `UsageError` for an entry that isn't there or whose record goes on, a run that had ended by then,
    and a folder that can't be taken; `StoreDamaged` where an entry up to `at` isn't what was written.
    """
    state = _state_at(journal, run_id, at)
    new = new_id()
    tree = load_tree(state.main, journal.objects)
    folder = _made(home, state, into, new)
    local_folder(home, journal, str(folder), faults).project(EMPTY, tree)
    before = state.forked.model if state.forked is not None else ""
    journal.fork(run_id, at, new, Forked(source=run_id, at=at, workspace=str(folder), model=model or before))
    return Fork(
        run=new,
        source=run_id,
        at=at,
        workspace=str(folder),
        sent=state.sent,
        sent_since=len(effects_after(journal.read(run_id), at)),
        under_way=tuple(_named(call) for call in _under_way(state)),
    )


def _state_at(journal: Journal, run_id: str, at: int) -> RunState:
    """What was known after entry `at`, where a run can go on from there."""
    count, found = journal.head(run_id).entries, journal.verify(run_id)
    if not 1 <= at <= count:
        raise UsageError(f"there is no entry {at}; the journal of run {run_id} has the entries 1 to {count}")
    if at > found.entries:
        instead = f"choose N <= {found.entries}" if found.entries else "restore the journal from a copy"
        raise StoreDamaged(
            f"run {run_id}: entry {found.first_bad} is not what was written: {found.why}; {instead}"
        )
    good = journal.read(run_id, upto=found.entries)
    state = fold(run_id, good[:at])
    if state.started is None:
        raise UsageError(f"run {run_id} had not begun at entry {at}")
    if state.ended is not None:
        raise UsageError(f"run {run_id} had ended at entry {at}; choose N < {_end_of(good[:at])}")
    _refuse_between(good, at)
    return state


def _refuse_between(entries: Sequence[Entry], at: int) -> None:
    """Entries of one moment were recorded all or none, so no run ever stood between them.

    Raises `UsageError` that names the places before and behind.
    """
    moment = entries[at - 1].at
    together = [entry.seq for entry in entries if entry.at == moment]
    if at == together[-1]:
        return
    before = f"{together[0] - 1} or " if together[0] > 1 else ""
    raise UsageError(
        f"entries {together[0]} to {together[-1]} were recorded together; choose N = {before}{together[-1]}"
    )


def _end_of(entries: Sequence[Entry]) -> int:
    return next(entry.seq for entry in reversed(entries) if isinstance(entry.event, RunEnded))


def _made(home: Path, state: RunState, into: Path | None, new: str) -> Path:
    """The fork's folder, empty. Raises `UsageError`."""
    source = Path(state.workspace)
    folder = (into if into is not None else source.with_name(f"{source.name}-fork-{new}")).resolve()
    if folder.is_relative_to(source) or source.is_relative_to(folder):
        raise UsageError(f"{str(folder)!r} and the run's own folder {str(source)!r} overlap; name another")
    keep_apart(home, folder)
    empty_folder(folder)
    return folder


def _under_way(state: RunState) -> Iterator[CallState]:
    for call in state.calls.values():
        if call.decided.effect == "external" and call.started is not None and call.ended is None:
            yield call


def _named(call: CallState) -> str:
    return f"{call.decided.tool} {call.decided.destination or ''}".strip()
