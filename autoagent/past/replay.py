"""Our code against a run's record: the same replies, results, answers and edits, and what comes of them now.

The run's journal is only read. Nothing is sent, no container starts, no folder is touched: all that the loop
asks of the world comes from the record (`replay_ports`), at its place (`replay_turns`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from autoagent import __version__
from autoagent import events as e
from autoagent.door.tools import Plugin
from autoagent.equipment import Equipment, ModelEquipment, SandboxEquipment
from autoagent.errors import AutoagentError, StoreUnavailable, UsageError
from autoagent.events import Entry
from autoagent.loop.asking import Asking
from autoagent.loop.context import Models, RunContext
from autoagent.loop.meter import Meter
from autoagent.loop.requests import STOPPED
from autoagent.loop.runtime import Runtime
from autoagent.messages import Frozen
from autoagent.past.replay_findings import Findings, LaneReplayed
from autoagent.past.replay_hearing import HearingFromRecord
from autoagent.past.replay_ports import (
    FolderFromRecord,
    GrantsFromRecord,
    JournalInMemory,
    MemoryFromRecord,
    ModelFromRecord,
    ObjectsAbove,
    SandboxFromRecord,
    ToolsFromRecord,
    WorkspaceInTurn,
)
from autoagent.past.replay_record import PLAN, Leg, Noted, legs, noted
from autoagent.past.replay_tools import Following, ToolsOfRecord
from autoagent.past.replay_turns import HistoryInTurn, Turns
from autoagent.plugin_host import loading as plugins
from autoagent.plugin_host.opened import hash_of
from autoagent.ports import Lease, Model, Objects
from autoagent.settings import Settings
from autoagent.state import fold

_FOR_EVER_S = 1e9
_NO_LIMIT = 10**15


class Replayed(Frozen):
    """What a replay found: the record of `autoagent replay --json`."""

    run: str
    recorded_by: str
    """The version that wrote the run."""
    replayed_by: str
    entries: int
    same: bool
    """No lane differs."""
    is_whole: bool
    """Every lane was compared to its end."""
    prompts: int
    """Requests whose prompts were compared."""
    prompts_unknown: int
    """Requests of a version that did not record its prompts."""
    plugins_changed: tuple[str, ...] = ()
    """Enabled plugins whose code isn't what the run began with."""
    lanes: tuple[LaneReplayed, ...]


class Source(Protocol):
    """The journal, as far as a replay reads it."""

    @property
    def objects(self) -> Objects: ...

    def read(self, run_id: str, after: int = 0) -> list[Entry]: ...


def replay(
    source: Source,
    run_id: str,
    extra: Sequence[Plugin] = (),
    settings: Settings | None = None,
    environment: Mapping[str, str] | None = None,
) -> Replayed:
    """Replay a run as far as it stands in its journal, in an event loop of its own.

    The rest is as for `plugins.load`. Raises `UsageError` for a run that never began, or whose plugins aren't
    there.
    """
    entries = source.read(run_id)
    started = next((x.event for x in entries if isinstance(x.event, e.RunStarted)), None)
    if started is None:
        raise UsageError(f"run {run_id} never began: its journal is empty")
    loaded = plugins.load(started.goal, extra, settings, environment)
    with asyncio.Runner() as runner:
        return runner.run(_Replay(run_id, entries, started, loaded, ObjectsAbove(source.objects)).run())


@dataclass(frozen=True)
class _StoppedClock:
    """No time passes: what the run spent stands in its record."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class _Here(ThreadPoolExecutor):
    """Does the work of threads at once: nobody waits for the folder."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # the caller gets it, as from a thread
            future.set_exception(error)
        return future


def _is_of_a_stop(event: e.Event) -> bool:
    """What every stop from outside leaves, wherever it came."""
    match event:
        case e.ModelFailed(why=why):
            return why == STOPPED
        case e.RunInterrupted():
            return True
        case _:
            return False


class _Replay:
    def __init__(
        self,
        run_id: str,
        entries: list[Entry],
        started: e.RunStarted,
        loaded: plugins.Loaded,
        objects: ObjectsAbove,
    ) -> None:
        self.run_id, self.started, self.loaded, self.objects = run_id, started, loaded, objects
        self.record = noted(entries)
        self.findings = Findings.of(self.record)
        self.clock = _StoppedClock(entries[0].at)

    async def run(self) -> Replayed:
        asyncio.get_running_loop().set_default_executor(_Here())
        carried = [leg for leg in legs(self.record) if leg.is_carried]
        for leg in carried:
            await self._carry(leg)
        called = [x.event for x in self.record if isinstance(x.event, e.ModelCalled)]
        known = sum(bool(x.prompt) for x in called)
        # what a person did between, an undo with the edits that it found, is nobody's to do again
        lanes = self.findings.lanes([one for leg in carried for one in self.record[leg.first : leg.last]])
        return Replayed(
            run=self.run_id,
            recorded_by=self.started.version,
            replayed_by=__version__,
            entries=len(self.record),
            same=all(x.differs_at is None for x in lanes),
            is_whole=all(x.not_compared_from is None for x in lanes),
            prompts=known,
            prompts_unknown=len(called) - known,
            plugins_changed=tuple(
                name for name, then in self.started.plugins.items() if self._hash_now(name) != then
            ),
            lanes=lanes,
        )

    def _hash_now(self, plugin: str) -> str | None:
        """The plugin's hash if it had its code of today and opened what the run opened at first."""
        code = self.loaded.hashes.get(plugin)
        opened = (x.event for x in self.record if isinstance(x.event, e.ToolsOpened))
        first = next((event for event in opened if event.plugin == plugin), None)
        if code is None or first is None:
            return code
        return hash_of(code, json.loads(self.objects.get(first.tools)))

    async def _carry(self, leg: Leg) -> None:
        """Replay one process; where the planner went another way, go on behind its plan."""
        record = self.record
        if leg.equipment is None:  # nothing says how long prompts might be
            record = [
                replace(x, is_given=x.is_given or isinstance(x.event, e.ContextCompacted)) for x in record
            ]
        at: int | None = leg.first
        while at is not None:
            at = await self._attempt(record, leg, at)

    async def _attempt(self, record: Sequence[Noted], leg: Leg, first: int) -> int | None:
        """Carry the run on from an entry; the entry to go on from where that failed."""
        at = first
        while at < leg.last and (record[at].is_given or record[at].entry.seq <= record[first].entry.seq):
            at += 1
        turns = Turns(record, leg, at, self.findings, self._read, self.clock)
        ctx = self._context(turns, leg, [x.entry for x in record[:at]])
        turns.carried = asyncio.ensure_future(Runtime(ctx).carry())
        await turns.drive()
        self._note_end(turns, leg)
        if turns.turned is None or record[min(turns.turned, leg.last - 1)].lane != PLAN:
            return None
        return self._behind_the_plan(leg, turns.turned)

    def _behind_the_plan(self, leg: Leg, index: int) -> int | None:
        """The approved plan that the run went on with, where nothing was under way at that moment."""
        for at in range(index, leg.last):
            if isinstance(self.record[at].event, e.PlanApproved):
                state = fold(self.run_id, [x.entry for x in self.record[: at + 1]])
                return None if state.held or state.calls else at
        return None

    def _note_end(self, turns: Turns, leg: Leg) -> None:
        """What ended the replayed process before its record was done."""
        rest = [x for x in self.record[turns.at : leg.last] if not x.is_given]
        if turns.is_ended or all(_is_of_a_stop(x.event) for x in rest):
            return
        problem = None if turns.carried.cancelled() else turns.carried.exception()
        first = rest[0]
        if isinstance(problem, AutoagentError) and not leg.is_cut:
            text = f"the run stops here: {problem}"
            self.findings.differs(first.lane, first.entry.seq, text)
        elif problem is not None and not isinstance(problem, AutoagentError) and turns.turned is None:
            raise problem
        for one in rest:
            self.findings.not_compared(one.lane, one.entry.seq)

    # --- what the run works with --------------------------------------------------------------------------

    def _context(self, turns: Turns, leg: Leg, prefix: list[Entry]) -> RunContext:
        assert leg.owner is not None
        equipment = leg.equipment or self._guessed(leg)
        lease = Lease(
            run_id=self._run_of(leg),
            workspace=self.started.workspace,
            epoch=prefix[-1].epoch,
            holder="replay",
        )
        journal = JournalInMemory(self.objects, prefix, turns)
        history = HistoryInTurn(journal, lease, self.clock)
        history.turns = turns
        workspace = WorkspaceInTurn(
            history, self.objects, FolderFromRecord(turns, self.objects, history.state.main)
        )
        workspace.turns = turns
        meter = Meter(self.clock)
        grants = GrantsFromRecord(turns)
        turns.history = history
        turns.asking = Asking(history, meter, wait_s=_FOR_EVER_S, grants=grants)
        sandbox, hashes = equipment.sandbox, self._hashes(leg)
        decided = [(x.entry.seq, x.event) for x in self.record if isinstance(x.event, e.CallDecided)]
        known = ToolsOfRecord(self.loaded.fixed, decided, self.objects, lambda: history.state)
        return RunContext(
            history=history,
            workspace=workspace,
            asking=turns.asking,
            meter=meter,
            models=self._models(turns, equipment),
            tools=Following(known.tools),
            plugin_hashes=Following(lambda: {**hashes, **known.hashes()}),
            sandbox=None if sandbox is None else SandboxFromRecord(turns, sandbox, self.objects),
            memory=MemoryFromRecord(turns),
            hearing=HearingFromRecord(turns),
            execution=lambda lane: ToolsFromRecord(turns, self.objects),
            around_lane=turns.around,
        )

    def _run_of(self, leg: Leg) -> str:
        """The run that the process carried: before a fork the one that was forked."""
        forks = (x.event for x in self.record[leg.first :] if isinstance(x.event, e.Forked))
        return next((forked.source for forked in forks), self.run_id)

    def _models(self, turns: Turns, known: Equipment) -> Models:
        def model(of: ModelEquipment) -> Model:
            return ModelFromRecord(turns, of, known.style)

        worker = model(known.worker)
        return Models(
            worker=worker,
            planner=worker if known.planner is None else model(known.planner),
            judge=worker if known.judge is None else model(known.judge),
            stronger=None if known.stronger is None else model(known.stronger),
            context_tokens=known.context_tokens,
            recorded=self.started.recorded,
        )

    def _guessed(self, leg: Leg) -> Equipment:
        """What an owner worked with that did not say: as far as its entries show it."""
        assert leg.owner is not None
        begun = [x.event for x in self.record[leg.first : leg.last] if isinstance(x.event, e.SubTaskStarted)]
        name = leg.owner.sandbox
        return Equipment(
            worker=ModelEquipment(name=leg.owner.model),
            style="code" if any(x.style == "code" for x in begun) else "tools",
            context_tokens=_NO_LIMIT,
            sandbox=None if name in ("", "none") else SandboxEquipment(name=name, shell=name == "docker"),
        )

    def _hashes(self, leg: Leg) -> Mapping[str, str]:
        """The plugins' hashes as this process knew them: their code is not what is compared."""
        found = {**self.loaded.hashes, **self.started.plugins}
        for one in self.record[leg.first : leg.last]:
            decided = one.event
            if isinstance(decided, e.CallDecided) and decided.plugin_hash is not None:
                tool = self.loaded.tools.get(decided.tool)
                if tool is not None:
                    found[tool.plugin] = decided.plugin_hash
        return found

    def _read(self, sha256: str) -> bytes | None:
        try:
            return self.objects.get(sha256)
        except StoreUnavailable:
            return None
