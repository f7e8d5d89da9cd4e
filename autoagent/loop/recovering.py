"""What becomes of an external call that was started and never reported back: looked up, made again, or asked.

Its probe first, then its idempotency key, then a person. A plugin that has changed since is asked nothing:
what it says of a call, and what it would do, are another program's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from autoagent.door.tools import Tool, ToolContext
from autoagent.events import CallDecided, CallStarted, Entry
from autoagent.loop.context import Execution, RunContext
from autoagent.questions import HAPPENED, Explained, Subject
from autoagent.redact import one_line
from autoagent.trees import WorkingCopy

DONE, AGAIN, SKIP = HAPPENED, "run again", "skip"
Verdict = Literal["done", "told", "again", "skip"]
"""`told`: done, says the person; `done` is what was found."""
_VERDICTS: Mapping[str, Verdict] = {DONE: "told", AGAIN: "again", SKIP: "skip"}


@dataclass(frozen=True)
class Recovery:
    """Finds out about the calls of one lane."""

    ctx: RunContext
    lane: str
    executor: Execution

    def has_changed(self, decided: CallDecided) -> bool:
        """Whether the plugin of a call that was decided before is another one now."""
        history, tool = self.ctx.history, self.ctx.tools.get(decided.tool)
        if tool is None:
            return False
        known = decided.plugin_hash
        if known is None:  # recorded by a version that did not say
            assert history.state.started is not None
            known = history.state.started.plugins.get(tool.plugin)
        return known is not None and known != self.ctx.plugin_hashes.get(tool.plugin)

    async def verdict(
        self, decided: CallDecided, subject: Callable[[CallDecided], Subject], copy: WorkingCopy
    ) -> Verdict:
        """What to do about a started call. Raises `Parked` where a person must say it and nobody is there."""
        tool = self.ctx.tools.get(decided.tool)
        if tool is None:
            return await self._ask(decided, subject, "its tool is no longer there", (DONE, SKIP))
        if self.has_changed(decided):
            return await self._ask(decided, subject, "its plugin has changed since, so it can't tell")
        found, said = await self._look_up(tool, decided, copy)
        self.ctx.history.faults.reached("probed")
        match found:
            case "done":
                return "done"
            case "not_done":
                return "again"
            case "unknown" if tool.idempotency_key is not None and not self._is_inherited(decided):
                return "again"  # with the same key: the receiver drops a second one
            case _:
                return await self._ask(decided, subject, said)

    def _is_inherited(self, decided: CallDecided) -> bool:
        """Whether another run began it, which may have gone on with it since: no key makes it this run's."""
        return self.ctx.history.state.calls[decided.call].is_inherited

    async def _look_up(self, tool: Tool, decided: CallDecided, copy: WorkingCopy) -> tuple[str, str]:
        """What the probe found, and that in words; a probe that fails, hangs or babbles knows nothing."""
        if tool.probe is None:
            return "unknown", ""
        outcome, _ = await self.executor.run(replace(tool, function=_as_text(tool.probe)), decided, copy)
        if not outcome.ok:
            return "unknown", f"looking it up failed: {one_line(outcome.text, 100)}"
        found = outcome.text if outcome.text in ("done", "not_done", "ask") else "unknown"
        return found, "looking it up told nothing" if found == "unknown" else ""

    async def _ask(
        self,
        decided: CallDecided,
        subject: Callable[[CallDecided], Subject],
        said: str,
        choices: tuple[str, ...] = (DONE, AGAIN, SKIP),
    ) -> Verdict:
        """The answer is about this very start: when the call is lost again, it is asked again."""
        begun = _last_start(self.ctx.history.journal.read(self.ctx.history.run_id), decided.call)
        lost, forked = "and never reported back, so it", self.ctx.history.state.forked
        if self._is_inherited(decided) and forked is not None:
            lost = f"by run {forked.source}, which this one was forked from, so it"
        why = f"{decided.tool} was started at {begun.at:%Y-%m-%d %H:%M:%S} UTC {lost} "
        answer = await self.ctx.asking.ask(
            lambda: subject(decided).model_copy(update={"kind": "recovery", "start": begun.seq}),
            why + "may have happened; only you can find out" + (said and f" ({said})"),
            choices=choices,
            lane=self.lane,
            sub_task=self.ctx.history.state.lanes[self.lane].sub_task,
            explained=lambda: explained(self.ctx, decided.files),
        )
        return _VERDICTS[answer.text]


def explained(ctx: RunContext, files: Mapping[str, str]) -> Explained:
    """How long the files are that a call would send."""
    sizes = {}
    for path, sha256 in files.items():
        with ctx.workspace.objects.open(sha256) as file:
            sizes[path] = file.seek(0, 2)
    return Explained(sizes=sizes)


def _last_start(entries: Iterable[Entry], call: str) -> Entry:
    starts = [e for e in entries if isinstance(e.event, CallStarted) and e.event.call == call]
    return starts[-1]


def _as_text(probe: Any) -> Any:
    async def run(context: ToolContext, **args: Any) -> str:
        return str(await probe(context, **args))

    return run
