"""The planner: recall, ask, check the graph, ask the person, and once again after a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import Stage, Together, finish, no, plan, worker_prompts, write, yes

from autoagent.commands import Approve, Deny
from autoagent.events import MemoryRecalled, PlanApproved, PlanMade, PlanRefused, SubTaskEnded
from autoagent.goal import FileCriterion
from autoagent.ports import MemoryPoint, ModelRequest
from autoagent.questions import Question
from autoagent.sandboxes.monty import MontySandbox
from autoagent.state import RunState
from autoagent.testing.clock import START
from autoagent.testing.model import ScriptedModel, call, says

GOAL = "goal: write b.txt\nplugins: [files]\ndone_when: [{file: b.txt}]\n"
DONE = [write("b.txt", "x"), finish()]
GIVE_UP = call("give_up", reason="no way")


def prompts(model: ScriptedModel, role: str = "planner") -> list[str]:
    return [p.text for p in model.prompts if p.role == role]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (says("First I would look."), "did not call propose_plan"),
        (plan("a", b="c"), "isn't in the plan"),
        (plan(a="b", b="a"), "circle"),
        (call("propose_plan", sub_tasks=[]), "the plan is empty"),
        (call("propose_plan", sub_tasks="many"), "must be a list"),
    ],
)
async def test_errors_of_a_plan_go_back_to_the_model(tmp_path: Path, wrong: object, why: str) -> None:
    """The planner reads what was wrong, and may do better."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[wrong, plan("a")], worker=DONE)

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert why in stage.events(PlanRefused)[0].why
    assert why in prompts(model)[1]


async def test_three_wrong_plans_leave_one_sub_task(tmp_path: Path) -> None:
    """A model that can't plan gets the goal as one sub-task, and the run goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[says("hm")] * 3, worker=DONE)

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    (made,) = stage.events(PlanMade)
    assert [s.title for s in made.sub_tasks] == ["write b.txt"]
    assert "no usable plan came from the model" in made.why


async def test_results_are_passed_to_those_that_depend_on_them(tmp_path: Path) -> None:
    """A sub-task reads what the ones before it reported, and not what others did."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", "b", c="a")],
        worker={"a": [finish("found 7")], "b": [finish("found 8")], "c": DONE},
    )

    await stage.start(GOAL, model)

    prompt = next(p for p in worker_prompts(model) if p.request.lane == "c")
    assert "a: found 7" in prompt.text
    assert "found 8" not in prompt.text


async def test_one_replan_after_a_failure(tmp_path: Path) -> None:
    """What is done stays and may be built on; the planner reads why; what waited for the failure is gone."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", b="a", c="b"), plan(d="a")],
        worker={"a": [finish("found 7")], "b": [GIVE_UP], "d": DONE},
    )

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    _, second = stage.events(PlanMade)
    assert ([s.id for s in second.sub_tasks], second.is_replan) == (["a", "d"], True)
    assert "sub-task 'b' failed: no way" in prompts(model)[1]
    assert "- a do a: found 7" in prompts(model)[1]
    assert {e.sub_task for e in stage.events(SubTaskEnded)} == {"a", "b", "d"}


async def test_second_failure_skips_what_waits_for_it(tmp_path: Path) -> None:
    """Re-planning is spent: dependants are skipped, the rest goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a"), plan("b", c="b", d="c", e="")],
        worker={"a": [GIVE_UP], "b": [GIVE_UP], "e": DONE},
    )

    outcome = await stage.start(GOAL, model)

    ended = {e.sub_task: e.outcome for e in stage.events(SubTaskEnded)}
    assert ended == {"a": "failed", "b": "failed", "c": "skipped", "d": "skipped", "e": "done"}
    assert outcome.ending == "proved"


async def test_replan_never_uses_an_id_for_something_else(tmp_path: Path) -> None:
    """A model that calls its new sub-task by the old id gets another one."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a"), plan("a")], worker={"a": [GIVE_UP], "a-2": DONE})

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["a-2"]


async def test_long_id_that_is_used_again_stays_an_id(tmp_path: Path) -> None:
    """A new name is found whatever the old one ends in, and it is no longer than an id may be."""
    stage, used = Stage.at(tmp_path), "x" * 39 + "2"
    model = ScriptedModel(planner=[plan(used), plan(used)], worker={used: [GIVE_UP], "x" * 38 + "-2": DONE})

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["x" * 38 + "-2"]


async def test_new_id_is_no_other_sub_task_s(tmp_path: Path) -> None:
    """A plan may hold the very id that would come next."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a"), plan("a", "a-2")], worker={"a": [GIVE_UP], "a-2": [finish()], "a-2-2": DONE}
    )

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["a-2", "a-2-2"]


async def test_crash_before_the_replan_makes_it_at_resume(tmp_path: Path) -> None:
    """That a sub-task failed is in the journal; the one re-plan is made by whoever goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a"), plan("d")], worker={"a": [GIVE_UP], "d": DONE}, by_number=True)
    await stage.start(GOAL, model)
    stage.kill(stage.kinds().index("sub_task_ended") + 1)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert len(stage.events(PlanMade)) == 2


async def test_replan_keeps_what_is_at_work(tmp_path: Path) -> None:
    """A lane that runs beside the failed one stays in the new plan, and the planner is told of it."""
    stage = Stage.at(tmp_path)

    class Slow(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b" and request.number == 2:
                await stage.until(lambda s: len(s.events(PlanMade)) == 2)

    model = Slow(
        planner=[plan("a", "b"), plan(d="b")],
        worker={"a": [GIVE_UP], "b": [write("x.txt", "x"), finish("b is done")], "d": DONE},
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert outcome.ending == "proved"
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["b", "d"]
    assert "at work now" in prompts(model)[1]
    assert "b: b is done" in worker_prompts(model)[-1].text


# --- the checkpoint -----------------------------------------------------------------------------------------

ASKED = GOAL + "ask: [plan]\n"


async def test_plan_waits_for_a_yes(tmp_path: Path) -> None:
    """Nothing starts before the person has seen the plan."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE)

    parked = await stage.start(ASKED, model)

    assert (parked.ending, parked.steps, stage.question().subject.kind) == ("parked", 0, "plan")
    stage.approve()
    assert (await stage.resume(model)).ending == "proved"
    assert len(prompts(model)) == 1


async def test_feedback_makes_another_plan(tmp_path: Path) -> None:
    """The planner reads its plan and what the person said of it; the new one is asked about as well."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a"), plan("b")], worker=DONE)
    answers = iter([no("do it in one go"), yes()])

    async def person(question: Question, state: RunState) -> Approve | Deny | None:
        return await next(answers)(question, state)  # type: ignore[return-value]

    outcome = await stage.start(ASKED, model, approver=person)

    assert outcome.ending == "proved"
    assert "the person said no to it: do it in one go" in prompts(model)[1]
    assert "- a do a" in prompts(model)[1]
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["b"]


async def test_edited_plan_is_carried_out(tmp_path: Path) -> None:
    """The person's plan replaces the model's."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker={"mine": DONE})
    edit = {"sub_tasks": [{"id": "mine", "title": "as I want it", "instructions": ""}]}

    outcome = await stage.start(ASKED, model, approver=yes(edit=edit))

    assert outcome.ending == "proved"
    assert [p.source for p in stage.events(PlanMade)] == ["model", "person"]


async def test_wrong_edit_is_asked_about_again(tmp_path: Path) -> None:
    """An edit that can't be carried out changes nothing, and the new question says why."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE)
    answers = iter([yes(edit={"sub_tasks": []}), yes()])

    async def person(question: Question, state: RunState) -> Approve | Deny | None:
        return await next(answers)(question, state)  # type: ignore[return-value]

    outcome = await stage.start(ASKED, model, approver=person)

    assert outcome.ending == "proved"
    assert "the plan is empty" in stage.events(PlanMade)[1].why
    assert [s.id for s in stage.events(PlanMade)[1].sub_tasks] == ["a"]


async def test_accepted_proposals_count_as_the_goals_criteria(tmp_path: Path) -> None:
    """A goal without done_when can be proved once a person has accepted what the plan proposes."""
    stage = Stage.at(tmp_path)
    rows = [{"id": "a", "title": "t", "instructions": "", "done_when": [{"file": "b.txt"}]}]
    model = ScriptedModel(planner=[call("propose_plan", sub_tasks=rows)], worker=DONE)

    outcome = await stage.start("goal: g\nplugins: [files]\nask: [plan]", model, approver=yes())

    assert (outcome.ending, outcome.exit_code) == ("proved", 0)
    assert stage.events(PlanApproved)[0].criteria == (FileCriterion(file="b.txt"),)


async def test_accepted_proposals_protect_the_files_that_they_name(tmp_path: Path) -> None:
    """A worker can't rewrite the checker of a criterion that a person accepted with the plan."""
    stage = Stage.at(tmp_path, {"check.py": "assert False"}, sandbox=MontySandbox())
    rows = [{"id": "a", "title": "t", "instructions": "", "done_when": [{"run": "python check.py"}]}]
    worker = [write("check.py", "print('all well')"), *[finish()] * 12]
    model = ScriptedModel(planner=[call("propose_plan", sub_tasks=rows)] * 2, worker=worker)

    outcome = await stage.start("goal: g\nallow: {run: sandbox}\nask: [plan]", model, approver=yes())

    assert stage.sandbox is not None
    await stage.sandbox.close()
    assert stage.events(PlanApproved)[0].protected == ("check.py",)
    assert stage.read("check.py") == "assert False"
    assert outcome.criteria[0].verdict == "refuted"


async def test_fixed_plan_that_is_refused_ends_the_run(tmp_path: Path) -> None:
    """There is no other plan: cancelled by the person."""
    stage = Stage.at(tmp_path)

    outcome = await stage.start(ASKED + "plan: [{id: a, title: t}]", ScriptedModel(), approver=no("not now"))

    assert (outcome.ending, outcome.exit_code) == ("cancelled", 1)
    assert "not now" in outcome.reason


@pytest.mark.parametrize("absence", ["skip", "stop"])
async def test_plan_that_nobody_approves_ends_the_run(tmp_path: Path, absence: str) -> None:
    """Nobody there, and the goal doesn't want to park: one plan is paid for, not one after the other."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[])

    outcome = await stage.start(ASKED + f"if_nobody_answers: {absence}\n", model)

    assert (outcome.ending, outcome.exit_code) == ("unproved", 1)
    assert len(model.requests) == 1


async def test_replan_is_approved_too_and_keeps_what_is_done(tmp_path: Path) -> None:
    """A no to the new plan still knows what failed and what is done."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", b="a"), plan("c"), plan(d="a")],
        worker={"a": [finish("found 7")], "b": [GIVE_UP], "d": DONE},
    )
    answers = iter([yes(), no("not c"), yes()])

    async def person(question: Question, state: RunState) -> Approve | Deny | None:
        return await next(answers)(question, state)  # type: ignore[return-value]

    outcome = await stage.start(ASKED, model, approver=person)

    assert outcome.ending == "proved"
    assert "sub-task 'b' failed: no way" in prompts(model)[2]
    assert "not c" in prompts(model)[2]
    assert [s.id for s in stage.events(PlanMade)[2].sub_tasks] == ["a", "d"]


async def test_edit_of_a_replan_keeps_what_is_done(tmp_path: Path) -> None:
    """The person sees done sub-tasks in the plan and may leave them in or out: they are done either way."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", b="a"), plan("c")],
        worker={"a": [finish("found 7")], "b": [GIVE_UP], "b-2": DONE},
    )
    edit = {"sub_tasks": [{"id": "b", "title": "again", "instructions": "", "depends_on": ["a"]}]}
    answers = iter([yes(), yes(edit=edit)])

    async def person(question: Question, state: RunState) -> Approve | Deny | None:
        return await next(answers)(question, state)  # type: ignore[return-value]

    outcome = await stage.start(ASKED, model, approver=person)

    assert outcome.ending == "proved"
    assert [s.id for s in stage.events(PlanMade)[-1].sub_tasks] == ["a", "b-2"]


async def test_parked_replan_lets_other_lanes_go_on(tmp_path: Path) -> None:
    """The question about the new plan blocks only the plan: the lane beside it ends its sub-task."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", "b"), plan("c")],
        worker={"a": [GIVE_UP], "b": [write("x.txt", "1"), write("x.txt", "2"), finish()], "c": DONE},
    )
    await stage.start(ASKED + "parallel: 2\n", model)
    stage.approve()

    second = await stage.resume(model)

    assert (second.ending, stage.question().subject.kind) == ("parked", "plan")
    assert stage.read("x.txt") == "2"
    stage.approve()
    assert (await stage.resume(model)).ending == "proved"


# --- memory -------------------------------------------------------------------------------------------------


async def test_earlier_outcomes_are_recalled_before_planning(tmp_path: Path) -> None:
    """Planner and worker read what earlier runs did; labels of what they read come with it."""
    stage = Stage.at(tmp_path)
    point = MemoryPoint(
        id="1",
        text="write b.txt: done. Use tabs.",
        run="old",
        source="outcome",
        labels=("private",),
        at=START,
    )
    await stage.memory.store([point])
    model = ScriptedModel(planner=[plan("a")], worker=DONE)

    await stage.start(GOAL, model)

    assert "2026-01-01 write b.txt: done. Use tabs." in prompts(model)[0]
    assert "Use tabs." in worker_prompts(model)[0].text
    assert stage.state.private
    (source,) = stage.events(MemoryRecalled)[0].sources
    assert (source.run, source.at, source.score > 0) == ("old", START, True)


async def test_memory_that_is_down_does_not_stop_planning(tmp_path: Path) -> None:
    """The run goes on without, and the journal says so."""
    stage = Stage.at(tmp_path)
    stage.memory.down = True

    outcome = await stage.start(GOAL, ScriptedModel(planner=[plan("a")], worker=DONE))

    assert outcome.ending == "proved"
    assert "memory could not be read" in stage.events(MemoryRecalled)[0].texts[0]
