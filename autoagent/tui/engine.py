"""Docker, asked once and by a thread of its own: nobody waits for an engine that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoagent.settings import SandboxSettings

if TYPE_CHECKING:
    from autoagent.sandboxes.docker import EngineStatus

Look = Callable[[SandboxSettings], "EngineStatus"]


def look_at_docker(settings: SandboxSettings) -> EngineStatus:
    """What Docker answers, in a second or in five."""
    from autoagent.sandboxes.docker import look  # 0.3 s

    return look(settings)


class Asking:
    """Asks at most once."""

    def __init__(self, look: Look) -> None:
        self._look: Look | None = look

    def once(self, settings: SandboxSettings, told: Callable[[EngineStatus], None]) -> None:
        """`told` is called in the thread."""
        if (look := self._look) is None:
            return
        self._look = None
        # a daemon: an engine that hangs keeps nobody from leaving
        threading.Thread(target=lambda: told(look(settings)), daemon=True).start()
