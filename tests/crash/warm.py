"""Processes that die on time. `Warm` keeps one that has imported everything and forks a child for each job.

So a process of a run costs 0.1 s of CPU and not 0.7.

Runs as `python -m tests.crash.warm`: a JSON job a line in, a JSON report a line out. Linux only.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from autoagent.events import Entry, Event, SubTaskEnded
from autoagent.faults import FaultPoint
from autoagent.messages import Frozen
from autoagent.ports import Abilities, JobResult, Lease, Memory, Sandbox

if TYPE_CHECKING:
    from .person import Meddling

_SUBREAPER = 36
"""prctl: what a killed child leaves running becomes ours."""
_LEFT_S = 5.0

STREAM = "in a reply's stream"
"""A place besides the fault points: half of a reply has come."""
COMMIT = "entry on disk"
"""Another: an entry was recorded, and it is committed."""


class Job(Frozen):
    """One process of a run."""

    home: str
    folder: str
    office: int
    run: str | None = None
    """To go on with; `None` starts one."""
    goal: str = ""
    edit: tuple[str, str] | None = None
    """(path, text) that the person writes once `gather` is done."""
    wait_s: float = 0
    covered: str | None = None
    """File of moments at which a process has died, one a line; this one dies at the first that isn't there.
    `None`: it lives."""
    by_place: bool = False
    """A moment is a place, wherever in the run; else a place and the last entry."""
    only: tuple[str, ...] = ()
    """Places that count; all where there is none."""
    chance: float = 1
    """Of the moments that count and aren't covered, this share does, picked by `seed`."""
    seed: int = 0
    meddling: tuple[str, int, float] | None = None
    """(notes, seed, chance) of a person who works in the folder meanwhile."""
    rehearses: bool = False
    """Carried by the warm process itself, for what a first run imports and builds."""


class Report(Frozen):
    """How a process ended."""

    killed: bool
    ending: str = ""
    reason: str = ""
    left: int = 0
    """Processes that it left running for seconds."""


class Warm:
    """The warm process; `async with Warm() as warm: await warm.run(job)`."""

    async def __aenter__(self) -> Warm:
        root = Path(__file__).parents[2]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.crash.warm",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=root,
            env={k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AUTOAGENT_HOME"))},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def run(self, job: Job) -> Report:
        assert self._process.stdout is not None
        self._tell(job)
        line = await self._process.stdout.readline()
        assert line, "the warm process has died"
        return Report.model_validate_json(line)

    def rehearse(self, job: Job) -> None:
        """Have the warm process carry the beginning of a run; returns at once."""
        self._tell(job.model_copy(update={"rehearses": True}))

    def _tell(self, job: Job) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(job.model_dump_json().encode() + b"\n")


# --- in the warm process ------------------------------------------------------------------------------------


def serve() -> None:
    """Fork a child for each job until there are no more."""
    _import_all()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        job = Job.model_validate_json(line)
        if job.rehearses:
            _rehearse(job)
            continue
        if (child := os.fork()) == 0:
            _in_child(job)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        told = {} if killed else json.loads((Path(job.home) / "told.json").read_text())
        report = Report(killed=killed, left=_left(), **told)
        sys.stdout.write(report.model_dump_json() + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    """Nothing of it may start a thread, which a fork would lose."""
    import docker
    import genai_prices
    import openai.resources.chat.completions
    import pydantic_monty
    import qdrant_edge
    import tenacity

    import autoagent.llm.choice
    import autoagent.sandboxes.choice
    import autoagent.sandboxes.docker
    import autoagent.sandboxes.monty_run
    import autoagent.sandboxes.monty_worker
    import autoagent.wiring
    import autoagent_mail

    del docker, genai_prices, openai, pydantic_monty, qdrant_edge, tenacity, autoagent, autoagent_mail
    assert threading.active_count() == len(list(Path("/proc/self/task").iterdir())) == 1


def _rehearse(job: Job) -> None:
    """A fork takes one thread along, so no other may be left."""
    from autoagent.testing.memory import DictMemory

    # the embedded memory and monty would leave threads of their engines
    told = asyncio.run(_carry(job, DictMemory(), Idle()))
    assert told["ending"] == "parked", told
    deadline = time.monotonic() + _LEFT_S
    while len(list(Path("/proc/self/task").iterdir())) > 1:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.002)
    gc.collect()
    gc.freeze()


def _left() -> int:
    """How many processes the child left running that don't end by themselves within seconds."""
    deadline = time.monotonic() + _LEFT_S
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if not ended:
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.002)


def _in_child(job: Job) -> None:
    """Never returns."""
    status = 1
    try:
        log = os.open(Path(job.home) / "child.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        told = asyncio.run(_carry(job))
        (Path(job.home) / "told.json").write_text(json.dumps(told))
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        (Path(job.home) / "told.json").write_text(
            json.dumps({"ending": "broken", "reason": traceback.format_exc()})
        )
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Dying:
    """Implements `autoagent.faults.Faults`: ends the process at the first moment that isn't covered."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._covered = set(Path(job.covered).read_text().splitlines()) if job.covered else set()
        self._meddling = _meddling(job)
        self._last = "the beginning"

    def reached(self, point: FaultPoint) -> None:
        self.at(point)

    def at(self, place: str, ready: Callable[[], None] = lambda: None) -> None:
        """Die here, once `ready` has made things as they shall be found, unless a process did before."""
        job = self._job
        with self._lock:
            if self._meddling is not None:
                self._meddling.at(place)
            moment = place if job.by_place else f"{place} @ {self._last}"
            if job.covered is None or moment in self._covered or not self._counts(place, moment):
                return
            self._covered.add(moment)  # before `ready`, which passes places as well
        ready()
        with self._lock:
            with Path(job.covered).open("a") as file:
                file.write(f"{moment}\n")
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # another thread may be the one that hears of it

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Nobody dies meanwhile: what a person does is done whole."""
        with self._lock:
            yield

    def _counts(self, place: str, moment: str) -> bool:
        job = self._job
        if job.only and place not in job.only:
            return False
        return job.chance >= 1 or random.Random(f"{job.seed} {moment}").random() < job.chance

    def recorded(self, event: Event) -> None:
        if event.kind not in _OF_PROCESSES:
            self._last = label(event)


def _meddling(job: Job) -> Meddling | None:
    if job.meddling is None:
        return None
    from .person import Meddling, Person

    notes, seed, chance = job.meddling
    return Meddling(Person(Path(job.folder), Path(notes), seed), chance)


_OF_PROCESSES = {
    "owner_changed",
    "time_spent",
    "run_parked",
    "command_taken",
    "model_failed",
    "run_interrupted",
    "question_voided",
}
"""Kinds of entries that each process may write once more: where a run stands is told by the others."""


def label(event: Event) -> str:
    """An entry's name, the same in every run."""
    about = getattr(event, "call", None) or getattr(event, "lane", None) or getattr(event, "sub_task", None)
    return f"{event.kind} {about}" if about else event.kind


class Idle:
    """Implements `autoagent.ports.Sandbox` for the rehearsal: every job ends at once and changes nothing."""

    abilities = Abilities("idle", "subset", shell=False)

    async def run(self, *args: object) -> JobResult:
        return JobResult(ok=True, output="", ended="exit", exit_code=0)

    def refuses(self, source: str, kind: str) -> str | None:
        return None

    async def close_lane(self, lane: str) -> None:
        return

    async def close(self) -> None:
        return


async def _carry(job: Job, memory: Memory | None = None, sandbox: Sandbox | None = None) -> dict[str, str]:
    """How the run stands when this process has carried it as far as it goes."""
    from autoagent import wiring
    from autoagent.goal.file import understand
    from autoagent.journal.sqlite import SqliteJournal
    from autoagent.testing.onlookers import Overheard

    from .world import plugin

    faults = Dying(job)
    home, folder = Path(job.home), Path(job.folder)

    class Journal(SqliteJournal):
        """Ends the process right after an entry was committed."""

        def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
            for entry in entries:
                if isinstance(entry.event, SubTaskEnded) and entry.event.lane == "gather" and job.edit:
                    path, text = job.edit
                    with faults.alive():
                        (folder / path).write_text(text)
            super().append(lease, entries, sync=sync)
            for entry in entries:  # of one transaction: they are there together
                faults.recorded(entry.event)
            faults.at(COMMIT, lambda: self.renew(lease))  # returns when all that was queued is committed

    def hear(lane: str, piece: str) -> None:
        faults.at(STREAM)

    journal = Journal(home, faults=faults)
    for entry in journal.read(job.run) if job.run else ():
        faults.recorded(entry.event)
    try:
        parts = wiring.Parts(
            journal=journal,
            home=home,
            faults=faults,
            memory=memory,
            sandbox=sandbox,
            plugins=[plugin(job.office, home.name)],
            onlookers=Overheard(hear),
        )
        hooks = wiring.Hooks(wait_s=job.wait_s)
        if job.run is None:
            outcome = await wiring.start(understand(job.goal)[0], folder, hooks=hooks, parts=parts)
        else:
            outcome = await wiring.resume(job.run, hooks=hooks, parts=parts)
    finally:
        journal.close()
    return {"ending": outcome.ending, "reason": outcome.reason}


if __name__ == "__main__":
    serve()
