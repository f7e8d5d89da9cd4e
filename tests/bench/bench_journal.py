"""How fast the journal is on this machine; run by hand: `python tests/bench/bench_journal.py`.

With `--smoke` the numbers of entries are small, and only that everything works is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from autoagent.events import CallEnded, Entry
from autoagent.journal.sqlite import SqliteJournal
from autoagent.ports import Lease

Longest = SimpleQueue  # of seconds
OUTPUT = "2026-11-20 11:02:17 payments-7f9 OOMKilled exit=137 restarts=4\n" * 8


def entry(seq: int) -> Entry:
    """An entry as most are: a call's observation of half a kilobyte."""
    event = CallEnded(call=f"c{seq}", lane="main", ok=True, output=OUTPUT, seconds=0.25)
    return Entry(seq=seq, at=datetime.now(UTC), epoch=1, event=event)


def owned(journal: SqliteJournal, run_id: str) -> Lease:
    journal.create(run_id, f"/tmp/{run_id}")
    return journal.acquire(run_id, "bench")


def report(what: str, value: float, unit: str) -> None:
    sys.stdout.write(f"{what:<44}{value:>12,.1f} {unit}\n")


async def in_bulk(journal: SqliteJournal, count: int) -> None:
    """All appended, then one wait."""
    lease = owned(journal, "bulk")
    made = [entry(seq) for seq in range(1, count + 1)]
    start = time.perf_counter()
    for each in made:
        journal.append(lease, [each])
    await journal.durable()
    report("NORMAL, one wait at the end", count / (time.perf_counter() - start), "events/s")


async def one_by_one(journal: SqliteJournal, count: int, *, sync: bool) -> None:
    """Each waited for, as before an effect."""
    lease = owned(journal, f"single-{sync}")
    start = time.perf_counter()
    for seq in range(1, count + 1):
        journal.append(lease, [entry(seq)], sync=sync)
        await journal.durable()
    took_s = time.perf_counter() - start
    report(f"{'sync' if sync else 'NORMAL'}, each waited for", count / took_s, "events/s")
    report("  one", took_s / count * 1e3, "ms")


async def handed_over(journal: SqliteJournal, count: int, pause_s: float) -> None:
    """How long `append` keeps the loop: with the writer busy, and with it asleep."""
    lease = owned(journal, f"handed-{pause_s}")
    took_s = []
    for seq in range(1, count + 1):
        each = entry(seq)
        start = time.perf_counter()
        journal.append(lease, [each])
        took_s.append(time.perf_counter() - start)
        await asyncio.sleep(pause_s)
    await journal.durable()
    name = "asleep" if pause_s else "busy"
    report(f"append, writer {name}, p50", statistics.median(took_s) * 1e6, "µs")
    report(f"append, writer {name}, p99", sorted(took_s)[len(took_s) * 99 // 100] * 1e6, "µs")


def timed(what: str, work: Callable[[], object]) -> None:
    start = time.perf_counter()
    work()
    report(what, (time.perf_counter() - start) * 1e3, "ms")


def small_objects(journal: SqliteJournal, count: int) -> None:
    data = [seq.to_bytes(4, "big") * 500 for seq in range(count)]
    timed(f"put {count:,} objects of 2 kB", lambda: [journal.objects.put(each) for each in data])
    timed("  again", lambda: [journal.objects.put(each) for each in data])


def write_alone(home: Path, run_id: str, count: int, how: str, together: Barrier, longest: Longest) -> None:
    """A process that writes its own run; `how` says what it waits for."""

    async def main() -> None:
        journal = SqliteJournal(home)
        lease = owned(journal, run_id)
        together.wait()
        longest_s = 0.0
        for seq in range(1, count + 1):
            start = time.perf_counter()
            journal.append(lease, [entry(seq)], sync=how == "fsynced")
            if how != "one wait":
                await journal.durable()
            longest_s = max(longest_s, time.perf_counter() - start)
        await journal.durable()
        together.wait()
        longest.put(longest_s)
        journal.close()

    asyncio.run(main())


def by_processes(home: Path, processes: int, count: int, how: str) -> None:
    """Several processes write their own runs into one home, from one moment on."""
    context = multiprocessing.get_context("spawn")
    together, longest = context.Barrier(processes + 1), context.SimpleQueue()
    workers = [
        context.Process(target=write_alone, args=(home, f"{how} {n}", count, how, together, longest))
        for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    together.wait()
    start = time.perf_counter()
    together.wait()
    report(f"{processes} processes, {how}", processes * count / (time.perf_counter() - start), "events/s")
    report("  longest wait", max(longest.get() for _ in workers) * 1e3, "ms")
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers), "a process could not write"


def list_runs(journal: SqliteJournal, count: int) -> None:
    for n in range(count):
        journal.create(f"listed-{n}", "/tmp/w")
    timed(f"list {len(journal.runs()):,} runs", journal.runs)


async def measure(home: Path, scale: int) -> None:
    timed("open a new home", lambda: SqliteJournal(home).close())
    journal = SqliteJournal(home)
    await in_bulk(journal, 1_000 * scale)
    await one_by_one(journal, 20 * scale, sync=False)
    await one_by_one(journal, 10 * scale, sync=True)
    await handed_over(journal, 20 * scale, 0)
    await handed_over(journal, 4 * scale, 0.002)
    timed(f"read {1_000 * scale:,} entries", lambda: journal.read("bulk"))
    small_objects(journal, 50 * scale)
    list_runs(journal, 20 * scale)
    journal.close()
    timed("open it again", lambda: SqliteJournal(home).close())
    processes = 8 if scale > 1 else 2
    by_processes(home, processes, 100 * scale, "one wait")
    by_processes(home, processes, 10 * scale, "each waited for")
    by_processes(home, processes, 2 * scale, "fsynced")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--smoke", action="store_true", help="few entries, for CI")
    scale = 1 if arguments.parse_args().smoke else 100
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(measure(Path(home), scale))


if __name__ == "__main__":
    main()
