"""The main path of a run, its endings and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import Stage, finish, goal, plan, worker_prompts, write

from autoagent.errors import ModelUnavailable, UsageError
from autoagent.events import CallDecided, CriterionChecked, PlanMade, RunEnded, SubTaskEnded, SubTaskStarted
from autoagent.goal import Goal, SubTask
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.model import ScriptedModel, call, calls, says, script
from autoagent.wiring import Choices

SUM = """
goal: sum a.txt into b.txt
done_when: [{file: b.txt, contains: ["6"]}]
plugins: [files]
"""


async def test_tools_style_proves_the_goal(tmp_path: Path) -> None:
    """Plan, read, write, finish: the file is in the folder, the criterion is proved, the exit code is 0."""
    stage = Stage.at(tmp_path, {"a.txt": "1\n2\n3\n"})
    model = ScriptedModel(
        planner=[plan("sum")],
        worker=[call("files_read", path="a.txt"), write("b.txt", "6"), finish("the sum is 6")],
    )

    outcome = await stage.start(SUM, model)

    assert (outcome.ending, outcome.exit_code, outcome.result) == ("proved", 0, "the sum is 6")
    assert outcome.files == ("b.txt",)
    assert stage.read("b.txt") == "6"
    assert [c.evidence for c in outcome.criteria] == ["b.txt, line 1"]


async def test_code_style_proves_the_goal(tmp_path: Path) -> None:
    """A script reads, computes, writes through open() and files_write, and finishes."""
    sandbox = MontySandbox()
    stage = Stage.at(tmp_path, {"a.txt": "1\n2\n3\n"}, sandbox=sandbox)
    code = """
total = sum(int(line) for line in open("a.txt"))
files_write("b.txt", "sum: ")
with open("b.txt", "a") as f:
    f.write(str(total))
print(files_read("b.txt"))
finish("the sum is " + str(total))
"""
    model = ScriptedModel(style="code", planner=[plan("sum")], worker=[script(code)])

    outcome = await stage.start(SUM + "allow: {run: sandbox}\n", model)

    assert (outcome.ending, outcome.steps) == ("proved", 1)
    assert stage.read("b.txt") == "sum: 6"
    await sandbox.close()


async def test_refuted_finish_goes_back_to_the_worker(tmp_path: Path) -> None:
    """`finish` before the criterion holds is refused with what is missing, and the worker goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("sum")], worker=[write("b.txt", "5"), finish(), write("b.txt", "6"), finish()]
    )

    outcome = await stage.start(SUM, model)

    assert outcome.ending == "proved"
    assert "b.txt does not contain '6'" in worker_prompts(model)[2].last.text


async def test_three_refuted_finishes_end_the_sub_task(tmp_path: Path) -> None:
    """A worker that only claims fails its sub-task; after one re-plan the run ends, naming the criterion."""
    stage = Stage.at(tmp_path)
    claims = [finish("one"), finish("two"), finish("three")]
    model = ScriptedModel(planner=[plan("sum"), plan("again")], worker=[*claims, *claims])

    outcome = await stage.start(SUM, model)

    assert (outcome.ending, outcome.exit_code) == ("unproved", 1)
    assert "refuted: b.txt contains 6 (b.txt does not exist)" in outcome.reason
    assert "finish was refuted 3 times without a change" in outcome.reason
    assert [p.why for p in stage.events(PlanMade)][1].startswith("sub-task 'sum' failed")


async def test_giving_up_names_the_reason(tmp_path: Path) -> None:
    """What the worker says when it gives up stands in the reason of the run's end."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("sum"), plan("again")], worker=[call("give_up", reason="there is no a.txt")] * 2
    )

    outcome = await stage.start(SUM, model)

    assert outcome.exit_code == 1
    assert "sub-task 'again' failed: there is no a.txt" in outcome.reason


async def test_goal_without_criteria_ends_finished(tmp_path: Path) -> None:
    """Nothing can be proved: exit 1, with the criteria that the plan proposed, ready to copy."""
    stage = Stage.at(tmp_path)
    rows = [
        {"id": "1", "title": "t", "instructions": "", "done_when": [{"file": "b.txt", "contains": ["6"]}]}
    ]
    model = ScriptedModel(
        planner=[call("propose_plan", sub_tasks=rows)], worker=[write("b.txt", "6"), finish("wrote it")]
    )

    outcome = await stage.start("goal: write 6 into b.txt\nplugins: [files]", model)

    assert (outcome.ending, outcome.exit_code, outcome.result) == ("finished", 1, "wrote it")
    assert goal("goal: x\n" + outcome.reason.partition("add:\n")[2]).done_when[0].model_dump() == {
        "file": "b.txt",
        "contains": ("6",),
    }


async def test_goal_without_criteria_that_failed_is_unproved(tmp_path: Path) -> None:
    """Giving up is no finish."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a"), plan("b")], worker=[call("give_up", reason="no")] * 2)

    outcome = await stage.start("goal: x\nplugins: [files]", model)

    assert outcome.ending == "unproved"


async def test_replanned_failure_does_not_spoil_a_finish(tmp_path: Path) -> None:
    """A sub-task that a re-plan replaced no longer counts."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a"), plan("b")], worker=[call("give_up", reason="no"), finish("all is well")]
    )

    outcome = await stage.start("goal: x\nplugins: [files]", model)

    assert (outcome.ending, outcome.result) == ("finished", "all is well")


async def test_several_calls_of_a_reply_run_in_order(tmp_path: Path) -> None:
    """Each call sees what the one before it wrote."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("sum")],
        worker=[
            calls(
                write("b.txt", "5"), call("files_edit", path="b.txt", old="5", new="6"), finish("in one go")
            )
        ],
    )

    outcome = await stage.start(SUM, model)

    assert (outcome.ending, outcome.steps) == ("proved", 1)


async def test_unknown_tool_and_bad_arguments_reach_the_model(tmp_path: Path) -> None:
    """Calls that can't be read become observations that say what there is."""
    stage = Stage.at(tmp_path)
    bad = call("files_write", path="b.txt")
    infinite = call("files_read", path="b.txt").model_copy(
        update={"calls": (call("files_read").calls[0].model_copy(update={"arguments": '{"offset": NaN}'}),)}
    )
    model = ScriptedModel(
        planner=[plan("sum")],
        worker=[call("fly"), bad, infinite, call("files_read", path="../x"), write("b.txt", "6"), finish()],
    )

    outcome = await stage.start(SUM, model)

    assert outcome.ending == "proved"
    told = [p.last.text for p in worker_prompts(model)[1:5]]
    assert "there is no tool 'fly'" in told[0]
    assert [e.understood for e in stage.events(CallDecided) if e.tool == "fly"] == [False]
    assert "'content' is missing" in told[1]
    assert "files_read" in told[2]
    assert "leads out of the workspace" in told[3]


async def test_words_instead_of_a_call_are_answered(tmp_path: Path) -> None:
    """A reply without a call gets a note, and the run goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("sum")], worker=[says("Let me think."), write("b.txt", "6"), finish()]
    )

    outcome = await stage.start(SUM, model)

    assert outcome.ending == "proved"
    assert "Your reply called no tool" in worker_prompts(model)[1].last.text


async def test_claim_in_words_counts_where_evidence_decides(tmp_path: Path) -> None:
    """After a change, "it is done" is taken as finish, and believed only if the criterion holds."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("sum")],
        worker=[write("b.txt", "5"), says("All done.\nBye."), write("b.txt", "6"), says("Now it is.\nBye.")],
    )

    outcome = await stage.start(SUM, model)

    assert (outcome.ending, outcome.result) == ("proved", "Now it is.")
    assert "does not contain '6'" in worker_prompts(model)[2].last.text


async def test_model_that_is_gone_ends_with_5_and_can_be_resumed(tmp_path: Path) -> None:
    """What was done stays; the run goes on where it was when the model is back."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("sum")], worker=[write("b.txt", "6"), ModelUnavailable("it is down")])

    outcome = await stage.start(SUM, model)

    assert (outcome.ending, outcome.exit_code, outcome.reason) == ("unavailable", 5, "it is down")
    assert stage.read("b.txt") == "6"

    again = await stage.resume(ScriptedModel(worker=[finish()]))

    assert (again.ending, again.steps) == ("proved", 2)


async def test_ended_run_gives_its_outcome_again(tmp_path: Path) -> None:
    """Resuming a run that has ended asks no model and changes nothing."""
    stage = Stage.at(tmp_path)
    outcome = await stage.start(
        SUM, ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "6"), finish()])
    )

    again = await stage.resume(ScriptedModel())

    assert again == outcome


async def test_fixed_plan_calls_no_planner(tmp_path: Path) -> None:
    """With a plan in the goal the worker is the only model that is asked."""
    stage = Stage.at(tmp_path)
    steps = (SubTask(id="a", title="first"), SubTask(id="b", title="second", depends_on=("a",)))
    model = ScriptedModel(worker={"a": [write("b.txt", "6"), finish("six")], "b": [finish("seen")]})

    outcome = await stage.start(goal(SUM).model_copy(update={"plan": steps}), model)

    assert outcome.ending == "proved"
    assert {p.role for p in model.prompts} == {"worker"}
    assert "a: six" in worker_prompts(model)[-1].text


async def test_criteria_of_a_fixed_plan_are_the_goals_where_it_has_none(tmp_path: Path) -> None:
    """The person wrote them, so they can prove the goal."""
    stage = Stage.at(tmp_path)
    text = "goal: x\nplugins: [files]\nplan: [{id: a, title: t, done_when: [{file: b.txt}]}]"

    outcome = await stage.start(text, ScriptedModel(worker=[write("b.txt", "6"), finish()]))

    assert (outcome.ending, outcome.exit_code) == ("proved", 0)


async def test_failed_sub_task_of_a_fixed_plan_skips_its_dependants(tmp_path: Path) -> None:
    """A fixed plan is never re-planned."""
    stage = Stage.at(tmp_path)
    text = SUM + "plan: [{id: a, title: t}, {id: b, title: t, depends_on: [a]}, {id: c, title: t}]"
    model = ScriptedModel(worker={"a": [call("give_up", reason="no")], "c": [write("b.txt", "6"), finish()]})

    outcome = await stage.start(text, model)

    assert outcome.ending == "proved"
    ended = {e.sub_task: e.outcome for e in stage.events(SubTaskEnded)}
    assert ended == {"a": "failed", "b": "skipped", "c": "done"}


async def test_everything_fails(tmp_path: Path) -> None:
    """All sub-tasks fail, the re-plan too: the run ends unproved and says which criterion."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a", b="a"), plan("c")],
        worker={"a": [call("give_up", reason="first")], "c": [call("give_up", reason="second")]},
    )

    outcome = await stage.start(SUM, model)

    assert outcome.ending == "unproved"
    assert "b.txt does not exist" in outcome.reason
    assert "sub-task 'c' failed: second" in outcome.reason


async def test_start_refuses_a_goal_that_no_file_could_hold(tmp_path: Path) -> None:
    """Python callers get the same checks as goal files, before a journal exists."""
    stage = Stage.at(tmp_path)
    circle = Goal(
        goal="x",
        plan=(SubTask(id="a", title="t", depends_on=("b",)), SubTask(id="b", title="t", depends_on=("a",))),
    )

    with pytest.raises(UsageError, match="circle"):
        await stage.start(circle, ScriptedModel())
    with pytest.raises(UsageError, match="parallel"):
        await stage.start(goal(SUM), ScriptedModel(), choices=Choices(parallel=0))
    assert isinstance(stage.journal, MemoryJournal)
    assert stage.journal.runs() == []


async def test_end_stands_once_in_the_journal(tmp_path: Path) -> None:
    """The last entry of a run is its end, and each criterion was checked over the final tree."""
    stage = Stage.at(tmp_path)
    await stage.start(SUM, ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "6"), finish()]))

    assert stage.kinds().count("run_ended") == 1
    assert isinstance(stage.journal.read(stage.run)[-1].event, RunEnded)
    assert stage.events(CriterionChecked)[-1].tree == stage.state.main
    assert [e.on_main for e in stage.events(SubTaskStarted)] == [True]
