"""What can go wrong, sorted by who reads it.

Owns every error that people or the model see. Endings of a run (proved, parked, limit) are values in the
journal, never exceptions; an ``assert`` is a bug of ours.

    Exception
    ├── ToolError                  read by the model; the run goes on
    │   └── NotDone                the same, and certainly nothing happened outside
    └── AutoagentError             read by the operator; carries the exit code
        ├── UsageError      (2)    the call is wrong
        │   └── GoalError          the goal file is wrong; names file and line
        ├── Unavailable     (5)    something the run needs could not be had
        │   ├── ModelUnavailable
        │   ├── SandboxUnavailable
        │   ├── StoreUnavailable   journal, objects or memory
        │   │   ├── StoreDamaged   what is there isn't what was written
        │   │   └── ObjectBlanked  its bytes were removed, since they held a secret
        │   └── RecordingMiss      a recording has no reply for what happened
        ├── RunOwned        (2)    another process carries this run or folder
        ├── JournalConflict (5)    another writer appended first
        │   └── LeaseLost          another process has taken the run over
        └── NewerVersion    (5)    written by a newer autoagent
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class ToolError(Exception):
    """A tool could not do what was asked; the text becomes the model's observation."""

    labels: tuple[Literal["outside", "private"], ...] = ()
    """What reading the text adds to the run's labels, besides what the call's own declarations do."""


class NotDone(ToolError):
    """An external call failed, and it is certain that nothing happened outside.

    After any other failure of such a call the model is warned that it may have happened all the same.
    """


class AutoagentError(Exception):
    """Something the operator must know; the run stops or parks, and nothing is lost."""

    exit_code = 1


class UsageError(AutoagentError):
    """The call is wrong: an unknown run, a missing file, an answer of the wrong kind."""

    exit_code = 2


class GoalError(UsageError):
    """A goal file is wrong: where, what is so, what was expected."""

    def __init__(self, problem: str, *, path: Path | None = None, line: int | None = None) -> None:
        self.problem, self.path, self.line = problem, path, line
        where = "" if path is None else str(path) + ("" if line is None else f":{line}") + ": "
        super().__init__(where + problem)


class Unavailable(AutoagentError):
    """Something that the run needs could not be had; resume when it is back."""

    exit_code = 5


class ModelUnavailable(Unavailable):
    """No model answered, after every try and fallback."""


class SandboxUnavailable(Unavailable):
    """No sandbox can run what the goal needs."""


class StoreUnavailable(Unavailable):
    """The journal, the objects or the memory can't be read or written."""


class StoreDamaged(StoreUnavailable):
    """What a store holds can't be what was written to it."""


class ObjectBlanked(StoreUnavailable):
    """The bytes of an object were removed on purpose."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"object {sha256} was blanked: it held a secret, so 'autoagent runs blank' removed its bytes"
        )


class RecordingMiss(Unavailable):
    """A recording holds no reply for what happened in this run."""


class RunOwned(AutoagentError):
    """Another living process carries the run or works in its folder."""

    exit_code = 2

    def __init__(
        self, what: str, holder: str, silent_s: float | None = None, free_in_s: float | None = None
    ) -> None:
        """`silent_s`: since when it wasn't heard of. `free_in_s`: when it counts as dead if it stays so."""
        heard = ""
        if silent_s is not None and free_in_s is not None:
            heard = (
                f", last heard of {silent_s:.0f} s ago "
                f"(if it hangs, do this again in {free_in_s:.0f} s: that takes over)"
            )
        super().__init__(
            f"{what} is being worked on by {holder}{heard}; wait for it, or stop it with 'autoagent cancel'"
        )


class JournalConflict(AutoagentError):
    """Another writer appended to this run first."""

    exit_code = 5

    def __init__(self, run_id: str, expected: int, found: int) -> None:
        super().__init__(
            f"run {run_id!r}: expected to write entry {expected}, but {found} are already there; "
            "another process owns this run now"
        )


class LeaseLost(JournalConflict):
    """The lease of a run passed on; nothing that its former holder writes is taken."""

    def __init__(self, run_id: str, epoch: int) -> None:
        AutoagentError.__init__(
            self,
            f"run {run_id!r} was taken over by another process, or let go: nothing more is written here "
            f"(the lease of epoch {epoch} is over); 'autoagent show {run_id}' says how it stands",
        )


class NewerVersion(AutoagentError):
    """The data was written by a newer autoagent than this one."""

    exit_code = 5

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} is of version {found}, and this autoagent knows versions up to {known}; "
            "nothing was changed: upgrade autoagent to read it"
        )
