"""The Docker sandbox: the port's contract, and guests that try everything to get out or to stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from autoagent.ids import new_id
from autoagent.ports import Sandbox
from autoagent.sandboxes.docker import DockerSandbox, connect, probe
from autoagent.settings import SandboxSettings
from autoagent.testing.contracts.sandbox import SandboxContract

STATUS = asyncio.run(probe(SandboxSettings()))
WHY_NOT = STATUS.problem or ("" if STATUS.has_image else f"the engine has no image {STATUS.image}")

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[DockerSandbox]:
    """One sandbox for all tests, so that containers pass from test to test as they do from job to job."""
    sandbox = await connect(SandboxSettings(), f"test-{new_id()}", lambda note: None)
    yield sandbox
    await sandbox.close()


class TestContract(SandboxContract):
    """Docker keeps the port's promises."""

    @pytest.fixture
    def sandbox(self, opened: DockerSandbox) -> Sandbox:
        return opened
