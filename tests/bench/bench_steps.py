"""What a step costs: CPU of the whole process for a tool call, with a model in another process.

Run by hand: `python tests/bench/bench_steps.py [STEPS]`. Real journal, real folder, the real client over a
socket. Target: at most 5 ms a step at 200 steps, and at most twice that at 800. With `--smoke` a few steps
show that everything works; `--profile` says where the time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoagent import wiring
from autoagent.events import Entry, ModelReplied
from autoagent.goal.file import understand
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


def turns(steps: int) -> list[object]:
    """Writes and reads in turn, all different, then the end."""
    made = []
    for n in range(steps - 2):
        if n % 2 == 0:
            text = f"line {n} of many, a little longer than nothing\n" * 4
            made.append(("files_write", {"path": f"d{n % 7}/f{n % 49}.txt", "content": text}))
        else:
            made.append(("files_read", {"path": f"d{(n - 1) % 7}/f{(n - 1) % 49}.txt"}))
    made += [("files_write", {"path": "end.txt", "content": "x"}), ("finish", {"result": "done"})]
    return [{"calls": [{"name": name, "arguments": arguments}]} for name, arguments in made]


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


class Meter:
    """CPU time of this process at every so many steps, from the first one on: imports don't count."""

    def __init__(self, every: int) -> None:
        self.every, self.steps = every, 0
        self.marks: list[float] = []

    def hear(self, entry: Entry) -> None:
        if isinstance(entry.event, ModelReplied):
            self.steps += 1
            if self.steps % self.every == 1 or self.steps == 1:
                self.marks.append(time.process_time())

    def report(self) -> None:
        for number, (before, after) in enumerate(zip(self.marks, self.marks[1:], strict=False), 1):
            each = (after - before) / self.every * 1000
            sys.stdout.write(f"steps up to {number * self.every:>5}: {each:>7.2f} ms of CPU a step\n")


async def run(steps: int, every: int, home: Path, url: str) -> None:
    folder = home / "workspace"
    folder.mkdir()
    os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="none", OPENAI_MODEL="scripted")
    meter = Meter(every)
    goal, _ = understand(GOAL.format(steps=steps + 1))
    began = time.perf_counter()
    outcome = await wiring.start(
        goal, folder, hooks=Hooks(on_entry=meter.hear), parts=Parts(home=home / "home", memory=DictMemory())
    )
    seconds = time.perf_counter() - began
    assert outcome.ending == "proved", outcome.reason
    meter.report()
    sys.stdout.write(f"{outcome.steps} steps in {seconds:.1f} s\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=800)
    parser.add_argument("--smoke", action="store_true", help="few steps, to see that it works")
    parser.add_argument("--profile", action="store_true", help="the most expensive functions")
    options = parser.parse_args()
    steps, every = (20, 10) if options.smoke else (options.steps, EVERY)
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
