"""A plan under a person's hands: each edit is a value, can be taken back, and is checked as in the run."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.errors import ToolError
from autoagent.goal import FileCriterion, HumanCriterion, JudgeCriterion, RunCriterion, SubTask
from autoagent.plan import parse_plan
from autoagent.tui.questions.draft import Draft, Written, draft_of, read, written

ROWS = [
    {"id": "1", "title": "Read", "instructions": "all", "depends_on": [], "done_when": []},
    {"id": "2", "title": "Search", "instructions": "", "depends_on": ["1"], "done_when": []},
    {"id": "3", "title": "Write", "instructions": "", "depends_on": ["2"], "done_when": [{"human": "good"}]},
]
ASKED = {
    "version": 1,
    "sub_tasks": [SubTask.model_validate(row).model_dump(mode="json") for row in ROWS],
    "criteria": ["you say so: good"],
}


def draft() -> Draft:
    return draft_of(ASKED, proposes=True)


def made(found: Draft | str) -> Draft:
    assert isinstance(found, Draft), found
    return found


def marks(of: Draft) -> list[tuple[str, str]]:
    return [(row.mark, row.task.id) for row in of.rows]


def test_nothing_edited_is_no_edit() -> None:
    """A yes then says yes to what was asked."""
    assert (draft().edit, draft().edits, draft().objection) == (None, 0, None)


def test_a_dropped_row_stays_in_sight() -> None:
    """What builds on it says so in its own row, and the plan can't be accepted."""
    without = made(draft().dropped(1))

    assert marks(without) == [("", "1"), ("-", "2"), ("", "3")]
    assert [*without.mistakes] == [2]
    assert "depends on '2', which isn't in the plan" in without.mistakes[2][0]
    assert without.objection == without.mistakes[2][0]


def test_an_added_row_has_an_id_of_its_own() -> None:
    """It stands behind the row under the cursor; dropped again it is gone."""
    one = draft().added(1, SubTask(id=draft().fresh(1).id, title="Notes"))

    assert marks(one) == [("", "1"), ("", "2"), ("+", "2b"), ("", "3")]
    assert one.fresh(1).id == "2c"
    assert marks(made(one.dropped(2))) == marks(draft())


def test_a_moved_row_is_marked() -> None:
    """The one that the person took; at either end it stays."""
    down = made(draft().moved(0, 1))

    assert marks(down) == [("", "2"), ("~", "1"), ("", "3")]
    assert draft().moved(0, -1) == "it stands first already"
    assert draft().moved(2, 1) == "it stands at the end already"


def test_edits_are_taken_back_one_by_one() -> None:
    """Down to what was asked."""
    two = made(made(draft().dropped(1)).moved(0, 1))

    one = made(two.undone())
    assert (one.edits, made(one.undone()).edits) == (1, 0)
    assert draft().undone() == "nothing is edited"


def test_what_is_done_already_stays() -> None:
    """A plan made anew after a failure holds what was carried out."""
    begun = draft_of(ASKED, ["1"])

    for refused in (begun.dropped(0), begun.reworded(0, SubTask(id="1", title="x")), begun.moved(1, -1)):
        assert refused == "1 is done or at work: it stays as it is"


def test_a_circle_stands_in_a_row_of_it() -> None:
    """And names the way around."""
    circle = made(draft().reworded(0, SubTask(id="1", title="Read", depends_on=("3",))))

    (said,) = circle.mistakes[0]
    assert "1 -> 3 -> 2 -> 1" in said


def test_all_rows_dropped_is_no_plan() -> None:
    """It is said, though no row is left to say it in."""
    empty = draft()
    for number in range(3):
        empty = made(empty.dropped(number))

    assert empty.objection == "the plan is empty: name at least one sub-task"


def test_an_edit_says_the_criteria_that_it_proposes() -> None:
    """Where the goal has none, those of the plan as it is now."""
    task = SubTask(id="3", title="Write", depends_on=("2",), done_when=(FileCriterion(file="a.md"),))
    edit = made(draft().reworded(2, task)).edit

    assert isinstance(edit, dict)
    assert edit["criteria"] == ["the file a.md exists"]
    assert parse_plan(edit)[2] == task


def test_json_is_taken_over_row_by_row() -> None:
    """What it leaves out stays in sight as removed."""
    whole = draft().rewritten({"sub_tasks": [{**ROWS[2], "depends_on": []}, {"id": "9", "title": "New"}]})

    assert marks(made(whole)) == [("-", "1"), ("-", "2"), ("~", "3"), ("+", "9")]
    assert draft().rewritten(ASKED) == "nothing was changed"
    assert "must be a list" in str(draft().rewritten({"sub_tasks": 3}))


EXACT = SubTask(
    id="1",
    title="t",
    instructions="line 1\n\nline 3",
    depends_on=("0", "x"),
    done_when=(
        FileCriterion(file="a b.md", contains=("one", "two")),
        FileCriterion(file="c.md", contains=("a, b", '"c"', "[")),
        RunCriterion(run="python x.py"),
        JudgeCriterion(judge="two\nlines: yes"),
        HumanCriterion(human="good"),
    ),
)


def test_what_is_written_reads_as_it_was() -> None:
    """Four fields say the whole of a sub-task; criteria of several lines come through untouched."""
    assert read(written(EXACT), EXACT, 1) == EXACT


def test_fields_hold_nothing_that_a_terminal_obeys() -> None:
    """Neither escape codes nor marks that turn text around; what isn't touched is exact all the same."""
    evil = "a\x1b[31m\u202e\x9b\x7f"
    criteria = (JudgeCriterion(judge=evil), FileCriterion(file="a.md", contains=(evil,)))
    task = SubTask(id="1", title=evil, instructions=f"{evil}\n{evil}", done_when=criteria)

    fields = written(task)
    assert all(char.isprintable() or char == "\n" for text in astuple(fields) for char in text)
    assert read(fields, task, 1) == task


def test_criteria_read_as_they_are_written() -> None:
    """Without the sub-task that they were written from, as long as each stands on a line."""
    task = EXACT.model_copy(update={"done_when": EXACT.done_when[:3]})

    assert read(written(task), SubTask(id="1", title="t"), 1) == task


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (Written("", "", "", ""), "needs a title"),
        (Written("t", "", "", "reads well"), "begin each line with file:, run:, judge:"),
        (Written("t", "", "", "file: /etc/passwd"), "must be a path inside the workspace"),
        (Written("t", "", "", "file: a contains [1"), "is no JSON"),
    ],
)
def test_what_can_t_be_read_is_said(fields: Written, said: str) -> None:
    """In the words of the check that the run makes, or before it."""
    assert said in str(read(fields, SubTask(id="1", title="t"), 1))


EDITS = st.lists(st.tuples(st.sampled_from("oxJKu"), st.integers(0, 5)), max_size=12)


@given(EDITS)
def test_whatever_is_edited_the_run_and_the_draft_agree(edits: list[tuple[str, int]]) -> None:
    """Without an objection a draft is a plan that the run takes as it stands; others are refused too."""
    now = draft()
    for key, at in edits:
        at = min(at, len(now.rows) - 1)
        match key:
            case "o":
                new = now.added(at, now.fresh(at).model_copy(update={"title": "new"}))
            case "x":
                new = now.dropped(at) if at >= 0 else now
            case "u":
                new = now.undone()
            case _:
                new = now.moved(at, 1 if key == "J" else -1) if at >= 0 else now
        now = new if isinstance(new, Draft) else now
    edit = now.edit if now.edit is not None else ASKED
    try:
        taken = parse_plan(edit)
    except ToolError:
        assert now.objection is not None
    else:
        assert (now.objection, taken) == (None, now.sub_tasks)
