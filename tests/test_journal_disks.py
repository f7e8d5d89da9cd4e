"""The journal on a disk that is really full, or read-only: mounted for the test, where that is allowed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.memory.edge import EdgeMemory
from autoagent.testing.contracts.journal_entries import entries, entry, owned
from autoagent.testing.contracts.memory import point


def mount(*arguments: str) -> str:
    """What stood in the way; empty where nothing did."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or "mount failed"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if why := mount("-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)):
        pytest.skip(f"no file system can be mounted here: {why}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


FILL = """
import asyncio, sys
from pathlib import Path
from autoagent.errors import StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal_entries import entries, owned

async def main():
    journal = SqliteJournal(Path(sys.argv[1]) / "home")
    lease, seq = owned(journal), 0
    try:
        while True:
            journal.append(lease, entries(seq + 1, seq + 100))
            await journal.durable()
            seq += 100
    except StoreUnavailable as error:
        print(seq)
        print(error)
    try:
        journal.close()
    except StoreUnavailable:
        print("not closed well")

asyncio.run(main())
"""


async def test_a_full_disk_is_named_and_nothing_acknowledged_is_lost(disk: Path) -> None:
    """Once there is room, the run goes on behind the last entry that was durable."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FILL, str(disk), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    acknowledged, said, *_ = out.decode().splitlines()
    ballast.unlink()
    journal = SqliteJournal(disk / "home")
    count = int(acknowledged)

    assert process.returncode == 0
    assert count > 0
    assert "free some space, then resume" in said
    assert journal.read("r") == entries(1, count)
    assert journal.verify("r").first_bad is None
    lease = journal.acquire("r", "here:2")
    journal.append(lease, [entry(count + 1, epoch=lease.epoch)])
    await journal.durable()
    assert journal.verify("r").entries == count + 1
    journal.close()


def test_a_read_only_disk_is_named_and_nothing_changes(disk: Path) -> None:
    """The error says which variable to set; written again, everything is there."""
    journal = SqliteJournal(disk / "home")
    journal.append(owned(journal), entries(1, 50))
    journal.close()
    assert mount("-o", "remount,ro", str(disk)) == ""

    with pytest.raises(
        StoreUnavailable, match=r"journal '.*journal.db'.*set AUTOAGENT_HOME to a folder of yours"
    ):
        SqliteJournal(disk / "home").create("s", "/tmp/s")
    assert mount("-o", "remount,rw", str(disk)) == ""
    journal = SqliteJournal(disk / "home")
    assert journal.read("r") == entries(1, 50)
    journal.close()


async def test_memory_is_not_used_on_a_disk_that_is_nearly_full(disk: Path) -> None:
    """Its engine would be ended by the kernel in the middle of a write; the error says what to do."""
    with pytest.raises(StoreUnavailable, match=r"has 2\.1 MB free; free some space, so that it has 17 MB"):
        await EdgeMemory(disk / "memory").store([point("service one")])
