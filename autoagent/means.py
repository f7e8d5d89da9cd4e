"""What one run works with, and how it is picked: models, sandbox, plugins, memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from autoagent.clock import Clock, SystemClock
from autoagent.commands import RaiseLimits
from autoagent.door.contexts import FilesView
from autoagent.door.tools import Plugin
from autoagent.equipment import Equipment
from autoagent.errors import ModelUnavailable, SandboxUnavailable, UsageError
from autoagent.faults import NO_FAULTS, Faults
from autoagent.goal import Goal, RunCriterion
from autoagent.goal.command import files_named
from autoagent.ids import fingerprint
from autoagent.llm.recording import FILE_NAME, sha256_of
from autoagent.loop.context import Models
from autoagent.loop.learnt import roots_of
from autoagent.outward.client import GuardedOutward
from autoagent.outward.guard import Secrets
from autoagent.plugin_host import loading as plugins
from autoagent.plugin_host.opening import Opening
from autoagent.plugin_host.providing import Providers
from autoagent.ports import Journal, Memory, OpenOnlookers, Outward, Passages, Sandbox, nobody
from autoagent.secrecy import BoundSecret, Strike
from autoagent.settings import SET_ONE, Settings
from autoagent.trees import Tree, WorkingCopy, restrict

RECORDING = FILE_NAME
"""A workspace's own recording: played where no model is configured."""

OnNote = Callable[[str], None]
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
    outward: Outward | None = None
    plugins: Sequence[Plugin] = ()
    clock: Clock = field(default_factory=SystemClock)
    home: Path | None = None
    faults: Faults = NO_FAULTS
    onlookers: OpenOnlookers = nobody
    """Lets others watch replies while they come in."""


@dataclass(frozen=True)
class Means:
    """What one run works with."""

    plugins: plugins.Loaded
    models: Models
    sandbox: Sandbox | None
    opening: Opening
    outward: Outward
    secrets: Secrets
    recording: str | None = None
    """What the models' replies come from: a recording's file, or a run."""

    @property
    def sandbox_name(self) -> str:
        return self.sandbox.abilities.name if self.sandbox is not None else "none"


@dataclass(frozen=True)
class Picker:
    """Picks what a run works with, by settings, goal and choices; ready-made parts come first."""

    home: Path
    settings: Settings
    journal: Journal
    parts: Parts
    stack: AsyncExitStack
    """Closes what is opened here."""
    _indexes: dict[str, Passages] = field(default_factory=dict)

    async def means(
        self,
        goal: Goal,
        run_id: str,
        folder: Path,
        inputs: Tree,
        choices: Choices,
        on_note: OnNote,
        *,
        now: Tree | None = None,
    ) -> Means:
        """Models, sandbox and plugins for a goal; `inputs` is the tree that the run starts from.

        `now` is the tree that it goes on with, where that is another. Raises `UsageError` for what can't be,
        `Unavailable` for what can't be had.
        """
        loaded = self.enabled(goal)
        secrets = self._secrets(goal, loaded)
        outward = self.parts.outward or GuardedOutward(secrets=secrets)
        means = Means(
            plugins=loaded,
            outward=outward,
            secrets=secrets,
            models=await self._models(goal, folder, inputs, choices, on_note),
            sandbox=await self._sandbox(goal, run_id, inputs, on_note),
            opening=Opening(loaded, on_note, outward),
            recording=None if self.parts.models is not None else self._recording(folder, choices),
        )
        # last, since it starts what costs time: everything else that can be refused is known by now
        await means.opening.open(goal, self._readable(goal, inputs if now is None else now), self.stack)
        for said in plugins.misspelt(goal, plugins.names_of(loaded.tools)):
            on_note(said)
        return means

    def _readable(self, goal: Goal, tree: Tree) -> FilesView:
        roots = roots_of(goal)
        return FilesView(WorkingCopy(tree if "." in roots else restrict(tree, roots), self.journal.objects))

    def _providers(self) -> Providers:
        outward = self.parts.outward or GuardedOutward()
        return Providers(self.home, self.settings, os.environ, outward, self.parts.plugins)

    def _secrets(self, goal: Goal, loaded: plugins.Loaded) -> Secrets:
        """Those that the goal binds, and all that must stand nowhere. Raises `UsageError`."""
        bound: tuple[BoundSecret, ...] = ()
        if goal.allow.secrets:
            from autoagent.vault import bound_secrets

            bound = bound_secrets(goal.allow.secrets, self.settings.secrets, os.environ, self.home)
        known = self.settings.secret_keys() | dict(loaded.secrets) | {s.name: s.value for s in bound}
        return Secrets(bound, Strike({name: value.get_secret_value() for name, value in known.items()}))

    def enabled(self, goal: Goal) -> plugins.Loaded:
        """The plugins that goal and settings enable. Raises `UsageError`."""
        return plugins.load(goal, self.parts.plugins, self.settings, os.environ, self.home)

    def memory(self) -> Memory:
        if self.parts.memory is not None:
            return self.parts.memory
        memory = open_memory(self.home, self.settings, self._providers())
        self.stack.push_async_callback(memory.close)
        return memory

    def passages(self, plugin: str) -> Passages:
        """The plugin's own index of texts, the same at each call."""
        if plugin not in self._indexes:
            self._indexes[plugin] = passages = open_passages(self.home, self.settings, plugin)
            self.stack.push_async_callback(passages.close)
        return self._indexes[plugin]

    async def _models(
        self, goal: Goal, folder: Path, inputs: Tree, choices: Choices, on_note: OnNote
    ) -> Models:
        from autoagent.llm.choice import configured_models, recorded_models

        if self.parts.models is not None:
            return self.parts.models
        recording = self._recording(folder, choices)
        if recording is not None:
            return recorded_models(recording, goal, inputs, self.journal, on_note, strict=choices.strict)
        models = configured_models(self.settings, goal, choices.model, on_note, self._providers().model)
        if models is None:
            raise ModelUnavailable(f"no model is set: {SET_ONE}; 'autoagent doctor' tells more")
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

    async def _sandbox(self, goal: Goal, run_id: str, inputs: Tree, on_note: OnNote) -> Sandbox | None:
        criteria = (*goal.done_when, *(c for s in goal.plan for c in s.done_when))
        sandbox = self.parts.sandbox
        if sandbox is None:
            if goal.allow.run == "none" and not any(isinstance(c, RunCriterion) for c in criteria):
                return None
            from autoagent.sandboxes.choice import choose

            sandbox = await choose(self.settings.sandbox, run_id, on_note)
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


def open_memory(home: Path, settings: Settings, providers: Providers | None = None) -> Memory:
    """Long-term memory as the settings say: a Qdrant server, or embedded in the home folder.

    Raises `UsageError` where an embedder is wanted that isn't there.
    """
    words = _open_words(home, settings)
    if settings.memory.embed is None:
        return words
    from autoagent.memory.meaning import MeaningMemory

    providers = providers or Providers(home, settings, os.environ, GuardedOutward())
    return MeaningMemory(words, providers.embedder(settings.memory.embed), home / "vectors")


def _open_words(home: Path, settings: Settings) -> Memory:
    if settings.memory.url is not None:
        from autoagent.memory.server import ServerMemory

        key = settings.key(settings.memory.key_env)
        return ServerMemory(settings.memory.url, key.get_secret_value() if key is not None else None)
    from autoagent.memory.edge import EdgeMemory

    return EdgeMemory(home / "memory")


def open_passages(home: Path, settings: Settings, plugin: str) -> Passages:
    """A plugin's index of texts, where memory is too: a collection of its own, or a folder in the home."""
    own = plugin if plugin.isidentifier() else fingerprint(plugin)  # whatever a plugin is called
    if settings.memory.url is not None:
        from autoagent.memory.server import PASSAGES, ServerPassages

        key = settings.key(settings.memory.key_env)
        secret = key.get_secret_value() if key is not None else None
        return ServerPassages(settings.memory.url, secret, collection=PASSAGES + own)
    from autoagent.memory.edge import EdgePassages

    return EdgePassages(home / "passages" / own)


def with_recording(equipment: Equipment, source: str | None) -> Equipment:
    """With what the replies come from, so that a resume finds it: a file by its absolute path, or a run."""
    if source is None:
        return equipment
    path = Path(source)
    recording = str(path.absolute()) if path.exists() else source
    return equipment.model_copy(update={"recording": recording, "recording_sha256": sha256_of(recording)})


def former_recording(run_id: str, equipment: Equipment) -> str:
    """The recording that a run's last owner played. Raises `UsageError` where it isn't as it was."""
    if sha256_of(equipment.recording) == equipment.recording_sha256:
        return equipment.recording
    raise UsageError(
        f"run {run_id} plays a recording, {equipment.recording!r}, which is gone or has changed; "
        "name one with --recorded, or a model to go on with"
    )
