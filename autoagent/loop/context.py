"""What the parts of a run work with. Assembled once, in `autoagent.wiring`; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from autoagent.door.hooks import CallOutcome, HeardCall
from autoagent.door.tools import Tool
from autoagent.equipment import Equipment, ModelEquipment, SandboxEquipment
from autoagent.events import CallDecided, Entry
from autoagent.loop.asking import Asking
from autoagent.loop.history import History
from autoagent.loop.meter import Meter
from autoagent.loop.toolbox import ToolOutcome
from autoagent.loop.workspace import Workspace
from autoagent.ports import NOBODY, Located, Memory, Model, ModelRole, Onlookers, Outward, Passages, Sandbox
from autoagent.secrecy import BoundSecret
from autoagent.trees import WorkingCopy


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


class Execution(Protocol):
    """Runs the tools of one lane, one after the other."""

    async def run(self, tool: Tool, decided: CallDecided, copy: WorkingCopy) -> tuple[ToolOutcome, float]:
        """How it went, and seconds; what a write changed is in `copy`. Raises what the operator must know."""
        ...

    def close(self) -> None: ...


class Hearers(Protocol):
    """The plugins that hear of calls (`autoagent.door.hooks`)."""

    async def refusal(self, decided: CallDecided, tool: Tool | None) -> str | None:
        """Why a call must not start, for the model; `None` where no plugin minds."""
        ...

    async def tell(self, call: HeardCall, outcome: CallOutcome) -> None:
        """How a call ended, which stands in the record."""
        ...

    async def catch_up(self, entries: Sequence[Entry], tools: Mapping[str, Tool]) -> None:
        """Tell again of the calls that a former process may not have told of."""
        ...


LaneWork = Coroutine[Any, Any, None]


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
    passages: Callable[[str], Passages] | None = None
    """Gives a plugin, by its name, its own index of texts."""
    outward: Outward | None = None
    """Makes the clients of tools; `None`: they reach nobody."""
    secrets: tuple[BoundSecret, ...] = ()
    """Those that the goal binds to hosts."""
    onlookers: Onlookers = NOBODY
    """See replies while they come in."""
    hearing: Hearers | None = None
    """`None`: no enabled plugin has hooks."""
    execution: Callable[[str], Execution] | None = None
    """Makes what runs a lane's tools; `None`: the tools themselves run (`loop.executing`)."""
    around_lane: Callable[[str, LaneWork], Awaitable[None]] | None = None
    """Is given the work of each lane, and a re-plan, to carry it out: a replay goes on where one can't."""
    heads: MutableMapping[bytes, str] = field(default_factory=dict)
    """Heads of prompts that are stored already: their digests -> object."""


def equipment_of(models: Models, sandbox: Sandbox | None) -> Equipment:
    """Models and sandbox as the record names them."""
    worker = models.worker
    return Equipment(
        worker=_named(worker),
        planner=None if models.planner is worker else _named(models.planner),
        judge=None if models.judge is worker else _named(models.judge),
        stronger=None if models.stronger is None else _named(models.stronger),
        style=worker.style,
        context_tokens=models.context_tokens,
        sandbox=None if sandbox is None else SandboxEquipment(**vars(sandbox.abilities)),
    )


def _named(model: Model) -> ModelEquipment:
    price = model.price
    server = model.server if isinstance(model, Located) else ""
    return ModelEquipment(
        name=model.name, prompt_usd=price.prompt, completion_usd=price.completion, server=server
    )
