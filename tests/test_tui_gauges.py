"""Gauges, the plan on one line and the line of what was said to the agent; without a screen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from states import AT, started

from autoagent import events as e
from autoagent.commands import Tell
from autoagent.console.line import columns_of
from autoagent.equipment import Equipment, ModelEquipment
from autoagent.events import Entry
from autoagent.goal import Goal, Limits, SubTask
from autoagent.messages import Reply, Usage
from autoagent.ports import SentCommand
from autoagent.state import RunState, advance
from autoagent.tui.drawing.view import active_seconds, gauges, plan_in_short
from autoagent.tui.run.pace import Pulse, pulse
from autoagent.tui.run.steering import raised, steer_line

PLAN = (
    SubTask(id="1", title="Read the logs of all services"),
    SubTask(id="2", title="Write report.md", depends_on=("1",)),
)
GOAL = Goal(goal="g", limits=Limits(usd=Decimal(2), steps=60, minutes=30, tokens=400_000))
OWNED = e.OwnerChanged(
    epoch=1, holder="h:1", equipment=Equipment(worker=ModelEquipment(name="m"), context_tokens=10_000)
)
BEGUN = e.SubTaskStarted(sub_task="1", lane="1", tree="t0", listing="", style="tools")
ASKED = e.ModelCalled(
    call="a", lane="1", role="worker", model="m", number=1, reserved_usd=Decimal("0.04"), reserved_tokens=500
)
REPLIED = e.ModelReplied(
    call="b", lane="1", reply=Reply(usage=Usage(prompt_tokens=1_800)), tokens=61_000, cost_usd=Decimal("0.31")
)


def after(*events: e.Event) -> tuple[RunState, Pulse]:
    """A run at work, two seconds an entry."""
    plan = e.PlanMade(version=1, source="model", sub_tasks=PLAN)
    state, known = RunState("r"), Pulse()
    for seq, event in enumerate([started(GOAL), OWNED, plan, BEGUN, *events], 1):
        entry = Entry(seq=seq, at=AT + timedelta(seconds=2 * seq), epoch=1, event=event)
        state = advance(state, entry)
        known = pulse(known, entry, state)
    return state, known


def spent() -> tuple[RunState, Pulse]:
    return after(ASKED.model_copy(update={"call": "b"}), REPLIED, ASKED)


def test_gauges_say_all_that_has_a_limit() -> None:
    """Spent and held, the time, how full the context is."""
    state, known = spent()
    said = str(gauges(state, known, 266, 120))

    assert said.split("   ") == [
        " $ ▰▱▱▱▱▱▱▱ 0.31 + 0.04 held of 2.00",
        "steps  1/60",
        "time  4:26/30:00",
        "tokens  61k/400k",
        "context 18 %",
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_gauges_have_room(width: int) -> None:
    """The money is always there; their columns stay where they are as values grow."""
    state, known = spent()
    now, later = (str(gauges(state, known, seconds, width)) for seconds in (1, 1_799))

    assert len(now) == len(later) <= width
    assert "0.31" in now
    assert "context 18 %" in now


@pytest.mark.parametrize("width", [80, 100])
def test_the_plan_on_one_line_says_what_is_at_work_and_what_comes(width: int) -> None:
    """And what is proved, however long the titles are."""
    state, known = spent()
    said = plan_in_short(state, known, 75, width)

    assert columns_of(said) <= width
    assert str(said).startswith(" ▱▱ ▸ 1 Read the logs")
    assert " 1:15 · next 2 Write" in str(said)
    assert str(said).endswith("0 of 0 proved")


def test_the_clock_goes_on_between_entries() -> None:
    """As long as somebody carries the run; not while it is held still."""
    state, known = after(e.TimeSpent(seconds=21))
    now = AT + timedelta(seconds=10 + 9)
    assert active_seconds(state, known, now, is_carried=True) == 30
    assert active_seconds(state, known, now, is_carried=False) == 21

    state, known = after(e.TimeSpent(seconds=21), e.PauseSet(paused=True, by="terminal"))
    assert active_seconds(state, known, now, is_carried=True) == 21


def test_a_pause_leaves_the_clock_where_it_is() -> None:
    """A reply that was asked for comes in meanwhile, and its time counts; that of the pause never does."""
    now, paused = AT + timedelta(seconds=30), e.PauseSet(paused=True, by="terminal")
    state, known = after(ASKED, paused)
    assert active_seconds(state, known, now, is_carried=True) == 30 - 4

    resumed = e.PauseSet(paused=False, by="terminal")
    state, known = after(e.TimeSpent(seconds=21), paused, resumed)
    assert active_seconds(state, known, AT + timedelta(seconds=14), is_carried=True) == 21


def test_what_was_said_is_followed_until_it_is_read() -> None:
    """Not taken, taken, read before a step."""
    said = e.PersonSaid(text="be brief", by="terminal")
    sent = [SentCommand(number=1, at=AT, by="terminal", command=Tell(text="be brief"))]
    (_, before), (_, taken) = after(), after(said)
    _, read = after(said, e.Observed(lane="1", text="x", source="steer"))

    ends = [
        str(steer_line(known.steered, waiting, 0, 80) or "").rpartition("  ")[2]
        for known, waiting in ((before, ()), (before, sent), (taken, ()), (read, ()))
    ]
    assert ends == ["", "not taken yet", "taken; read before step 1", "delivered before step 1"]


@pytest.mark.parametrize("text", ["cake", "usd many", "seconds 3", ""])
def test_what_is_no_limit_is_said(text: str) -> None:
    """And is no command."""
    assert isinstance(raised(text), str)
