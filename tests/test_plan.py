from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.errors import ToolError
from autoagent.goal import FileCriterion, HumanCriterion, JudgeCriterion, RunCriterion, SubTask
from autoagent.plan import PLAN_SCHEMA, check_plan, dependants, order, parse_plan, ready


def task(id_: str, *depends_on: str, title: str = "t") -> SubTask:
    return SubTask(id=id_, title=title, depends_on=depends_on)


IDS = [str(number) for number in range(8)]
GRAPHS = st.dictionaries(st.sampled_from(IDS), st.lists(st.sampled_from(IDS), max_size=3), min_size=1).map(
    lambda graph: tuple(task(id_, *needed) for id_, needed in graph.items())
)
ACYCLIC = st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=1, max_size=8).map(
    lambda rows: tuple(task(IDS[n], *{IDS[m] for m in row if m < n}) for n, row in enumerate(rows))
)


def test_good_plan_has_no_problems() -> None:
    """A diamond is a plan."""
    assert check_plan([task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")]) == ()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ((), "the plan is empty"),
        ((task("a"), task("a")), "two sub-tasks have the id 'a'"),
        ((task("a", "b"),), "depends on 'b', which isn't in the plan (a)"),
        ((task("a", "a"),), "depends on itself"),
        ((task("a", title=" "),), "empty title"),
        ((task("a"), task("b", "d"), task("c", "b"), task("d", "c")), "circle: b -> d -> c -> b"),
        (tuple(task(str(n)) for n in range(51)), "51 sub-tasks; at most 50"),
    ],
)
def test_bad_plans_are_explained(plan: tuple[SubTask, ...], words: str) -> None:
    """One sentence a problem, with what to do."""
    (problem,) = check_plan(plan)

    assert words in problem


def test_new_plan_may_depend_on_what_is_done() -> None:
    """A re-plan builds on the results of the former plan."""
    proposal = [
        {"id": "c", "title": "C", "depends_on": ["a"]},
        {"id": "d", "title": "D", "depends_on": ["c"]},
    ]

    assert [sub_task.id for sub_task in parse_plan(proposal, known={"a"})] == ["c", "d"]


def test_all_problems_are_named_at_once() -> None:
    """A model that repairs its plan needs one try."""
    assert len(check_plan([task("a", "x"), task("a", title="")])) == 3


def test_ready_are_those_that_wait_for_nothing() -> None:
    """In plan order, without those done or running."""
    plan = [task("a"), task("b", "a"), task("c"), task("d", "c")]

    assert [sub_task.id for sub_task in ready(plan, done={"a"}, running={"c"})] == ["b"]


def test_dependants_are_reached_through_others() -> None:
    """What can't be done after a failure, near and far."""
    assert dependants([task("a"), task("b", "a"), task("c", "b"), task("d")], "a") == ("b", "c")


@given(ACYCLIC)
def test_acyclic_plan_is_carried_out_whole(plan: tuple[SubTask, ...]) -> None:
    """Each sub-task comes once, after all that it waits for."""
    assert check_plan(plan) == ()
    sequence = [sub_task.id for sub_task in order(plan)]

    assert sorted(sequence) == sorted(sub_task.id for sub_task in plan)
    for sub_task in plan:
        assert all(sequence.index(needed) < sequence.index(sub_task.id) for needed in sub_task.depends_on)


@given(GRAPHS, st.sets(st.sampled_from(IDS)))
def test_plan_is_refused_or_can_be_carried_out(plan: tuple[SubTask, ...], known: set[str]) -> None:
    """The check finds exactly the plans that would get stuck."""
    assert (check_plan(plan, known) == ()) == (len(order(plan, known)) == len(plan))


@given(GRAPHS)
def test_named_circle_is_one(plan: tuple[SubTask, ...]) -> None:
    """Each step of a circle that is named is a dependency of the plan."""
    for problem in check_plan(plan):
        if "in a circle: " in problem:
            steps = problem.partition("in a circle: ")[2].partition(";")[0].split(" -> ")
            depends_on = {sub_task.id: sub_task.depends_on for sub_task in plan}

            assert steps[0] == steps[-1]
            assert all(after in depends_on[before] for before, after in itertools.pairwise(steps))


# --- what a model proposes ---------------------------------------------------------------------------------


def test_proposal_as_asked_for_is_read() -> None:
    """The shape of the schema."""
    proposal = {
        "sub_tasks": [
            {"id": "a", "title": "A", "instructions": "Do it.", "depends_on": [], "done_when": []},
            {
                "id": "b",
                "title": "B",
                "depends_on": ["a"],
                "done_when": [
                    {"file": "x", "contains": ["y"]},
                    {"run": "make"},
                    {"judge": "ok"},
                    {"human": "h"},
                ],
            },
        ]
    }

    assert parse_plan(proposal) == (
        SubTask(id="a", title="A", instructions="Do it."),
        SubTask(
            id="b",
            title="B",
            depends_on=("a",),
            done_when=(
                FileCriterion(file="x", contains=("y",)),
                RunCriterion(run="make"),
                JudgeCriterion(judge="ok"),
                HumanCriterion(human="h"),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("proposal", "plan"),
    [
        ([{"id": 1, "title": "A"}], (SubTask(id="1", title="A"),)),
        ({"sub_tasks": '[{"id": "1", "title": "A"}]'}, (SubTask(id="1", title="A"),)),
        ({"sub_tasks": ["Read", "Write"]}, (SubTask(id="1", title="Read"), SubTask(id="2", title="Write"))),
        ([{"title": "A"}], (SubTask(id="1", title="A"),)),
        ([{"id": "1", "instructions": "A.\nB"}], (SubTask(id="1", title="A.", instructions="A.\nB"),)),
        (
            [{"id": "1", "title": "A"}, {"id": 2, "title": "B", "depends_on": 1}],
            (SubTask(id="1", title="A"), SubTask(id="2", title="B", depends_on=("1",))),
        ),
        ([{"id": "1", "title": "A", "depends_on": None}], (SubTask(id="1", title="A"),)),
        (
            [{"id": "1", "title": "A", "done_when": ["file: x.md", "It is short."]}],
            (
                SubTask(
                    id="1",
                    title="A",
                    done_when=(FileCriterion(file="x.md"), JudgeCriterion(judge="It is short.")),
                ),
            ),
        ),
        (
            [{"id": "1", "title": "A", "done_when": {"file": "./x.md", "contains": "y"}}],
            (SubTask(id="1", title="A", done_when=(FileCriterion(file="x.md", contains=("y",)),)),),
        ),
    ],
)
def test_certain_meaning_is_taken(proposal: object, plan: tuple[SubTask, ...]) -> None:
    """Small models write numbers, single values and strings where lists belong."""
    assert parse_plan(proposal) == plan


@pytest.mark.parametrize(
    ("proposal", "words"),
    [
        (None, "`sub_tasks` must be a list"),
        ({"plan": 3}, "`sub_tasks` must be a list"),
        ({"sub_tasks": []}, "the plan is empty"),
        ({"sub_tasks": "Read, then write"}, "`sub_tasks` must be a list"),
        ([{"id": "1"}], "sub-task 1 needs a `title`"),
        ([{"id": "a b!", "title": "A"}], "the id 'a b!'"),
        ([{"id": "1", "title": "A", "done_when": [{"contains": "x"}]}], "`done_when`"),
        ([{"id": "1", "title": "A", "done_when": [{"file": "../x"}]}], "inside the workspace"),
        ([{"id": "1", "title": "A", "depends_on": [{}]}], "`depends_on`"),
        ([{"id": "1", "title": "A", "depends_on": ["2"]}], "isn't in the plan"),
        ([{"id": "1", "title": "A"}, {"id": "1", "title": "B"}], "two sub-tasks"),
        ([{"id": 10**5000, "depends_on": [10**5000], "title": "A"}], "`depends_on`"),
        ([[]], "sub-task 1 must be an object"),
    ],
)
def test_uncertain_meaning_is_explained(proposal: object, words: str) -> None:
    """The model reads what to change."""
    with pytest.raises(ToolError) as caught:
        parse_plan(proposal)

    assert words in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["sub_tasks", "id", "title", "depends_on", "done_when", "file", "contains", "run"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sets(st.sampled_from(["1", "2", "a"])))
def test_any_json_is_a_plan_or_an_explanation(proposal: object, known: set[str]) -> None:
    """Nothing that a model writes is more than an error for the model."""
    try:
        plan = parse_plan(proposal, known)
    except ToolError:
        return
    assert check_plan(plan, known) == ()


def test_schema_names_the_fields_of_a_sub_task() -> None:
    """What a model is asked for is what is read."""
    item = PLAN_SCHEMA["properties"]["sub_tasks"]["items"]  # type: ignore[index]

    assert set(item["properties"]) == set(SubTask.model_fields)
