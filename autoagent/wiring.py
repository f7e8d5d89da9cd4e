"""The composition root: puts a run together from its means (`autoagent.means`), and carries or ends it.

`start` begins a run, `resume` goes on with one; both return its `Outcome`. `cancel` ends one for good. Front
ends call these and write no event themselves; they hear entries as they are recorded, and answer questions
through an approver.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from autoagent import __version__
from autoagent.clock import SystemClock
from autoagent.commands import Cancel, RaiseLimits
from autoagent.errors import AutoagentError, JournalConflict, RunOwned, StoreDamaged, UsageError
from autoagent.events import CommandTaken, LimitsRaised, OwnerChanged, RunStarted
from autoagent.faults import NO_FAULTS, Faults
from autoagent.folder.local import LocalFolder
from autoagent.goal import Goal
from autoagent.goal.file import goal_digest
from autoagent.grants_file import GrantsFile
from autoagent.ids import new_id
from autoagent.journal.home import home as default_home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.logs import struck_logs
from autoagent.loop.asking import Approver, Asking
from autoagent.loop.context import RunContext, equipment_of
from autoagent.loop.hearing import Hearing
from autoagent.loop.history import History
from autoagent.loop.meter import Meter
from autoagent.loop.remembering import remember
from autoagent.loop.reporting import Reporter
from autoagent.loop.runtime import Runtime, cancelled, raise_limits
from autoagent.loop.workspace import Workspace
from autoagent.means import RECORDING as RECORDING
from autoagent.means import Choices as Choices
from autoagent.means import Means, OnNote, Picker, former_recording, with_recording
from autoagent.means import Parts as Parts
from autoagent.means import open_memory as open_memory
from autoagent.messages import Frozen
from autoagent.outcome import Outcome, outcome
from autoagent.plan import check_plan
from autoagent.ports import Journal, Lease, OnEntry
from autoagent.protection import protected_at_start
from autoagent.settings import load as load_settings
from autoagent.state import RunState, fold, hash_text
from autoagent.trees import load_tree


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
    on_note: OnNote = lambda note: None


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

    A run that has ended for good gives its outcome again. Raises `UsageError`, `RunOwned`; `StoreDamaged`
    where an entry isn't what was written.
    """
    async with _opened(parts or Parts()) as wires:
        return await wires.go_on(run_id, hooks, choices)


def cancel(journal: Journal, run_id: str, why: str = "", *, by: str = "command") -> None:
    """End a run for good: the process that carries it is told, and where there is none, it is ended here.

    Raises `UsageError` for an unknown run and for one that has ended; `RunOwned` where a living process holds
    the run or its folder: it has been told then, and the run ends as soon as somebody reads that.
    """
    if (ended := fold(run_id, journal.read(run_id)).ended) is not None:
        raise UsageError(f"run {run_id} has ended already: {ended.reason}")
    sent = journal.send(run_id, Cancel(why=why), by=by)
    with _held(journal, run_id) as lease:
        history = History(journal, lease, SystemClock())
        if history.state.ended is None:
            history.record(CommandTaken(number=sent.number), cancelled(by, why), sync=True)


@contextmanager
def held_workspace(journal: Journal, run_id: str, parts: Parts | None = None) -> Iterator[Workspace]:
    """A run's workspace under a lease of our own, to be moved by a person; no agent is carried.

    Raises `UsageError` for a run that never began, `RunOwned` while a process carries it; `StoreDamaged`
    where an entry isn't what was written.
    """
    parts = parts or Parts()
    with _held(journal, run_id, parts.faults) as lease:
        _refuse_broken(journal, run_id)
        history = History(journal, lease, parts.clock, faults=parts.faults)
        if history.state.started is None:
            raise UsageError(f"run {run_id} never began: its journal is empty")
        home, folder = parts.home or default_home(), _same(lease.workspace)
        keep_apart(home, folder)
        disk = local_folder(home, journal, str(folder), parts.faults)
        yield Workspace(history, journal.objects, disk)


@dataclass
class _Wires:
    """Open adapters, and how a run is put together from them."""

    home: Path
    journal: Journal
    parts: Parts
    picker: Picker

    async def begin(self, goal: Goal, folder: Path, hooks: Hooks, choices: Choices) -> Outcome:
        """A new run: everything that can be refused is found out before its journal exists."""
        run_id = new_id()
        keep_apart(self.home, folder)
        disk = local_folder(self.home, self.journal, str(folder), self.parts.faults)
        tree = await asyncio.to_thread(disk.scan)
        means = await self.picker.means(goal, run_id, folder, tree, choices, hooks.on_note)
        self.journal.create(run_id, str(folder))
        self.parts.faults.reached("run created")
        with _held(self.journal, run_id, self.parts.faults, is_new=True) as lease:
            history = History(
                self.journal,
                lease,
                self.parts.clock,
                hooks.on_entry,
                self.parts.faults,
                means.secrets.strike,
            )
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
        with _held(self.journal, run_id, self.parts.faults) as lease:
            _refuse_broken(self.journal, run_id)
            history = History(self.journal, lease, self.parts.clock, hooks.on_entry, self.parts.faults)
            if history.state.started is None:
                raise UsageError(f"run {run_id} never began: its journal is empty; start it again")
            if self._is_over(history.state, choices):
                await self._finish_undo(history)
                await remember(history, self.picker.memory())
                await history.durable()
                return await self._reported(history, hooks.on_note)
            start = load_tree(history.state.start_tree, self.journal.objects)
            folder = _same(lease.workspace)
            keep_apart(self.home, folder)
            choices = self._as_before(history.state, folder, _as_forked(history.state, choices))
            goal = history.state.goal
            now = load_tree(history.state.main, self.journal.objects)
            means = await self.picker.means(goal, run_id, folder, start, choices, hooks.on_note, now=now)
            disk = local_folder(self.home, self.journal, lease.workspace, self.parts.faults)
            return await self._carry(history, disk, means, hooks, choices)

    async def _carry(
        self, history: History, folder: LocalFolder, means: Means, hooks: Hooks, choices: Choices
    ) -> Outcome:
        """Say who carries the run from here, then carry it."""
        lease, models = history.lease, means.models
        history.strike = means.secrets.strike
        raised = choices.raised and LimitsRaised(limits=raise_limits(history.state, choices.raised))
        history.record(
            OwnerChanged(
                epoch=lease.epoch,
                holder=lease.holder,
                attended=hooks.approver is not None,
                sandbox=means.sandbox_name,
                model=models.worker.name,
                equipment=with_recording(equipment_of(models, means.sandbox), means.recording),
            ),
            *((raised,) if raised is not None else ()),
        )
        started_at = history.state.started_at
        assert started_at is not None
        await history.durable()  # who is told of a run can resume it
        hooks.on_launch(
            Launch(
                run=history.run_id, workspace=lease.workspace, model=models.worker.name, started_at=started_at
            )
        )
        meter = Meter(self.parts.clock)
        hooked = means.plugins.hooked
        hearing = Hearing(history, hooked) if hooked else None
        ctx = RunContext(
            history=history,
            workspace=Workspace(history, self.journal.objects, folder),
            asking=Asking(
                history,
                meter,
                hooks.approver,
                hooks.wait_s,
                _expiry(self.picker.settings.questions.expire_hours),
                GrantsFile(self.home).look_up,
            ),
            meter=meter,
            models=models,
            tools=means.plugins.tools,
            plugin_hashes=means.plugins.hashes,
            sandbox=means.sandbox,
            memory=self.picker.memory(),
            passages=self.picker.passages,
            outward=means.outward,
            secrets=means.secrets.bound,
            hearing=hearing,
        )
        patience_s = self.picker.settings.questions.tell_after_minutes * 60
        reporter = Reporter(history, hooked, patience_s, attended=hooks.approver is not None)
        try:
            with (
                means.opening.carried(history),
                struck_logs(history.strike),
                self.parts.onlookers(history.run_id, history.strike) as onlookers,
            ):
                return await self._carried(replace(ctx, onlookers=onlookers), reporter, hooks.on_note)
        finally:
            reporter.close()
            if hearing is not None:
                hearing.close()

    async def _carried(self, ctx: RunContext, reporter: Reporter, on_note: OnNote) -> Outcome:
        """Carry the run, and tell the plugins that want to know what it came to."""
        history, problem = ctx.history, None
        reporter.begin()
        try:
            await Runtime(ctx).carry()
            self.parts.faults.reached("run over")
        except JournalConflict:
            await reporter.abandon()
            raise  # the run is another process's now, and so is its outcome
        except asyncio.CancelledError:
            await reporter.finish(self._outcome(history, None))
            raise
        except AutoagentError as error:
            problem = str(error)
            if history.state.ended is not None:
                on_note(f"the run has ended, but: {error}")
        except BaseException:  # a bug of ours, or the process is to end
            await reporter.abandon()
            raise
        await reporter.finish(self._outcome(history, problem))
        return self._outcome(history, problem)

    async def _reported(self, history: History, on_note: OnNote) -> Outcome:
        """Of a run that is over: tell the plugins that its process was killed before it told."""
        started, result = history.state.started, self._outcome(history, None)
        assert started is not None
        try:
            hooked = self.picker.enabled(started.goal).hooked
        except UsageError as error:
            on_note(f"plugins aren't told how the run ended: {error}")
            return result
        theirs = [each for each in hooked if each.context.plugin in started.plugins]
        await Reporter(history, theirs, 0, attended=False).finish(result)
        return self._outcome(history, None)

    def _as_before(self, state: RunState, folder: Path, choices: Choices) -> Choices:
        """A run that played a recording goes on with it: no model is called that wasn't asked for."""
        assert state.started is not None
        chosen = choices.recorded is not None or choices.model is not None or self.parts.models is not None
        if chosen or not state.started.recorded:
            return choices
        owners = [x.event for x in self.journal.read(state.run_id) if isinstance(x.event, OwnerChanged)]
        known = owners[-1].equipment if owners else None
        if known is not None and known.recording:
            return replace(choices, recorded=former_recording(state.run_id, known))
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

    async def _finish_undo(self, history: History) -> None:
        """Of a run that is over: an undo that was killed before the folder held it."""
        undone = history.state.undone
        if undone is not None and not undone.projected:
            folder = str(_same(history.lease.workspace))
            disk = local_folder(self.home, self.journal, folder, self.parts.faults)
            await Workspace(history, self.journal.objects, disk).restore()

    def _outcome(self, history: History, problem: str | None) -> Outcome:
        state, objects = history.state, self.journal.objects
        start, main = load_tree(state.start_tree, objects), load_tree(state.main, objects)
        return outcome(state, start, main, journal_head=self.journal.link(state.run_id), problem=problem)


@contextmanager
def _held(
    journal: Journal, run_id: str, faults: Faults = NO_FAULTS, *, is_new: bool = False
) -> Iterator[Lease]:
    """The run's lease, given back at the end. Raises `RunOwned`; a run that is new is gone again then."""
    try:
        lease = journal.acquire(run_id, f"{socket.gethostname()}:{os.getpid()}")
    except RunOwned:
        if is_new:
            journal.remove(run_id)
        raise
    faults.reached("lease taken")
    try:
        yield lease
    finally:
        journal.release(lease)


@asynccontextmanager
async def _opened(parts: Parts) -> AsyncIterator[_Wires]:
    home = parts.home or default_home()
    settings = load_settings(home, os.environ)
    async with AsyncExitStack() as stack:
        journal = parts.journal
        if journal is None:
            journal = SqliteJournal(home, faults=parts.faults)
            stack.callback(journal.close)
        yield _Wires(home, journal, parts, Picker(home, settings, journal, parts, stack))


def _expiry(hours: float) -> timedelta | None:
    return timedelta(hours=hours) if hours > 0 else None


def keep_apart(home: Path, folder: Path) -> None:
    """A run must not write journals and settings. Raises `UsageError`."""
    own = home.resolve()
    if own.is_relative_to(folder) or folder.is_relative_to(own):
        raise UsageError(
            f"the workspace {str(folder)!r} holds autoagent's own state in {str(home)!r}, or is a "
            "part of it; work in another folder, or set AUTOAGENT_HOME to another place"
        )


def local_folder(home: Path, journal: Journal, workspace: str, faults: Faults = NO_FAULTS) -> LocalFolder:
    """A run's folder, with what this home knows of it."""
    return LocalFolder(Path(workspace), journal.objects, home / "scans" / hash_text(workspace), faults)


def _refuse_broken(journal: Journal, run_id: str) -> None:
    """Nothing is decided on entries that aren't what was written. Raises `StoreDamaged`."""
    found = journal.verify(run_id)
    if found.first_bad is None:
        return
    named = f" ({found.kind}, {found.at:%Y-%m-%d %H:%M:%S} UTC)" if found.at is not None else ""
    last_good = f", or go on from the last good entry: autoagent fork {run_id} --at {found.entries}"
    raise StoreDamaged(
        f"run {run_id}: entry {found.first_bad}{named} is not what was written: {found.why}; "
        f"restore the journal from a copy{last_good if found.entries else ''}"
    )


def _as_forked(state: RunState, choices: Choices) -> Choices:
    """A fork goes on with the model that it was made for."""
    if state.forked is None or not state.forked.model or choices.model or choices.recorded:
        return choices
    return replace(choices, model=state.forked.model)


def _existing(workspace: Path) -> Path:
    if not workspace.is_dir():
        raise UsageError(f"{str(workspace)!r} is no folder; name a workspace")
    return workspace.resolve()


def _same(workspace: str) -> Path:
    """The folder that a run began in, still where it was. Raises `UsageError`."""
    if not Path(workspace).is_dir():
        raise UsageError(
            f"the run's workspace {workspace!r} is no folder any more; put it back where it was, or have its "
            "files laid out from the journal, in a folder of their own: 'autoagent fork RUN --at N'"
        )
    folder = _existing(Path(workspace))
    if str(folder) != workspace:
        raise UsageError(
            f"the workspace {workspace!r} leads to {str(folder)!r} now, through a link that "
            "wasn't there when the run began; put the folder itself back, then 'autoagent resume'"
        )
    return folder


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
