"""Runs a tool's function with what it may use, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from autoagent import policy
from autoagent.door.offline import NO_HTTP
from autoagent.door.tools import SEARCH, Tool, ToolContext
from autoagent.events import CallDecided, Label
from autoagent.hosts import host_of, names
from autoagent.loop.context import RunContext
from autoagent.loop.toolbox import ToolOutcome, ToolThread, hop
from autoagent.ports import (
    Http,
    Job,
    JobResult,
    Memory,
    MemoryHit,
    MemoryPoint,
    Passage,
    PassageHit,
    Passages,
    Source,
    Uses,
)
from autoagent.trees import WorkingCopy


class Executor:
    """Runs the tools of one lane, one after the other, in a thread of their own."""

    def __init__(self, ctx: RunContext, lane: str) -> None:
        self.ctx = ctx
        self.lane = lane
        self._thread = ToolThread()

    async def run(self, tool: Tool, decided: CallDecided, copy: WorkingCopy) -> tuple[ToolOutcome, float]:
        """How it went, and seconds. Raises what the operator must know."""
        began, history = time.monotonic(), self.ctx.history
        http, uses = self._way_out(decided)
        context = self._context(tool, decided, copy, http)
        at_last = history.assert_owned if decided.effect == "external" else _go_on
        outcome = await self._thread.run(tool, context, decided.args, decided.files, at_last)
        labels = _labels(decided, uses, self._bound_to(decided.destination or ""))
        outcome = _without_secrets(outcome, tool)
        return replace(outcome, labels=(*outcome.labels, *labels)), time.monotonic() - began

    def close(self) -> None:
        self._thread.close()

    def _way_out(self, decided: CallDecided) -> tuple[Http, Uses]:
        """A client for this call alone, and what it will have been used for."""
        outward, history = self.ctx.outward, self.ctx.history
        if outward is None:
            return NO_HTTP, Uses()
        reach = policy.reach(history.state, decided.effect, decided.destination)
        return outward.http(reach, history.assert_owned if decided.effect == "external" else None)

    def _bound_to(self, destination: str) -> dict[str, SecretStr]:
        """The secrets that the goal binds to the host of a call, of each where it reaches several."""
        found = [host_of(url) for url in destination.removeprefix(SEARCH).split(", ")]
        places = [place for place in found if place is not None]
        if len(places) < len(found):
            return {}
        return {s.name: s.value for s in self.ctx.secrets if all(names(s.host, *each) for each in places)}

    def _context(self, tool: Tool, decided: CallDecided, copy: WorkingCopy, http: Http) -> ToolContext:
        sandbox, memory, passages = self.ctx.sandbox, self.ctx.memory, self.ctx.passages
        state = self.ctx.history.state
        known = state.calls.get(decided.call)

        async def run_job(job: Job) -> JobResult:
            assert sandbox is not None
            result = await sandbox.run(self.lane, job, copy)
            self.ctx.history.faults.reached("job done")
            return result

        return ToolContext(
            run_id=self.ctx.history.run_id,
            call_id=decided.call,
            lane=self.lane,
            key=decided.key,
            effect=decided.effect,
            working_copy=copy,
            run_job=hop(run_job) if sandbox is not None and tool.runs_code else None,
            memory=None if memory is None else _MemoryFromThread(memory),
            passages=None if passages is None else _PassagesFromThread(passages(tool.plugin)),
            goal=state.goal.goal,
            labels=state.labels,
            began_at=known.started.began_at if known is not None and known.started is not None else None,
            settings=tool.settings,
            secrets={**tool.secrets, **self._bound_to(decided.destination or "")},
            http=http,
            home=tool.home,
            searchers=tool.searchers,
        )


def _go_on() -> None:
    """Before what changes nothing outside: done by two processes, it is as if done by one."""


def _without_secrets(outcome: ToolOutcome, tool: Tool) -> ToolOutcome:
    """The outcome as the model may read it: no secret of the plugin's settings stands in it."""
    text = outcome.text
    for variable, secret in tool.secrets.items():
        text = text.replace(secret.get_secret_value(), f"[{variable}]")
    return replace(outcome, text=text)


def _labels(decided: CallDecided, uses: Uses, bound: Mapping[str, SecretStr]) -> Iterator[Label]:
    """What the client knows: an answer is outside text, and what takes a secret to read is private."""
    is_url = host_of((decided.destination or "").partition(", ")[0]) is not None
    if uses.answered or is_url:  # a plugin may have asked with a client of its own
        yield "outside"
    is_search = (decided.destination or "").startswith(SEARCH)  # of a public index, with a key to pay by
    if decided.effect != "external" and not is_search and (uses.secrets or bound):
        yield "private"


class _MemoryFromThread:
    """Memory, usable from a tool's thread: each operation runs on the run's own loop."""

    def __init__(self, memory: Memory) -> None:
        self._store, self._search = hop(memory.store), hop(memory.search)
        self._get, self._forget = hop(memory.get), hop(memory.forget)

    async def store(self, points: Sequence[MemoryPoint]) -> None:
        await self._store(points)

    async def search(self, query: str, limit: int = 8, without_run: str | None = None) -> list[MemoryHit]:
        return await self._search(query, limit, without_run)

    async def get(self, point_id: str) -> MemoryPoint | None:
        return await self._get(point_id)

    async def forget(self, point_id: str) -> bool:
        return await self._forget(point_id)

    async def close(self) -> None:
        """The run closes its memory, not a tool."""


class _PassagesFromThread:
    """A plugin's index, usable from a tool's thread, as `_MemoryFromThread`."""

    def __init__(self, passages: Passages) -> None:
        self._store, self._known, self._search = (
            hop(passages.store),
            hop(passages.known),
            hop(passages.search),
        )
        self._read, self._forget = hop(passages.read), hop(passages.forget)

    async def store(self, sources: Sequence[Source]) -> None:
        await self._store(sources)

    async def known(self, sources: Sequence[str]) -> dict[str, str]:
        return await self._known(sources)

    async def search(self, query: str, sources: Sequence[str], limit: int = 8) -> list[PassageHit]:
        return await self._search(query, sources, limit)

    async def read(self, source: str, page: str | None = None) -> list[Passage]:
        return await self._read(source, page)

    async def forget(self, source: str) -> bool:
        return await self._forget(source)

    async def close(self) -> None:
        """The run closes its indexes, not a tool."""
