"""The documentation's examples: goal files load, code compiles, plugins and recordings work as shown."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pages import Block, blocks, each, named, rows, section

from autoagent import run_sync
from autoagent.commands import Deny
from autoagent.errors import GoalError
from autoagent.goal import Goal
from autoagent.goal.file import load, understand
from autoagent.plugins import load as load_plugins
from autoagent.questions import Question
from autoagent.settings import FILE_NAME
from autoagent.settings import load as load_settings
from autoagent.state import RunState
from autoagent.testing import ScriptedModel, call

# --- goal files ---------------------------------------------------------------------------------------------


@each("yaml")
def test_goal_examples_load(block: Block) -> None:
    """Every example of a goal file is one; what is a part of one is whole with a goal."""
    text = block.text if re.search(r"^goal:", block.text, re.MULTILINE) else f"goal: x\n{block.text}"
    goal, _ = understand(text)

    assert goal.goal


def test_the_autogpt_example_loads(tmp_path: Path) -> None:
    """Its name, role and goals become the goal, its budget the limit."""
    (block,) = blocks("yaml autogpt")
    (tmp_path / "ai_settings.yaml").write_text(block.text)
    goal = load(tmp_path).goal

    assert goal.limits.usd == Decimal("1.5")
    assert "Librarian" in goal.goal
    assert "- Write index.md" in goal.goal


WRONG = [(named(row[0])[0], row[1].strip("`")) for row in rows(section("docs/goal-file.md", "What is wrong"))]


@pytest.mark.parametrize(("text", "error"), WRONG, ids=[text for text, _ in WRONG])
def test_wrong_goal_files_say_what_is_documented(text: str, error: str) -> None:
    """The error is the documented one, letter by letter."""
    with pytest.raises(GoalError) as raised:
        understand(text if text.startswith(("goal:", "gaol:")) else f"goal: x\n{text}")

    assert raised.value.problem == error


def test_the_config_example_loads(tmp_path: Path) -> None:
    """It is valid, and each of its tables is used."""
    (block,) = (b for b in blocks("toml") if "[models." in b.text)
    (tmp_path / FILE_NAME).write_text(block.text)
    settings = load_settings(tmp_path, {})

    assert [model.model for model in settings.chain("worker")] == ["qwen2.5-coder:7b", "gpt-5.2"]
    assert settings.sandbox.kind == "docker"


# --- code ---------------------------------------------------------------------------------------------------


@each("python")
def test_python_examples_compile_and_import(block: Block) -> None:
    """Every example is Python, and what it imports from autoagent is there."""
    code = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, ast.Module)
    for node in ast.walk(code):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "autoagent":
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"


def _goal(holding: str) -> Goal:
    """The documented goal with a text in its file."""
    return next(understand(b.text)[0] for b in blocks("yaml") if holding in b.text)


def _defines(name: str) -> str:
    """The documented module that defines a name."""
    return next(
        b.text for b in blocks("python") if re.search(rf"^(async )?def {name}\b", b.text, re.MULTILINE)
    )


def _install(folder: Path, package: str, module: str, text: str, entry: str) -> None:
    """A package as pip would leave it: a module, and metadata with its entry point."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[autoagent.plugins]\n{entry}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that can be imported, and are forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = {*sys.modules}
    yield folder
    for name in {*sys.modules} - before:
        if name.startswith(("autoagent_csv", "autoagent_post")):
            del sys.modules[name]


def test_the_first_plugin_works(site: Path) -> None:
    """Its entry point is found, a goal enables it, and its own test passes."""
    (project,) = (tomllib.loads(b.text) for b in blocks("toml") if "[project]" in b.text)
    ((name, target),) = project["project"]["entry-points"]["autoagent.plugins"].items()
    module = target.partition(":")[0]
    _install(site, project["project"]["name"], module, _defines("csv_columns"), f"{name} = {target}")
    goal = _goal("plugins: [files, csv]")
    (site / "test_it.py").write_text(_defines("test_the_model_reads_the_columns"))
    test = importlib.import_module("test_it").test_the_model_reads_the_columns
    work = site.parent / "first"
    work.mkdir()
    try:
        test(work)
    finally:
        del sys.modules["test_it"]

    assert "csv_columns" in load_plugins(goal).tools


def test_the_plugin_that_sends_asks_first_and_sends_what_was_shown(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destination that isn't named is asked about; a named one is not, and the letter holds the file."""
    _install(
        site, "autoagent-post", "autoagent_post", _defines("post_letter"), "post = autoagent_post:plugin"
    )
    office, work = tmp_path / "office", tmp_path / "work"
    office.mkdir()
    work.mkdir()
    (work / "report.md").write_text("all is well")
    monkeypatch.setenv("POST_OFFICE", str(office))
    goal = _goal("implies the plugin `post`")
    asked: list[str] = []

    async def approver(question: Question, state: RunState) -> Deny:
        asked.append(str(question.subject.destination))
        return Deny(question=question.id, digest=question.digest)

    model = ScriptedModel(
        call("propose_plan", sub_tasks=["Send it"]),
        call("post_letter", to="bob@example.org", text="Hello", enclosed="report.md"),
        call("post_letter", to="anna@example.org", text="Hello", enclosed="report.md"),
        call("finish", result="sent"),
    )
    run_sync(goal, work, model=model, approver=approver, home=tmp_path / "home")

    assert asked == ["bob@example.org"]
    (letter,) = office.iterdir()
    assert letter.read_text() == "Hello\n\nall is well"


def test_a_run_is_kept_as_a_recording_and_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Python page says about recordings gives a file that the command line plays."""
    monkeypatch.setenv("AUTOAGENT_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    model = ScriptedModel(
        call("propose_plan", sub_tasks=["Write a.txt"]),
        call("files_write", path="a.txt", content="A"),
        call("finish", result="done"),
    )
    first = run_sync("Write a.txt", work, model=model)
    names: dict[str, object] = {}
    exec(_defines("keep_recording"), names)  # noqa: S102 - a page of ours
    keep = names["keep_recording"]
    assert callable(keep)
    keep(first.run, work / "recording.jsonl")
    (work / "a.txt").unlink()

    assert run_sync("Write a.txt", work).result == "done"
    assert (work / "a.txt").read_text() == "A"
