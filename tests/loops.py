"""A stage for tests of the loop: a folder, a journal, a memory, and runs through `autoagent.wiring`.

Everything is real but the model; the journal is in memory, so that a test can cut it after any entry.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from autoagent import wiring
from autoagent.clock import Clock, SystemClock
from autoagent.commands import Answer, Approve, Command, Deny
from autoagent.door.tools import Plugin
from autoagent.events import Entry, Event
from autoagent.goal import Goal
from autoagent.goal.file import understand
from autoagent.loop.asking import Approver
from autoagent.loop.context import Models
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.ports import (
    Journal,
    Lease,
    Listener,
    Model,
    ModelRequest,
    OnEntry,
    OpenOnlookers,
    Sandbox,
    nobody,
)
from autoagent.questions import Question
from autoagent.state import RunState, fold
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.memory import DictMemory
from autoagent.testing.model import Prompt, ScriptedModel, call
from autoagent.trees import load_tree
from autoagent.wiring import Choices, Hooks, Parts

E = TypeVar("E", bound=Event)
STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 4
"""Of the moments at which a process can die, every so many are tried."""


def goal(text: str) -> Goal:
    """A goal from its YAML."""
    return understand(text)[0]


def plan(*ids: str, **depends_on: str) -> Reply:
    """A planner's reply: sub-tasks by id; `b="a"` makes b depend on a, `c="a b"` on both."""
    rows = [
        {"id": id, "title": f"do {id}", "instructions": "", "depends_on": depends_on.get(id, "").split()}
        for id in dict.fromkeys([*ids, *depends_on])
    ]
    return call("propose_plan", sub_tasks=rows)


def finish(result: str = "done") -> Reply:
    return call("finish", result=result)


def write(path: str, content: str) -> Reply:
    return call("files_write", path=path, content=content)


class CuttableJournal(MemoryJournal):
    """Knows after which entries a process can die: those that end a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[int] = []

    def append(self, lease: Lease, entries: Sequence[Entry], *, sync: bool = False) -> None:
        super().append(lease, entries, sync=sync)
        self.ends.append(entries[-1].seq)


@dataclass
class Stage:
    """One workspace and what its runs leave behind."""

    folder: Path
    home: Path
    journal: Journal = field(default_factory=CuttableJournal)
    memory: DictMemory = field(default_factory=DictMemory)
    sandbox: Sandbox | None = None
    plugins: Sequence[Plugin] = ()
    clock: Clock = field(default_factory=SystemClock)
    stronger: Model | None = None
    context_tokens: int = 32_000
    entries: list[Entry] = field(default_factory=list)
    """Of all runs, as they were heard."""
    onlookers: OpenOnlookers = nobody
    notes: list[str] = field(default_factory=list)
    run: str = ""
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def at(cls, path: Path, files: Mapping[str, str] | None = None, **parts: object) -> Stage:
        folder = path / "workspace"
        folder.mkdir()
        stage = replace(cls(folder, path / "home"), **parts)  # type: ignore[arg-type]
        for name, text in (files or {}).items():
            stage.write(name, text)
        return stage

    # --- the folder

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def files(self) -> dict[str, str]:
        """Path -> text of everything in the folder."""
        found = sorted(p for p in self.folder.rglob("*") if p.is_file())
        return {p.relative_to(self.folder).as_posix(): p.read_text() for p in found}

    # --- runs

    async def start(
        self, goal_: Goal | str, model: Model, *, choices: Choices | None = None, **hooks: object
    ) -> Outcome:
        wanted = goal(goal_) if isinstance(goal_, str) else goal_
        return await wiring.start(
            wanted,
            self.folder,
            hooks=self._hooks(**hooks),
            choices=choices or Choices(),
            parts=self._parts(model),
        )

    async def resume(self, model: Model, *, choices: Choices | None = None, **hooks: object) -> Outcome:
        return await wiring.resume(
            self.run,
            hooks=self._hooks(**hooks),
            choices=choices or Choices(),
            parts=self._parts(model),
        )

    def _hooks(
        self,
        approver: Approver | None = None,
        wait_s: float = 0,
        on_entry: OnEntry | None = None,
    ) -> Hooks:
        def hear(entry: Entry) -> None:
            self.entries.append(entry)
            self._heard.set()
            self._heard = asyncio.Event()
            if on_entry is not None:
                on_entry(entry)

        def launched(launch: wiring.Launch) -> None:
            self.run = launch.run

        return Hooks(
            approver=approver,
            wait_s=wait_s,
            on_launch=launched,
            on_entry=hear,
            on_note=self.notes.append,
        )

    def _parts(self, model: Model) -> Parts:
        return Parts(
            journal=self.journal,
            models=Models(model, model, model, self.stronger, self.context_tokens),
            sandbox=self.sandbox,
            memory=self.memory,
            plugins=self.plugins,
            clock=self.clock,
            home=self.home,
            onlookers=self.onlookers,
        )

    async def until(self, holds: Callable[[Stage], object]) -> None:
        """Wait until the run's journal is as wanted."""
        while not holds(self):
            await self._heard.wait()

    def kill(self, keep: int | None = None) -> None:
        """The process dies now; of the run's entries the first `keep` are on disk."""
        assert isinstance(self.journal, MemoryJournal)
        self.journal = self.journal.after_kill(keep)

    @property
    def ends(self) -> list[int]:
        """After which entries of the run so far its process could have died."""
        assert isinstance(self.journal, CuttableJournal)
        return self.journal.ends

    def restore(self) -> None:
        """Make the folder hold `main` as the journal has it, and nothing else."""
        for path in self.files():
            (self.folder / path).unlink()
        objects = self.journal.objects
        for path, entry in load_tree(self.state.main, objects).entries.items():
            if entry.kind == "file":
                self.write(path, objects.get(entry.sha256).decode())

    # --- what was recorded

    @property
    def state(self) -> RunState:
        return fold(self.run, self.journal.read(self.run))

    def events(self, kind: type[E]) -> list[E]:
        """The run's events of one kind, in order."""
        return [e.event for e in self.journal.read(self.run) if isinstance(e.event, kind)]

    def kinds(self) -> list[str]:
        return [e.event.kind for e in self.journal.read(self.run)]

    def question(self) -> Question:
        """The one open question."""
        (waiting,) = self.state.waiting
        return waiting.question

    def send(self, command: Command) -> None:
        self.journal.send(self.run, command, by="command")

    def approve(self, covers: int = 1, edit: object = None) -> None:
        """Say yes from another terminal."""
        asked = self.question()
        command = {"question": asked.id, "digest": asked.digest, "covers": covers, "edit": edit}
        self.send(Approve.model_validate(command))

    def deny(self, why: str = "") -> None:
        asked = self.question()
        self.send(Deny(question=asked.id, digest=asked.digest, why=why))

    def answer(self, text: str) -> None:
        asked = self.question()
        self.send(Answer(question=asked.id, digest=asked.digest, text=text))


def yes(covers: int = 1, edit: object = None) -> Approver:
    """A person who says yes to everything, and answers with the first choice."""

    async def approver(question: Question, state: RunState) -> Approve | Deny | Answer | None:
        if not question.is_yes_no:
            text = question.choices[0] if question.choices else "yes"
            return Answer(question=question.id, digest=question.digest, text=text)
        command = {"question": question.id, "digest": question.digest, "covers": covers, "edit": edit}
        return Approve.model_validate(command)

    return approver


def no(why: str = "") -> Approver:
    """A person who says no to everything."""

    async def approver(question: Question, state: RunState) -> Approve | Deny | Answer | None:
        if not question.is_yes_no:
            return Answer(question=question.id, digest=question.digest, text=why or "no")
        return Deny(question=question.id, digest=question.digest, why=why)

    return approver


class Together(ScriptedModel):
    """Lanes meet: their first requests wait until each lane of `group` has asked."""

    group = frozenset({"a", "b"})

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        if not hasattr(self, "_asked"):
            self._asked, self._all_there = set(), asyncio.Event()
        self._asked.add(request.lane)
        if self._asked >= self.group:
            self._all_there.set()
        if request.lane in self.group:
            await self._all_there.wait()
        await self.before(request)
        return await super().reply(request, listener)

    async def before(self, request: ModelRequest) -> None:
        """For tests: what a request waits for besides."""


def worker_prompts(model: ScriptedModel) -> list[Prompt]:
    return [p for p in model.prompts if p.role == "worker"]


async def interrupt(task: asyncio.Task[Outcome]) -> None:
    """Ctrl-C, and wait until the run has let go."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
