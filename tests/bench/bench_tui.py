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
from collections.abc import Callable
from pathlib import Path
from typing import cast

from bench_resume import filled
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.events import Key
from textual.screen import Screen

from autoagent.tui.app import Cockpit
from autoagent.tui.run.activity import Item
from autoagent.tui.run.feed import Feed
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.overview import UNREAD

KEYS = 200


class Timed(Cockpit):
    """Draws every frame as for a terminal, and says when it was done; else Textual would leave that out."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.painted = asyncio.Event()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)
        self.painted.set()

    async def typed(self, key: str) -> float:
        """Seconds from a key, as the terminal's reader hands it over, to the frame that it leads to."""
        await asyncio.sleep(0.02)  # nobody types faster; what the last key led to is drawn
        self.painted.clear()
        began = time.perf_counter()
        self.post_message(Key(key, None))
        await asyncio.wait_for(self.painted.wait(), 5)
        return time.perf_counter() - began


def said(what: str, value: str) -> None:
    sys.stdout.write(f"{what:<60}{value:>12}\n")


def memory_mb() -> float:
    """What this process holds now; what it held while the journal was made doesn't count."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def measured(home: Path, lines: int) -> None:
    """One cockpit over one long run."""
    before, began = memory_mb(), time.perf_counter()
    app = Timed(home)
    async with app.run_test(size=(120, 40)) as _:
        said("first frame", f"{time.perf_counter() - began:.2f} s")
        await until(lambda: app.has_looked)
        said("rows of all runs", f"{time.perf_counter() - began:.2f} s")
        await until(lambda: all(run.name != UNREAD for run in app.seen.values()))
        said("rows of all runs, every entry folded", f"{time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        app.open_run("r")
        await asyncio.sleep(0)
        await until(
            lambda: bool(app.screen.query("#activity") and app.screen.query_one("#activity", Feed).rows)
        )
        said("first lines of the run", f"{time.perf_counter() - began:.2f} s")
        pane, last = app.screen.query_one("#activity", Feed), app.seen["r"].state
        assert last is not None
        await app.typed("up")  # whoever reads doesn't follow
        told("while it is read", [await app.typed("up" if n % 2 else "down") for n in range(20)])
        await until(lambda: pane.stream.seqs[-1] >= last.seq - 1)
        said(f"all its {len(pane.rows):,} lines", f"{time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        for first in range(0, lines // 5, 1_000):
            pane.take([item(n, last.seq) for n in range(first, first + 1_000)])
        await app.typed("G")
        said(f"{lines:,} further lines", f"{time.perf_counter() - began:.2f} s")
        told("at rest", [await app.typed("up" if n % 3 else "pageup") for n in range(KEYS)])
        app.screen.query_one("#activity", Feed).sought("x" * 40)
        cast(RunScreen, app.screen).look_on()
        told("while text is looked for", [await app.typed("up" if n % 3 else "pageup") for n in range(50)])
        told("everything unfolded, and back", [await app.typed("z") for _ in range(6)])
        said("memory, beside Python's own", f"{memory_mb() - before:.0f} MB")


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.01)


def item(number: int, entries: int) -> Item:
    """A call with three lines of output and more that is folded; what that is stands in some entry."""
    output = tuple(f"{number * 7919 % 100_003} of what came out in line {n}" for n in range(3))
    target = f"logs/service-{number % 97}.log"
    seq = 1 + number % entries
    return Item(seq, seq, 1.8e9 + number, "ended", number, "3", "files_read", target, output=output, lines=9)


def told(when: str, waits: list[float]) -> None:
    waits.sort()
    said(f"from a key to the frame, {when}, median", f"{statistics.median(waits) * 1000:.0f} ms")
    said(f"from a key to the frame, {when}, p95", f"{waits[int(len(waits) * 0.95)] * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a small journal, for CI")
    is_small = parser.parse_args().smoke
    with tempfile.TemporaryDirectory() as home:
        filled(Path(home), 1_000 if is_small else 100_000).close()
        asyncio.run(measured(Path(home), 10_000 if is_small else 1_000_000))


if __name__ == "__main__":
    main()
