"""Whether there is a Docker engine to test with, and the sandbox that tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio

from autoagent.ids import new_id
from autoagent.sandboxes.docker import DockerSandbox, connect, probe
from autoagent.sandboxes.engine import Engine
from autoagent.settings import SandboxSettings

STATUS = asyncio.run(probe(SandboxSettings()))
WHY_NOT = STATUS.problem or ("" if STATUS.has_image else f"the engine has no image {STATUS.image}")

NEEDS_DOCKER = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    pytest.mark.asyncio(loop_scope="module"),
]

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
