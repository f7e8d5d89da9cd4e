"""The sandbox that Docker tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio

from autoagent.ids import new_id
from autoagent.sandboxes.docker import DockerSandbox, connect
from autoagent.sandboxes.engine import Engine
from autoagent.settings import SandboxSettings

NEEDS_DOCKER = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]
"""`conftest.py` skips these tests where there is no engine or no image."""

RUN = f"test-{new_id()}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[DockerSandbox]:
    """One sandbox for a module, so that containers pass from test to test as they do from job to job."""
    sandbox = await connect(SandboxSettings(), RUN, lambda note: None)
    yield sandbox
    await sandbox.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine behind it."""
    with closing(Engine.connect()) as engine:
        yield engine
