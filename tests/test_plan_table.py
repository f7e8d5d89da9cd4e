"""A plan as rows: every column has its width, whatever stands in it; nothing is said that isn't known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import GOAL, folded

from autoagent.console.line import columns_of
from autoagent.goal import HumanCriterion, SubTask
from autoagent.tui.questions.draft import Draft, draft_of
from autoagent.tui.questions.plan_table import plan_table


def drafted(*tasks: SubTask) -> Draft:
    return draft_of({"sub_tasks": [task.model_dump(mode="json") for task in tasks]})


def shown(draft: Draft, width: int = 80, **goal: object) -> list[str]:
    return [str(row.line) for row in plan_table(draft, folded(goal=GOAL.model_copy(update=goal)), width)]


TITLES = st.lists(st.text(max_size=200), min_size=1, max_size=4)


@given(TITLES, st.from_regex(r"[A-Za-z0-9._-]{0,38}", fullmatch=True), st.sampled_from([76, 115, 195]))
def test_a_row_has_its_room_whatever_it_holds(titles: list[str], name: str, width: int) -> None:
    """Wide letters, escape codes, names without end: each stays one line of the screen."""
    tasks = [SubTask(id=f"{n}{name}", title=title or "t") for n, title in enumerate(titles)]
    rows = plan_table(drafted(*tasks), folded(), width)

    table = [row.line for row in rows if row.key][: len(tasks)]
    assert max(map(columns_of, table)) <= width
    assert all(char.isprintable() for each in table for char in str(each))


@pytest.mark.parametrize(
    ("goal", "task", "said"),
    [
        ({}, SubTask(id="1", title="t"), False),
        ({"ask": ("task",)}, SubTask(id="1", title="t"), True),
        ({}, SubTask(id="1", title="t", done_when=(HumanCriterion(human="good"),)), True),
    ],
)
def test_what_asks_is_said_where_it_is_known(goal: dict[str, object], task: SubTask, said: bool) -> None:
    """A checkpoint of the goal, a verdict of the person's; else there is no such column."""
    assert ("asks you" in shown(drafted(task), **goal)[0]) is said


def test_what_it_may_do_follows_from_the_goal() -> None:
    """Never from what the plan says of itself; with what the check came to."""
    rows = shown(drafted(SubTask(id="1", title="Mail everybody, by web")), parallel=3)

    assert "checked: no circle · every name known · up to 3 side by side" in rows
    assert "it may   reads all files · writes all files · runs nothing · no web · sends nothing" in rows
