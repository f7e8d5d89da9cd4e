"""What each event of a run says to a person: one line, or none. Pure; `run` and `tail` say the same.

A line says what was done, in which sub-task (n/m), and what has been spent; the time stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from pydantic import JsonValue

from autoagent import events as e
from autoagent.console.ending import unsettled
from autoagent.console.figures import clock, money, several, size
from autoagent.console.line import Line, Part, Tone, dotted, line, short
from autoagent.console.question import headline
from autoagent.console.verdicts import MARKS
from autoagent.goal import Limits
from autoagent.questions import answerer
from autoagent.state import RunState

QUIET = frozenset({"finish", "give_up", "ask_human", "read_again"})
"""Calls that say nothing themselves; what they bring about does."""


def told(before: RunState, event: e.Event, after: RunState) -> Iterator[Line]:
    """The lines that `event`, which leads from one state to the other, has for a person."""
    match event:
        case e.CallDecided() | e.CallStarted() | e.CallEnded():
            yield from _call(before, event, after)
        case e.ModelCalled() | e.ModelReplied() | e.ModelFailed():
            yield from _model(event, after)
        case e.QuestionAsked() | e.QuestionAnswered() | e.QuestionVoided():
            yield from _question(event, after)
        case (
            e.MemoryRecalled()
            | e.PlanMade()
            | e.PlanRefused()
            | e.PlanApproved()
            | e.CriterionChecked()
            | e.MemoryIndexed()
            | e.MemoryDeferred()
        ):
            yield from _plan(event, after)
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
            yield from _lane(event, after)
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
            | e.HookFailed()
            | e.Reported()
        ):
            yield from _run(before, event, after)
        case _:
            assert_never(event)


def _process(holder: str) -> str:
    """Host and process id, as a sentence has them."""
    host, _, pid = holder.rpartition(":")
    return f"process {pid} on {host}" if host else holder


# --- calls --------------------------------------------------------------------------------------------------


def _call(
    before: RunState, event: e.CallDecided | e.CallStarted | e.CallEnded, after: RunState
) -> Iterator[Line]:
    if not isinstance(event, e.CallEnded):
        return
    decided = before.calls[event.call].decided
    if decided.tool in QUIET or (decided.script is not None and event.ok):
        return
    if not decided.understood:
        head, end = Part("✗ not understood ", "bad"), short(decided.why, 100)
    elif decided.decision == "deny":
        head, end = Part("⊘ denied ", "bad"), short(decided.why, 100)
    elif by := before.denied_by(event.call):
        head, end = Part(f"⊘ denied by {answerer(by)} ", "bad"), short(_why_denied(event.output), 100)
    elif before.is_on_word(event.call):
        head, end = Part(""), Part("you said that it had happened", "attention")
    elif event.ok:
        head, end = Part(""), short(size(len(event.output.encode("utf-8", "replace"))))
    else:
        head, end = Part("✗ ", "bad"), short(event.output.strip(), 100)
    place = Part(f"{after.steps} {place_of(after, event.lane)} ", "dim")
    labels = [Part(f" {label.upper()}", "outside") for label in event.labels]
    took = f"{event.seconds:.1f} s" if event.seconds >= 0.1 else None
    yield dotted(line(place, head, *called(decided), *labels), end, took, money(after.usd))


def _why_denied(output: str) -> str:
    """What a person said besides no, from what the model reads of it."""
    return output.strip().partition(": ")[2]


def called(decided: e.CallDecided) -> tuple[Part, ...]:
    """A tool and what it is used on: whom it reaches, else the path, else its first text."""
    target = decided.destination or target_of(decided.args)
    return (short(decided.tool, 40), Part(" " if target else ""), short(target, 60))


def target_of(args: Mapping[str, JsonValue]) -> str:
    for name in ("path", "query", "pattern", "url"):
        if isinstance(value := args.get(name), str):
            return value
    texts = [value for value in args.values() if isinstance(value, str)]
    return texts[0] if texts else ""


def _model(event: e.ModelCalled | e.ModelReplied | e.ModelFailed, after: RunState) -> Iterator[Line]:
    match event:
        case e.ModelReplied(reply=reply) if event.lane in after.lanes and reply.calls and reply.text.strip():
            place = Part(f"{after.steps} {place_of(after, event.lane)} ", "dim")
            yield line(place, Part("says │ ", "dim"), short(reply.text, 100, "dim"))
        case e.ModelFailed():
            yield line(Part("✗ ", "bad"), "the model did not answer: ", short(event.why, 160))
        case _:
            return


# --- questions ----------------------------------------------------------------------------------------------


def _question(
    event: e.QuestionAsked | e.QuestionAnswered | e.QuestionVoided, after: RunState
) -> Iterator[Line]:
    match event:
        case e.QuestionAsked(question=question):
            yield line(Part("! ", "attention")) + headline(question, after)
        case e.QuestionAnswered() if event.by in ("rule", "grant"):
            yield line(f"{event.question} yes, ", short(event.text or "by an earlier 'y -N'", 300))
        case e.QuestionAnswered():
            said = event.text if event.verdict == "text" else event.verdict
            why = f": {event.text}" if event.verdict == "no" and event.text else ""
            edited = ", edited" if event.edit is not None else ""
            yield line(
                f"{event.question} answered by {answerer(event.by)}{edited} │ ", short(said + why, 100)
            )
        case e.QuestionVoided():
            yield line(f"{event.question} no longer stands: ", short(event.why, 100))
        case _:
            assert_never(event)


# --- plan and proof -----------------------------------------------------------------------------------------

_PlanEvent = (
    e.MemoryRecalled
    | e.PlanMade
    | e.PlanRefused
    | e.PlanApproved
    | e.CriterionChecked
    | e.MemoryIndexed
    | e.MemoryDeferred
)


def _plan(event: _PlanEvent, after: RunState) -> Iterator[Line]:
    match event:
        case e.MemoryRecalled(texts=texts) if texts:
            yield line(f"remembered {several(len(texts), 'outcome')} of earlier runs")
        case e.PlanMade(sub_tasks=sub_tasks):
            titles = "; ".join(s.title for s in sub_tasks)
            why = short(event.why, 80) if event.why else None
            yield dotted(
                f"plan v{event.version}", several(len(sub_tasks), "sub-task"), why, short(titles, 90)
            )
        case e.PlanRefused():
            yield line("plan refused: ", short(event.why, 120))
        case e.CriterionChecked() if event.sub_task is None and event.verdict != "unchecked":
            mark, tone = MARKS[event.verdict]
            criterion = str(after.criteria[event.number])
            yield line(Part(f"{mark} ", tone), short(criterion, 60), " · ", short(event.evidence.text, 80))
        case e.MemoryDeferred():
            yield line("memory takes this outcome later: ", short(event.why, 100))
        case e.PlanApproved() | e.CriterionChecked() | e.MemoryRecalled() | e.MemoryIndexed():
            return
        case _:
            assert_never(event)


# --- lanes --------------------------------------------------------------------------------------------------

_LaneEvent = (
    e.SubTaskStarted
    | e.SubTaskEnded
    | e.LaneMerged
    | e.LaneConflicted
    | e.Observed
    | e.LaneReset
    | e.LadderClimbed
    | e.ContextCompacted
    | e.FinishRefuted
)
_ENDS: Mapping[str, Tone] = {"done": "plain", "failed": "bad", "skipped": "dim"}


def _lane(event: _LaneEvent, after: RunState) -> Iterator[Line]:
    match event:
        case e.SubTaskStarted():
            place = Part(f"{place_of(after, event.lane)} ", "dim")
            yield line(Part("▸ ", "accent"), place, short(title_of(after, event.sub_task), 80))
        case e.SubTaskEnded():
            place = Part(f"{place_of(after, event.lane)} ", "dim")
            result = short(event.result, 100) if event.result else None
            yield dotted(line(place, Part(event.outcome, _ENDS[event.outcome])), result, money(after.usd))
        case e.LaneConflicted():
            yield line("↺ other sub-tasks changed the same files: ", short(", ".join(event.kept), 100))
        case e.Observed(source="finish" | "nudge" | "limit" | "person"):
            yield line("told the agent │ ", short(event.text, 120, "dim"))
        case e.LaneReset():
            yield line("↺ back to the sub-task's start: ", short(event.why, 120))
        case e.LadderClimbed():
            yield line(f"↺ no progress, so {_RUNGS[event.rung]}: ", short(event.why, 100))
        case e.LaneMerged() | e.Observed() | e.ContextCompacted() | e.FinishRefuted():
            return
        case _:
            assert_never(event)


_RUNGS = {
    "nudge": "a nudge",
    "reset": "a new start",
    "replan": "a new plan",
    "stronger": "a stronger model",
    "ask": "a question to you",
}


def title_of(state: RunState, sub_task: str) -> str:
    """The title of a sub-task; its id where the plan no longer has it."""
    sub_tasks = state.plan.sub_tasks if state.plan is not None else ()
    return next((s.title for s in sub_tasks if s.id == sub_task), sub_task)


def place_of(state: RunState, lane: str) -> str:
    """`3/5`: the third of five sub-tasks; empty outside any."""
    known = state.lanes.get(lane)
    ids = [s.id for s in state.plan.sub_tasks] if state.plan is not None else []
    if known is None or known.sub_task not in ids:
        return ""
    return f"{ids.index(known.sub_task) + 1}/{len(ids)}"


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
    | e.HookFailed
    | e.Reported
)


_CHOSEN = {"theirs": "the agent's version stays", "both": "the agent's version is beside yours"}
"""After a question about a file that both changed; with `mine` nothing moves."""


def _run(before: RunState, event: _RunEvent, after: RunState) -> Iterator[Line]:
    run = after.run_id
    match event:
        case e.RunStarted():
            sandbox = f"sandbox {event.sandbox}" if event.sandbox != "none" else None
            head = line("run ", run)
            limits = limits_of(event.goal.limits)
            also = sorted(set(event.plugins) - set(event.goal.enabled_plugins))
            plugins = f"also {', '.join(also)}" if also else None
            yield dotted(head, f"model {event.model}", sandbox, plugins, limits, f"autoagent tail {run}")
        case e.Forked():
            yield line(
                "run ",
                run,
                f" is forked from {event.source} at entry {event.at}: ",
                short(event.workspace, 100),
            )
        case e.OwnerChanged() if event.epoch > 1:
            yield dotted(
                line("run ", run, " goes on"),
                f"model {event.model}",
                _process(event.holder),
                limits_of(after.limits),
            )
            if other := "; ".join(_otherwise(before, after)):
                yield line(Part("! ", "attention"), "it goes on otherwise than before: ", short(other, 240))
        case e.ToolsOpened(plugin=plugin, changed=changed) if changed:
            how = "; ".join(f"{name}: {words}" for name, words in changed.items())
            yield line(Part("! ", "attention"), short(plugin, 40), " has other tools now: ", short(how, 160))
        case e.LimitsRaised():
            yield line("new limits: ", changed_limits(before.limits, event.limits) or "as they were")
        case e.PersonSaid(text=text):
            yield line("you said: ", short(text, 200))
        case e.PauseSet(paused=paused):
            yield line("paused for you: it goes on when you say so" if paused else "it goes on")
        case e.CommandRefused():
            yield line("a command was refused: ", short(event.why, 120))
        case e.FolderChanged(paths=paths, chosen=chosen) if chosen:
            yield line(_CHOSEN.get(chosen, chosen), ": ", short(", ".join(paths), 100))
        case e.FolderChanged(paths=paths) if paths:
            yield line(f"you changed {several(len(paths), 'path')}: ", short(", ".join(paths), 100))
        case e.Undone(projected=False):
            paths = event.paths
            yield line(f"you took back to entry {event.to}: ", short(", ".join(paths) or "nothing", 100))
        case e.RunParked():
            yield dotted(
                line(Part("= ", "dim"), f"parked at step {after.steps}"),
                money(after.usd),
                f"autoagent resume {run}",
            )
        case e.RunInterrupted(unavailable=why):
            stopped = dotted(f"stopped at step {after.steps}", money(after.usd), f"autoagent resume {run}")
            yield line("✗ ", short(why, 200)) if why else stopped
        case e.RunEnded():
            yield dotted(event.ending, short(event.reason, 120), money(after.usd), clock(after.seconds))
            yield from unsettled(after)
        case e.HookFailed():
            head = line(Part("✗ ", "bad"), "the plugin ", short(event.plugin, 40), f" failed in {event.hook}")
            yield dotted(head, short(event.problem, 160))
        case (
            e.OwnerChanged()
            | e.ToolsOpened()
            | e.CommandTaken()
            | e.TimeSpent()
            | e.Undone()
            | e.FolderChanged()
        ):
            return
        case e.Reported():
            return
        case _:
            assert_never(event)


def _otherwise(before: RunState, after: RunState) -> Iterator[str]:
    """What answers from here on, where that is another model or another server than before."""
    if before.model and before.model != after.model:
        yield f"model {after.model} (was {before.model})"
    if before.server and before.server != after.server:
        yield f"at {after.server or 'no address'} (was {before.server})"


def limits_of(limits: Limits) -> str:
    """The limits in short."""
    return "limit " + ", ".join(_each_limit(limits))


def changed_limits(before: Limits, now: Limits) -> str:
    """Those that differ, each with what it was; empty where none does."""
    pairs = zip(_each_limit(before), _each_limit(now), strict=True)
    return ", ".join(f"{new} (was {old})" for old, new in pairs if old != new)


def _each_limit(limits: Limits) -> tuple[str, ...]:
    return (
        money(limits.usd),
        several(limits.steps, "step"),
        f"{limits.minutes:g} min",
        f"{limits.tokens:,} tokens",
    )
