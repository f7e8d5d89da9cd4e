"""Several processes on one journal: kills, takeovers, writing and following at the same time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from autoagent.commands import Cancel
from autoagent.errors import RunOwned, StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.journal.turnstile import Turnstile
from autoagent.testing.contracts.journal import take
from autoagent.testing.contracts.journal_entries import entries, entry, owned
from autoagent.testing.contracts.objects import some_bytes

START = """
import asyncio, itertools, sys
from pathlib import Path
from autoagent.commands import Cancel
from autoagent.errors import LeaseLost
from autoagent.journal.sqlite import SqliteJournal
from autoagent.journal.turnstile import Turnstile
from autoagent.testing.contracts.journal_entries import entries, entry, owned
from autoagent.testing.contracts.objects import some_bytes

home, name = Path(sys.argv[1]), sys.argv[2]

def say(text):
    print(text, flush=True)
"""

WRITE_FOR_EVER = """
async def main():
    journal = SqliteJournal(home)
    lease = owned(journal, name)
    for seq in itertools.count(1):
        journal.objects.put(seq.to_bytes(4, "big"))
        journal.append(lease, [entry(seq)], sync=seq % 7 == 0)
        if seq % 3 == 0:
            await journal.durable()
            say(seq)

asyncio.run(main())
"""

HOLD = """
journal = SqliteJournal(home)
owned(journal, name)
say("held")
sys.stdin.read()
"""


class Child:
    """Another process that runs `program` and talks over its standard streams."""

    def __init__(self, program: str, home: Path, name: str = "r") -> None:
        command = [sys.executable, "-c", START + program, str(home), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def line(self) -> str:
        """What it says next; empty when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> list[str]:
        """End it without a warning; what it had said."""
        self.process.kill()
        return self.process.communicate()[0].split()

    def end(self) -> int:
        """Let it end by itself; its exit status."""
        self.process.communicate()
        return self.process.returncode


@contextmanager
def children(program: str, home: Path, *names: str) -> Iterator[list[Child]]:
    """Processes that are gone afterwards, whatever happens."""
    started = [Child(program, home, name) for name in names]
    try:
        yield started
    finally:
        for child in started:
            child.process.kill()
            child.process.communicate()


# --- kill -9 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 5, 40])
def test_acknowledged_entries_survive_a_kill(tmp_path: Path, lines: int) -> None:
    """What `durable` acknowledged is there after SIGKILL, without gaps, and so is each entry's object."""
    with children(WRITE_FOR_EVER, tmp_path, "r") as (child,):
        said = [child.line() for _ in range(lines)] + child.kill()
    journal = SqliteJournal(tmp_path)
    found = journal.read("r")

    assert len(found) >= int(said[-1]) >= 3 * lines
    assert found == entries(1, len(found))
    assert journal.head("r").entries == len(found)
    names = [journal.objects.put(seq.to_bytes(4, "big")) for seq in range(1, len(found) + 1)]
    assert [journal.objects.get(name) for name in names] == [e.seq.to_bytes(4, "big") for e in found]
    journal.close()


def test_the_next_process_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A killed holder's run is taken over at once and goes on with the next number."""
    with children(WRITE_FOR_EVER, tmp_path, "r") as (child,):
        child.line()
        child.kill()
    journal = SqliteJournal(tmp_path)
    lease = journal.acquire("r", "here:1")
    last = journal.head("r").entries
    journal.append(lease, [entry(last + 1, epoch=2)])

    assert lease.epoch == 2
    assert journal.read("r") == [*entries(1, last), entry(last + 1, epoch=2)]
    journal.close()


@pytest.mark.parametrize("missing_bytes", [1, 4_000, 50_000])
def test_a_torn_log_loses_its_end_only(tmp_path: Path, missing_bytes: int) -> None:
    """Where a crash of the machine cut the write-ahead log, the run is a shorter one, without gaps."""
    with children(WRITE_FOR_EVER, tmp_path, "r") as (child,):
        for _ in range(20):
            child.line()
        child.kill()
    log = tmp_path / "journal.db-wal"
    os.truncate(log, max(0, log.stat().st_size - missing_bytes))
    journal = SqliteJournal(tmp_path)
    found = journal.read("r")

    assert found == entries(1, len(found))
    assert journal.head("r").entries == len(found)
    journal.close()


# --- who holds a run ----------------------------------------------------------------------------------------


def test_another_living_process_is_named(tmp_path: Path) -> None:
    """A run that a living process holds is refused with its process id and host."""
    with children(HOLD, tmp_path, "r") as (child,):
        assert child.line() == "held"
        journal = SqliteJournal(tmp_path)

        expected = f"run 'r' is being worked on by process {child.process.pid} on {os.uname().nodename}, last"
        with pytest.raises(RunOwned, match=expected):
            journal.acquire("r", "here:1")
        journal.close()


def stopped(child: Child) -> None:
    """Stop a process, and return once it is."""
    child.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.process.pid, os.WSTOPPED | os.WNOWAIT)


def test_a_stopped_process_keeps_its_run_for_a_while(tmp_path: Path) -> None:
    """Who stops a process for a moment loses nothing; the refusal says when it can be taken over."""
    with children(HOLD, tmp_path, "r") as (child,):
        assert child.line() == "held"
        stopped(child)
        journal = SqliteJournal(tmp_path)

        with pytest.raises(
            RunOwned,
            match=r"last heard of \d s ago \(if it hangs, do this again in \d+ s: that takes over\)",
        ):
            journal.acquire("r", "here:1")
        journal.close()


WRITE_LATER = """
async def main():
    journal = SqliteJournal(home)
    lease = owned(journal, name)
    journal.append(lease, [entry(1)])
    await journal.durable()
    say("held")
    sys.stdin.readline()
    try:
        say("holds" if journal.holds(lease) else "lost")
        journal.append(lease, [entry(2)])
        await journal.durable()
    except LeaseLost as error:
        say(error)

asyncio.run(main())
"""


def test_a_stopped_process_is_taken_over_and_writes_nothing(tmp_path: Path) -> None:
    """After the stated silence its run passes on; when it goes on it finds its lease lost."""
    with children(WRITE_LATER, tmp_path, "r") as (child,):
        assert child.line() == "held"
        stopped(child)
        journal = SqliteJournal(tmp_path, stale_after_s=0.0)
        lease = journal.acquire("r", "here:1")
        child.process.send_signal(signal.SIGCONT)
        child.input.write("go on\n")
        child.input.flush()

        assert lease.epoch == 2
        assert child.line() == "lost"
        assert "the lease of epoch 1 is over" in child.line()
        assert journal.read("r") == [entry(1)]
        journal.close()


def test_a_hearts_beat_needs_no_loop(tmp_path: Path) -> None:
    """While the main thread does nothing but wait, its lease stays fresh."""
    program = """
journal = SqliteJournal(home, stale_after_s=0.6)
owned(journal, name)
say("held")
sys.stdin.read()
"""
    with children(program, tmp_path, "r") as (child,):
        assert child.line() == "held"
        first = beats(tmp_path)
        while (later := beats(tmp_path)) == first:
            pass

        assert later > first


def beats(home: Path) -> int:
    with closing(sqlite3.connect(home / "journal.db")) as connection:
        return int(connection.execute("SELECT beat_ns FROM leases").fetchone()[0])


def test_a_dead_process_that_nobody_waited_for_is_dead(tmp_path: Path) -> None:
    """A zombie holds nothing."""
    with children(HOLD, tmp_path, "r") as (child,):
        assert child.line() == "held"
        child.process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
        journal = SqliteJournal(tmp_path)

        assert journal.acquire("r", "here:1").epoch == 2
        journal.close()


# --- at the same time ---------------------------------------------------------------------------------------

WRITE_MANY = """
async def main():
    say("ready")
    sys.stdin.readline()
    journal = SqliteJournal(home)
    lease = owned(journal, name, "/tmp/" + name)
    for seq in range(1, 301):
        journal.objects.put(some_bytes(1_000, seq))
        journal.append(lease, [entry(seq)], sync=seq % 10 == 0)
        if seq % 10 == 0:
            await journal.durable()
            journal.renew(lease)
            journal.send(name, Cancel(why=str(seq)), name)
    journal.objects.put(some_bytes(200_000))
    journal.close()

asyncio.run(main())
"""


def test_four_processes_write_at_once(tmp_path: Path) -> None:
    """Four processes make one home and write their runs, commands and the same objects, none is refused."""
    names = ["a", "b", "c", "d"]
    with children(WRITE_MANY, tmp_path / "home", *names) as writers:
        assert [child.line() for child in writers] == ["ready"] * 4
        for child in writers:
            child.input.write("go\n")
            child.input.flush()

        assert [child.end() for child in writers] == [0] * 4
    journal = SqliteJournal(tmp_path / "home")
    assert sorted(run.id for run in journal.runs()) == names
    for name in names:
        assert journal.read(name) == entries(1, 300)
        assert [c.number for c in journal.commands(name)] == list(range(1, 31))
    assert len(journal.objects.get(journal.objects.put(some_bytes(200_000)))) == 200_000
    journal.close()


KEEP_THE_TURN = """
with Turnstile(home / "journal.db").turn():
    say("in")
    sys.stdin.read()
"""


def test_a_killed_process_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A process that dies in its turn leaves it to the next."""
    with children(KEEP_THE_TURN, tmp_path, "r") as (child,):
        assert child.line() == "in"
        child.kill()
        journal = SqliteJournal(tmp_path)

        assert owned(journal).epoch == 1
        journal.close()


def test_who_keeps_everybody_waiting_is_named(tmp_path: Path) -> None:
    """A process that was stopped in its turn must be ended; the error says which one it is."""
    with children(KEEP_THE_TURN, tmp_path, "r") as (child,):
        assert child.line() == "in"
        stopped(child)
        turnstile = Turnstile(tmp_path / "journal.db", timeout_s=0.05)
        name = f"process {child.process.pid}" if sys.platform == "linux" else "another process"

        with pytest.raises(StoreUnavailable, match=f"{name} kept it locked for 0 s; end it if it hangs"):
            turnstile.turn().__enter__()


FOLLOW = """
async def main():
    journal = SqliteJournal(home)
    say("following")
    async for each in journal.follow(name):
        say(each.seq)

asyncio.run(main())
"""


async def test_another_process_follows(tmp_path: Path) -> None:
    """A follower in another process sees entries once they are committed, in order."""
    journal = SqliteJournal(tmp_path)
    lease = owned(journal)
    journal.append(lease, entries(1, 2))
    with children(FOLLOW, tmp_path, "r") as (child,):
        assert [child.line() for _ in range(3)] == ["following", "1", "2"]
        journal.append(lease, entries(3, 5))
        await journal.durable()

        assert [child.line() for _ in range(3)] == ["3", "4", "5"]
    journal.close()


async def test_following_another_process(tmp_path: Path) -> None:
    """Entries that another process writes come as they are written."""
    journal = SqliteJournal(tmp_path)
    with children(WRITE_FOR_EVER, tmp_path, "r") as (child,):
        child.line()

        assert await take(journal.follow("r"), 50) == entries(1, 50)
    journal.close()


def test_a_command_reaches_another_process(tmp_path: Path) -> None:
    """What one process sends, the one that holds the run reads."""
    journal = SqliteJournal(tmp_path)
    owned(journal)
    program = """
SqliteJournal(home).send(name, Cancel(why="from outside"), "another terminal")
"""
    with children(program, tmp_path, "r") as (child,):
        assert child.end() == 0
    (sent,) = journal.commands("r")

    assert (sent.number, sent.by, sent.command) == (1, "another terminal", Cancel(why="from outside"))
    journal.close()
