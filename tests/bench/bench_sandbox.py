"""How fast the Docker sandbox is on this machine; run by hand: `python tests/bench/bench_sandbox.py`.

With `--smoke` everything runs a few times only, to show that it works.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from autoagent.ids import new_id
from autoagent.ports import Job, JobResult
from autoagent.sandboxes.docker import DockerSandbox, connect
from autoagent.settings import SandboxSettings
from autoagent.testing.contracts.sandbox_jobs import LOOKUP, answering
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy

PANDAS = "import pandas\nprint(len(pandas.DataFrame({'a': [1, 2]})))"
CALLS = 100
WARM_UP_S = 3


async def timed(what: str, action: Callable[[], Awaitable[object]], times: int, parts: int = 1) -> None:
    """Run it, report median and best in milliseconds, for each of its `parts`."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await action()
        took.append((time.perf_counter() - began) * 1000 / parts)
    sys.stdout.write(f"{what:<52}{statistics.median(took):>10,.1f} ms   best {min(took):,.1f}\n")


class Bench:
    """Jobs on one lane of one sandbox."""

    def __init__(self, sandbox: DockerSandbox, files: WorkingCopy) -> None:
        self._sandbox, self._files = sandbox, files

    async def python(self) -> None:
        await self._run(Job("python", "x = 1 + 1"))

    async def shell(self) -> None:
        await self._run(Job("shell", "true"))

    async def check(self) -> None:
        await self._run(Job("check", "true"))

    async def error(self) -> None:
        result = await self._sandbox.run("main", Job("python", "1 / 0"), self._files)
        assert result.ended == "error"

    async def pandas(self) -> None:
        await self._run(Job("python", PANDAS))

    async def calls(self) -> None:
        job = Job("script", f"for n in range({CALLS}):\n    lookup('x')")
        result = await self._sandbox.run("main", job, self._files, [LOOKUP], answering(lambda args: "found"))
        assert result.ok, result.problem

    async def new_lane(self) -> None:
        await self._run(Job("python", "x = 1"), new_id())

    async def _run(self, job: Job, lane: str = "main") -> JobResult:
        result = await self._sandbox.run(lane, job, self._files)
        assert result.ok, result.problem
        return result


def workspace(files: int) -> WorkingCopy:
    copy = WorkingCopy(EMPTY, MemoryObjects())
    for n in range(files):
        copy.write(f"d{n % 100}/f{n}.txt", f"{n} ".encode() * 50)
    return copy


async def main(smoke: bool) -> None:
    times, files = (3, 200) if smoke else (200, 10_000)
    began = time.perf_counter()
    sandbox = await connect(SandboxSettings(), f"bench-{new_id()}", lambda note: None)
    try:
        sys.stdout.write(f"{'connect: first container is ready':<52}{time.perf_counter() - began:>10.2f} s\n")
        bench = Bench(sandbox, workspace(3))
        await timed("python_run, warm", bench.python, times)
        await timed("shell_run", bench.shell, times)
        await timed("python_run that fails, put back", bench.error, times)
        await timed("a tool call of a script", bench.calls, max(1, times // 50), CALLS)
        await timed("first job of a new lane, container and all", bench.new_lane, max(1, times // 40))
        await timed("check, in a container of its own", bench.check, max(1, times // 20))
        await timed("python_run, first that imports pandas", bench.pandas, 1)
        await asyncio.sleep(WARM_UP_S)
        await timed("python_run that imports pandas, loaded by then", bench.pandas, times)
        large = Bench(sandbox, workspace(files))
        await timed(f"python_run on {files:,} files, all sent", large.python, 1)
        await timed(f"python_run on {files:,} files, none changed", large.python, max(1, times // 20))
    finally:
        await sandbox.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    asyncio.run(main(parser.parse_args().smoke))
