"""`kill -9` at random moments of a run in a process of its own: the same end, and nothing happens twice.

`AUTOAGENT_KILLS` says how many (default 6), `AUTOAGENT_SEED` at which moments.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from loops import write

from autoagent.journal.sqlite import SqliteJournal
from autoagent.state import fold
from autoagent.testing.model import call, calls
from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn

KILLS = int(os.environ.get("AUTOAGENT_KILLS", "6"))
SEED = int(os.environ.get("AUTOAGENT_SEED", "1"))
LONGEST_S = 1.2
CHILD = Path(__file__).with_name("killed_run.py")


def append(number: int) -> object:
    return call(
        "python_run", code=f"open('log.txt', 'a').write('{number}\\n')\nprint(open('log.txt').read())"
    )


def letter(text: str) -> object:
    return call("post_send", to="anna", text=text)


def turns() -> list[ServedTurn]:
    """What the worker says, each after a moment."""
    first = [append(n) for n in range(5)] + [letter("one"), call("finish", result="half")]
    second = [calls(append(5), append(6)), write("b.txt", "b"), letter("two"), append(7), append(8)]
    second += [calls(append(9), write("end.txt", "x")), call("finish", result="all")]
    served = []
    for reply in (*first, *second):
        made = tuple(ServedCall(name=c.name, arguments=c.arguments) for c in reply.calls)  # type: ignore[attr-defined]
        served.append(ServedTurn(calls=made, delay_s=0.1))
    return served


EXPECTED = {"log.txt": "".join(f"{n}\n" for n in range(10)), "b.txt": "b", "end.txt": "x"}


class Child:
    """The run's processes, one after the other."""

    def __init__(self, home: Path, folder: Path, url: str) -> None:
        self.home, self.folder = home, folder
        self.run: str | None = None
        self.env = {
            **os.environ,
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "none",
            "OPENAI_MODEL": "scripted",
        }

    async def begin(self) -> Process:
        """A process that carries the run from where it is; returns once it does."""
        rest = [] if self.run is None else [self.run]
        child = await asyncio.create_subprocess_exec(
            sys.executable, CHILD, self.home, self.folder, *rest, env=self.env, stdout=PIPE, stderr=PIPE
        )
        assert child.stdout is not None
        line = (await child.stdout.readline()).decode().strip()
        self.run = self.run or line
        return child

    async def kill_within(self, seconds: float) -> bool:
        """Begin, and kill after so long; whether it was still at work."""
        child = await self.begin()
        try:
            await asyncio.wait_for(child.wait(), seconds)
        except TimeoutError:
            child.kill()
        await child.communicate()
        return child.returncode != 0

    async def to_the_end(self) -> str:
        child = await self.begin()
        out, errors = await child.communicate()
        assert child.returncode == 0, errors.decode()
        return out.decode()


async def test_killed_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    """Each line once, each letter once, the files of an undisturbed run."""
    home, folder = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    folder.mkdir()
    moments = random.Random(SEED)
    killed = 0
    async with ScriptedServer(turns(), same_again=True) as server:
        child = Child(home, folder, server.base_url)
        for _ in range(KILLS):
            killed += await child.kill_within(moments.uniform(0, LONGEST_S))
        await child.to_the_end()

    assert child.run is not None
    journal = SqliteJournal(home)
    state = fold(child.run, journal.read(child.run))
    journal.close()
    assert state.ended is not None
    assert (state.ended.ending, state.ended.reason) == ("proved", "the criterion is proved")
    assert {p.name: p.read_text() for p in folder.iterdir()} == EXPECTED
    letters = [line.partition(" ")[2] for line in (home / "outbox").read_text().splitlines()]
    assert letters == ["anna: one", "anna: two"]
    assert killed > 0
