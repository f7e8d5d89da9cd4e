"""What a run's entries say of files, proof and memory, gathered as they are folded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from autoagent import events as e
from autoagent.events import Entry
from autoagent.state import RunState


@dataclass(frozen=True, slots=True)
class Touch:
    """An entry that changed files, or read some."""

    seq: int
    at: datetime
    step: int
    sub_task: str
    by: str
    """The tool; `you` and what is no call in words."""
    before: str = ""
    after: str = ""
    """Trees; empty where nothing was changed."""
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A verdict on a criterion of the goal."""

    seq: int
    at: datetime
    step: int
    event: e.CriterionChecked


@dataclass(frozen=True, slots=True)
class Recall:
    """What was recalled of earlier runs."""

    seq: int
    event: e.MemoryRecalled


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a sub-task began; of none: where the plan was made."""

    seq: int
    sub_task: str = ""


Fact = Touch | Check | Recall | Begun


def facts(before: RunState, entry: Entry, after: RunState) -> Iterator[Fact]:
    """What an entry says of files, proof and memory."""
    match entry.event:
        case e.CriterionChecked(sub_task=None) as checked:
            yield Check(entry.seq, entry.at, after.steps, checked)
        case e.MemoryRecalled(texts=texts) as recalled if texts:
            yield Recall(entry.seq, recalled)
        case e.PlanMade():
            yield Begun(entry.seq)
        case e.SubTaskStarted(sub_task=id):
            yield Begun(entry.seq, id)
        case e.CallEnded() as ended:
            yield from _of_call(before, entry, ended, after)
        case e.LaneReset(lane=lane):
            yield from _moved(before, entry, after, lane, "a new start")
        case e.LaneConflicted(lane=lane):
            yield from _moved(before, entry, after, lane, "a conflict")
        case e.FolderChanged() | e.Undone() if before.main != after.main:
            by = "you" if isinstance(entry.event, e.FolderChanged) else "you, undoing"
            yield Touch(entry.seq, entry.at, after.steps, "", by, before.main, after.main)
        case _:
            return


def _of_call(before: RunState, entry: Entry, ended: e.CallEnded, after: RunState) -> Iterator[Touch]:
    decided = before.calls[ended.call].decided
    if decided.effect != "read":
        yield from _moved(before, entry, after, ended.lane, decided.tool)
    elif ended.ok and (read := _read(decided, ended)):
        sub_task = _sub_task(after, ended.lane)
        yield Touch(entry.seq, entry.at, after.steps, sub_task, decided.tool, read=read)


def _read(decided: e.CallDecided, ended: e.CallEnded) -> tuple[str, ...]:
    """The files that it was taken from, as far as the tool says."""
    if ended.paths is not None:
        return ended.paths
    path = decided.args.get("path")
    return (path,) if isinstance(path, str) and decided.destination is None else ()


def _moved(before: RunState, entry: Entry, after: RunState, lane: str, by: str) -> Iterator[Touch]:
    was, now = before.lanes.get(lane), after.lanes.get(lane)
    if was is not None and now is not None and was.tree != now.tree:
        yield Touch(entry.seq, entry.at, after.steps, now.sub_task, by, was.tree, now.tree)


def _sub_task(state: RunState, lane: str) -> str:
    known = state.lanes.get(lane)
    return known.sub_task if known is not None else ""


@dataclass
class Trail:
    """All of it, of one run."""

    changes: list[Touch] = field(default_factory=list)
    reads: dict[str, list[Touch]] = field(default_factory=dict)
    """By path."""
    checks: dict[int, Check] = field(default_factory=dict)
    """The last of each criterion."""
    recalls: list[Recall] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)
    """Sub-task -> the entry with which it began; empty: the plan's."""

    def add(self, found: Iterable[Fact]) -> None:
        for each in found:
            match each:
                case Check():
                    self.checks[each.event.number] = each
                case Recall():
                    self.recalls.append(each)
                case Begun():
                    self.begun[each.sub_task] = each.seq
                case Touch():
                    if each.after:
                        self.changes.append(each)
                    for path in each.read:
                        self.reads.setdefault(path, []).append(each)
