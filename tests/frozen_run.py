"""A run in a process of its own that stops itself: `python frozen_run.py HOME FOLDER POINT [RUN]`.

It is stopped, as by SIGSTOP, when it first reaches the fault point POINT (`-`: never). Prints the run's id
when it begins, and its ending when it has one. The world outside is the file HOME/outbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from killed_run import post, say

from autoagent import wiring
from autoagent.errors import AutoagentError
from autoagent.faults import FaultPoint
from autoagent.goal.file import understand
from autoagent.journal.sqlite import SqliteJournal
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.memory import DictMemory
from autoagent.wiring import Hooks, Parts

GOAL = """
goal: write a file, run some code, send a letter
allow: {run: sandbox, send: {post: [anna]}}
plugins: [files, python, post]
done_when: [{file: end.txt}]
plan: [{id: a, title: all of it}]
"""
STALE_AFTER_S = 0.5


class Freezer:
    """Stops this process, every thread of it, once; not in the middle of a write to the journal.

    A process that is stopped there holds the database's lock: nobody takes its runs over before it is ended.
    """

    def __init__(self, at: str) -> None:
        self._at = at
        self.journal: SqliteJournal | None = None

    def reached(self, point: FaultPoint) -> None:
        if point == self._at and self.journal is not None:
            self._at = ""
            self.journal._writer.barrier().result()
            os.kill(os.getpid(), signal.SIGSTOP)


async def main(home: Path, folder: Path, point: str, run: str | None) -> int:
    sandbox, journal = MontySandbox(), SqliteJournal(home, stale_after_s=STALE_AFTER_S)
    freezer = Freezer(point)
    freezer.journal = journal
    parts = Parts(
        home=home,
        journal=journal,
        memory=DictMemory(),
        sandbox=sandbox,
        plugins=[post(home / "outbox")],
        faults=freezer,
    )
    hooks = Hooks(on_launch=say)
    try:
        if run is None:
            outcome = await wiring.start(understand(GOAL)[0], folder, hooks=hooks, parts=parts)
        else:
            outcome = await wiring.resume(run, hooks=hooks, parts=parts)
    finally:
        await sandbox.close()
        journal.close()
    print(outcome.ending, outcome.reason, flush=True)  # noqa: T201
    return outcome.exit_code


if __name__ == "__main__":
    home, folder, point, *rest = sys.argv[1:]
    try:
        sys.exit(asyncio.run(main(Path(home), Path(folder), point, rest[0] if rest else None)))
    except AutoagentError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
