"""What the parts of a run work with. Assembled once, in `autoagent.wiring`; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autoagent.loop.asking import Asking
from autoagent.loop.history import History
from autoagent.loop.meter import Meter
from autoagent.loop.workspace import Workspace
from autoagent.ports import Memory, Model, ModelRole, Sandbox
from autoagent.tools import Tool


@dataclass(frozen=True)
class Models:
    """Who plays which role."""

    worker: Model
    planner: Model
    judge: Model
    stronger: Model | None = None
    """Takes over from the worker on the ladder's fourth rung; `None` where there is no stronger one."""
    context_tokens: int = 32_000
    """What the worker's server takes; old results are shortened before it is full."""
    recorded: bool = False

    def of(self, role: ModelRole) -> Model:
        return {"worker": self.worker, "planner": self.planner, "judge": self.judge}[role]


@dataclass(frozen=True)
class RunContext:
    """The one bundle that the scheduler and the lanes share."""

    history: History
    workspace: Workspace
    asking: Asking
    meter: Meter
    models: Models
    tools: Mapping[str, Tool]
    """Of the enabled plugins, by name."""
    plugin_hashes: Mapping[str, str]
    sandbox: Sandbox | None = None
    memory: Memory | None = None
    on_text: Callable[[str, str], None] | None = field(default=None)
    """Hears (lane, piece of a reply) as it streams; lossy."""
