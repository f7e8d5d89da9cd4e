from __future__ import annotations

import pytest

from autoagent.errors import StoreUnavailable
from autoagent.ports import Memory
from autoagent.testing.contracts.memory import MemoryContract, point
from autoagent.testing.memory import DictMemory


class TestDictMemory(MemoryContract):
    @pytest.fixture
    def memory(self) -> Memory:
        return DictMemory()


async def test_memory_can_be_down() -> None:
    """The fake fails as a server does."""
    memory = DictMemory()
    memory.down = True

    with pytest.raises(StoreUnavailable):
        await memory.store([point("a")])
    with pytest.raises(StoreUnavailable):
        await memory.search("a")
