"""Which sandbox: Docker where it works, else monty, as the settings say. Never the host."""

from __future__ import annotations

from collections.abc import Callable

from autoagent.errors import SandboxUnavailable
from autoagent.ports import Sandbox
from autoagent.settings import SandboxSettings


async def choose(settings: SandboxSettings, run_id: str, on_note: Callable[[str], None]) -> Sandbox:
    """Raises `SandboxUnavailable` where the settings ask for Docker and it can't be had."""
    if settings.kind == "monty":
        return _monty(settings)
    from autoagent.sandboxes import docker

    try:
        return await docker.connect(settings, run_id, on_note)
    except SandboxUnavailable as error:
        if settings.kind == "docker":
            raise
        on_note(f"no Docker sandbox, so scripts run in the small Python subset: {error}")
        return _monty(settings)


def _monty(settings: SandboxSettings) -> Sandbox:
    from autoagent.sandboxes.monty import MontyLimits, MontySandbox

    return MontySandbox(MontyLimits(memory_bytes=settings.memory_mb << 20))
