"""When a lane counts as stuck, and which rung comes next."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from states import folded, lane

from autoagent.events import (
    CallDecided,
    CallEnded,
    CriterionChecked,
    Event,
    Evidence,
    LadderClimbed,
    ModelCalled,
    ModelReplied,
    Observed,
    PlanMade,
)
from autoagent.goal import SubTask
from autoagent.loop.progress import FAILURES, SAME, STILL, next_rung, stuck
from autoagent.messages import Reply, RequestedCall
from autoagent.state import LaneState


def stepped(*results: tuple[str, str, bool], tree: str | None = None) -> list[Event]:
    """Steps of one call each: (tool, output, ok)."""
    events: list[Event] = []
    for name, output, ok in results:
        number = len(events)
        call, inner = f"1.{number}", f"1.{number}.1"
        asked = Reply(calls=(RequestedCall(id="x", name=name, arguments="{}"),))
        events += [
            ModelCalled(call=call, lane="1", role="worker", model="m", number=number),
            ModelReplied(call=call, lane="1", reply=asked, tokens=1, cost_usd=Decimal(0)),
            CallDecided(
                call=inner, lane="1", tool=name, args={}, effect="write", decision="allow", why="inside"
            ),
            CallEnded(call=inner, lane="1", ok=ok, output=output, tree=tree and f"{tree}{number}"),
        ]
    return events


def after(*events: Event, **fields: Any) -> LaneState:
    return folded(lane(**fields), *events).lanes["1"]


FINE = [("look", f"page {n}", True) for n in range(STILL)]


class TestStuck:
    """What counts as no progress."""

    def test_a_fresh_lane_is_not(self) -> None:
        """Nor one that reads something new each time."""
        assert stuck(after()) is None
        assert stuck(after(*stepped(*FINE[: STILL - 1]))) is None

    def test_the_same_call_with_the_same_result(self) -> None:
        """So many times in a row; a result that differs is something new."""
        same = ("look", "page", True)

        assert stuck(after(*stepped(*[same] * (SAME - 1)))) is None
        assert (
            stuck(after(*stepped(*[same] * SAME)))
            == f"the same call gave the same result {SAME} times in a row"
        )
        assert stuck(after(*stepped(same, same, ("look", "other", True), same))) is None

    def test_two_calls_that_take_turns(self) -> None:
        """A, B, A, B, with the same results."""
        a, b = ("look", "page", True), ("list", "names", True)

        assert "take turns" in str(stuck(after(*stepped(a, b, a, b))))
        assert stuck(after(*stepped(a, b, a))) is None
        assert stuck(after(*stepped(a, b, a, ("list", "more names", True)))) is None

    @pytest.mark.parametrize("style", ["tools", "code"])
    def test_failures_in_a_row(self, style: Any) -> None:
        """Of calls; one that goes well starts the count again. The last error is said."""
        failed = [("run", f"Traceback {n}\nValueError: no {n}", False) for n in range(FAILURES[style])]
        found = stuck(after(*stepped(*failed), style=style))

        assert found is not None
        assert (
            f"{len(failed)} calls in a row failed, the last with: ValueError: no {len(failed) - 1}" in found
        )
        assert stuck(after(*stepped(*failed[:-1], FINE[0], failed[-1]), style=style)) is None

    def test_replies_without_a_call_count_as_failures(self) -> None:
        """A model that only talks gets nowhere."""
        talk = Observed(lane="1", text="call a tool", source="reply")

        assert "failed" in str(stuck(after(*[talk] * FAILURES["tools"])))
        other = Observed(lane="1", text="a file changed", source="folder")
        assert stuck(after(*[other] * FAILURES["tools"])) is None

    def test_nothing_changes_for_long(self) -> None:
        """Reading goes on for ever; a new tree, a new plan or a new verdict is progress."""
        verdict = CriterionChecked(
            number=0, verdict="refuted", evidence=Evidence(text="no", by="us"), tree="t"
        )
        plan = PlanMade(version=2, source="model", sub_tasks=(SubTask(id="1", title="t"),))

        assert f"in {STILL} replies nothing changed" in str(stuck(after(*stepped(*FINE))))
        assert stuck(after(*stepped(*FINE, tree="t"))) is None
        assert stuck(after(*stepped(*FINE), verdict)) is None
        assert stuck(after(*stepped(*FINE), plan)) is None
        again = [*stepped(*FINE[:1]), verdict, *stepped(*FINE), verdict]
        assert stuck(after(*again)) is not None

    def test_a_rung_starts_the_count_again(self) -> None:
        """After each rung the lane has another chance."""
        climbed = LadderClimbed(lane="1", rung="nudge", why="stuck")

        assert stuck(after(*stepped(*FINE), climbed)) is None


class TestRungs:
    """What is tried, in order."""

    def climbing(self, style: str) -> list[str]:
        rungs: list[Any] = []
        for _ in range(9):
            climbed = [LadderClimbed(lane="1", rung=rung, why="stuck") for rung in rungs]
            rungs.append(next_rung(after(*climbed, style=style)))
        return rungs

    def test_the_ladder(self) -> None:
        """Nudge, reset, re-plan, stronger model, and then a person, again and again."""
        assert self.climbing("tools") == ["nudge", "reset", "replan", "stronger", *["ask"] * 5]

    def test_every_ladder_ends_with_a_person(self) -> None:
        """Whatever a small model's ladder begins with."""
        rungs = self.climbing("code")

        assert rungs[-1] == "ask"
        assert set(rungs) == set(get_args(LadderClimbed.model_fields["rung"].annotation))
