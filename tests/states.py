"""States of a run as tests need them, made from events as real ones are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from autoagent.events import Entry, Event, RunStarted, SubTaskStarted
from autoagent.goal import Allow, Goal, SubTask
from autoagent.state import RunState, fold

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
GOAL = Goal(goal="Sum the numbers.", plan=(SubTask(id="1", title="Sum them"),))


def entries(events: Iterable[Event], first: int = 1) -> list[Entry]:
    return [Entry(seq=n, at=AT, epoch=1, event=event) for n, event in enumerate(events, first)]


def started(goal: Goal = GOAL, protected: tuple[str, ...] = ("goal.yaml",)) -> RunStarted:
    return RunStarted(
        goal=goal,
        workspace="/w",
        tree="t0",
        goal_digest="d",
        model="m",
        sandbox="monty",
        version="0",
        protected=protected,
    )


def folded(*events: Event, goal: Goal = GOAL) -> RunState:
    """The state of a run that began with `goal`, after `events`."""
    return fold("r", entries([started(goal), *events]))


def running(goal: Goal = GOAL, **facts: Any) -> RunState:
    """As `folded`, with facts set by hand."""
    return replace(folded(goal=goal), **facts)


def lane(name: str = "1", **fields: Any) -> SubTaskStarted:
    values = {"sub_task": name, "lane": name, "tree": "t0", "listing": "a.txt (3 bytes)", "style": "tools"}
    return SubTaskStarted.model_validate(values | fields)


def goal(text: str = "g", **fields: Any) -> Goal:
    """A goal with the powers among `fields` under `allow`."""
    powers = {k: fields.pop(k) for k in tuple(fields) if k in Allow.model_fields}
    return Goal(goal=text, allow=Allow(**powers), **fields)
