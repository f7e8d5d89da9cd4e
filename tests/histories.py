"""Histories of runs that never ran, but could have: for tests of the fold, which must take any of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Literal

from hypothesis import strategies as st
from states import AT, goal, started

from autoagent import events as e
from autoagent.goal import FileCriterion, HumanCriterion, Limits, SubTask
from autoagent.messages import Reply, RequestedCall, Usage
from autoagent.questions import Question, Subject
from autoagent.state import CallState, LaneState, RunState, apply
from autoagent.turns import SCRIPT

GOAL = goal(
    "Read https://a.org/start and mail it.",
    web=("a.org",),
    send={"mail": ("anna@b.org",)},
    run="sandbox",
    done_when=(FileCriterion(file="b.txt", contains=("6",)), HumanCriterion(human="It reads well.")),
)


def drawn(random: Random, number: int) -> list[e.Event]:
    """Events in an order in which a run could have recorded them."""
    events: list[e.Event] = [started(GOAL)]
    state = apply(RunState("r"), events[0])
    while len(events) < number:
        possible = list(_possible(state, random.randrange(7), len(events), random.randrange(10_000)))
        if possible:
            events.append(random.choice(possible))
            state = apply(state, events[-1])
    return events


def histories(most: int = 40) -> st.SearchStrategy[list[e.Event]]:
    return st.builds(drawn, st.randoms(use_true_random=False), st.integers(1, most))


def _possible(state: RunState, about: int, at: int, number: int) -> Iterator[e.Event]:
    """What could be recorded next `about` one of seven things; `at` and `number` make names and values."""
    open_lanes = [lane for lane in state.lanes.values() if lane.ended is None]
    match about:
        case 0:
            yield from _of_run(state, at, number)
        case 1:
            yield from _of_plan(state, number)
        case 2:
            yield from _of_questions(state, at, number)
        case 3:
            for call in state.calls.values():
                yield from _of_call(call, number)
        case 4:
            for id in state.held:
                yield from _of_request(state, id, number)
        case 5:
            for lane in open_lanes:
                yield from _of_lane(lane)
        case _:
            for lane in open_lanes:
                yield from _of_work(state, lane, at, number)


def _of_request(state: RunState, id: str, number: int) -> Iterator[e.Event]:
    held = state.held[id]
    yield e.ModelReplied(
        call=id,
        lane=held.lane,
        reply=_reply(number),
        tokens=number % 300,
        cost_usd=Decimal(number % 7) / 100,
        prompt_bytes=number,
    )
    yield e.ModelFailed(call=id, lane=held.lane, why="gone", tokens=held.tokens, cost_usd=held.usd)


def _of_run(state: RunState, at: int, number: int) -> Iterator[e.Event]:
    yield e.OwnerChanged(epoch=at, holder="h:1", attended=number % 2 == 0, sandbox="monty", model="m")
    changed = {"files_read": "another"} if number % 3 == 0 else {}
    yield e.ToolsOpened(plugin="mcp", hash=f"h{number}", tools="t", changed=changed)
    yield e.Forked(source="p", at=at, workspace="/fork", model="m" if number % 2 else "")
    yield e.LimitsRaised(limits=Limits(steps=100 + number, usd=Decimal(number)))
    yield e.CommandTaken(number=state.commands + 1)
    yield e.CommandRefused(number=state.commands + 1, why="no such question")
    yield e.FolderChanged(tree=f"p{number}", paths=("mine.txt",))
    yield e.Undone(to=1, tree=f"u{number}", paths=("a.txt",), projected=number % 2 == 0)
    yield e.TimeSpent(seconds=number % 50 / 10)
    yield e.RunParked(waiting=tuple(q.question.id for q in state.waiting))
    yield e.RunInterrupted()
    yield e.PersonSaid(text=f"said {number}", by="terminal")
    yield e.PauseSet(paused=bool(number % 2), by="terminal")
    yield e.HookFailed(plugin="p", hook="post_call", problem="KeyError: 'a'", call=f"c{number}")
    yield e.Reported(plugin="p", about=f"q{number}" if number % 2 else "")
    sources = (e.Recalled(run="old", at=AT, score=number / 7),) if number % 2 else ()
    yield e.MemoryRecalled(texts=("earlier",), labels=_LABELS[number % 4], sources=sources)
    yield e.RunEnded(ending="limit" if number % 2 else "unproved", reason="so", result="")
    for lane in state.lanes.values():
        if lane.ended is not None:
            yield e.MemoryDeferred(sub_task=lane.name, why="locked")
            yield e.MemoryIndexed(sub_task=lane.name, point="p")


_LABELS: tuple[tuple[e.Label, ...], ...] = ((), ("outside",), ("private",), ("outside", "private"))


def _of_plan(state: RunState, number: int) -> Iterator[e.Event]:
    version = 1 if state.plan is None else state.plan.version + 1
    ids = [f"s{number % 5}", f"s{number % 5}b"]
    sub_tasks = (SubTask(id=ids[0], title="one"), SubTask(id=ids[1], title="two", depends_on=(ids[0],)))
    yield e.PlanMade(version=version, source="model", sub_tasks=sub_tasks, is_replan=number % 3 == 0)
    yield e.PlanRefused(why="a circle")
    if state.plan is not None:
        yield e.PlanApproved(version=state.plan.version, criteria=(FileCriterion(file="c.txt"),))
        for sub_task in state.plan.sub_tasks:
            if state.outcome(sub_task.id) == "to come":
                yield _start(sub_task.id, state.main, number)
                yield e.SubTaskEnded(sub_task=sub_task.id, lane=sub_task.id, outcome="skipped", result="no")


def _start(id: str, tree: str, number: int) -> e.SubTaskStarted:
    style: Literal["tools", "code"] = "tools" if number % 2 else "code"
    return e.SubTaskStarted(
        sub_task=id,
        lane=id,
        tree=tree,
        listing="a.txt (3 bytes)",
        style=style,
        tools=("files_read",),
        on_main=number % 3 > 0,
        labels=_LABELS[number % 4],
    )


def _of_questions(state: RunState, at: int, number: int) -> Iterator[e.Event]:
    subject = Subject(
        run="r", kind="call", call=f"c{number}", tool="mail_send", destination=f"{number % 2}@b.org"
    )
    yield e.QuestionAsked(question=Question(id=f"q{at}", subject=subject, why="unnamed"), asked_at=AT)
    for asked in state.waiting:
        yield e.QuestionAnswered(
            question=asked.question.id,
            digest=asked.question.digest,
            verdict="yes" if number % 2 else "no",
            text="see https://a.org/answer",
            covers=1 + number % 3,
            by="rule" if number % 5 == 0 else "terminal",
        )
        yield e.QuestionVoided(question=asked.question.id, why="it changed")


def _of_call(call: CallState, number: int) -> Iterator[e.Event]:
    decided = call.decided
    if call.ended is not None:
        return
    yield e.CallStarted(call=decided.call, lane=decided.lane, tree="t")
    yield e.CallEnded(
        call=decided.call,
        lane=decided.lane,
        ok=number % 3 > 0,
        output=f"result {number % 3}",
        tree=f"t{number}" if decided.effect == "write" and number % 2 else None,
        labels=_LABELS[number % 4],
        seconds=0.1,
        urls=(f"https://a.org/{number % 4}",),
        queued=(RequestedCall(id=f"{decided.call}.q1", name="finish", arguments="{}"),)
        if decided.tool == SCRIPT and number % 4 == 0
        else (),
    )


def _reply(number: int) -> Reply:
    usage = Usage(prompt_tokens=number % 200, completion_tokens=5)
    calls = tuple(RequestedCall(id="0", name="files_read", arguments="{}") for _ in range(number % 3))
    return Reply(text="```python\n1\n```", calls=calls, usage=usage, finish_reason="stop")


def _of_work(state: RunState, lane: LaneState, at: int, number: int) -> Iterator[e.Event]:
    role: Literal["worker", "judge"] = "worker" if number % 4 else "judge"
    yield e.ModelCalled(
        call=f"{lane.name}.{at}",
        lane=lane.name,
        role=role,
        model="m",
        number=lane.replies + 1,
        reserved_usd=Decimal("0.1"),
        reserved_tokens=500,
    )
    for call in lane.pending:
        if call.id not in state.calls:
            yield _decide(lane.name, call.id, call.name, number, None)
    for id, known in state.calls.items():
        if known.decided.tool == SCRIPT and known.decided.lane == lane.name:
            yield _decide(lane.name, f"{id}.{at}", "web_read", number, id)
    evidence = e.Evidence(text="b.txt, line 1", by="file check")
    verdict: Literal["proved", "refuted"] = "proved" if number % 2 else "refuted"
    for sub_task in (None, lane.sub_task):
        yield e.CriterionChecked(
            number=number % 2, sub_task=sub_task, verdict=verdict, evidence=evidence, tree=lane.tree
        )


def _of_lane(lane: LaneState) -> Iterator[e.Event]:
    name, tree = lane.name, f"{lane.name}-{len(lane.turns)}"
    yield e.Observed(lane=name, text="so", source="reply")
    yield e.Observed(lane=name, text="so", source="person")
    yield e.LadderClimbed(lane=name, rung="nudge", why="stuck")
    yield e.LaneReset(lane=name, tree=lane.start, why="nowhere")
    yield e.ContextCompacted(lane=name, upto=len(lane.turns))
    yield e.FinishRefuted(lane=name, sub_task=lane.sub_task, tree=lane.tree)
    yield e.SubTaskEnded(sub_task=lane.sub_task, lane=name, outcome="done", result="it is so")
    yield e.SubTaskEnded(sub_task=lane.sub_task, lane=name, outcome="failed", result="no")
    if not lane.on_main:
        yield e.LaneConflicted(lane=name, tree=tree, base=lane.base, kept={"a": "a.1"})
        yield e.LaneMerged(lane=name, tree=tree)


def _decide(lane: str, call: str, tool: str, number: int, script: str | None) -> e.CallDecided:
    effect: e.Effect = "read" if script is not None else ("read", "write", "external")[number % 3]
    return e.CallDecided(
        call=call,
        lane=lane,
        tool=tool,
        args={"path": "a.txt", "n": number},
        effect=effect,
        destination="anna@b.org" if effect == "external" else None,
        decision="allow",
        why="inside the workspace",
        script=script,
        key=f"k{number}",
    )
