"""What events say of lanes: requests, calls, and the life of a sub-task. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from autoagent import events as e
from autoagent.goal import SubTask
from autoagent.growing import Log
from autoagent.ids import fingerprint
from autoagent.state.values import CallState, Held, LaneState, Origin, RunState, drop, put, replace
from autoagent.turns import Turn, requested_calls

_RECENT = 8
"""Calls whose signatures are kept, besides the last one."""

# --- requests -----------------------------------------------------------------------------------------------


def after_request(state: RunState, event: e.ModelCalled | e.ModelReplied | e.ModelFailed) -> RunState:
    match event:
        case e.ModelCalled():
            held = Held(event.lane, event.role, event.reserved_usd, event.reserved_tokens)
            return replace(state, held=put(state.held, event.call, held))
        case e.ModelFailed():
            return _settle(state, event.call, event.cost_usd, event.tokens)
        case e.ModelReplied():
            role = state.held[event.call].role
            state = _settle(state, event.call, event.cost_usd, event.tokens)
            key, lane = (event.lane, role), state.lanes.get(event.lane)
            state = replace(state, replies=put(state.replies, key, state.replies.get(key, 0) + 1))
            if lane is None or role != "worker":  # planner and judge talk outside any lane's conversation
                return state
            return put_lane(replace(state, steps=state.steps + 1), _heard(lane, event))
        case _:
            assert_never(event)


def _settle(state: RunState, call: str, usd: Decimal, tokens: int) -> RunState:
    held = drop(state.held, call)
    return replace(state, held=held, usd=state.usd + usd, tokens=state.tokens + tokens)


def _heard(lane: LaneState, event: e.ModelReplied) -> LaneState:
    reply = event.reply
    calls = requested_calls(reply, lane.style, event.call)
    turn = Turn("reply", reply.text, lane.style, calls=calls)
    return replace(
        lane,
        turns=lane.turns.plus(turn),
        pending=calls,
        outcomes=(),
        replies=lane.replies + 1,
        prompt_tokens=reply.usage.prompt_tokens or lane.prompt_tokens,
        prompt_bytes=event.prompt_bytes if reply.usage.prompt_tokens else lane.prompt_bytes,
        still=lane.still + 1,
    )


def put_lane(state: RunState, lane: LaneState) -> RunState:
    return replace(state, lanes=put(state.lanes, lane.name, lane))


# --- calls --------------------------------------------------------------------------------------------------


def after_call(state: RunState, event: e.CallDecided | e.CallStarted | e.CallEnded) -> RunState:
    match event:
        case e.CallDecided():
            return replace(state, calls=put(state.calls, event.call, CallState(event)))
        case e.CallStarted():
            call = replace(state.calls[event.call], started=event, is_inherited=False)
            return replace(state, calls=put(state.calls, event.call, call))
        case e.CallEnded():
            return _call_ended(state, event)
        case _:
            assert_never(event)


def _call_ended(state: RunState, event: e.CallEnded) -> RunState:
    call = state.calls[event.call]
    state = replace(
        labelled(state, event.labels, _read_by(call.decided)),
        urls=state.urls.plus(event.urls),
        usd=state.usd + event.cost_usd,
    )
    if call.decided.script is not None:  # kept until its script ends: a second try reads it
        return replace(state, calls=put(state.calls, event.call, replace(call, ended=event)))
    inside = [k for k, c in state.calls.items() if c.decided.script == event.call]
    state = replace(state, calls=drop(state.calls, event.call, *inside))
    sent = reached(call.decided)
    if call.decided.effect == "external" and event.ok:
        word = (sent,) if state.is_on_word(event.call) else ()
        state = replace(state, sent=(*state.sent, sent), on_word=(*state.on_word, *word))
    elif event.in_doubt:
        state = replace(state, unsure=(*state.unsure, sent))
    lane = state.lanes.get(event.lane)
    return state if lane is None else _observed_call(state, lane, call.decided, event)


def reached(decided: e.CallDecided) -> str:
    """The tool and whom it reaches."""
    return f"{decided.tool} {decided.destination or ''}".strip()


def _observed_call(state: RunState, lane: LaneState, decided: e.CallDecided, event: e.CallEnded) -> RunState:
    turn = Turn("result", event.output, lane.style, event.call, decided.tool, event.ok)
    moved = event.tree is not None and event.tree != lane.tree
    # a receipt has a number of its own each time: the same mail sent again is the same all the same
    said = "" if decided.effect == "external" and event.ok else event.output
    signature = f"{decided.tool}{sorted(decided.args.items())!r}{event.ok}{said}"
    pending = tuple(c for c in lane.pending if c.id != event.call)
    lane = replace(
        lane,
        turns=lane.turns.plus(turn),
        pending=(*pending, *event.queued),
        outcomes=(*lane.outcomes, event.ok),
        tree=event.tree or lane.tree,
        signatures=(*lane.signatures[-_RECENT:], fingerprint(signature)),
        failures=0 if event.ok else lane.failures + 1,
        still=0 if moved else lane.still,
        refuted=0 if moved else lane.refuted,
    )
    if lane.on_main and moved:
        state = move_main(state, lane.tree)
    return put_lane(state, lane)


def labelled(state: RunState, labels: tuple[e.Label, ...], what: str) -> RunState:
    """What was read stays read; `what` it was is kept of the first."""
    fresh = {label: Origin(state.steps, what) for label in labels if label not in state.origins}
    if not fresh:
        return state
    origins = {**state.origins, **fresh}
    return replace(state, outside="outside" in origins, private="private" in origins, origins=origins)


def _read_by(decided: e.CallDecided) -> str:
    """What a call reads: whom it asks, else which path, else the tool alone."""
    path = decided.args.get("path")
    return decided.destination or (path if isinstance(path, str) else "") or decided.tool


def move_main(state: RunState, tree: str) -> RunState:
    """`main` has a new head; lanes that work on it follow."""
    lanes = {n: replace(x, tree=tree) if x.on_main and x.ended is None else x for n, x in state.lanes.items()}
    return replace(state, main=tree, before_main=state.main, lanes=lanes)


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


def after_lane(state: RunState, event: _LaneEvent) -> RunState:
    match event:
        case e.SubTaskStarted():
            return put_lane(
                labelled(state, event.labels, "the names and sizes of its files"), _new_lane(state, event)
            )
        case e.SubTaskEnded() if event.lane not in state.lanes:  # skipped before it began
            return put_lane(state, _unborn(state, event))
        case _:
            pass
    lane = state.lanes[event.lane]
    match event:
        case e.SubTaskEnded():
            return put_lane(state, replace(lane, ended=event.outcome, result=event.result, pending=()))
        case e.LaneMerged():
            lane = replace(lane, tree=event.tree, base=event.tree)
            return move_main(put_lane(state, lane), event.tree)
        case e.LaneConflicted():
            kept = ", ".join(f"{p!r} (your version: {k!r})" for p, k in sorted(event.kept.items()))
            note = Turn("note", _CONFLICT.format(kept=kept), lane.style)
            conflicts = lane.conflicts + 1
            lane = _noted(replace(lane, tree=event.tree, base=event.base, conflicts=conflicts), note)
            return put_lane(state, lane)
        case e.Observed():
            lane = _noted(lane, Turn("note", event.text, lane.style))
            failed = lane.failures + (event.source == "reply")
            steered = lane.steered + (event.source == "steer")
            return put_lane(state, replace(lane, failures=failed, steered=steered))
        case e.LaneReset():
            return _reset(state, lane, event)
        case e.LadderClimbed():
            lane = replace(lane, rungs=(*lane.rungs, event.rung), signatures=(), failures=0, still=0)
            return put_lane(state, lane)
        case e.ContextCompacted():
            return put_lane(state, replace(lane, compacted=event.upto, dropped=event.dropped))
        case e.FinishRefuted():
            return put_lane(state, replace(lane, refuted=lane.refuted + 1))
        case e.SubTaskStarted():
            raise AssertionError("handled above")
        case _:
            assert_never(event)


_CONFLICT = (
    "While you worked, another sub-task changed the same files. Nothing of yours was merged. "
    "The workspace now holds its versions; yours are kept beside them: {kept}. "
    "Bring both together in the original paths, delete the kept copies, then finish again."
)


def _new_lane(state: RunState, event: e.SubTaskStarted) -> LaneState:
    task = _task(state, event.sub_task)
    others = state.plan.sub_tasks if state.plan is not None else ()
    before = ((id, lane) for id in task.depends_on if (lane := state.lane_of(id)) is not None)
    return LaneState(
        name=event.lane,
        sub_task=event.sub_task,
        tree=event.tree,
        base=event.tree,
        start=event.tree,
        listing=event.listing,
        style=event.style,
        tools=event.tools,
        on_main=event.on_main,
        task=task,
        results=tuple((id, lane.result) for id, lane in before),
        is_leaf=not any(task.id in other.depends_on for other in others),
    )


def _task(state: RunState, id: str) -> SubTask:
    """The sub-task of the plan; one that a new plan has dropped stands for the whole goal."""
    known = state.plan.sub_tasks if state.plan is not None else ()
    return next((task for task in known if task.id == id), None) or SubTask(id=id, title=state.goal.goal)


def _unborn(state: RunState, event: e.SubTaskEnded) -> LaneState:
    """A lane that was over before it began."""
    return LaneState(
        name=event.lane,
        sub_task=event.sub_task,
        tree=state.main,
        base=state.main,
        start=state.main,
        listing="",
        style="tools",
        tools=(),
        on_main=True,
        task=_task(state, event.sub_task),
        ended=event.outcome,
        result=event.result,
    )


def _noted(lane: LaneState, note: Turn) -> LaneState:
    return replace(lane, turns=lane.turns.plus(note))


def _reset(state: RunState, lane: LaneState, event: e.LaneReset) -> RunState:
    calls = {k: c for k, c in state.calls.items() if c.decided.lane != lane.name}
    lane = replace(
        lane,
        tree=event.tree,
        turns=Log([Turn("note", event.why, lane.style)]),
        pending=(),
        outcomes=(),
        prompt_tokens=0,
        prompt_bytes=0,
        compacted=0,
        dropped=0,
        refuted=0,
        steered=0,
    )
    state = replace(put_lane(state, lane), calls=calls)
    return move_main(state, event.tree) if lane.on_main and event.tree != state.main else state


def stirred(state: RunState) -> RunState:
    """The plan or the evidence has changed: that is progress for whoever is at work."""
    lanes = {n: x if x.ended else replace(x, still=0) for n, x in state.lanes.items()}
    return replace(state, lanes=lanes)
