"""The composition root: the only module that picks adapters and puts a run together.

`start` begins a run, `resume` goes on with one; both return its `Outcome`. Front ends call these and nothing
below; they hear entries as they are recorded, and answer questions through an approver.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from autoagent import __version__, plugins
from autoagent.clock import Clock, SystemClock
from autoagent.commands import RaiseLimits
from autoagent.errors import (
    AutoagentError,
    JournalConflict,
    ModelUnavailable,
    SandboxUnavailable,
    UsageError,
)
from autoagent.events import LimitsRaised, OwnerChanged, RunStarted
from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder.local import LocalFolder
from autoagent.goal import Goal, RunCriterion
from autoagent.goal.command import files_named
from autoagent.goal.file import goal_digest
from autoagent.ids import new_id
from autoagent.journal.home import home as default_home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.loop.asking import Approver, Asking
from autoagent.loop.context import Models, RunContext
from autoagent.loop.history import History
from autoagent.loop.meter import Meter
from autoagent.loop.remembering import remember
from autoagent.loop.runtime import Runtime, raise_limits
from autoagent.loop.workspace import Workspace
from autoagent.messages import Frozen
from autoagent.outcome import Outcome, outcome
from autoagent.plan import check_plan
from autoagent.ports import Journal, Lease, Memory, OnEntry, Sandbox
from autoagent.protection import protected_at_start
from autoagent.settings import Settings
from autoagent.settings import load as load_settings
from autoagent.state import RunState, hash_text
from autoagent.tools import Plugin
from autoagent.trees import Tree, load_tree

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
    faults: Faults = NO_FAULTS


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
    goal = _as_chosen(goal, choices)
    folder = _existing(workspace)
    async with _opened(parts) as wires:
        return await wires.begin(goal, folder, hooks, choices)


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
        return await wires.go_on(run_id, hooks, choices)


@dataclass(frozen=True)
class _Means:
    """What one run works with."""

    plugins: plugins.Loaded
    models: Models
    sandbox: Sandbox | None

    @property
    def sandbox_name(self) -> str:
        return self.sandbox.abilities.name if self.sandbox is not None else "none"


@dataclass
class _Wires:
    """Open adapters, and how a run is put together from them."""

    home: Path
    journal: Journal
    settings: Settings
    parts: Parts
    stack: AsyncExitStack

    async def begin(self, goal: Goal, folder: Path, hooks: Hooks, choices: Choices) -> Outcome:
        """A new run: everything that can be refused is found out before its journal exists."""
        run_id = new_id()
        self._keep_apart(folder)
        disk = self._folder(str(folder))
        tree = await asyncio.to_thread(disk.scan)
        means = await self._means(goal, run_id, folder, tree, hooks, choices)
        self.journal.create(run_id, str(folder))
        self.parts.faults.reached("run created")
        with self._lease(run_id) as lease:
            history = History(self.journal, lease, self.parts.clock, hooks.on_entry, self.parts.faults)
            history.record(
                RunStarted(
                    goal=goal,
                    workspace=lease.workspace,
                    tree=tree.id,
                    goal_digest=goal_digest(goal),
                    model=means.models.worker.name,
                    sandbox=means.sandbox_name,
                    version=__version__,
                    recorded=means.models.recorded,
                    plugins=means.plugins.hashes,
                    protected=protected_at_start(goal, tree, self.journal.objects),
                )
            )
            return await self._carry(history, disk, means, hooks, choices)

    async def go_on(self, run_id: str, hooks: Hooks, choices: Choices) -> Outcome:
        """A run that exists: take it over and carry it on."""
        with self._lease(run_id) as lease:
            history = History(self.journal, lease, self.parts.clock, hooks.on_entry, self.parts.faults)
            if history.state.started is None:
                raise UsageError(f"run {run_id} never began: its journal is empty; start it again")
            if self._is_over(history.state, choices):
                await remember(history, self._memory())
                return self._outcome(history, None)
            start = load_tree(history.state.start_tree, self.journal.objects)
            folder = _existing(Path(lease.workspace))
            if str(folder) != lease.workspace:
                raise UsageError(
                    f"the workspace {lease.workspace!r} leads to {str(folder)!r} now, through a link that "
                    "wasn't there when the run began; put the folder itself back, then 'autoagent resume'"
                )
            choices = self._as_before(history.state, folder, choices)
            means = await self._means(history.state.goal, run_id, folder, start, hooks, choices)
            return await self._carry(history, self._folder(lease.workspace), means, hooks, choices)

    async def _carry(
        self, history: History, folder: LocalFolder, means: _Means, hooks: Hooks, choices: Choices
    ) -> Outcome:
        """Say who carries the run from here, then carry it."""
        lease, models = history.lease, means.models
        raised = choices.raised and LimitsRaised(limits=raise_limits(history.state.limits, choices.raised))
        history.record(
            OwnerChanged(
                epoch=lease.epoch,
                holder=lease.holder,
                attended=hooks.approver is not None,
                sandbox=means.sandbox_name,
                model=models.worker.name,
            ),
            *((raised,) if raised is not None else ()),
        )
        started_at = history.state.started_at
        assert started_at is not None
        hooks.on_launch(
            Launch(
                run=history.run_id, workspace=lease.workspace, model=models.worker.name, started_at=started_at
            )
        )
        meter = Meter(self.parts.clock)
        ctx = RunContext(
            history=history,
            workspace=Workspace(history, self.journal.objects, folder),
            asking=Asking(history, meter, hooks.approver, hooks.wait_s),
            meter=meter,
            models=models,
            tools=means.plugins.tools,
            plugin_hashes=means.plugins.hashes,
            sandbox=means.sandbox,
            memory=self._memory(),
            on_text=hooks.on_text,
        )
        try:
            await Runtime(ctx).carry()
            self.parts.faults.reached("run over")
        except JournalConflict:
            raise  # the run is another process's now, and so is its outcome
        except AutoagentError as error:
            if history.state.ended is not None:
                hooks.on_note(f"the run has ended, but: {error}")
            return self._outcome(history, str(error))
        return self._outcome(history, None)

    def _as_before(self, state: RunState, folder: Path, choices: Choices) -> Choices:
        """A run that played a recording goes on with it: no model is called that wasn't asked for."""
        assert state.started is not None
        chosen = choices.recorded is not None or choices.model is not None or self.parts.models is not None
        if chosen or not state.started.recorded:
            return choices
        own = folder / RECORDING
        if own.is_file():
            return replace(choices, recorded=str(own))
        raise UsageError(f"run {state.run_id} plays a recording; name it, or a model to go on with")

    def _is_over(self, state: RunState, choices: Choices) -> bool:
        """Whether the run has ended for good: only a limit can be raised."""
        if state.ended is None:
            return False
        sent = (c.command for c in self.journal.commands(state.run_id, state.commands))
        raised = choices.raised is not None or any(isinstance(c, RaiseLimits) for c in sent)
        return state.ended.ending != "limit" or not raised

    def _keep_apart(self, folder: Path) -> None:
        """A run must not write journals and settings. Raises `UsageError`."""
        home = self.home.resolve()
        if home.is_relative_to(folder) or folder.is_relative_to(home):
            raise UsageError(
                f"the workspace {str(folder)!r} holds autoagent's own state in {str(self.home)!r}, or is a "
                "part of it; work in another folder, or set AUTOAGENT_HOME to another place"
            )

    def _folder(self, workspace: str) -> LocalFolder:
        cache = self.home / "scans" / hash_text(workspace)
        return LocalFolder(Path(workspace), self.journal.objects, cache, self.parts.faults)

    @contextmanager
    def _lease(self, run_id: str) -> Iterator[Lease]:
        lease = self.journal.acquire(run_id, _holder())
        self.parts.faults.reached("lease taken")
        try:
            yield lease
        finally:
            self.journal.release(lease)

    async def _means(
        self, goal: Goal, run_id: str, folder: Path, inputs: Tree, hooks: Hooks, choices: Choices
    ) -> _Means:
        """Models, sandbox and plugins for a goal; `inputs` is the tree that the run starts from."""
        return _Means(
            plugins=plugins.load(goal, self.parts.plugins),
            models=await self._models(goal, folder, inputs, hooks, choices),
            sandbox=await self._sandbox(goal, run_id, inputs, hooks),
        )

    def _outcome(self, history: History, problem: str | None) -> Outcome:
        state, objects = history.state, self.journal.objects
        return outcome(
            state, load_tree(state.start_tree, objects), load_tree(state.main, objects), problem=problem
        )

    # --- what a run works with ----------------------------------------------------------------------------

    async def _models(self, goal: Goal, folder: Path, inputs: Tree, hooks: Hooks, choices: Choices) -> Models:
        from autoagent.llm.choice import configured_models, recorded_models

        if self.parts.models is not None:
            return self.parts.models
        recording = self._recording(folder, choices)
        if recording is not None:
            return recorded_models(
                recording, goal, inputs, self.journal, hooks.on_note, strict=choices.strict
            )
        models = configured_models(self.settings, goal, choices.model, hooks.on_note)
        if models is None:
            raise ModelUnavailable(
                "no model is set: set OPENAI_API_KEY and OPENAI_MODEL, or OPENAI_BASE_URL and OPENAI_MODEL "
                "for a server of your own; 'autoagent doctor' tells more"
            )
        for model in {id(m): m for m in (models.worker, models.planner, models.judge)}.values():
            self.stack.push_async_callback(model.close)
        return models

    def _recording(self, folder: Path, choices: Choices) -> str | None:
        """What the caller names; else, where no model is set, the workspace's own."""
        if choices.recorded is not None:
            return choices.recorded
        own = folder / RECORDING
        unset = choices.model is None and not self.settings.chain("worker")
        return str(own) if unset and own.is_file() else None

    async def _sandbox(self, goal: Goal, run_id: str, inputs: Tree, hooks: Hooks) -> Sandbox | None:
        criteria = (*goal.done_when, *(c for s in goal.plan for c in s.done_when))
        sandbox = self.parts.sandbox
        if sandbox is None:
            if goal.allow.run == "none" and not any(isinstance(c, RunCriterion) for c in criteria):
                return None
            from autoagent.sandboxes.choice import choose

            sandbox = await choose(self.settings.sandbox, run_id, hooks.on_note)
            self.stack.push_async_callback(sandbox.close)
        for criterion in criteria:
            if isinstance(criterion, RunCriterion) and (why := self._unfit(sandbox, criterion.run, inputs)):
                raise SandboxUnavailable(f"the criterion 'run: {criterion.run}': {why}")
        return sandbox

    def _unfit(self, sandbox: Sandbox, command: str, inputs: Tree) -> str | None:
        """Why this sandbox can't run a check: the command itself, or a Python file that it names."""
        if why := sandbox.refuses(command, "check"):
            return why
        entries = [
            inputs.entries.get(path) for path in files_named(command, inputs.entries) if path.endswith(".py")
        ]
        sources = (self.journal.objects.get(x.sha256) for x in entries if x is not None and x.kind == "file")
        refusals = (sandbox.refuses(data.decode("utf-8", "replace"), "python") for data in sources)
        return next((why for why in refusals if why), None)

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
            journal = SqliteJournal(home, faults=parts.faults)
            stack.callback(journal.close)
        yield _Wires(home, journal, settings, parts, stack)


def _existing(workspace: Path) -> Path:
    if not workspace.is_dir():
        raise UsageError(f"{str(workspace)!r} is no folder; name a workspace")
    return workspace.resolve()


def _as_chosen(goal: Goal, choices: Choices) -> Goal:
    """The goal with what the caller picked. Raises `UsageError` for what no goal file could hold."""
    if choices.parallel is not None:
        goal = goal.model_copy(update={"parallel": choices.parallel})
    try:
        Goal.model_validate(goal.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if goal.plan and (wrong := check_plan(goal.plan)):
        raise UsageError("the goal's plan can't be carried out: " + "; ".join(wrong))
    return goal


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
