"""What a step costs: CPU of the whole process for a tool call, with a model in another process.

Run by hand: `python tests/bench/bench_steps.py [STEPS]`. Real journal, real folder, the real client over a
socket. Target: at most 5 ms a step at 200 steps, and at most twice that at 800. With `--smoke` a few steps
show that everything works; `--profile` says where the time goes.

CPU time depends on the machine and on what else runs there, so that the same server also serves a bare loop,
before and after: what any program needs that asks the same client, writes as many rows of SQLite and files,
and keeps as much of it over a power cut. A step costs so many of its turns.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

from openai import AsyncOpenAI, AsyncStream

from autoagent import wiring
from autoagent.cli.app import search_less_for_garbage
from autoagent.events import Entry, ModelReplied
from autoagent.goal.file import understand
from autoagent.live.serving import served as served_live
from autoagent.testing.memory import DictMemory
from autoagent.wiring import Hooks, Parts

GOAL = """
goal: many small steps
plugins: [files]
done_when: [{{file: end.txt}}]
plan: [{{id: a, title: all of them}}]
limits: {{steps: {steps}, tokens: 1000000000}}
"""
EVERY = 100
BARE = "a bare loop's request"
PROMPT = json.dumps([{"role": "user", "content": BARE + " " * 200}] * 200)
"""As long as the conversation after 100 steps."""


def turns(steps: int) -> list[object]:
    """Writes and reads in turn, all different, then the end; and what a bare loop is answered."""
    made: list[tuple[str, object]] = []
    for n in range(steps - 2):
        if n % 2 == 0:
            text = f"line {n} of many, a little longer than nothing\n" * 4
            made.append(("files_write", {"path": f"d{n % 7}/f{n % 49}.txt", "content": text}))
        else:
            made.append(("files_read", {"path": f"d{(n - 1) % 7}/f{(n - 1) % 49}.txt"}))
    made += [("files_write", {"path": "end.txt", "content": "x"}), ("finish", {"result": "done"})]
    calls = [[{"name": name, "arguments": arguments}] for name, arguments in made]
    return [{"calls": calls[0], "when": BARE, "times": None}, *({"calls": each} for each in calls)]


@contextmanager
def served(home: Path, steps: int) -> Iterator[str]:
    """A scripted server in a process of its own; its address."""
    path = home / "turns.json"
    path.write_text(json.dumps(turns(steps)))
    command = [sys.executable, "-m", "autoagent.testing.server", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def cpu_of_threads() -> dict[str, float]:
    """CPU seconds of each of our threads, by what they do."""
    spent: dict[str, float] = {}
    for thread in threading.enumerate():
        if thread.ident is not None:
            name = "asyncio.to_thread" if thread.name.startswith("asyncio_") else thread.name
            clock = time.pthread_getcpuclockid(thread.ident)
            spent[name] = spent.get(name, 0.0) + time.clock_gettime(clock)
    return spent


class Meter:
    """CPU time of this process at every so many steps, from the first one on: imports don't count."""

    def __init__(self, every: int) -> None:
        self.every, self.steps = every, 0
        self.marks: list[tuple[float, dict[str, float]]] = []

    def hear(self, entry: Entry) -> None:
        if isinstance(entry.event, ModelReplied):
            self.steps += 1
            if self.steps % self.every == 1 or self.steps == 1:
                self.marks.append((time.process_time(), cpu_of_threads()))

    def report(self, bare_ms: float) -> None:
        for number, ((before, _), (after, _)) in enumerate(pairwise(self.marks), 1):
            ms = (after - before) / self.every * 1000
            times = f"{ms / bare_ms:.1f} turns of a bare loop"
            sys.stdout.write(f"steps up to {number * self.every:>5}: {ms:>6.2f} ms of CPU a step, {times}\n")
        (_, first), (_, last) = self.marks[0], self.marks[-1]
        steps = self.every * (len(self.marks) - 1)
        spent = {name: (s - first.get(name, 0.0)) / steps * 1000 for name, s in last.items()}
        parts = ", ".join(f"{name} {ms:.2f}" for name, ms in spent.items())
        sys.stdout.write(f"by thread, ms a step: {parts}\n")


async def bare(turns: int, home: Path, url: str) -> float:
    """CPU ms a turn of a loop without us: a request, and rows; a file every second time."""
    journal = sqlite3.connect(home / "bare.db", isolation_level=None)
    journal.execute("PRAGMA journal_mode=WAL")
    journal.execute("CREATE TABLE IF NOT EXISTS rows (body TEXT)")
    body = f'{{"model": "scripted", "stream": true, "messages": {PROMPT}}}'.encode()
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def turn(is_write: bool) -> None:
            reply = await client.post(
                "/chat/completions", content=body, stream=True, stream_cls=AsyncStream[object], cast_to=object
            )
            async with reply:
                text = json.dumps([chunk async for chunk in reply])
            _insert(journal, [text] * 3, "NORMAL")
            _insert(journal, [text] * 2, "FULL" if is_write else "NORMAL")
            if is_write:
                _write(home / "bare.txt", text)

        await turn(True)
        began = time.process_time()
        for number in range(turns):
            await turn(number % 2 == 0)
        spent = time.process_time() - began
    journal.close()
    return spent / turns * 1000


def _insert(journal: sqlite3.Connection, rows: list[str], durability: str) -> None:
    journal.execute(f"PRAGMA synchronous={durability}")
    journal.execute("BEGIN IMMEDIATE")
    journal.executemany("INSERT INTO rows VALUES (?)", [(row,) for row in rows])
    journal.execute("COMMIT")


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


async def run(steps: int, every: int, home: Path, url: str) -> None:
    folder = home / "workspace"
    folder.mkdir()
    os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="none", OPENAI_MODEL="scripted")
    meter = Meter(every)
    bare_ms = await bare(every, home, url)
    goal, _ = understand(GOAL.format(steps=steps + 1))
    began = time.perf_counter()
    parts = Parts(home=home / "home", memory=DictMemory(), onlookers=partial(served_live, home / "home"))
    outcome = await wiring.start(goal, folder, hooks=Hooks(on_entry=meter.hear), parts=parts)
    seconds = time.perf_counter() - began
    assert outcome.ending == "proved", outcome.reason
    bare_ms = (bare_ms + await bare(every, home, url)) / 2
    sys.stdout.write(f"a turn of a bare loop: {bare_ms:>6.2f} ms of CPU\n")
    meter.report(bare_ms)
    sys.stdout.write(f"{outcome.steps} steps in {seconds:.1f} s\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=800)
    parser.add_argument("--smoke", action="store_true", help="few steps, to see that it works")
    parser.add_argument("--profile", action="store_true", help="the most expensive functions")
    options = parser.parse_args()
    steps, every = (20, 10) if options.smoke else (options.steps, EVERY)
    search_less_for_garbage()  # as the command does
    profile = cProfile.Profile(time.process_time) if options.profile else None
    with tempfile.TemporaryDirectory() as home, served(Path(home), steps + 1) as url:
        if profile is not None:
            profile.enable()
        asyncio.run(run(steps + 1, every, Path(home), url))
    if profile is not None:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumtime").print_stats(80)


if __name__ == "__main__":
    main()
