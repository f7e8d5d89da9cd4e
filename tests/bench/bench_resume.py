"""How long a long run takes to be taken up: its chain checked, read, and folded; and what appending costs.

Run by hand: `python tests/bench/bench_resume.py`; with `--smoke` the journal is small, for CI.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench_fold import journal as entries_of

from autoagent.journal.sqlite import SqliteJournal
from autoagent.state import fold

T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(f"{what:<24}{wall:>8.2f} s {cpu:>8.2f} s of CPU\n")
    return found


def filled(home: Path, size: int) -> SqliteJournal:
    """A home with one run of about `size` entries in 50 lanes, as a former process left it."""
    journal = SqliteJournal(home)
    journal.create("r", "/w")
    lease = journal.acquire("r", "bench")
    for entry in entries_of(size, 50):
        journal.append(lease, [entry])
    journal.close()
    return SqliteJournal(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a small journal, for CI")
    size = 1_000 if parser.parse_args().smoke else 100_000
    with tempfile.TemporaryDirectory() as home:
        journal = timed(f"write {size:,} entries", lambda: filled(Path(home), size))
        began = time.perf_counter()
        found = timed("verify", lambda: journal.verify("r"))
        assert found.first_bad is None, found
        entries = timed("read", lambda: journal.read("r"))
        timed("fold", lambda: fold("r", entries))
        sys.stdout.write(f"{'to resume it, all':<24}{time.perf_counter() - began:>8.2f} s\n")
        journal.close()


if __name__ == "__main__":
    main()
