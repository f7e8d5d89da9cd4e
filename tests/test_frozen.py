"""SIGSTOP in the middle of a run: another process takes it over, and the thawed one does nothing more."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from cli_runs import Cli, finished, served
from frozen_run import STALE_AFTER_S
from loops import write

from autoagent.errors import RunOwned
from autoagent.faults import FaultPoint
from autoagent.journal.sqlite import SqliteJournal
from autoagent.state import fold
from autoagent.testing.model import call
from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn

CHILD = Path(__file__).with_name("frozen_run.py")
REPLIES = (
    write("a.txt", "a"),
    call("python_run", code="open('log.txt', 'a').write('once\\n')"),
    call("post_send", to="anna", text="hello"),
    write("end.txt", "x"),
    call("finish", result="all"),
)
FILES = {"a.txt": "a", "log.txt": "once\n", "end.txt": "x"}


class Children:
    """The processes of one run; gone at the end, frozen or not."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.url = ""
        self.started: list[subprocess.Popen[str]] = []

    def start(self, point: str, *run: str) -> subprocess.Popen[str]:
        env = {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "none", "OPENAI_MODEL": "scripted"}
        child = subprocess.Popen(
            [sys.executable, CHILD, self.home, self.folder, point, *run],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(child)
        return child

    async def frozen_at(self, point: FaultPoint) -> tuple[subprocess.Popen[str], str]:
        """A process that has stopped itself there, and its run."""
        child = self.start(point)
        await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    def now(self) -> tuple[dict[str, str], str]:
        """The folder, and what was sent."""
        outbox = self.home / "outbox"
        sent = outbox.read_text() if outbox.exists() else ""
        return {p.name: p.read_text() for p in self.folder.iterdir()}, sent


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path / "home", tmp_path / "work")
    children.home.mkdir()
    children.folder.mkdir()
    yield children
    for child in children.started:
        child.kill()
        child.communicate()


def turns() -> list[ServedTurn]:
    made = [reply.calls[0] for reply in REPLIES]
    return [ServedTurn(calls=(ServedCall(name=c.name, arguments=c.arguments),)) for c in made]


@pytest.mark.parametrize(
    "point", ["request noted", "job done", "about to send", "ended, not projected", "file staged"]
)
async def test_a_frozen_run_is_taken_over(run: Children, point: FaultPoint) -> None:
    """The next owner carries it to its end; the thawed one changes nothing and ends with the error."""
    async with ScriptedServer(turns(), same_again=True) as server:
        run.url = server.base_url
        frozen, run_id = await run.frozen_at(point)
        journal = SqliteJournal(run.home)
        holder = journal.holder(run_id)
        await asyncio.sleep(STALE_AFTER_S)
        said, errors = await asyncio.to_thread(run.start("-", run_id).communicate)
        after = run.now()
        frozen.send_signal(signal.SIGCONT)
        _, complaint = await asyncio.to_thread(frozen.communicate)

    assert holder == f"process {frozen.pid} on {os.uname().nodename}"
    assert "proved" in said, errors
    assert after[0] == FILES
    assert [line.partition(" ")[2] for line in after[1].splitlines()] == ["anna: hello"]
    assert "the lease of epoch 1 is over" in complaint
    assert frozen.returncode == 5
    assert run.now() == after
    epochs = [entry.epoch for entry in journal.read(run_id)]
    assert epochs == sorted(epochs)
    ended = fold(run_id, journal.read(run_id)).ended
    assert ended is not None
    assert ended.ending == "proved"
    journal.close()


async def test_a_stopped_owner_is_named(run: Children) -> None:
    """A second process that comes too early is told who has the run and when it can be had."""
    async with ScriptedServer(turns(), same_again=True) as server:
        run.url = server.base_url
        frozen, run_id = await run.frozen_at("about to send")
        journal = SqliteJournal(run.home)

        with pytest.raises(RunOwned, match=f"process {frozen.pid} on .*, last heard of"):
            journal.acquire(run_id, "here:1")
        journal.close()


async def test_a_killed_owner_is_taken_over_at_once(run: Children) -> None:
    """Nobody waits for a process that is seen to be dead."""
    async with ScriptedServer(turns(), same_again=True) as server:
        run.url = server.base_url
        frozen, run_id = await run.frozen_at("about to send")
        frozen.kill()
        said, errors = await asyncio.to_thread(run.start("-", run_id).communicate)

    assert "proved" in said, errors
    assert run.now()[0] == FILES


async def test_the_command_says_that_its_run_was_taken_over(tmp_path: Path) -> None:
    """In the middle of a model call: status 5, the reason on stderr and in the final record."""
    cli = Cli(tmp_path / "home", tmp_path)
    work = cli.workspace("goal: x\nplugins: [files]\ndone_when: [{file: a.txt}]\nplan: [{id: a, title: b}]\n")
    async with served(cli, ServedTurn(delay_s=0.5, text="I wonder.")):
        process = await cli.start("run", work, "--json")
        journal = SqliteJournal(cli.home, stale_after_s=0.0)
        assert process.stdout is not None
        run_id = json.loads(await process.stdout.readline())["run"]
        async with aclosing(journal.follow(run_id)) as entries:  # type: ignore[type-var]
            while (await anext(entries)).event.kind != "model_called":
                pass
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        lease, before = journal.acquire(run_id, "here:1"), journal.head(run_id)
        process.send_signal(signal.SIGCONT)
        done = await finished(process)

    assert (done.status, done.records[-1]["exit_code"]) == (5, 5)
    assert "was taken over by another process" in done.records[-1]["reason"] + done.err
    assert journal.holds(lease)
    assert journal.head(run_id) == before
    journal.close()
