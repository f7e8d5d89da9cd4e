"""The documentation holds every key, command, field and setting, and no other; its links lead somewhere."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import typer
import yaml
from pages import PAGES, ROOT, named, read, rows, section

import autoagent
from autoagent.cli.answers import Waiting
from autoagent.cli.checking import record as check_record
from autoagent.cli.commands import app
from autoagent.cli.differing import Difference, record_of
from autoagent.cli.explaining import Reasons
from autoagent.cli.showing import Shown
from autoagent.cli.undoing import Shown as Undoing
from autoagent.cli.undoing import effect_record
from autoagent.cli.verifying import Verified
from autoagent.console.listing import ListedRun
from autoagent.door.tools import ToolContext
from autoagent.errors import AutoagentError, GoalError
from autoagent.events import Ending, Entry
from autoagent.goal import Allow, Goal, Limits, RoleModels, SubTask
from autoagent.goal.file import understand
from autoagent.outcome import EXIT_CODES, CriterionResult, EndingName, Outcome
from autoagent.past.replay import Replayed
from autoagent.past.replay_findings import LaneReplayed
from autoagent.past.step import Step, StepKind
from autoagent.plugin_host.installed import Installed
from autoagent.ports import MemoryPoint, Verification
from autoagent.questions import QuestionKind
from autoagent.sandboxes.monty_hints import MODULES
from autoagent.settings import (
    EveryRunSettings,
    MemorySettings,
    ModelSettings,
    QuestionSettings,
    RoleSettings,
    SandboxSettings,
    SecretSettings,
    TerminalSettings,
)
from autoagent.testing.conformance.findings import Finding
from autoagent.wiring import Launch

# --- goal files and plugins ---------------------------------------------------------------------------------


def _keys_of(place: str) -> list[str]:
    """The keys that a goal file may have there, as the error about another one names them."""
    with pytest.raises(GoalError) as raised:
        understand(f"goal: x\n{place}: {{'': y}}\n" if place else "goal: x\n'': y\n")
    return re.split(r", | or ", raised.value.problem.partition("expected ")[2])


def test_every_key_of_a_goal_file_is_documented() -> None:
    """The tables hold what the schema holds, and nothing else."""
    groups = {name: [f"{name}.{key}" for key in _keys_of(name)] for name in ("allow", "limits", "model")}
    keys = [key for name in _keys_of("") for key in groups.get(name, [name])]
    documented = [name for row in rows(section("docs/goal-file.md", "All keys")) for name in named(row[0])]
    of_sub_tasks = [named(row[0])[0] for row in rows(section("docs/goal-file.md", "A fixed plan"))]

    assert documented == keys
    assert of_sub_tasks == [*SubTask.model_fields]


def test_documented_defaults_are_the_goals() -> None:
    """The default of each key is the model's."""
    models = {"allow": Allow(), "limits": Limits(), "model": RoleModels(), "": Goal(goal="x")}
    for row in rows(section("docs/goal-file.md", "All keys")):
        if len(keys := named(row[0])) > 1 or not row[2]:
            continue
        group, _, key = keys[0].rpartition(".")
        default = models[group].model_dump(mode="json")[key]
        said = yaml.safe_load(named(row[2])[0])

        assert (float(default) if isinstance(said, int) else default) == said, keys[0]


def test_public_names_are_what_people_import() -> None:
    """Each name of the package stands in an example or a table."""
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert [name for name in autoagent.__all__ if name not in pages and name != "__version__"] == []


def test_what_a_tool_gets_is_documented() -> None:
    """Every attribute of the context, and no other."""
    table = section("docs/plugins.md", "What a tool gets: `ctx`")
    documented = {n.split("(")[0].removeprefix("ctx.") for row in rows(table) for n in named(row[0])}
    attributes = {f.name for f in fields(ToolContext)} | {
        "files",
        "staging",
        "read_file",
        "open_file",
        "secret",
        "folder",
    }

    assert documented == attributes - {"working_copy", "home"}


# --- the command line ---------------------------------------------------------------------------------------


def _commands() -> dict[str, set[str]]:
    """Each command with its options, `--help` left out."""
    top = typer.main.get_command(app)
    found: dict[str, set[str]] = {}

    def take(prefix: str, command: object) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            options = {o for p in inner.params for o in p.opts if o.startswith("-")} - {"--help", "-h"}
            is_group = hasattr(inner, "commands")
            if options or not is_group:  # a group with options is a command by itself as well
                found[f"{prefix}{name}"] = options
            if is_group:
                take(f"{prefix}{name} ", inner)

    take("", top)
    return found


def test_every_command_and_option_is_documented() -> None:
    """The page holds what the application has, command by command, and nothing that it hasn't."""
    text = read("docs/command-line.md").partition("## Exit status")[0]
    documented: dict[str, set[str]] = {}
    for part in text.split("\n### ")[1:]:
        here = []
        for row in rows(part):
            if row[0].startswith("`autoagent "):
                name = re.split(r" [^a-z]", named(row[0])[0].removeprefix("autoagent ") + " -")[0]
                here.append(name)
                documented[name] = set()
            else:
                options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[0])
                for command in named(row[1]) if len(row) == 3 else here[-1:]:
                    documented[command] |= {*options}

    assert documented == _commands()


def test_no_page_names_a_command_or_option_that_is_not_there() -> None:
    """Neither in prose nor in an example."""
    commands = _commands()
    options = {option for found in commands.values() for option in found} | {"--version", "--help", "-h"}
    known = {name.split()[0] for name in commands}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").split("\n"):
            for name in re.findall(r"(?<![\w/.-])autoagent ([a-z]+)\b", line):
                if f"`autoagent {name}" in line or line.startswith(("autoagent ", ".venv")):
                    assert name in known, f"{page.name}: {line}"
            for option in re.findall(r"autoagent [a-z ]*?[^`|]*?(?<![\w-])(--[a-z-]+)", line):
                assert option in options, f"{page.name}: {line}"


def test_records_have_the_documented_fields() -> None:
    """Every field of every record, in order."""
    table = {
        row[0].replace("`", ""): named(row[1]) for row in rows(section("docs/command-line.md", "Records"))
    }
    final = [*Outcome.model_fields]

    assert table["launch"] == [*Launch.model_fields]
    assert table["final"] == final
    assert table["one of criteria"] == [*CriterionResult.model_fields]
    assert table["one of runs --json"] == [*ListedRun.model_fields]
    assert table["memory show --json"] == [*MemoryPoint.model_fields]
    assert table["one of memory search --json"] == ["memory show --json", "score"]
    assert table["one of plugins list --json"] == [f.name for f in fields(Installed)]
    assert table["plugins check --json"] == _keys_of_function(check_record)
    assert table["one of findings"] == [*Finding.model_fields]
    assert table["a line of export"] == [*Entry.model_fields]
    assert table["verify --json"] == [*Verification.model_fields, *_keys(Verified)]
    assert table["show --json"] == [k for k in _keys(Shown) if k not in final]
    assert table["diff --json"] == _keys(Difference)
    assert table["why --json"] == _keys(Reasons)
    assert table["a step"] == [*Step.model_fields]
    kinds = section("docs/command-line.md", "Records")
    assert [kind for kind in get_args(StepKind) if f"`{kind}`" not in kinds] == []
    assert table["undo --json"] == _keys(Undoing)
    assert table["replay --json"] == [*Replayed.model_fields]
    assert table["one of lanes"] == [*LaneReplayed.model_fields]
    assert table["one of stays"] == _keys_of_function(effect_record)
    assert table["one of files of diff --json"] == _keys_of_function(record_of)
    assert table["one of approvals --json"] == _keys(Waiting)
    documented = [name for row in rows(section("docs/python-api.md", "Outcome")) for name in named(row[0])]
    assert documented == final


def _keys(record: type) -> list[str]:
    """The keys of the dictionary that a class's `record` returns, as they stand in its source."""
    return _keys_of_function(record.record)  # type: ignore[attr-defined]


def _keys_of_function(function: Callable[..., object]) -> list[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    returned = [n for n in ast.walk(tree) if isinstance(n, ast.Return)][-1].value
    assert isinstance(returned, ast.Dict)
    return [key.value for key in returned.keys if isinstance(key, ast.Constant)]


def test_endings_and_question_kinds_are_documented() -> None:
    """Every one that a record can hold."""
    records = section("docs/command-line.md", "Records")
    questions = rows(section("docs/command-line.md", "Questions"))

    assert [name for name in get_args(EndingName) if f"`{name}`" not in records] == []
    assert {*get_args(QuestionKind)} <= {name for row in questions for name in named(row[0])}


def test_exit_codes_are_those_of_endings_and_errors() -> None:
    """README, the command line's page and the code give one list."""
    readme = re.search(
        r"The exit code says how a run ended:(.*?)\[All commands\]", read("README.md"), re.DOTALL
    )
    assert readme is not None
    endings = {EXIT_CODES.get(name, 1) for name in (*get_args(Ending), *get_args(EndingName))}
    errors = {error.exit_code for error in _errors(AutoagentError)}
    documented = {int(code) for code in re.findall(r"`(\d+)`", readme[1])}

    assert documented == endings | errors
    assert documented == {int(named(r[0])[0]) for r in rows(section("docs/command-line.md", "Exit status"))}


def _errors(kind: type[AutoagentError]) -> Iterator[type[AutoagentError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _errors(inner)


# --- settings and environment -------------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_default() -> None:
    """The table holds the keys of config.toml, and no other."""
    found = {n: row[1] for row in rows(section("docs/command-line.md", "config.toml")) for n in named(row[0])}
    tables = {
        "models.NAME": ModelSettings,
        "roles": RoleSettings,
        "memory": MemorySettings,
        "sandbox": SandboxSettings,
        "questions": QuestionSettings,
        "every_run": EveryRunSettings,
        "terminal": TerminalSettings,
        "secrets.NAME": SecretSettings,
    }
    known = {
        f"{table}.{key}": field
        for table, model in tables.items()
        for key, field in model.model_fields.items()
    }

    assert {*found} == {*known}
    for key, field in known.items():
        if isinstance(field.default, bool):
            assert f"`{field.default}".lower() in found[key], key
        elif isinstance(field.default, int | float):
            assert f"{field.default:g}" in found[key] or f"{field.default}" in found[key], key


def test_every_variable_is_documented() -> None:
    """Those that the code reads by name, and no other."""
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "autoagent").rglob("*.py"))
    read = {*re.findall(r'"((?:AUTOAGENT|OPENAI|QDRANT)_[A-Z_]+)"', code)}
    documented = {n for row in rows(section("docs/command-line.md", "Environment")) for n in named(row[0])}

    assert read - documented == set()
    assert {name for name in documented if name not in code} == set()


# --- pages --------------------------------------------------------------------------------------------------


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files are there, headings too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def test_the_table_of_modules_names_every_one() -> None:
    """A newcomer finds each module and each package of the core."""
    table = section("docs/how-it-works.md", "Where to look")
    modules = {module.name for module in (ROOT / "autoagent").glob("[a-z]*.py")}
    packages = {f"{module.parent.name}/" for module in (ROOT / "autoagent").glob("*/__init__.py")}

    assert {name for name in modules | packages if f"[{name}]" not in table} == set()


def test_the_modules_of_monty_are_documented() -> None:
    """The list is the sandbox's own."""
    text = section("docs/how-it-works.md", "The sandbox").partition("modules:")[2].partition(".")[0]

    assert {*re.split(r",\s+", text.strip())} == MODULES


def test_the_marked_commands_stand_on_one_line() -> None:
    """Continuous integration runs what README shows."""
    for mark in ("try", "test"):
        found = re.search(rf"<!-- {mark} -->\n```sh\n([^\n]+)\n```", read("README.md"))
        assert found is not None, mark
        done = subprocess.run(["bash", "-n", "-c", found[1]], check=False)

        assert done.returncode == 0
