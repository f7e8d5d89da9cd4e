"""autoagent in Python: `outcome = await run(Goal.load(path))`, and a synchronous twin at the edge."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from autoagent.door.tools import Plugin
from autoagent.goal import Goal
from autoagent.goal.file import LoadedGoal, from_text
from autoagent.loop.asking import Approver
from autoagent.loop.context import Models
from autoagent.outcome import Outcome
from autoagent.ports import Model, OnEntry
from autoagent.wiring import Choices, Hooks, Parts, start

P = ParamSpec("P")


async def run(
    goal: LoadedGoal | Goal | str,
    workspace: str | Path | None = None,
    *,
    approver: Approver | None = None,
    on_event: OnEntry | None = None,
    model: str | Model | None = None,
    plugins: Sequence[Plugin] = (),
    home: str | Path | None = None,
) -> Outcome:
    """Carry a goal as far as it goes now, and say what it came to.

    Args:
        goal: What `Goal.load` gives, a `Goal` of your own, or its text with all defaults.
        workspace: The folder to work in, in place. `None`: the loaded goal's own, else a new temporary one.
        approver: Answers questions; without one they park the run, which `autoagent resume` goes on with.
        on_event: Hears each journal entry after it was recorded; must not block.
        model: Who plays every role: the name of a configured model, or a model of your own.
        plugins: Plugins given as values, enabled besides those that the goal names.
        home: Where the journal and the memory live. `None`: as for the command line.

    Raises:
        UsageError: before anything has begun. What stops a run later is in the outcome.
    """
    folder = Path(workspace) if workspace is not None else None
    if isinstance(goal, LoadedGoal):
        folder, goal = folder or goal.path.parent, goal.goal
    elif isinstance(goal, str):
        goal = from_text(goal)
    hooks = Hooks(approver=approver, on_entry=on_event or (lambda entry: None))
    name = model if isinstance(model, str) else None
    own = Models(model, model, model) if model is not None and not isinstance(model, str) else None
    parts = Parts(models=own, plugins=tuple(plugins), home=Path(home) if home is not None else None)
    return await start(goal, folder or _new_folder(), hooks=hooks, choices=Choices(model=name), parts=parts)


def _without_a_loop(carry: Callable[P, Coroutine[Any, Any, Outcome]]) -> Callable[P, Outcome]:
    """The synchronous twin of `run`: same parameters, by wraps also for `help` and editors."""

    @wraps(carry, assigned=("__annotations__",))
    def run_sync(*args: P.args, **kwargs: P.kwargs) -> Outcome:
        """`run`, for code without an event loop."""
        return asyncio.run(carry(*args, **kwargs))

    run_sync.__qualname__ = run_sync.__name__
    return run_sync


run_sync = _without_a_loop(run)


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="autoagent-"))
