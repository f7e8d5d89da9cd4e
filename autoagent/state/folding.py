"""The state after events: what they say of the plan, of people and of the run itself; lanes are next door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from autoagent import events as e
from autoagent import garbage
from autoagent.questions import Question
from autoagent.redact import cut
from autoagent.state.lanes import after_call, after_lane, after_request, labelled, move_main, reached, stirred
from autoagent.state.values import Plan, QuestionState, RunState, Standing, drop, put, replace
from autoagent.taint import urls_in

_LONGEST_CHANGE = 8_000


def fold(run_id: str, entries: Iterable[e.Entry]) -> RunState:
    """The state after `entries`; a prefix and then the rest gives the same as all at once."""
    state = RunState(run_id)
    with garbage.put_off():
        for entry in entries:
            state = advance(state, entry)
    return state


def advance(state: RunState, entry: e.Entry) -> RunState:
    """The state after one more entry. Raises `ValueError` if the sequence has a gap."""
    if entry.seq != state.seq + 1:
        raise ValueError(f"run {state.run_id!r}: entry {entry.seq} follows entry {state.seq}")
    started_at = state.started_at or entry.at
    return replace(apply(state, entry.event), seq=entry.seq, epoch=entry.epoch, started_at=started_at)


def apply(state: RunState, event: e.Event) -> RunState:
    """The state after `event`: what it says of lanes and calls, of the plan, of people, of the run."""
    match event:
        case e.ModelCalled() | e.ModelReplied() | e.ModelFailed():
            return after_request(state, event)
        case e.CallDecided() | e.CallStarted() | e.CallEnded():
            return after_call(state, event)
        case (
            e.SubTaskStarted()
            | e.SubTaskEnded()
            | e.LaneMerged()
            | e.LaneConflicted()
            | e.Observed()
            | e.LaneReset()
            | e.LadderClimbed()
            | e.ContextCompacted()
            | e.FinishRefuted()
        ):
            return after_lane(state, event)
        case e.QuestionAsked() | e.QuestionAnswered() | e.QuestionVoided():
            return _question(state, event)
        case e.MemoryRecalled() | e.PlanMade() | e.PlanRefused() | e.PlanApproved() | e.CriterionChecked():
            return _plan(state, event)
        case (
            e.RunStarted()
            | e.Forked()
            | e.OwnerChanged()
            | e.ToolsOpened()
            | e.LimitsRaised()
            | e.PersonSaid()
            | e.PauseSet()
            | e.CommandTaken()
            | e.CommandRefused()
            | e.FolderChanged()
            | e.Undone()
            | e.TimeSpent()
            | e.RunParked()
            | e.RunInterrupted()
            | e.RunEnded()
            | e.MemoryIndexed()
            | e.MemoryDeferred()
            | e.HookFailed()
            | e.Reported()
        ):
            return _run(state, event)
        case _:
            assert_never(event)


# --- questions ----------------------------------------------------------------------------------------------


def _question(state: RunState, event: e.QuestionAsked | e.QuestionAnswered | e.QuestionVoided) -> RunState:
    match event:
        case e.QuestionAsked():
            asked = QuestionState(event.question, event.asked_at, state.steps)
            return replace(state, questions=put(state.questions, event.question.id, asked), parked=None)
        case e.QuestionVoided():
            voided = replace(state.questions[event.question], voided=event.why)
            return replace(state, questions=put(state.questions, event.question, voided))
        case e.QuestionAnswered():
            known = state.questions[event.question]
            answered = replace(known, answer=event)
            urls = () if event.by in ("nobody", "grant") else urls_in(event.text)
            return replace(
                _allowed_as_it_is(state, known.question, event),
                questions=put(state.questions, event.question, answered),
                standing=_stand(state.standing, known.question, event),
                urls=state.urls.plus(urls),
            )
        case _:
            assert_never(event)


def _allowed_as_it_is(state: RunState, question: Question, answer: e.QuestionAnswered) -> RunState:
    """A person who allows a call of a tool that has changed has seen how: it may be called from here on."""
    subject = question.subject
    is_allowed = subject.kind == "call" and answer.verdict == "yes" and subject.tool in state.changed
    if not is_allowed or all(x.hash != subject.plugin_hash for x in state.opened.values()):
        return state
    return replace(state, changed=drop(state.changed, str(subject.tool)))


def _stand(
    standing: tuple[Standing, ...], question: Question, answer: e.QuestionAnswered
) -> tuple[Standing, ...]:
    if answer.by == "grant":
        return standing
    subject = question.subject
    mine = (subject.tool, subject.destination)
    others = tuple(s for s in standing if (s.tool, s.destination) != mine)
    if answer.by == "rule":
        used = [replace(s, left=s.left - 1) for s in standing if (s.tool, s.destination) == mine]
        return (*others, *(s for s in used if s.left > 0))
    if answer.verdict == "yes" and answer.covers > 1 and subject.tool is not None:
        return (*others, Standing(subject.tool, subject.destination, question.why, answer.covers - 1))
    return others


# --- plan and proof -----------------------------------------------------------------------------------------

_PlanEvent = e.MemoryRecalled | e.PlanMade | e.PlanRefused | e.PlanApproved | e.CriterionChecked


def _plan(state: RunState, event: _PlanEvent) -> RunState:
    match event:
        case e.MemoryRecalled():
            return replace(
                labelled(state, event.labels, "what earlier runs remembered"), recalled=event.texts
            )
        case e.PlanMade():
            plan = Plan(event.version, event.source, event.sub_tasks)
            replans = state.replans + event.is_replan
            return replace(stirred(state), plan=plan, plan_notes=(), replans=replans)
        case e.PlanRefused():
            return replace(state, plan_notes=(*state.plan_notes, event.why))
        case e.PlanApproved():
            assert state.plan is not None
            return replace(
                state,
                plan=replace(state.plan, approved=True),
                criteria=state.criteria or event.criteria,
                protected_since=(*state.protected_since, *event.protected),
            )
        case e.CriterionChecked():
            if event.sub_task is not None:
                return state
            known = state.verdicts.get(event.number)
            is_news = known is None or known.verdict != event.verdict
            state = stirred(state) if is_news else state
            return replace(state, verdicts=put(state.verdicts, event.number, event), undone=None)
        case _:
            assert_never(event)


# --- the run ------------------------------------------------------------------------------------------------

_RunEvent = (
    e.RunStarted
    | e.Forked
    | e.OwnerChanged
    | e.ToolsOpened
    | e.LimitsRaised
    | e.PersonSaid
    | e.PauseSet
    | e.CommandTaken
    | e.CommandRefused
    | e.FolderChanged
    | e.Undone
    | e.TimeSpent
    | e.RunParked
    | e.RunInterrupted
    | e.RunEnded
    | e.MemoryIndexed
    | e.MemoryDeferred
    | e.HookFailed
    | e.Reported
)


def _run(state: RunState, event: _RunEvent) -> RunState:
    match event:
        case e.RunStarted():
            return _started(state, event)
        case e.Forked():
            return _forked(state, event)
        case e.OwnerChanged():
            server = "" if event.equipment is None else event.equipment.worker.server
            state = replace(state, sandbox=event.sandbox, model=event.model, attended=event.attended)
            state = replace(state, server=server)
            ended = None if state.ended and state.ended.ending == "limit" else state.ended
            told = frozenset((plugin, about) for plugin, about in state.reported if about)
            state = replace(state, parked=None, interrupted=False, unavailable="", paused=False)
            return replace(state, ended=ended, reported=told)
        case e.ToolsOpened():
            opened = put(state.opened, event.plugin, event)
            state = labelled(state, event.labels, f"the tools of {event.plugin}")
            return replace(state, opened=opened, changed=_changed(state, event))
        case e.LimitsRaised():
            return replace(state, limits=event.limits)
        case e.PersonSaid(text=text):
            return replace(state, said=(*state.said, text))
        case e.PauseSet(paused=paused):
            return replace(state, paused=paused)
        case e.CommandTaken() | e.CommandRefused():
            return replace(state, commands=max(state.commands, event.number))
        case e.FolderChanged():
            return _held(move_main(state, event.tree), event.folder)
        case e.Undone():
            # an undo that is taken back ends where the evidence was found
            is_evident = {v.tree for v in state.verdicts.values()} == {event.tree}
            is_over = event.projected and is_evident
            return replace(move_main(state, event.tree), undone=None if is_over else event)
        case e.TimeSpent():
            return replace(state, seconds=state.seconds + event.seconds)
        case e.RunParked():
            return replace(_held(state, event.folder), parked=event.waiting)
        case e.RunInterrupted():
            held = _held(state, event.folder)
            return replace(held, interrupted=True, unavailable=event.unavailable)
        case e.RunEnded():
            unsure = state.unsure if event.ending == "limit" else (*state.unsure, *_unheard(state))
            held = _held(state, event.folder)
            return replace(held, ended=event, parked=None, undone=None, unsure=unsure)
        case e.MemoryIndexed():
            return replace(state, remembered=state.remembered | {event.sub_task})
        case e.Reported(plugin=plugin, about=about):
            return replace(state, reported=state.reported | {(plugin, about)})
        case e.MemoryDeferred() | e.HookFailed():
            return state
        case _:
            assert_never(event)


def _unheard(state: RunState) -> Iterator[str]:
    """What was under way outside when the run ended for good: nobody will hear of it any more."""
    for call in state.calls.values():
        if call.decided.effect == "external" and call.started is not None and call.ended is None:
            yield reached(call.decided)


def _held(state: RunState, folder: str) -> RunState:
    """What the folder held is known, so nothing else has to be looked for in it."""
    return replace(state, before_main=folder) if folder else state


def _changed(state: RunState, event: e.ToolsOpened) -> Mapping[str, str]:
    """With what a person hasn't allowed yet: who is asked reads of each step that a tool has taken since."""
    steps = {
        name: f"{state.changed[name]}; then {words}" if name in state.changed else words
        for name, words in event.changed.items()
    }
    return {**state.changed, **{name: cut(words, _LONGEST_CHANGE) for name, words in steps.items()}}


def _started(state: RunState, event: e.RunStarted) -> RunState:
    return replace(
        state,
        started=event,
        workspace=event.workspace,
        limits=event.goal.limits,
        criteria=event.goal.done_when,
        main=event.tree,
        before_main=event.tree,
        start_tree=event.tree,
        sandbox=event.sandbox,
        model=event.model,
    )


def _forked(state: RunState, event: e.Forked) -> RunState:
    """The same history in another folder: what people were about to say of it is not said of the fork."""
    undone = state.undone
    standing = {n: v for n, v in state.verdicts.items() if undone is None or v.tree == undone.tree}
    why = f"asked in run {event.source}, which this one was forked from"
    return replace(
        state,
        workspace=event.workspace,
        forked=event,
        before_main=state.main,
        calls={k: replace(c, is_inherited=True) for k, c in state.calls.items()},
        questions={k: replace(q, voided=why) if q.is_open else q for k, q in state.questions.items()},
        verdicts=standing,
        standing=(),
        commands=0,
        ended=None,
        undone=None,
        parked=None,
        interrupted=False,
        unavailable="",
    )
