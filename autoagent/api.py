"""autoagent in Python: `await run(goal)`, and a synchronous twin at the edge.

    from autoagent import Goal, run

    outcome = await run(Goal.load("workspaces/log-triage"))
    print(outcome.ending, outcome.exit_code)
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autoagent.asking import Approver
from autoagent.goal import Goal
from autoagent.goal_file import LoadedGoal, from_text
from autoagent.outcome import Outcome
from autoagent.ports import OnEntry
from autoagent.tools import Plugin
from autoagent.wiring import Choices, Hooks, Parts, start


async def run(
    goal: LoadedGoal | Goal | str,
    workspace: str | Path | None = None,
    *,
    approver: Approver | None = None,
    on_event: OnEntry | None = None,
    model: str | None = None,
    plugins: Sequence[Plugin] = (),
    home: str | Path | None = None,
) -> Outcome:
    """Carry a goal as far as it goes now, and say what it came to.

    Args:
        goal: What `Goal.load` gives, a `Goal` of your own, or its text with all defaults.
        workspace: The folder to work in, in place. `None`: the loaded goal's own, else a new temporary one.
        approver: Answers questions; without one they park the run, which `autoagent resume` goes on with.
        on_event: Hears each journal entry after it was recorded; must not block.
        model: Name of a configured model, for every role.
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
    parts = Parts(plugins=tuple(plugins), home=Path(home) if home is not None else None)
    return await start(goal, folder or _new_folder(), hooks=hooks, choices=Choices(model=model), parts=parts)


def run_sync(
    goal: LoadedGoal | Goal | str,
    workspace: str | Path | None = None,
    *,
    approver: Approver | None = None,
    on_event: OnEntry | None = None,
    model: str | None = None,
    plugins: Sequence[Plugin] = (),
    home: str | Path | None = None,
) -> Outcome:
    """`run`, for code without an event loop."""
    return asyncio.run(
        run(
            goal,
            workspace,
            approver=approver,
            on_event=on_event,
            model=model,
            plugins=plugins,
            home=home,
        )
    )


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="autoagent-"))
