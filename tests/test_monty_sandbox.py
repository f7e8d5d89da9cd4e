"""The monty sandbox: the port's suite, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.contracts.sandbox import SandboxContract


@pytest.fixture
async def sandbox() -> AsyncIterator[MontySandbox]:
    monty = MontySandbox()
    yield monty
    await monty.close()


class TestMontySandbox(SandboxContract):
    """Monty keeps the port's promises."""

    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[MontySandbox]:
        monty = MontySandbox()
        yield monty
        await monty.close()
