"""What a run may still spend: reserved before, settled after, never more than the limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from states import goal, lane, running, started

from autoagent.budget import (
    COMPLETION_TOKENS,
    Exhausted,
    Reservation,
    Wait,
    cost,
    over_limit,
    prompt_bound,
    reserve,
    settle,
    share_spent,
)
from autoagent.events import Event, ModelCalled, ModelFailed, ModelReplied
from autoagent.goal import Limits
from autoagent.messages import Reply, Usage
from autoagent.ports import ModelRole, Price
from autoagent.state import Held, RunState, apply

FREE = Price()
PRICE = Price(Decimal(1), Decimal(10))
"""A dollar for a million tokens of prompt, ten for a completion's."""


def state(held: tuple[Held, ...] = (), **facts: Any) -> RunState:
    facts.setdefault("limits", Limits())
    return running(goal(), held={str(n): h for n, h in enumerate(held)}, **facts)


def holding(tokens: int = 0, usd: str = "0", role: ModelRole = "worker") -> Held:
    return Held("1", role, Decimal(usd), tokens)


class TestOverLimit:
    """What stops a run before its next call."""

    @pytest.mark.parametrize(
        ("limits", "facts", "why"),
        [
            (Limits(steps=5), {"steps": 6}, "the limit of 5 steps is reached"),
            (Limits(minutes=1.5), {"seconds": 90.0}, "the limit of 1.5 minutes is reached"),
            (Limits(tokens=10), {"tokens": 11}, "the limit of 10 tokens is reached"),
            (Limits(usd=Decimal("0.50")), {"usd": Decimal("0.51")}, "the limit of 0.50 USD is reached"),
            (Limits(minutes=0), {}, "the limit of 0 minutes is reached"),
        ],
    )
    def test_a_passed_limit_is_named(self, limits: Limits, facts: dict[str, Any], why: str) -> None:
        """With its number."""
        assert over_limit(state(limits=limits, **facts)) == why

    def test_a_limit_used_up_exactly_is_not_passed(self) -> None:
        """What the last reply asked for is still carried out."""
        spent = {"steps": 5, "tokens": 10, "usd": Decimal(1), "seconds": 59.9}
        assert (
            over_limit(state(limits=Limits(steps=5, tokens=10, usd=Decimal(1), minutes=1), **spent)) is None
        )


class TestReserve:
    """Room for one request."""

    def test_a_fresh_run_has_room(self) -> None:
        """The usual cap is sent, and prompt and completion are held at their price."""
        room = reserve(state(), PRICE, 1000)

        assert room == Reservation(
            cost(PRICE, 1000, COMPLETION_TOKENS), 1000 + COMPLETION_TOKENS, COMPLETION_TOKENS
        )

    def test_the_cap_is_clamped_to_what_is_left(self) -> None:
        """By tokens and by money, whichever is less."""
        by_tokens = reserve(state(limits=Limits(tokens=2000)), FREE, 1500)
        by_money = reserve(state(limits=Limits(usd=Decimal("0.003"))), PRICE, 1000)

        assert by_tokens == Reservation(Decimal(0), 2000, 500)
        assert by_money == Reservation(Decimal("0.003"), 1200, 200)

    @pytest.mark.parametrize(
        ("limits", "price"),
        [
            (Limits(steps=0), FREE),
            (Limits(minutes=0), FREE),
            (Limits(tokens=0), FREE),
            (Limits(usd=Decimal(0)), PRICE),
            (Limits(tokens=1063), FREE),
            (Limits(usd=Decimal("0.0001")), PRICE),
            (Limits(usd=Decimal("0.0009")), Price(Decimal(1))),
        ],
        ids=[
            "steps",
            "minutes",
            "tokens",
            "usd",
            "no useful completion",
            "prompt too dear",
            "only prompts cost",
        ],
    )
    def test_zero_means_none(self, limits: Limits, price: Price) -> None:
        """A limit of 0, or one in which no useful reply fits, ends it before the first request."""
        assert isinstance(reserve(state(limits=limits), price, 1000), Exhausted)

    def test_no_money_is_enough_for_a_free_model(self) -> None:
        """A local model costs nothing, so a limit of 0 USD holds nothing up."""
        assert isinstance(reserve(state(limits=Limits(usd=Decimal(0))), FREE, 1000), Reservation)

    def test_what_others_hold_counts_as_spent(self) -> None:
        """A request that would fit without them waits for them."""
        limits = Limits(tokens=10_000, usd=Decimal("0.05"))
        for held in (holding(tokens=9_000), holding(usd="0.05")):
            assert reserve(state((held,), limits=limits), PRICE, 1000) == Wait()
        assert isinstance(reserve(state((holding(tokens=4_000),), limits=limits), PRICE, 1000), Reservation)

    def test_steps_under_way_count_as_taken(self) -> None:
        """The last step is given to one lane only."""
        limits = Limits(steps=5)

        assert reserve(state((holding(),), limits=limits, steps=4), FREE, 10) == Wait()
        assert isinstance(
            reserve(state((holding(role="judge"),), limits=limits, steps=4), FREE, 10), Reservation
        )
        reached = Exhausted("the limit of 5 steps is reached")
        assert reserve(state((holding(),), limits=limits, steps=5), FREE, 10) == reached

    def test_steps_are_replies_of_a_worker(self) -> None:
        """After the last step the judge can still be asked; money and tokens bind everybody."""
        spent = state(limits=Limits(steps=5), steps=5)
        roles: tuple[ModelRole, ...] = ("judge", "planner")
        for role in roles:
            assert isinstance(reserve(spent, FREE, 10, role=role), Reservation)
            assert isinstance(reserve(state(limits=Limits(tokens=0)), FREE, 10, role=role), Exhausted)

    def test_what_is_left_is_said(self) -> None:
        """The reason holds the numbers."""
        why = reserve(state(limits=Limits(tokens=1000)), FREE, 1000)

        assert isinstance(why, Exhausted)
        assert why.why == "the next request may cost more than is left: 1000 of 1000 tokens"


class TestSettle:
    """What a request is charged."""

    ROOM = Reservation(cost(PRICE, 1000, 4096), 5096, 4096)

    @pytest.mark.parametrize(
        ("usage", "tokens"),
        [
            (Usage(prompt_tokens=800, completion_tokens=50), 850),
            (Usage(prompt_tokens=800, completion_tokens=0), 800),
            (Usage(), 5096),
            (Usage(prompt_tokens=800), 800 + 4096),
            (Usage(completion_tokens=50), 1000 + 50),
            (Usage(prompt_tokens=0, completion_tokens=0), 5096),
            (Usage(prompt_tokens=-1, completion_tokens=-1), 5096),
            (Usage(prompt_tokens=10**18, completion_tokens=10**18), 5096),
            (Usage(prompt_tokens=800, completion_tokens=-5), 800 + 4096),
        ],
        ids=str,
    )
    def test_absurd_counts_settle_at_the_estimate(self, usage: Usage, tokens: int) -> None:
        """Missing, negative, huge, or nothing at all: as reserved."""
        usd, charged = settle(self.ROOM, usage, PRICE)

        assert charged == tokens
        assert usd > 0

    @given(st.one_of(st.none(), st.integers()), st.one_of(st.none(), st.integers()))
    def test_any_counts_give_a_charge(self, prompt: int | None, completion: int | None) -> None:
        """Never negative, never without bound."""
        usd, tokens = settle(self.ROOM, Usage(prompt_tokens=prompt, completion_tokens=completion), PRICE)

        assert 0 < tokens <= 20_000_000
        assert 0 < usd <= 200


def test_a_prompt_is_bound_by_the_last_one_and_what_was_added() -> None:
    """A token is at least a byte; without a count, or after a cut, every byte may be one."""
    assert prompt_bound(1500, 300, 1000) == 800
    assert prompt_bound(1500, 0, 0) == 1500
    assert prompt_bound(900, 300, 1000) == 900


def test_the_share_spent_is_the_larger_one() -> None:
    """Of money and tokens; a limit of 0 has no share."""
    assert share_spent(state(limits=Limits(usd=Decimal(2), tokens=100), usd=Decimal(1), tokens=10)) == 0.5
    assert share_spent(state(limits=Limits(usd=Decimal(2), tokens=100), usd=Decimal(1), tokens=90)) == 0.9
    assert share_spent(state(limits=Limits(usd=Decimal(0), tokens=0))) == 0


# --- lanes beside each other --------------------------------------------------------------------------------

STEP = st.tuples(
    st.integers(0, 3),  # which lane
    st.integers(0, 3000),  # tokens of its prompt
    st.floats(0, 1),  # how much of its completion is used
    st.booleans(),  # whether the reply comes at all
)


@settings(max_examples=200)
@given(
    st.lists(STEP, max_size=40),
    st.integers(0, 20_000),
    st.decimals(0, "0.1", places=4),
    st.integers(0, 12),
    st.sampled_from([FREE, PRICE, Price(Decimal(2)), Price(Decimal(0), Decimal(5))]),
)
def test_lanes_beside_each_other_never_overspend(
    steps: list[tuple[int, int, float, bool]], tokens: int, usd: Decimal, most: int, price: Price
) -> None:
    """Whatever lanes ask for, in whatever order replies come, spent and held stay within the limits."""
    limits = Limits(tokens=tokens, usd=usd, steps=most)
    now = apply(RunState("r"), started(goal(limits=limits)))
    for number in range(4):
        now = apply(now, lane(str(number)))
    under_way: dict[int, tuple[str, Reservation, int, float, bool]] = {}
    for index, (number, prompt, share, replies) in enumerate(steps):
        if number in under_way:
            now = apply(now, _settled(*under_way.pop(number), price))
        else:
            room = reserve(now, price, prompt)
            if isinstance(room, Reservation):
                now = apply(now, _called(str(index), str(number), room))
                under_way[number] = (str(index), room, prompt, share, replies)
            assert not isinstance(room, Wait) or under_way

        assert now.tokens + sum(h.tokens for h in now.held.values()) <= tokens
        assert now.usd + sum((h.usd for h in now.held.values()), Decimal(0)) <= usd
        assert now.steps + len(now.held) <= most


def _called(call: str, name: str, room: Reservation) -> Event:
    return ModelCalled(
        call=call,
        lane=name,
        role="worker",
        model="m",
        number=1,
        reserved_usd=room.usd,
        reserved_tokens=room.tokens,
    )


def _settled(call: str, room: Reservation, prompt: int, share: float, replies: bool, price: Price) -> Event:
    if not replies:
        return ModelFailed(call=call, lane="0", why="gone", cost_usd=room.usd, tokens=room.tokens)
    usage = Usage(prompt_tokens=prompt, completion_tokens=int(room.completion_tokens * share))
    usd, tokens = settle(room, usage, price)
    return ModelReplied(call=call, lane="0", reply=Reply(usage=usage), tokens=tokens, cost_usd=usd)
