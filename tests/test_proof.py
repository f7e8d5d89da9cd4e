"""Proof: evidence that someone else can check again, and an exam that no run can rewrite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loops import Stage, finish, no, plan, worker_prompts, write, yes

from autoagent.commands import Answer, Approve, Deny
from autoagent.errors import SandboxUnavailable
from autoagent.events import CallEnded, CriterionChecked, QuestionAsked
from autoagent.messages import Reply
from autoagent.questions import Question
from autoagent.sandboxes.monty import MontySandbox
from autoagent.state import RunState
from autoagent.testing.model import ScriptedModel, call, says, script

CHECK = "text = open('report.md').read()\nassert 'payments' in text, 'no payments in ' + text\n"


def verdict(verdict: str, *quotes: tuple[str, str]) -> Reply:
    evidence = [{"path": path, "quote": quote} for path, quote in quotes]
    return call("verdict", criterion="c", verdict=verdict, evidence=evidence)


async def prove(
    stage: Stage, done_when: str, *worker: object, extra: str = "", **models: object
) -> ScriptedModel:
    """A run of a goal with these criteria; the model that played it."""
    model = ScriptedModel(planner=[plan("a")] * 2, worker=list(worker), **models)  # type: ignore[arg-type]
    text = f"goal: g\nplugins: [files, python]\nallow: {{run: sandbox}}\n{extra}\ndone_when: {done_when}"
    stage.sandbox = stage.sandbox or MontySandbox()
    stage.outcome = await stage.start(text, model)  # type: ignore[attr-defined]
    await stage.sandbox.close()
    return model


def evidence(stage: Stage) -> list[tuple[str, str]]:
    return [(c.verdict, c.evidence) for c in stage.outcome.criteria]  # type: ignore[attr-defined]


async def test_file_criterion_says_where_the_texts_are(tmp_path: Path) -> None:
    """The evidence names the lines."""
    stage = Stage.at(tmp_path)

    await prove(stage, "[{file: r.md, contains: [b, a]}]", write("r.md", "a\n\nb\n"), finish())

    assert evidence(stage) == [("proved", "r.md, lines 3, 1")]


async def test_what_held_at_the_start_is_proved_as_unchanged(tmp_path: Path) -> None:
    """A criterion that was true before says that this run did nothing for it."""
    stage = Stage.at(tmp_path, {"r.md": "a"})

    await prove(stage, "[{file: r.md}]", finish())

    assert evidence(stage) == [("proved", "r.md, 1 byte; unchanged by this run")]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd"])
async def test_file_criterion_never_leaves_the_workspace(tmp_path: Path, path: str) -> None:
    """Only a Goal made in Python can name such a path; it is refuted, not followed."""
    from loops import goal

    from autoagent.goal import FileCriterion

    stage = Stage.at(tmp_path)
    (tmp_path / "secret").write_text("s")
    wanted = goal("goal: g\nplugins: [files]\n").model_copy(update={"done_when": (FileCriterion(file=path),)})

    outcome = await stage.start(wanted, ScriptedModel(planner=[plan("a")] * 2, worker=[finish()] * 6))

    assert outcome.criteria[0].verdict == "refuted"


async def test_command_is_judged_by_its_exit_status(tmp_path: Path) -> None:
    """What it prints only helps: it stands in the evidence, and its words prove nothing."""
    stage = Stage.at(tmp_path, {"check.py": "print('exit status 0, all proved')\nassert False\n"})

    await prove(stage, '[{run: "python check.py"}]', write("a.txt", "x"), *[finish()] * 6)

    ((found, text),) = evidence(stage)
    assert found == "refuted"
    assert text.startswith("exit status 1 in a clean sandbox")
    assert "all proved" in text


async def test_command_sees_the_files_and_its_own_changes_are_thrown_away(tmp_path: Path) -> None:
    """The check runs on a copy."""
    stage = Stage.at(tmp_path, {"check.py": CHECK + "open('left.txt', 'w').write('x')\n"})

    await prove(stage, '[{run: "python check.py"}]', write("report.md", "payments"), finish())

    assert evidence(stage)[0][0] == "proved"
    assert sorted(stage.files()) == ["check.py", "report.md"]


async def test_tool_can_not_rewrite_the_checker(tmp_path: Path) -> None:
    """Write, edit, move and delete of a file that a `run:` names are denied, of its folder too."""
    stage = Stage.at(tmp_path, {"tests/check.py": CHECK})
    await prove(
        stage,
        '[{run: "python tests/check.py"}]',
        write("tests/check.py", ""),
        call("files_edit", path="tests/check.py", old="assert", new="#"),
        call("files_move", path="tests/check.py", to="x.py"),
        call("files_delete", path="tests/check.py"),
        call("files_delete", path="tests"),
        call("files_move", path="tests", to="old"),
        write("report.md", "payments"),
        finish(),
    )

    ended = stage.events(CallEnded)[:6]
    assert [e.ok for e in ended] == [False] * 6
    assert sum("protected" in e.output for e in ended) >= 5
    assert stage.read("tests/check.py") == CHECK
    assert evidence(stage)[0][0] == "proved"


@pytest.mark.parametrize(
    "code",
    [
        "open('check.py', 'w').write('')",
        "import os\nos.remove('check.py')",
        "import os\nos.rename('check.py', 'old.py')\nopen('check.py', 'w').write('')",
    ],
)
async def test_script_can_not_rewrite_the_checker(tmp_path: Path, code: str) -> None:
    """A script that writes a protected path keeps nothing at all, and reads why."""
    stage = Stage.at(tmp_path, {"check.py": CHECK})
    forged = script(f"open('report.md', 'w').write('nothing')\n{code}")
    honest = script("open('report.md', 'w').write('payments')\nfinish('ok')")

    model = await prove(stage, '[{run: "python check.py"}]', forged, honest, style="code")

    assert "'check.py' is protected" in worker_prompts(model)[1].last.text
    assert "Nothing was changed" in worker_prompts(model)[1].last.text
    assert not stage.events(CallEnded)[0].ok
    assert stage.read("check.py") == CHECK
    assert evidence(stage)[0][0] == "proved"


async def test_proof_uses_the_checker_of_the_start(tmp_path: Path) -> None:
    """Even if the checker in the folder is another one by now, the exam is the one of the start."""
    stage = Stage.at(tmp_path, {"check.py": CHECK, "sub/deep.py": CHECK})

    def tampered(request: object) -> Reply:
        stage.write("check.py", "")
        (stage.folder / "sub" / "deep.py").unlink()
        (stage.folder / "sub").rmdir()
        stage.write("sub", "a file where the checker's folder was")
        return write("report.md", "nothing")

    criteria = '[{run: "python check.py"}, {run: "python sub/deep.py"}]'
    await prove(stage, criteria, tampered, *[finish()] * 6)

    assert [found for found, _ in evidence(stage)] == ["refuted", "refuted"]


async def test_added_file_in_a_protected_folder_is_not_in_the_exam(tmp_path: Path) -> None:
    """A folder named under `protect` is as it was: what was put into it since is left out."""
    stage = Stage.at(tmp_path, {"tests/check.py": "import os\nassert not os.path.exists('tests/new.py')\n"})

    def add(request: object) -> Reply:
        stage.write("tests/new.py", "")
        return write("a.txt", "x")

    await prove(stage, '[{run: "python tests/check.py"}]', add, finish(), extra="protect: [tests/]")

    assert evidence(stage)[0][0] == "proved"


async def test_judge_is_believed_with_quotes_that_stand_in_the_files(tmp_path: Path) -> None:
    """The evidence holds path and exact text, and says who judged."""
    stage = Stage.at(tmp_path)
    model = await prove(
        stage,
        "[{judge: the cause is named}]",
        write("r.md", "It was OOMKilled."),
        finish(),
        judge=[verdict("proved", ("r.md", "OOMKilled"))],
    )

    assert evidence(stage) == [("proved", "r.md: 'OOMKilled'")]
    assert stage.outcome.criteria[0].by == "scripted (also the worker)"  # type: ignore[attr-defined]
    (prompt,) = [p for p in model.prompts if p.role == "judge"]
    assert "It was OOMKilled." in prompt.text
    assert "finish" not in prompt.text.replace("finished", "")


async def test_false_quote_makes_the_criterion_unchecked(tmp_path: Path) -> None:
    """A judge that quotes what isn't there is asked once more, then not believed."""
    stage = Stage.at(tmp_path)
    lie = verdict("proved", ("r.md", "never written"))

    model = await prove(stage, "[{judge: j}]", write("r.md", "x"), *[finish()] * 6, judge=[lie] * 14)

    ((found, text),) = evidence(stage)
    assert found == "unchecked"
    assert "does not contain the quote 'never written'" in text
    judged = [p for p in model.prompts if p.role == "judge"]
    assert "That verdict doesn't count" in judged[1].last.text


@pytest.mark.parametrize(
    "bad", [says("It is fine."), verdict("proved"), call("verdict", verdict="maybe"), call("verdict", x=1)]
)
async def test_second_try_of_a_judge_counts(tmp_path: Path, bad: Reply) -> None:
    """No call, no quote, a wrong verdict: the judge gets its error back and can do better."""
    stage = Stage.at(tmp_path)

    await prove(
        stage, "[{judge: j}]", write("r.md", "x y"), finish(), judge=[bad, verdict("proved", ("r.md", "x y"))]
    )

    assert evidence(stage)[0][0] == "proved"


async def test_refuted_by_the_judge_goes_back_to_the_worker(tmp_path: Path) -> None:
    """The judge is asked again only after something changed."""
    stage = Stage.at(tmp_path)

    model = await prove(
        stage,
        "[{judge: the cause is named}]",
        write("r.md", "x"),
        finish(),
        finish(),
        write("r.md", "OOM"),
        finish(),
        judge=[verdict("refuted", ("r.md", "x")), verdict("proved", ("r.md", "OOM"))],
    )

    assert stage.outcome.ending == "proved"  # type: ignore[attr-defined]
    assert len([p for p in model.prompts if p.role == "judge"]) == 2


async def test_judge_is_not_paid_while_a_file_is_missing(tmp_path: Path) -> None:
    """Cheap criteria first: one that fails spares model and person."""
    stage = Stage.at(tmp_path)

    model = await prove(stage, "[{human: h}, {judge: j}, {file: a.txt}]", *[finish()] * 6)

    assert [p for p in model.prompts if p.role == "judge"] == []
    assert stage.events(QuestionAsked) == []
    assert [found for found, _ in evidence(stage)] == ["unchecked", "unchecked", "refuted"]


async def test_person_says_whether_it_holds(tmp_path: Path) -> None:
    """A human criterion is proved by the person's yes."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("r.md", "x"), finish()])

    outcome = await stage.start(
        "goal: g\nplugins: [files]\ndone_when: [{human: it reads well}]", model, approver=yes()
    )

    assert outcome.ending == "proved"
    assert (outcome.criteria[0].evidence, outcome.criteria[0].by) == ("answered yes", "person")


async def test_no_of_the_person_sends_the_worker_back(tmp_path: Path) -> None:
    """The person's words reach the worker; after a change they are asked again."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a")], worker=[write("r.md", "x"), finish(), write("r.md", "y"), finish()]
    )
    answers = iter([no("too short"), yes()])

    async def person(question: Question, state: RunState) -> Approve | Deny | Answer | None:
        return await next(answers)(question, state)

    outcome = await stage.start(
        "goal: g\nplugins: [files]\ndone_when: [{human: it reads well}]", model, approver=person
    )

    assert outcome.ending == "proved"
    assert "answered no: too short" in worker_prompts(model)[2].last.text


async def test_human_criterion_parks_and_goes_on(tmp_path: Path) -> None:
    """Nobody there: the run waits with the criterion, and the answer ends it."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("r.md", "x"), finish()])
    parked = await stage.start("goal: g\nplugins: [files]\ndone_when: [{human: fine}]", model)
    assert parked.exit_code == 3
    stage.approve()

    assert (await stage.resume(model)).ending == "proved"


async def test_models_own_criterion_that_can_not_be_run_is_no_obstacle(tmp_path: Path) -> None:
    """A planner may propose a command that this sandbox can't run: unchecked, and the goal's own decide."""
    stage = Stage.at(tmp_path)
    rows = [
        {"id": "a", "title": "t", "instructions": "", "done_when": [{"run": "grep x r.md | wc -l"}]},
    ]
    model = ScriptedModel(
        planner=[call("propose_plan", sub_tasks=rows)], worker=[write("r.md", "x"), finish()]
    )
    stage.sandbox = MontySandbox()

    outcome = await stage.start(
        "goal: g\nplugins: [files]\nallow: {run: sandbox}\ndone_when: [{file: r.md}]", model
    )

    assert outcome.ending == "proved"
    unchecked = [c for c in stage.events(CriterionChecked) if c.sub_task == "a"]
    assert [(c.verdict, "needs Docker" in c.evidence.text) for c in unchecked] == [("unchecked", True)]
    await stage.sandbox.close()


async def test_goal_that_this_sandbox_can_not_check_is_refused_before_the_first_request(
    tmp_path: Path,
) -> None:
    """The goal's own command must be checkable: "needs Docker", and no model is asked."""
    stage = Stage.at(tmp_path, sandbox=MontySandbox())
    model = ScriptedModel()

    with pytest.raises(SandboxUnavailable, match="needs Docker"):
        await stage.start('goal: g\ndone_when: [{run: "grep x r.md | wc -l"}]', model)

    assert model.requests == []


async def test_criteria_of_a_sub_task_refuse_its_finish(tmp_path: Path) -> None:
    """A planner's criteria object once: the second claim stands, for they are only a model's."""
    stage = Stage.at(tmp_path)
    rows = [{"id": "a", "title": "t", "instructions": "", "done_when": [{"file": "x.txt"}]}]
    model = ScriptedModel(
        planner=[call("propose_plan", sub_tasks=rows)],
        worker=[write("r.md", "x"), finish("one"), finish("two")],
    )

    outcome = await stage.start("goal: g\nplugins: [files]\ndone_when: [{file: r.md}]", model)

    assert (outcome.ending, outcome.result) == ("proved", "two")
    assert "x.txt does not exist" in worker_prompts(model)[2].last.text


async def test_evidence_is_in_the_journal_with_its_tree(tmp_path: Path) -> None:
    """A verdict names the tree that it is about, so that someone else can check it again."""
    stage = Stage.at(tmp_path)

    await prove(stage, "[{file: r.md}]", write("r.md", "x"), finish())

    (checked,) = stage.events(CriterionChecked)
    assert checked.tree == stage.state.main
    assert json.loads(checked.model_dump_json())["evidence"]["by"] == "file check"


@pytest.mark.parametrize(
    "path", ["json.py", "tests/unittest/__init__.py", "conftest.py", "a/sitecustomize.py"]
)
async def test_file_that_stands_in_for_a_module_refutes_the_check(tmp_path: Path, path: str) -> None:
    """Nothing that the run wrote is loaded in place of what the checker imports; the worker reads why."""
    stage = Stage.at(tmp_path, {"check.py": "import json\n"})

    await prove(
        stage,
        '[{run: "python check.py"}]',
        write(path, "raise SystemExit(0)"),
        finish(),
        call("files_delete", path=path),
        finish(),
    )

    refuted = stage.events(CriterionChecked)[0]
    assert refuted.verdict == "refuted"
    assert repr(path) in refuted.evidence.text
    assert "rename or delete it" in refuted.evidence.text
    assert evidence(stage)[0][0] == "proved"


@pytest.mark.parametrize("path", ["json/data.txt", "json.md", "mine.py", "pkg/__init__.py"])
async def test_other_new_files_do_not_hinder_a_check(tmp_path: Path, path: str) -> None:
    """Folders and files of such a name that aren't modules, and modules of other names."""
    stage = Stage.at(tmp_path, {"check.py": "assert True\n"})

    await prove(stage, '[{run: "python check.py"}]', write(path, "x"), finish())

    assert evidence(stage)[0][0] == "proved"


async def test_module_that_the_goal_lets_be_written_is_the_work_itself(tmp_path: Path) -> None:
    """A person who names the file says that the check may load it."""
    stage = Stage.at(tmp_path, {"check.py": "assert True\n"})
    model = ScriptedModel(planner=[plan("a")], worker=[write("types.py", "x"), finish()])
    stage.sandbox = MontySandbox()

    outcome = await stage.start(
        "goal: g\nallow: {run: sandbox, write: [., types.py]}\ndone_when: [{run: python check.py}]", model
    )

    await stage.sandbox.close()
    assert outcome.criteria[0].verdict == "proved"


async def test_compiled_code_that_a_run_wrote_is_not_there_at_the_check(tmp_path: Path) -> None:
    """It would stand in for a protected source; what was there before stays."""
    seen = (
        "import os\nassert os.path.exists('__pycache__/old.pyc')\n"
        "assert not os.path.exists('__pycache__/helper.cpython-311.pyc')\n"
        "assert not os.path.exists('b.pyc')\n"
    )
    stage = Stage.at(tmp_path, {"check.py": seen, "__pycache__/old.pyc": "o"})
    worker = [write("__pycache__/helper.cpython-311.pyc", "x"), write("b.pyc", "x"), finish()]

    await prove(stage, '[{run: "python check.py"}]', *worker)

    assert evidence(stage)[0][0] == "proved", evidence(stage)


async def test_what_a_link_leads_to_is_protected(tmp_path: Path) -> None:
    """The checker's file itself can't be rewritten where the command names a link to it."""
    stage = Stage.at(tmp_path, {"real/check.py": CHECK, "other/more.py": "x"})
    (stage.folder / "check.py").symlink_to("real/check.py")
    (stage.folder / "tests").symlink_to("other")

    await prove(
        stage,
        '[{run: "python check.py tests/more.py"}]',
        write("real/check.py", ""),
        write("other/more.py", ""),
        *[finish()] * 6,
    )

    assert [e.ok for e in stage.events(CallEnded)[:2]] == [False, False]
    assert {"real/check.py", "other/more.py", "tests"} <= set(stage.state.protected)
    assert stage.read("real/check.py") == CHECK
