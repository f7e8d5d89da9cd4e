from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.memory.edge import EdgeMemory
from autoagent.ports import Memory
from autoagent.testing.contracts.memory import MemoryContract, found, point

WRITER = """
import asyncio, sys
from pathlib import Path
from autoagent.memory.edge import EdgeMemory
from autoagent.testing.contracts.memory import point

async def main():
    memory = EdgeMemory(Path(sys.argv[1]), wait_s=30)
    for number in range(int(sys.argv[3])):
        stored = point(f"service number{number}", run=sys.argv[2])
        await memory.store([stored])
        print(stored.id, flush=True)

asyncio.run(main())
"""


class TestEdgeMemory(MemoryContract):
    @pytest.fixture
    def memory(self, tmp_path: Path) -> Memory:
        return EdgeMemory(tmp_path / "memory")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "memory"


def writer(path: Path, run: str, count: int) -> subprocess.Popen[str]:
    """A process that stores points, and says the id of each one that is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), run, str(count)], stdout=subprocess.PIPE, text=True
    )


async def test_memory_outlives_the_process(path: Path) -> None:
    """Another object over the same folder finds what was stored."""
    await EdgeMemory(path).store([point("service one")])

    assert await found(EdgeMemory(path), "service") == ["service one"]


async def test_looking_makes_no_folder(path: Path) -> None:
    """An empty memory leaves no trace."""
    await EdgeMemory(path).search("service")

    assert not path.parent.exists()


async def test_killed_process_loses_nothing_acknowledged(
    path: Path, writers: list[subprocess.Popen[str]]
) -> None:
    """After kill -9 in the midst of writing, everything that was acknowledged is there."""
    process = writer(path, "r", 1000)
    writers.append(process)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(10)]
    process.kill()
    acknowledged += process.stdout.read().split()
    memory = EdgeMemory(path)

    for point_id in acknowledged:
        assert await memory.get(point_id) is not None
    await memory.store([point("written later")])
    assert await found(memory, "later") == ["written later"]


async def test_two_processes_share_a_memory(path: Path, writers: list[subprocess.Popen[str]]) -> None:
    """Each waits for the other's operation, and both find all."""
    writers += [writer(path, "one", 8), writer(path, "two", 8)]
    outputs = [process.communicate()[0] for process in writers]
    memory = EdgeMemory(path)

    assert [process.returncode for process in writers] == [0, 0]
    assert [await memory.get(point_id) is not None for point_id in "".join(outputs).split()] == [True] * 16


async def test_many_tasks_share_a_memory(path: Path) -> None:
    """Lanes of one process do not get into each other's way."""
    memory = EdgeMemory(path)
    await asyncio.gather(*(memory.store([point(f"service number{n}")]) for n in range(10)))

    assert len(await memory.search("service", limit=20)) == 10


async def test_held_memory_is_reported_with_its_holder(path: Path) -> None:
    """After the wait, the error names the folder and who holds it."""
    memory = EdgeMemory(path, wait_s=0.05)
    await memory.store([point("service one")])
    lock = os.open(path.with_name("memory.lock"), os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable) as caught:
            await memory.search("service")
    finally:
        os.close(lock)

    assert f"{path} is in use by process {os.getpid()}" in str(caught.value)


async def test_half_made_memory_is_made_anew(path: Path) -> None:
    """A process that was killed while it made the memory leaves a folder that the next one replaces."""
    unfinished = path.with_name("memory.new")
    unfinished.mkdir(parents=True)
    (unfinished / "edge_config.json").write_text("{")
    memory = EdgeMemory(path)
    await memory.store([point("service one")])

    assert await found(memory, "service") == ["service one"]


def test_foreign_folder_is_refused(path: Path) -> None:
    """A folder that is no memory is left alone, and the error says what to do."""
    path.mkdir(parents=True)
    (path / "letter.txt").write_text("dear")

    with pytest.raises(StoreUnavailable, match="move that folder away"):
        asyncio.run(EdgeMemory(path).search("service"))
    assert (path / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize("pattern", ["*.json", "first-index", "status.dat"])
def test_broken_memory_is_reported(path: Path, pattern: str) -> None:
    """Damaged files, also those over which the engine panics, are an error for the operator, not a crash."""
    memory = EdgeMemory(path)
    asyncio.run(memory.store([point("service one")]))
    for file in path.rglob(pattern):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    with pytest.raises(StoreUnavailable, match="move that folder away"):
        asyncio.run(memory.search("service"))


async def test_unusable_place_is_reported(tmp_path: Path) -> None:
    """A file where a folder must be."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="can't be used"):
        await EdgeMemory(tmp_path / "file" / "memory").store([point("a")])


def test_importing_loads_no_engine() -> None:
    """The engine is loaded by the first operation."""
    code = (
        "import sys, autoagent.memory.edge; assert not {'qdrant_edge', 'qdrant_client'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
