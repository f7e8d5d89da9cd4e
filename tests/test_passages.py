from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.means import open_passages
from autoagent.memory.edge import EdgePassages
from autoagent.memory.server import IN_PROCESS, ServerPassages
from autoagent.ports import Passages
from autoagent.settings import MemorySettings, Settings
from autoagent.testing.contracts.passages import PassagesContract, found, source
from autoagent.testing.memory import DictPassages

WRITER = """
import asyncio, sys
from pathlib import Path
from autoagent.memory.edge import EdgePassages
from autoagent.testing.contracts.passages import source

async def main():
    passages = EdgePassages(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        id = f"{sys.argv[2]}{number}"
        await passages.store([source(id, *(f"leave {n}" for n in range(20)))])
        print(id, flush=True)

asyncio.run(main())
"""


class TestDictPassages(PassagesContract):
    @pytest.fixture
    def passages(self) -> Passages:
        return DictPassages()


class TestEdgePassages(PassagesContract):
    @pytest.fixture
    def passages(self, tmp_path: Path) -> Passages:
        return EdgePassages(tmp_path / "passages")


class TestServerPassagesInProcess(PassagesContract):
    """The client's emulation of a server: our requests and its answers, without the network."""

    @pytest.fixture
    async def passages(self) -> AsyncIterator[Passages]:
        passages = ServerPassages(IN_PROCESS)
        yield passages
        await passages.close()


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that stores sources of 20 passages, and says the id of each one that is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


async def test_killed_process_leaves_no_source_in_part(
    tmp_path: Path, writers: list[subprocess.Popen[str]]
) -> None:
    """After kill -9 in the midst of writing, what was acknowledged is there, and what is known is whole."""
    process = writer(tmp_path / "passages", "s", 1000)
    writers.append(process)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(5)]
    process.kill()
    acknowledged += process.stdout.read().split()
    passages = EdgePassages(tmp_path / "passages")
    known = await passages.known([f"s{number}" for number in range(1000)])

    assert set(acknowledged) <= set(known)
    assert {id: len(await passages.read(id)) for id in known} == dict.fromkeys(known, 20)


async def test_two_processes_share_an_index(tmp_path: Path, writers: list[subprocess.Popen[str]]) -> None:
    """Each waits for the other's operation; what both store at once is there once."""
    path = tmp_path / "passages"
    writers += [writer(path, "s", 3), writer(path, "s", 3)]
    for process in writers:
        process.communicate()
    passages = EdgePassages(path)

    assert [process.returncode for process in writers] == [0, 0]
    assert len(await passages.known([f"s{n}" for n in range(3)])) == 3
    assert len(await found(passages, "leave", ["s2"], limit=50)) == 20


async def test_index_is_where_memory_is(tmp_path: Path) -> None:
    """In the home folder, or a collection of the plugin's own on the server of the settings."""
    server = Settings(memory=MemorySettings(url="http://127.0.0.1:1"))
    embedded = open_passages(tmp_path, Settings(), "documents")
    await embedded.store([source("a", "leave")])

    assert (tmp_path / "passages" / "documents").is_dir()
    assert isinstance(open_passages(tmp_path, server, "documents"), ServerPassages)
    with pytest.raises(StoreUnavailable, match=r"the Qdrant server at http://127.0.0.1:1 can't be used"):
        await open_passages(tmp_path, server, "documents").known(["a"])


async def test_looking_makes_no_folder(tmp_path: Path) -> None:
    """An empty index leaves no trace."""
    await EdgePassages(tmp_path / "state" / "passages").search("leave", ["a"])

    assert not (tmp_path / "state").exists()


async def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is no index is left alone, and the error says what to do."""
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(StoreUnavailable, match="move that folder away to start with an empty index"):
        await EdgePassages(tmp_path).store([source("a", "leave")])
    assert (tmp_path / "letter.txt").read_text() == "dear"
