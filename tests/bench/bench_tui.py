"""How long the cockpit takes: to its first rows, to open a long run, from a key to the frame; and its memory.

Run by hand: `python tests/bench/bench_tui.py`; with `--smoke` the journal is small, for CI.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench_resume import filled

from autoagent.console.line import line
from autoagent.tui.app import Cockpit
from autoagent.tui.lines import Lines
from autoagent.tui.overview import UNREAD
from autoagent.tui.view import Row

KEYS = 200


def said(what: str, value: str) -> None:
    sys.stdout.write(f"{what:<44}{value:>12}\n")


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measured(home: Path, lines: int) -> None:
    """One cockpit over one long run."""
    before, began = memory_mb(), time.perf_counter()
    app = Cockpit(home)
    async with app.run_test(size=(120, 40)) as pilot:
        said("first frame", f"{time.perf_counter() - began:.2f} s")
        while not app.has_looked:
            await pilot.pause(0.01)
        said("rows of all runs", f"{time.perf_counter() - began:.2f} s")
        while any(run.name == UNREAD for run in app.seen.values()):
            await pilot.pause(0.01)
        said("rows of all runs, every entry folded", f"{time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        app.open_run("r")
        await pilot.pause()
        while not app.screen.query("#activity") or not app.screen.query_one("#activity", Lines).rows:
            await pilot.pause(0.01)
        said("first lines of the run", f"{time.perf_counter() - began:.2f} s")
        pane, count = app.screen.query_one("#activity", Lines), -1
        while count != len(pane.rows):
            count = len(pane.rows)
            await pilot.pause(0.5)
        said(f"all its {count:,} lines", f"{time.perf_counter() - began - 0.5:.2f} s")
        began = time.perf_counter()
        for first in range(0, lines, 1_000):
            pane.add([Row(line(f"output {n}")) for n in range(first, first + 1_000)])
        pane.add([Row(line("x" * 1_000_000))])
        await pilot.pause()
        said(f"{lines:,} further lines, one of 1 MB", f"{time.perf_counter() - began:.2f} s")
        waits = []
        for n in range(KEYS):
            began = time.perf_counter()
            await pilot.press("up" if n % 3 else "pagedown")
            waits.append(time.perf_counter() - began)
        waits.sort()
        said("from a key to the frame, median", f"{statistics.median(waits) * 1000:.0f} ms")
        said("from a key to the frame, p95", f"{waits[int(len(waits) * 0.95)] * 1000:.0f} ms")
        said("memory, beside Python's own", f"{memory_mb() - before:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a small journal, for CI")
    is_small = parser.parse_args().smoke
    with tempfile.TemporaryDirectory() as home:
        filled(Path(home), 1_000 if is_small else 100_000).close()
        asyncio.run(measured(Path(home), 10_000 if is_small else 1_000_000))


if __name__ == "__main__":
    main()
