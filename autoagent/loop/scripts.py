"""`code` style: a script is one write, and the tools are functions inside it.

Reads answer at once and are recorded. Workspace tools work on the script's own copy. External calls are
queued and run after the script has ended well, as ordinary calls; so no crash and no approval ever falls
inside an external effect, and a script that must ask can simply run again from the same head.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autoagent import policy
from autoagent.door.tools import observation
from autoagent.errors import ToolError
from autoagent.events import CallDecided, CallEnded, CallStarted, Label
from autoagent.ids import digest
from autoagent.loop.calls import Calls
from autoagent.loop.controls import ALWAYS, CONTROLS, READ_AGAIN
from autoagent.loop.proposals import Proposal, read
from autoagent.loop.toolbox import ToolOutcome
from autoagent.messages import RequestedCall
from autoagent.policy import ProposedCall
from autoagent.ports import Job, JobResult, ScriptFunction, StopScript
from autoagent.state import CallState, RunState
from autoagent.trees import WorkingCopy
from autoagent.turns import SCRIPT

TIMEOUT_S = 120.0
_ENDS = ("finish", "give_up")


@dataclass
class _Try:
    """One run of a script."""

    copy: WorkingCopy
    reads: int = 0
    writes: int = 0
    queued: list[RequestedCall] = field(default_factory=list)
    labels: set[Label] = field(default_factory=set)
    """What the workspace tools that it has called say of what they gave."""
    asks: str | None = None
    """The read that a person must be asked about."""


class Scripts:
    """Carries out the scripts of one lane."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.ctx = calls.ctx

    async def carry_out(self, call: RequestedCall) -> None:
        """Bring a script to its end, from wherever the record says it is. Raises `Parked`."""
        known = self.calls.state.calls.get(call.id)
        decided = known.decided if known is not None else self._decide(call)
        if decided is None:
            return
        if self.calls.state.calls[call.id].started is None and await self.calls.refused(decided):
            await self.calls.hearing.tell()
            return
        while (attempt := await self._run(decided)) is not None:
            asked = self.calls.state.calls[attempt]
            await self.calls.approved(asked)
            self.ctx.history.faults.reached("approval at hand")
        await self.calls.hearing.tell()

    def _decide(self, call: RequestedCall) -> CallDecided | None:
        code = str(json.loads(call.arguments)["code"])
        proposed = ProposedCall(tool=SCRIPT, plugin="", power="run", effect="write")
        decision = policy.decide(self.calls.state, proposed)
        allowed = isinstance(decision, policy.Allow) and self.ctx.sandbox is not None
        decided = CallDecided(
            call=call.id,
            lane=self.calls.lane,
            tool=SCRIPT,
            args={"code": code},
            effect="write",
            decision="allow" if allowed else "deny",
            why=decision.why,
            key=digest([self.ctx.history.run_id, call.id])[:32],
        )
        self.ctx.history.record(decided)
        if not allowed:
            self.calls.end(decided, ok=False, output=f"Not allowed: {decision.why}")
        return decided if allowed else None

    async def _run(self, decided: CallDecided) -> str | None:
        """Run it once; the call that a person must be asked about first, or `None` when it has ended."""
        async with self.ctx.workspace.moving(self.calls.me.on_main, self.ctx.asking):
            head = self.calls.me.tree
            self.ctx.history.record(CallStarted(call=decided.call, lane=self.calls.lane, tree=head))
            self.ctx.history.faults.reached("started")
            attempt = _Try(self.calls.working_copy())
            result = await self._job(decided, attempt)
            self.ctx.history.faults.reached("job done")
            if attempt.asks is None:
                await self._ended(decided, attempt, result)
        return attempt.asks

    async def _job(self, decided: CallDecided, attempt: _Try) -> JobResult:
        assert self.ctx.sandbox is not None

        async def call_tool(name: str, args: Mapping[str, object]) -> str:
            return await self._tool(decided, attempt, name, args)

        job = Job("script", str(decided.args["code"]), TIMEOUT_S)
        return await self.ctx.sandbox.run(self.calls.lane, job, attempt.copy, self._functions(), call_tool)

    def _functions(self) -> list[ScriptFunction]:
        own = [self.ctx.tools[name].schema for name in self.calls.me.tools if name in self.ctx.tools]
        made = []
        for schema in (*own, *ALWAYS, READ_AGAIN):
            properties = schema.parameters.get("properties", {})
            assert isinstance(properties, Mapping)
            made.append(ScriptFunction(schema.name, tuple(properties), schema.description))
        return made

    # --- calls from inside --------------------------------------------------------------------------------

    async def _tool(self, script: CallDecided, attempt: _Try, name: str, args: Mapping[str, object]) -> str:
        """One call from inside the script. Raises `ToolError` into it, or `StopScript`."""
        if name in CONTROLS:
            return self._queue(script, attempt, name, json.dumps(dict(args)))
        id = f"{script.call}.{attempt.reads + 1}"
        proposal = read(
            self.ctx, self.calls.me, name, args, id, attempt.copy.stat
        )  # it may send what it wrote
        decision = policy.decide(self._seen(attempt), proposal.call)
        if isinstance(decision, policy.Deny | policy.Stop):
            raise ToolError(f"not allowed: {decision.why}")
        if proposal.call.effect == "external" or proposal.call.power == "fetch":  # reaches out and changes
            return self._queue(script, attempt, name, json.dumps(proposal.args))
        if proposal.call.power in ("web", "send") or (
            proposal.call.effect == "read" and not proposal.tool.paths
        ):
            return await self._read(script, attempt, proposal, decision)
        if not isinstance(decision, policy.Allow):
            raise ToolError(f"a person must be asked first ({decision.why}): call {name} outside a script")
        return await self._here(script, attempt, proposal)

    def _seen(self, attempt: _Try) -> RunState:
        """The state that a call inside the script is judged by."""
        state, own = self.calls.as_script_sees(), attempt.labels
        return replace(
            state, outside=state.outside or "outside" in own, private=state.private or "private" in own
        )

    def _queue(self, script: CallDecided, attempt: _Try, name: str, arguments: str) -> str:
        number = len(attempt.queued) + 1
        attempt.queued.append(RequestedCall(id=f"{script.call}.q{number}", name=name, arguments=arguments))
        return f"{name} is noted and will be done when this script has ended without an exception"

    async def _here(self, script: CallDecided, attempt: _Try, proposal: Proposal) -> str:
        """A workspace tool, on the script's own copy: part of the script, not recorded by itself."""
        attempt.writes += 1
        id = f"{script.call}.w{attempt.writes}"
        inner = self.calls.decided(proposal, id, "allow", "inside the script", script.call)
        outcome, _ = await self.calls.executor.run(proposal.tool, inner, attempt.copy)
        attempt.labels.update(outcome.labels)
        if not outcome.ok:
            raise ToolError(outcome.text)
        return outcome.text

    async def _read(
        self, script: CallDecided, attempt: _Try, proposal: Proposal, decision: policy.Decision
    ) -> str:
        """A read of the world: from the record while it matches, else now, and recorded."""
        attempt.reads += 1
        id = f"{script.call}.{attempt.reads}"
        known = self.calls.state.calls.get(id)
        if known is not None and self._is_same(known, proposal):
            if known.ended is not None:
                return _spoken(known.ended)
            if known.decided.decision == "ask" and not self._may(known):
                attempt.asks = id
                raise StopScript
            return await self._now(attempt, proposal, known.decided, script)
        return await self._decided(attempt, proposal, decision, script)

    async def _decided(
        self, attempt: _Try, proposal: Proposal, decision: policy.Decision, script: CallDecided
    ) -> str:
        """A read that policy doesn't deny: what it found, unless a person must be asked first."""
        id = f"{script.call}.{attempt.reads}"
        asks = isinstance(decision, policy.Ask)
        decided = self.calls.decided(proposal, id, "ask" if asks else "allow", decision.why, script.call)
        self.ctx.history.record(decided)
        if asks:
            attempt.asks = id
            raise StopScript
        return await self._now(attempt, proposal, decided, script)

    def _is_same(self, known: CallState, proposal: Proposal) -> bool:
        """Whether the record is of this very call; one that has ended answers whatever its plugin is now."""
        decided = known.decided
        if (decided.tool, decided.args) != (proposal.tool.name, proposal.args):
            return False
        return known.ended is not None or not self.calls.recovery.has_changed(decided)

    def _may(self, known: CallState) -> bool:
        """Whether a person has said yes to exactly this."""
        subject = self.calls.subject(known.decided)
        return any(
            q.question.subject == subject and q.answer is not None and q.answer.verdict == "yes"
            for q in self.calls.state.questions.values()
        )

    async def _now(self, attempt: _Try, proposal: Proposal, decided: CallDecided, script: CallDecided) -> str:
        was_started = self.calls.state.calls[decided.call].started is not None
        labels = self.calls.as_script_sees().labels
        if not was_started and await self.calls.refused(decided):
            await self.calls.hearing.tell()
            return _spoken(self.calls.state.calls[decided.call].ended)
        if self.calls.as_script_sees().labels != labels:  # another lane has read more meanwhile
            decision = policy.decide(self._seen(attempt), proposal.call)
            if isinstance(decision, policy.Deny | policy.Stop):
                raise ToolError(f"not allowed: {decision.why}")
            if isinstance(decision, policy.Ask):
                return await self._decided(attempt, proposal, decision, script)
        self.ctx.history.record(CallStarted(call=decided.call, lane=self.calls.lane, tree=self.calls.me.tree))
        tool = self.ctx.tools[decided.tool]
        outcome, seconds = await self.calls.executor.run(tool, decided, self.calls.working_copy())
        self.calls.end(
            decided,
            ok=outcome.ok,
            output=outcome.text,
            labels=self.calls.learnt.labels(decided, outcome),
            paths=outcome.paths,
            seconds=seconds,
        )
        self.ctx.history.faults.reached("script read done")
        await self.calls.hearing.tell()
        return _spoken(self.calls.state.calls[decided.call].ended)

    # --- the end ------------------------------------------------------------------------------------------

    async def _ended(self, decided: CallDecided, attempt: _Try, result: JobResult) -> None:
        text, tree, ok = observation(result), None, result.ok
        if ok:
            tree, why = self.calls.result_tree(attempt.copy)
            if why:
                ok, text = False, f"{text}\n{why}. Nothing was changed.".lstrip()
        queued = _in_order(attempt.queued) if ok else ()
        await self.calls.end_write(
            decided, ToolOutcome(ok, text, (*attempt.labels,)), tree, result.seconds, queued
        )


def _in_order(queued: list[RequestedCall]) -> tuple[RequestedCall, ...]:
    """What the script wants done after it; how it wants to end comes last, and once."""
    ends = [call for call in queued if call.name in _ENDS]
    return (*(call for call in queued if call.name not in _ENDS), *ends[-1:])


def _spoken(ended: CallEnded | None) -> str:
    assert ended is not None
    if not ended.ok:
        raise ToolError(ended.output)
    return ended.output
