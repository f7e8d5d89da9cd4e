"""A conversation that outgrows the context: shortened first, then its beginning is left out, and seldom."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, finish, write
from states import folded, lane

from autoagent.events import CallDecided, CallEnded, ContextCompacted, Event, ModelCalled, ModelReplied
from autoagent.loop.shortening import prompt_tokens, shortened
from autoagent.messages import Reply, RequestedCall, Usage
from autoagent.state import LaneState
from autoagent.testing.model import ScriptedModel

CONTEXT = 9_000


def step(number: int, result: str, tokens: int | None = None) -> list[Event]:
    """A reply with one call, and the call's result; `tokens` is what the server counted of the prompt."""
    id, usage = f"1.{number}", Usage(prompt_tokens=tokens, completion_tokens=5)
    reply = Reply(calls=(RequestedCall(id="c", name="files_read", arguments='{"path":"a"}'),), usage=usage)
    decided = CallDecided(
        call=f"{id}.1", lane="1", tool="files_read", args={}, effect="read", decision="allow", why=""
    )
    return [
        ModelCalled(call=id, lane="1", role="worker", model="m", number=number),
        ModelReplied(call=id, lane="1", reply=reply, tokens=5, cost_usd=0),  # type: ignore[arg-type]
        decided,
        CallEnded(call=f"{id}.1", lane="1", ok=True, output=result),
    ]


def after(*results: str, tokens: int | None = None, more: tuple[Event, ...] = ()) -> LaneState:
    events = [e for n, text in enumerate(results, 1) for e in step(n, text, tokens)]
    return folded(lane(), *events, *more).lanes["1"]


def test_a_conversation_with_room_stays_as_it_is() -> None:
    """However long its results are."""
    assert shortened(after(*["x" * 900] * 10), CONTEXT) is None


def test_long_results_are_shortened_first() -> None:
    """Nothing is left out while shortening makes room."""
    made = shortened(after(*["x" * 2_000] * 20), CONTEXT)

    assert made == ContextCompacted(lane="1", upto=34)


def test_where_shortening_frees_little_the_beginning_is_left_out() -> None:
    """Down to about half of the context, from a reply on, so that no result is without its call."""
    lane = after(*["x" * 300] * 60)
    made = shortened(lane, CONTEXT)

    assert made is not None
    assert lane.turns[made.dropped].kind == "reply"
    rest = folded_with(lane, made)
    assert 0.4 * CONTEXT < prompt_tokens(rest) <= 0.5 * CONTEXT
    assert shortened(rest, CONTEXT) is None


def folded_with(known: LaneState, made: ContextCompacted) -> LaneState:
    results = [turn.text for turn in known.turns if turn.kind == "result"]
    return after(*results, more=(made,))


def test_the_last_steps_always_stay() -> None:
    """A context that even they fill is the model's to refuse; nothing is recorded again and again."""
    lane = after(*["x" * 390] * 8)
    made = shortened(lane, 300)

    assert made is not None
    assert made.dropped <= len(lane.turns) - 6
    assert shortened(folded_with(lane, made), 300) is None


@given(st.lists(st.integers(0, 3_000), max_size=60), st.integers(500, 20_000))
def test_making_room_ends(sizes: list[int], context: int) -> None:
    """Each time more is left out, until there is room or nothing more to leave out."""
    lane, made = after(*["x" * n for n in sizes]), None
    for _ in range(4):
        if (now := shortened(lane, context)) is None:
            return
        assert made is None or (now.upto, now.dropped) > (made.upto, made.dropped)
        lane, made = folded_with(lane, now), now
    raise AssertionError("room was made four times, and there was still none")


async def test_a_long_run_keeps_to_the_context(tmp_path: Path) -> None:
    """Eighty steps in a small context: each prompt fits, room is made seldom, and the run ends."""
    steps = [write(f"f{n}.txt", f"{n} " * 120) for n in range(80)]
    model = ScriptedModel(*steps, write("end.txt", "x"), finish())
    stage = Stage.at(tmp_path, context_tokens=CONTEXT)
    outcome = await stage.start(
        "goal: g\nplan: [{id: a, title: t}]\ndone_when: [{file: end.txt}]\nlimits: {steps: 100}", model
    )

    assert outcome.ending == "proved"
    sizes = [sum(len(m.wire) for m in request.messages) / 3 for request in model.requests]
    assert max(sizes) < CONTEXT
    assert 0 < len(stage.events(ContextCompacted)) < 8
    for request in model.requests:
        asked = [c.id for m in request.messages for c in m.calls]
        assert asked == [m.call_id for m in request.messages if m.role == "tool"]
