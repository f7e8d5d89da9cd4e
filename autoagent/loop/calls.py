"""One tool call, from the model's words to its observation: decided, started, carried out, ended.

`carry_out` goes on from wherever the record says the call is, so that after a crash the same line of code
does the rest, and only the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from autoagent import policy
from autoagent.errors import ToolError
from autoagent.events import CallDecided, CallEnded, CallStarted
from autoagent.ids import digest
from autoagent.loop.context import Execution, RunContext
from autoagent.loop.executing import Executor
from autoagent.loop.hearing import LaneHearing
from autoagent.loop.learnt import Learnt, roots_of
from autoagent.loop.proposals import LONGEST_NAME, Proposal, propose, read
from autoagent.loop.recovering import Recovery, explained
from autoagent.loop.requests import LimitReached
from autoagent.loop.toolbox import ToolOutcome
from autoagent.messages import RequestedCall
from autoagent.paths import is_beneath, overlaps
from autoagent.ports import Objects
from autoagent.questions import Explained, Subject
from autoagent.state import CallState, LaneState, RunState
from autoagent.taint import labels_of_tree
from autoagent.trees import Tree, WorkingCopy, diff

UNSURE = "\nIt may have happened all the same: don't repeat it without checking."
SECOND_TRY = (
    "\nThis was a second try: the first, before a restart, may have happened. Check before you repeat it."
)
"""Behind the text of an external call that failed."""


class Calls:
    """Carries out the calls of one lane."""

    def __init__(self, ctx: RunContext, lane: str) -> None:
        self.ctx = ctx
        self.lane = lane
        self.executor: Execution = Executor(ctx, lane) if ctx.execution is None else ctx.execution(lane)
        self.recovery = Recovery(ctx, lane, self.executor)
        self.learnt = Learnt(ctx, lane)
        self.hearing = LaneHearing(ctx)

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    @property
    def me(self) -> LaneState:
        return self.state.lanes[self.lane]

    @property
    def roots(self) -> tuple[str, ...]:
        """What the lane's code may see."""
        return roots_of(self.state.goal)

    async def carry_out(self, call: RequestedCall) -> None:
        """Bring a requested call to its end, and tell the plugins. Raises `Parked`, `LimitReached`."""
        await self._carry_out(call)
        await self.hearing.tell()

    async def _carry_out(self, call: RequestedCall) -> None:
        known = self.state.calls.get(call.id)
        if known is not None and known.started is not None and known.decided.effect == "external":
            await self._recover(known)
            return
        if known is not None and self._is_gone(known.decided):
            return
        if known is None:
            known = self._decide(call)
        elif known.started is None and known.is_inherited:
            known = self._decide_again(known.decided, "the run that decided it was another one", own_key=True)
        elif self.recovery.has_changed(known.decided):
            known = self._decide_again(known.decided, "the plugin was changed meanwhile")
        if known is None:
            return
        self.ctx.history.faults.reached("decided")
        cleared = known if known.started is not None else await self._cleared(known)
        if cleared is not None:
            await self._perform(cleared)

    async def _cleared(self, known: CallState) -> CallState | None:
        """A decided call, approved where it must be and refused by no plugin; `None` where it has ended."""
        while True:
            if known.decided.decision == "ask":
                approved = await self._approved_as_it_is(known)
                if approved is None:
                    return None
                known = approved
                self.ctx.history.faults.reached("approval at hand")
            labels = self.state.labels
            if await self.refused(known.decided) or self._is_gone(known.decided):
                return None
            outward = known.decided.effect == "external" or known.decided.destination is not None
            is_same = self.state.labels == labels or not outward
            if is_same and not self.recovery.has_changed(known.decided):
                return known
            # while a plugin thought it over, another lane has read more, or tools were opened anew
            again = self._decide_again(known.decided, "what it was decided by changed meanwhile")
            if again is None:
                return None
            known = again

    def _is_gone(self, decided: CallDecided) -> bool:
        """Whether the call's tool is no longer there, and it has ended with that."""
        is_gone = decided.tool not in self.ctx.tools
        if is_gone:
            self.end(decided, ok=False, output=f"the tool {decided.tool!r} is no longer there")
        return is_gone

    async def refused(self, decided: CallDecided) -> bool:
        """Whether a plugin minds that a decided call starts, and it has ended with that."""
        why = await self.hearing.refusal(decided)
        if why is not None:
            self.end(decided, ok=False, output=why)
        return why is not None

    # --- deciding -----------------------------------------------------------------------------------------

    def _decide(self, call: RequestedCall) -> CallState | None:
        """Record what policy says; `None` where the call has ended with that."""
        try:
            proposal = read(self.ctx, self.me, call.name, call.arguments, call.id)
        except ToolError as error:
            self._refuse(call, str(error))
            return None
        return self._as_policy_says(proposal, call.id)

    def _decide_again(self, decided: CallDecided, why: str, *, own_key: bool = False) -> CallState | None:
        """As `_decide`, of a call that had not begun. The plugin that it was judged by is another one now,
        and may do something else, or reach somebody else, with the same arguments; or it was decided before a
        fork: under the other run's key a receiver would take this call for that run's, and drop it.
        """
        tool = self.ctx.tools[decided.tool]
        try:
            args = tool.check(decided.args)
            proposal = propose(self.ctx, self.me, tool, args, decided.call, decided.files)
        except ToolError as error:
            self.end(decided, ok=False, output=f"{why}: {error}")
            return None
        key = proposal.key if own_key else decided.key
        return self._as_policy_says(replace(proposal, key=key), decided.call)

    def _as_policy_says(self, proposal: Proposal, call: str) -> CallState | None:
        match policy.decide(self.state, proposal.call):
            case policy.Stop(why=why):
                raise LimitReached(why)
            case policy.Deny(why=why):
                decided = self.decided(proposal, call, "deny", why)
                text = f"Not allowed: {why}"
                self.ctx.history.record(decided, CallEnded(call=call, lane=self.lane, ok=False, output=text))
                return None
            case policy.Ask(why=why):
                self.ctx.history.record(self.decided(proposal, call, "ask", why))
            case policy.Allow(why=why):
                self.ctx.history.record(self.decided(proposal, call, "allow", why))
        return self.state.calls[call]

    def decided(
        self, proposal: Proposal, call: str, decision: Any, why: str, script: str | None = None
    ) -> CallDecided:
        return CallDecided(
            call=call,
            lane=self.lane,
            tool=proposal.tool.name,
            args=proposal.args,
            effect=proposal.call.effect,
            destination=proposal.call.destination,
            files=proposal.files,
            decision=decision,
            why=why,
            script=script,
            key=proposal.key,
            plugin_hash=self.ctx.plugin_hashes.get(proposal.tool.plugin),
        )

    def _refuse(self, call: RequestedCall, why: str) -> None:
        """A call that can't even be read: the model is told why."""
        name = call.name[:LONGEST_NAME]
        self.ctx.history.record(
            CallDecided(
                call=call.id,
                lane=self.lane,
                tool=name,
                args={},
                effect="read",
                decision="deny",
                why=why,
                understood=False,
            ),
            CallEnded(call=call.id, lane=self.lane, ok=False, output=why),
        )

    # --- asking -------------------------------------------------------------------------------------------

    def subject(self, decided: CallDecided) -> Subject:
        """Exactly what an approval of this call covers."""
        tool = self.ctx.tools.get(decided.tool)
        return Subject(
            run=self.ctx.history.run_id,
            kind="call",
            call=decided.call,
            tool=decided.tool,
            plugin_hash=None if tool is None else self.ctx.plugin_hashes.get(tool.plugin),
            destination=decided.destination,
            args=decided.args,
            files=decided.files,
            tree=self.me.tree if tool is None or tool.runs_code else None,
            labels=(self.state if decided.script is None else self.as_script_sees()).labels,
            rules=digest(self.state.goal.allow.model_dump(mode="json")),
        )

    def _explained(self, decided: CallDecided) -> Explained:
        """What the person is told besides, and what an *always* of theirs would cover."""
        found, tool = explained(self.ctx, decided.files), self.ctx.tools.get(decided.tool)
        if tool is None:
            return found
        try:
            names, kind = tool.names_of(decided.args), tool.kind_of(decided.args)
        except ToolError:  # what stands behind the tool has become another meanwhile: it is decided anew
            return found
        always = policy.always(
            self.state,
            self.subject(decided),
            plugin=tool.plugin,
            effect=decided.effect,
            names=names,
            kind=kind,
        )
        return found.model_copy(update={"always": always})

    async def approved(self, known: CallState) -> CallState | None:
        """The call as a person allowed it; `None` where they didn't, and it has ended."""
        decided = known.decided
        answer = await self.ctx.asking.ask(
            lambda: self.subject(decided),
            lambda: policy.changed(self.state, decided.tool) or decided.why,
            lane=self.lane,
            sub_task=self.me.sub_task,
            explained=lambda: self._explained(decided),
        )
        if answer.verdict != "yes":
            why = f": {answer.text}" if answer.text else ""
            self.end(decided, ok=False, output=f"Denied by {_who(answer.by)}{why}")
            return None
        if answer.edit is not None:
            return self._edited(decided, answer.edit)
        return self.state.calls[decided.call]

    async def _approved_as_it_is(self, known: CallState) -> CallState | None:
        """As `approved`; a call whose plugin becomes another while a person thinks is decided again."""
        while (approved := await self.approved(known)) is not None:
            if self._is_gone(approved.decided):
                return None
            if not self.recovery.has_changed(approved.decided):
                return approved
            again = self._decide_again(approved.decided, "the plugin was changed meanwhile")
            if again is None or again.decided.decision != "ask":
                return again
            known = again
        return None

    def _edited(self, decided: CallDecided, edit: JsonValue) -> CallState | None:
        """The call with the arguments that a person wrote in place of the model's."""
        tool = self.ctx.tools[decided.tool]
        try:
            if decided.script is not None:
                raise ToolError("a read inside a script keeps its arguments; change the script instead")
            if not isinstance(edit, dict):
                raise ToolError("edited arguments are a JSON object")
            proposal = propose(self.ctx, self.me, tool, tool.check(edit), decided.call, decided.files)
            if why := policy.undeclared(self.state, proposal.call):
                raise ToolError(f"not allowed: {why}")
        except ToolError as error:
            self.end(decided, ok=False, output=f"The edited arguments can't be used: {error}")
            return None
        self.ctx.history.record(
            self.decided(proposal, decided.call, "allow", "edited and allowed by you", decided.script)
        )
        return self.state.calls[decided.call]

    # --- carrying out -------------------------------------------------------------------------------------

    async def _perform(self, known: CallState) -> None:
        decided = known.decided
        if decided.effect == "write":
            async with self.ctx.workspace.moving(self.me.on_main, self.ctx.asking):
                await self._write(decided)
            return
        started = CallStarted(call=decided.call, lane=self.lane, tree=self.me.tree)
        if decided.effect == "external":
            former = known.started.began_at if known.started is not None else None
            started = started.model_copy(update={"began_at": former or self.ctx.history.clock.now()})
        self.ctx.history.record(started, sync=decided.effect == "external")
        if decided.effect == "external":
            await self.ctx.history.durable()
        self.ctx.history.faults.reached("about to send" if decided.effect == "external" else "started")
        tool = self.ctx.tools[decided.tool]
        outcome, seconds = await self.executor.run(tool, decided, self.working_copy())
        self.ctx.history.faults.reached("effect done")
        text, in_doubt = outcome.text, None
        if decided.effect == "external" and not outcome.ok:
            said = _doubt(outcome, is_first=known.started is None)
            text, in_doubt = text + said, bool(said)
        labels = self.learnt.labels(decided, outcome)
        self.end(
            decided,
            ok=outcome.ok,
            output=text,
            labels=labels,
            paths=outcome.paths,
            seconds=seconds,
            in_doubt=in_doubt,
        )
        if decided.effect == "external":
            await self.ctx.history.durable()

    async def _write(self, decided: CallDecided) -> None:
        """On a private copy; its tree becomes the lane's head, then the folder follows."""
        self.ctx.history.record(CallStarted(call=decided.call, lane=self.lane, tree=self.me.tree))
        self.ctx.history.faults.reached("started")
        copy = self.working_copy()
        outcome, seconds = await self.executor.run(self.ctx.tools[decided.tool], decided, copy)
        self.ctx.history.faults.reached("effect done")
        tree = None
        if outcome.ok:
            tree, why = self.result_tree(copy)
            if why:
                outcome = replace(outcome, ok=False, text=f"{why}. Nothing was changed.")
        await self.end_write(decided, outcome, tree, seconds)

    async def end_write(
        self,
        decided: CallDecided,
        outcome: ToolOutcome,
        tree: str | None,
        seconds: float,
        queued: tuple[RequestedCall, ...] = (),
    ) -> None:
        """Record how a write ended, durably, before the folder shows it."""
        labels = self.learnt.labels(decided, outcome)
        self.end(
            decided,
            ok=outcome.ok,
            output=outcome.text,
            labels=labels,
            paths=outcome.paths,
            seconds=seconds,
            tree=tree,
            queued=queued,
        )
        if self.me.on_main and tree is not None:
            await self.ctx.history.durable()
            self.ctx.history.faults.reached("ended, not projected")
            await self.ctx.workspace.follow()

    def working_copy(self) -> WorkingCopy:
        return self.ctx.workspace.copy(self.me.tree, self.roots)

    def result_tree(self, copy: WorkingCopy) -> tuple[str | None, str | None]:
        """(the lane's new head, `None`), or (`None`, why these changes may not be kept)."""
        workspace = self.ctx.workspace
        head, seen = workspace.tree(self.me.tree), workspace.visible(self.me.tree, self.roots)
        result = copy.tree()
        changed = diff(seen, result).paths
        judged = [p for p in changed if p in seen.entries or not self._is_on_the_way(p, result)]
        if why := policy.path_problem(self.state, judged, writes=True):
            return None, why
        if "." not in self.roots:
            result = _transplant(head, result, changed, workspace.objects)
        return workspace.keep(result).id, None

    def _is_on_the_way(self, path: str, tree: Tree) -> bool:
        """A folder above an allowed path may be made on the way to it."""
        entry, roots = tree.entries.get(path), self.state.goal.allow.write
        is_folder = entry is not None and entry.kind == "folder"
        return is_folder and not is_beneath(path, roots) and overlaps(path, roots)

    def as_script_sees(self) -> RunState:
        """The state that a call inside a script is judged by: the script can have opened every file."""
        goal, state = self.state.goal, self.state
        own = labels_of_tree(goal, self.ctx.workspace.visible(self.me.tree, self.roots))
        return replace(
            state, outside=state.outside or "outside" in own, private=state.private or "private" in own
        )

    def end(
        self,
        decided: CallDecided,
        *,
        ok: bool,
        output: str,
        labels: tuple[Any, ...] = (),
        paths: tuple[str, ...] | None = None,
        seconds: float = 0,
        tree: str | None = None,
        queued: tuple[RequestedCall, ...] = (),
        in_doubt: bool | None = None,
    ) -> None:
        urls = self.learnt.urls(decided, output, paths) if ok and self.state.goal.allow.web else ()
        ended = CallEnded(
            call=decided.call,
            lane=self.lane,
            ok=ok,
            output=output,
            tree=tree,
            labels=labels,
            paths=paths,
            seconds=round(seconds, 4),
            urls=urls,
            queued=queued,
            in_doubt=in_doubt,
        )
        self.hearing.note(self.state.calls[decided.call], ended)
        self.ctx.history.record(ended, sync=decided.effect == "external" or tree is not None)

    # --- after a crash ------------------------------------------------------------------------------------

    async def _recover(self, known: CallState) -> None:
        """An external call was started and never reported back: end it, or make it again."""
        decided = known.decided
        match await self.recovery.verdict(decided, self.subject, self.working_copy()):
            case "done":
                self.end(decided, ok=True, output="It had already been done before the restart.")
            case "told":
                self.end(decided, ok=True, output="It had been done before the restart, says the person.")
            case "skip":
                said = "Skipped by the person after a restart; not done again."
                self.end(decided, ok=False, output=said, in_doubt=True)
            case "again" if why := self._differs_now(decided):
                self.end(decided, ok=False, output=f"Not done again after a restart: {why}", in_doubt=True)
            case "again":
                await self._perform(known)

    def _differs_now(self, decided: CallDecided) -> str | None:
        """Why a call that was started can't be made again as it was recorded; `None` where it can."""
        if not self.recovery.has_changed(decided):
            return None
        try:
            tool = self.ctx.tools[decided.tool]
            call = propose(
                self.ctx, self.me, tool, tool.check(decided.args), decided.call, decided.files
            ).call
        except ToolError as error:
            return str(error)
        if (call.effect, call.destination) == (decided.effect, decided.destination):
            return None
        to = call.destination or "nobody"
        return f"the changed plugin would make it another call ({call.effect}, to {to})"


def _transplant(head: Tree, result: Tree, changed: tuple[str, ...], objects: Objects) -> Tree:
    """`head` with the changes that were made on its visible part."""
    copy = WorkingCopy(head, objects)
    for path in sorted(changed, reverse=True):
        if path not in result.entries and copy.stat(path) is not None:
            copy.delete(path)
    for path in sorted(changed):
        if path in result.entries:
            copy.place(path, result.entries[path])
    return copy.tree()


def _doubt(outcome: ToolOutcome, *, is_first: bool) -> str:
    """What the model is told of a failed external call: whether it may have happened."""
    if not outcome.is_not_done:
        return UNSURE
    return "" if is_first else SECOND_TRY


def _who(by: str) -> str:
    return "nobody being there" if by == "nobody" else "the person"
