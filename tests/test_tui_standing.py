"""How a run stands that nobody carries: what its screen says, and which keys come first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from states import folded, lane, running

from autoagent import events as e
from autoagent.goal import SubTask
from autoagent.state import CallState, RunState
from autoagent.tui.drawing.footer import Named, ordered
from autoagent.tui.drawing.view import plan_rows
from autoagent.tui.run.standing import standing_rows, useful
from autoagent.tui.runs.overview import Seen

SENT = e.CallDecided(
    call="c",
    lane="1",
    tool="post_letter",
    args={},
    effect="external",
    destination="ben@x.org",
    decision="ask",
    why="w",
)
KEYS = {"run.resume": "R", "run.limit": "l", "app.answer": "a"}


def seen(name: str, state: RunState, **facts: Any) -> Seen:
    return replace(Seen("r", state, name, None, datetime.now(UTC)), **facts)


def said(run: Seen, width: int = 100) -> str:
    return "\n".join(str(row.line) for row in standing_rows(run, KEYS.__getitem__, width))


def test_a_killed_run_says_what_may_have_happened_and_what_goes_on() -> None:
    """By the key that the person has for it."""
    begun = CallState(SENT, e.CallStarted(call="c", lane="1", tree="t"))
    run = seen("stopped", running(calls={"c": begun}))

    assert "it was killed, or it crashed" in said(run)
    assert "post_letter ben@x.org may have happened; you are asked about it first" in said(run)
    assert "R goes on from there" in said(run)


def test_a_limit_says_how_it_is_raised() -> None:
    """And that nothing is repeated."""
    ended = e.RunEnded(ending="limit", reason="1 of 1 steps")
    run = seen("limit", running(ended=ended))

    assert "Stopped at a limit: 1 of 1 steps." in said(run)
    assert "l raises it, then R goes on from step 0; nothing is repeated" in said(run)


@pytest.mark.parametrize("facts", [{"holder": "h:1"}, {"waiting": ("q",)}])
def test_a_run_at_work_or_with_a_question_says_nothing_more(facts: dict[str, object]) -> None:
    """Its rows do."""
    assert said(seen("running", running(), **facts)) == ""


@pytest.mark.parametrize(
    ("name", "facts", "first"),
    [
        ("stopped", {}, "run.resume"),
        ("unavailable", {}, "run.resume"),
        ("limit", {}, "run.limit"),
        ("proved", {}, "run.past"),
        ("parked", {"waiting": ("q",)}, "app.answer"),
        ("running", {"holder": "h:1"}, "run.steer"),
    ],
)
def test_the_footer_begins_with_what_makes_sense_now(name: str, facts: dict[str, object], first: str) -> None:
    """The other keys follow."""
    assert useful(seen(name, running(), **facts))[0] == first


PANES = [Named(f"run.{n}", f"view('{n}')", str(n), f"pane {n}") for n in range(1, 5)]
OTHERS = [
    Named("run.past", "past", "p", "past"),
    Named("run.resume", "resume", "r", "resume"),
    Named("run.back", "back", "esc", "back"),
    Named("app.leave", "leave", "q", "leave"),
]


def test_the_footer_names_each_way_once() -> None:
    """The panes together, and one key that leads back."""
    assert ordered([*PANES, *OTHERS], ["run.resume"]) == (
        ("r", "resume"),
        ("1-4", "panes"),
        ("p", "past"),
        ("esc", "back"),
    )


def test_keys_of_one_s_own_for_panes_are_named_each() -> None:
    """They don't follow each other."""
    own = [PANES[0], PANES[1]._replace(key="v")]
    assert ordered([*own, OTHERS[3]]) == (("1", "pane 1"), ("v", "pane 2"), ("q", "leave"))


def test_nothing_is_at_work_in_the_plan_of_a_run_that_nobody_carries() -> None:
    """Its sub-task can go on."""
    tasks = (SubTask(id="1", title="Sum them"),)
    state = folded(e.PlanMade(version=1, source="goal", sub_tasks=tasks), lane())
    live, left = (str(plan_rows(state, {}, 40, 0, is_carried=x)[0].line)[0] for x in (True, False))
    assert (live, left) == ("▸", "=")
