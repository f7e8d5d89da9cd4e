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
from strangers import fresh_environment, install, ran

from autoagent import run_sync
from autoagent.commands import Deny
from autoagent.errors import GoalError
from autoagent.goal import Goal
from autoagent.goal.file import load, understand
from autoagent.questions import Question
from autoagent.settings import FILE_NAME
from autoagent.settings import load as load_settings
from autoagent.starter import make
from autoagent.state import RunState
from autoagent.testing import HttpAnswer, HttpRequest, HttpWorld, Rehearsal, ScriptedModel, call
from autoagent.testing.conformance.examining import examine

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
    (block,) = (b for b in blocks("toml") if "[models." in b.text and b.page.name == "command-line.md")
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


def _holding(text: str) -> str:
    """The documented code that holds a text."""
    return next(b.text for b in blocks("python") if text in b.text)


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
        if name.startswith("autoagent_post"):
            del sys.modules[name]


CARRIED = """
from pathlib import Path
from autoagent import Goal, run_sync
from autoagent.testing import HttpAnswer, HttpRequest, HttpWorld, Rehearsal, ScriptedModel, call
from autoagent.testing.conformance.examining import examine

model = ScriptedModel(
    call("propose_plan", sub_tasks=["Look into it"]),
    call("csv_columns", path="sales.csv"),
    call("files_write", path="columns.txt", content="day, amount"),
    call("finish", result="written"),
)
run_sync(Goal.load(Path("work")).goal, Path("work"), model=model, home=Path("home"))
print(model.prompts[-2].last.text)
"""
"""The documented goal, carried out by who has only installed the plugin."""


def test_the_first_plugin_works_outside_the_repository(tmp_path: Path) -> None:
    """Each command of the page in a fresh environment: begun, written, installed, tested, checked, used."""
    python = fresh_environment(tmp_path / "venv")
    cli = (python, "-m", "autoagent")
    ran(*cli, "plugins", "new", "csv", cwd=tmp_path)
    package = tmp_path / "autoagent-csv"
    (package / "autoagent_csv" / "__init__.py").write_text(_defines("csv_columns"))
    (package / "autoagent_csv" / "rehearsal.py").write_text(_holding('examples={"csv_columns"'))
    (package / "tests" / "test_csv.py").write_text(_defines("test_the_model_reads_the_columns"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "sales.csv").write_text("day,amount\n1,10\n2,20\n")
    (work / "goal.yaml").write_text(next(b.text for b in blocks("yaml") if "plugins: [files, csv]" in b.text))
    install(python, package)

    assert "8 passed" in ran(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", package, cwd=tmp_path)
    assert "csv: nothing wrong\n" in ran(*cli, "plugins", "check", "csv", cwd=tmp_path)
    assert "csv" in ran(*cli, "plugins", "list", cwd=tmp_path)
    assert ran(python, "-c", CARRIED, cwd=tmp_path) == "2 rows with the columns day, amount\n"
    assert (work / "columns.txt").read_text() == "day, amount"


def test_the_entry_point_is_the_one_that_is_written(tmp_path: Path) -> None:
    """The page shows what `plugins new` puts into pyproject.toml."""
    (shown,) = (tomllib.loads(b.text) for b in blocks("toml") if "entry-points" in b.text)
    written = tomllib.loads((make("csv", tmp_path) / "pyproject.toml").read_text())

    assert written["project"]["entry-points"] == shown["project"]["entry-points"]


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


def test_the_plugins_that_fetch_keep_every_promise(site: Path) -> None:
    """Both of the page: of a URL, and of a service that the settings name."""
    _install(site, "autoagent-page", "autoagent_page", _defines("page_read"), "page = autoagent_page:plugin")
    weather = "autoagent_weather"
    _install(site, "autoagent-weather", weather, _defines("weather_now"), f"weather = {weather}:plugin")

    class Service(HttpWorld):
        def answer(self, request: HttpRequest) -> HttpAnswer:
            return HttpAnswer(200, b'{"degrees": 20.5, "sky": "clear"}', "application/json")

    page = Rehearsal(world=Service, examples={"page_read": [{"url": "{url}/x"}]})
    asked = {"weather_now": [{"place": "Oslo"}]}
    weather_now = Rehearsal(world=Service, settings={"url": "{url}/now"}, examples=asked)

    assert examine("autoagent_page:plugin", page).wrong == ()
    assert examine("autoagent_weather:plugin", weather_now).wrong == ()


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
