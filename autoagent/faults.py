"""Where a process may die so that it matters: the gaps between an effect and its record, by name.

A test ends the process at one of these points and resumes the run (`tests/crash`); a run that nobody tests
passes them without doing anything. A place that does something and then notes that it did has a point here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, get_args

FaultPoint = Literal[
    "run created",
    "lease taken",
    "entries queued",
    "about to commit",
    "committed",
    "object written",
    "object in place",
    "decided",
    "approval at hand",
    "started",
    "about to send",
    "effect done",
    "ended, not projected",
    "job done",
    "script read done",
    "probed",
    "file half written",
    "file staged",
    "between two paths",
    "projected",
    "person's edit found",
    "merge worked out",
    "merged, not projected",
    "conflict kept",
    "request noted",
    "reply received",
    "criterion checked",
    "question put down",
    "waiting for a person",
    "command read",
    "outcome stored",
    "run over",
]

POINTS: Mapping[FaultPoint, str] = {
    "run created": "the run has a row, and no first entry",
    "lease taken": "this process holds the run, and nothing says so but the lease",
    "entries queued": "the state has moved, and the journal's thread has yet to write it",
    "about to commit": "entries and objects are in an open transaction",
    "committed": "the transaction is on disk, and nobody who waits for it was told",
    "object written": "a large object's temporary file is whole and has no name",
    "object in place": "a large object has its name, and nothing refers to it",
    "decided": "policy has spoken, and the call hasn't started",
    "approval at hand": "the person's yes is on record, and the call that it allows hasn't started",
    "started": "the start of a call is on record, and its effect hasn't begun",
    "about to send": "the start of an external call is durable; the next thing is the send itself",
    "effect done": "the tool has returned, and its end isn't on record: mail may be out, a copy is changed",
    "ended, not projected": "the end of a write is durable, and the folder still holds what was before",
    "job done": "the sandbox has run the code, and what it changed is taken by nobody",
    "script read done": "a read inside a script is on record, and the script hasn't ended",
    "probed": "after a crash the tool was asked whether it happened, and the answer isn't on record",
    "file half written": "a temporary file in the user's folder holds a part of the new content",
    "file staged": "it holds all of it, and the path still has the old one",
    "between two paths": "one path of a projection is done, and the next isn't",
    "projected": "the folder holds the new tree, and this process hasn't noted it",
    "person's edit found": "the folder was scanned and differs, and that isn't on record",
    "merge worked out": "the merged tree is stored, and `main` isn't moved",
    "merged, not projected": "`main` has moved durably, and the folder hasn't",
    "conflict kept": "a lane's versions are laid beside those of `main`, and the lane isn't moved",
    "request noted": "a request's cost is reserved, and it isn't sent",
    "reply received": "a reply was paid for and is whole, and isn't on record",
    "criterion checked": "a verdict was reached, and isn't on record",
    "question put down": "a question is on record, perhaps not on disk, and nobody waits yet",
    "waiting for a person": "a question is durable, and the lane begins to wait",
    "command read": "an answer from another process was read, and isn't on record as an event",
    "outcome stored": "a sub-task's outcome stands in memory, and the journal doesn't know",
    "run over": "the run has ended on record, and its lease is still held",
}
"""What is so at each point."""

assert {*get_args(FaultPoint)} == {*POINTS}


class Faults(Protocol):
    """Hears where a process is. May end the process; anything else would change the run."""

    def reached(self, point: FaultPoint) -> None:
        """Called on whatever thread is there, also while locks are held."""
        ...


class NoFaults:
    """Nothing happens, in 0.1 µs."""

    def reached(self, point: FaultPoint) -> None:
        return


NO_FAULTS = NoFaults()
