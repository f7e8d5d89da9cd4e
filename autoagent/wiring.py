"""The composition root: the only module that picks adapters and puts a run together.

`start` begins a run, `resume` goes on with one; both return its `Outcome`. Front ends call these and nothing
below; they hear entries as they are recorded, and answer questions through an approver.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from autoagent import __version__, plugins
from autoagent.asking import Approver, Asking
from autoagent.clock import Clock, SystemClock
from autoagent.commands import RaiseLimits
from autoagent.context import Models, RunContext
from autoagent.errors import ModelUnavailable, SandboxUnavailable, Unavailable, UsageError
from autoagent.events import LimitsRaised, OwnerChanged, RunStarted
from autoagent.folder.local import LocalFolder
from autoagent.goal import Goal, RunCriterion
from autoagent.goal_file import goal_digest, protected
from autoagent.history import History
from autoagent.ids import new_id
from autoagent.journal.home import home as default_home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.messages import Frozen
from autoagent.meter import Meter
from autoagent.outcome import Outcome, outcome
from autoagent.ports import Journal, Memory, OnEntry, Sandbox
from autoagent.runtime import Runtime, raise_limits
from autoagent.settings import Settings
from autoagent.settings import load as load_settings
from autoagent.state import RunState
from autoagent.tools import Plugin
from autoagent.trees import Tree, load_tree
from autoagent.workspace import Workspace

RECORDING = "recording.jsonl"
"""A workspace's own recording: played where no model is configured."""


class Launch(Frozen):
    """The first record that `run --json` prints."""

    run: str
    workspace: str
    model: str
    started_at: datetime


@dataclass(frozen=True)
class Hooks:
    """How a front end takes part in a run; every one may be left out."""

    approver: Approver | None = None
    wait_s: float = 0
    """How long to wait for an answer from elsewhere where there is no approver."""
    on_launch: Callable[[Launch], None] = lambda launch: None
    on_entry: OnEntry = lambda entry: None
    on_text: Callable[[str, str], None] | None = None
    on_note: Callable[[str], None] = lambda note: None
    """Hears one line for people: what was chosen, what is slow."""


@dataclass(frozen=True)
class Choices:
    """What the caller picks; `None` leaves it to the goal and the settings."""

    model: str | None = None
    parallel: int | None = None
    recorded: str | None = None
    """A recording's file, or a run whose replies are played again."""
    strict: bool = False
    """The recording's whole requests must match too."""
    raised: RaiseLimits | None = None


@dataclass(frozen=True)
class Parts:
    """Ready-made parts that replace what would be picked: for Python code and tests."""

    journal: Journal | None = None
    models: Models | None = None
    sandbox: Sandbox | None = None
    memory: Memory | None = None
    plugins: Sequence[Plugin] = ()
    clock: Clock = field(default_factory=SystemClock)
    home: Path | None = None


_NO_HOOKS, _NO_CHOICES = Hooks(), Choices()


async def start(
    goal: Goal,
    workspace: Path,
    *,
    hooks: Hooks = _NO_HOOKS,
    choices: Choices = _NO_CHOICES,
    parts: Parts | None = None,
) -> Outcome:
    """Begin a run in `workspace` and carry it as far as it goes now.

    Raises `UsageError` before anything has begun; afterwards what stops a run is in the outcome.
    Cancelling the task interrupts the run, to be resumed.
    """
    parts = parts or Parts()
    if choices.parallel is not None:
        goal = goal.model_copy(update={"parallel": choices.parallel})
    if parts.journal is None or not parts.plugins:
        plugins.check_enabled(goal)
    if not workspace.is_dir():
        raise UsageError(f"{str(workspace)!r} is no folder; name a workspace")
    async with _opened(parts) as wires:
        run_id = new_id()
        wires.journal.create(run_id, str(workspace.resolve()))
        return await wires.carry(run_id, goal, hooks, choices)


async def resume(
    run_id: str,
    *,
    hooks: Hooks = _NO_HOOKS,
    choices: Choices = _NO_CHOICES,
    parts: Parts | None = None,
) -> Outcome:
    """Go on with a run after a crash, a park, an interruption, or a limit that `choices` raises.

    A run that has ended for good gives its outcome again. Raises `UsageError`, `RunOwned`.
    """
    async with _opened(parts or Parts()) as wires:
        wires.journal.head(run_id)
        return await wires.carry(run_id, None, hooks, choices)


@dataclass
class _Wires:
    """Open adapters, and how a run is put together from them."""

    home: Path
    journal: Journal
    settings: Settings
    parts: Parts
    stack: AsyncExitStack

    async def carry(self, run_id: str, goal: Goal | None, hooks: Hooks, choices: Choices) -> Outcome:
        """Take the lease, put the run together, carry it, and say what it came to."""
        lease = self.journal.acquire(run_id, _holder())
        self.stack.callback(self.journal.release, lease)
        history = History(self.journal, lease, self.parts.clock, hooks.on_entry)
        folder = LocalFolder(
            Path(lease.workspace), self.journal.objects, self.home / "scans" / f"{_slug(lease.workspace)}"
        )
        if goal is None:
            goal = self._known_goal(history)
            if _is_over(history.state, choices):
                return self._outcome(history, None)
        start_tree = folder.scan() if history.state.started is None else None
        inputs = start_tree or load_tree(history.state.start_tree, self.journal.objects)
        models = await self._models(goal, history, hooks, choices, inputs)
        sandbox = await self._sandbox(goal, run_id, hooks)
        loaded = plugins.load(goal, self.parts.plugins)
        if start_tree is not None:
            history.record(
                RunStarted(
                    goal=goal,
                    workspace=lease.workspace,
                    tree=start_tree.id,
                    goal_digest=goal_digest(goal),
                    model=models.worker.name,
                    sandbox=sandbox.abilities.name if sandbox is not None else "none",
                    version=__version__,
                    recorded=models.recorded,
                    plugins=loaded.hashes,
                    protected=protected(goal, start_tree.entries),
                )
            )
        history.record(
            OwnerChanged(
                epoch=lease.epoch,
                holder=lease.holder,
                attended=hooks.approver is not None,
                sandbox=sandbox.abilities.name if sandbox is not None else "none",
                model=models.worker.name,
            )
        )
        if choices.raised is not None:
            history.record(LimitsRaised(limits=raise_limits(history.state.limits, choices.raised)))
        assert history.state.started_at is not None
        hooks.on_launch(
            Launch(
                run=run_id,
                workspace=lease.workspace,
                model=models.worker.name,
                started_at=history.state.started_at,
            )
        )
        meter = Meter(self.parts.clock)
        ctx = RunContext(
            history=history,
            workspace=Workspace(history, self.journal.objects, folder),
            asking=Asking(history, meter, hooks.approver, hooks.wait_s),
            meter=meter,
            models=models,
            tools=loaded.tools,
            plugin_hashes=loaded.hashes,
            sandbox=sandbox,
            memory=self._memory(),
            on_text=hooks.on_text,
        )
        try:
            await Runtime(ctx).carry()
        except Unavailable as error:
            return self._outcome(history, str(error))
        return self._outcome(history, None)

    def _known_goal(self, history: History) -> Goal:
        if history.state.started is None:
            raise UsageError(f"run {history.run_id} never began: its journal is empty; start it again")
        return history.state.goal

    def _outcome(self, history: History, problem: str | None) -> Outcome:
        state, objects = history.state, self.journal.objects
        return outcome(
            state, load_tree(state.start_tree, objects), load_tree(state.main, objects), problem=problem
        )

    # --- what a run works with ----------------------------------------------------------------------------

    async def _models(
        self, goal: Goal, history: History, hooks: Hooks, choices: Choices, inputs: Tree
    ) -> Models:
        from autoagent.llm.choice import configured_models, recorded_models

        if self.parts.models is not None:
            return self.parts.models
        recording = self._recording(history, choices)
        if recording is not None:
            return recorded_models(
                recording, goal, inputs, self.journal, hooks.on_note, strict=choices.strict
            )
        models = configured_models(self.settings, goal, choices.model, hooks.on_note)
        if models is None:
            raise ModelUnavailable(
                "no model is set: set OPENAI_API_KEY and OPENAI_MODEL, or OPENAI_BASE_URL and OPENAI_MODEL for "
                "a server of your own; 'autoagent doctor' tells more"
            )
        for model in {id(m): m for m in (models.worker, models.planner, models.judge)}.values():
            self.stack.push_async_callback(model.close)
        return models

    def _recording(self, history: History, choices: Choices) -> str | None:
        """What is played: what the caller names, else, where no model is set, the workspace's own recording."""
        if choices.recorded is not None:
            return choices.recorded
        own = Path(history.lease.workspace) / RECORDING
        unset = choices.model is None and not self.settings.chain("worker")
        return str(own) if unset and own.is_file() else None

    async def _sandbox(self, goal: Goal, run_id: str, hooks: Hooks) -> Sandbox | None:
        if self.parts.sandbox is not None:
            return self.parts.sandbox
        criteria = (*goal.done_when, *(c for s in goal.plan for c in s.done_when))
        if goal.allow.run == "none" and not any(isinstance(c, RunCriterion) for c in criteria):
            return None
        from autoagent.sandboxes.choice import choose

        sandbox = await choose(self.settings.sandbox, run_id, hooks.on_note)
        self.stack.push_async_callback(sandbox.close)
        for criterion in criteria:
            if isinstance(criterion, RunCriterion) and (why := sandbox.refuses(criterion.run, "check")):
                raise SandboxUnavailable(f"the criterion 'run: {criterion.run}': {why}")
        return sandbox

    def _memory(self) -> Memory | None:
        if self.parts.memory is not None:
            return self.parts.memory
        memory = open_memory(self.home, self.settings)
        self.stack.push_async_callback(memory.close)
        return memory


def open_memory(home: Path, settings: Settings) -> Memory:
    """Long-term memory as the settings say: a Qdrant server, or embedded in the home folder."""
    if settings.memory.url is not None:
        from autoagent.memory.server import ServerMemory

        key = settings.key(settings.memory.key_env)
        return ServerMemory(settings.memory.url, key.get_secret_value() if key is not None else None)
    from autoagent.memory.edge import EdgeMemory

    return EdgeMemory(home / "memory")


@asynccontextmanager
async def _opened(parts: Parts) -> AsyncIterator[_Wires]:
    home = parts.home or default_home()
    settings = load_settings(home, os.environ)
    async with AsyncExitStack() as stack:
        journal = parts.journal
        if journal is None:
            journal = SqliteJournal(home)
            stack.callback(journal.close)
        yield _Wires(home, journal, settings, parts, stack)


def _is_over(state: RunState, choices: Choices) -> bool:
    """Whether the run has ended for good: only a limit can be raised."""
    return state.ended is not None and (state.ended.ending != "limit" or choices.raised is None)


def _holder() -> str:
    import socket

    return f"{socket.gethostname()}:{os.getpid()}"


def _slug(workspace: str) -> str:
    from autoagent.state import hash_text

    return hash_text(workspace)
