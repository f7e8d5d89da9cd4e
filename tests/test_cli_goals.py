"""Before a run: `init`, `validate`, `--help`, `--dry-run`; and that they start fast."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autoagent.cli.app import status_of
from autoagent.cli.commands import app
from autoagent.cli.grouped import GROUPS
from autoagent.goal.file import load

HEAVY = ("asyncio", "openai", "httpx", "docker", "qdrant_client", "qdrant_edge", "sqlite3", "rich")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_a_goal_that_loads(here: Path, capsys: Capture) -> None:
    """With a folder and a goal in words; the folder is made, the next command named."""
    assert status_of(["init", "new folder", "Count the lines in data.csv"]) == 0

    assert load(here / "new folder").goal.goal == "Count the lines in data.csv"
    assert capsys.readouterr().out.endswith("then: autoagent run 'new folder'\n")


def test_init_takes_words_alone_as_the_goal(here: Path) -> None:
    """A sentence is no folder's name."""
    assert status_of(["init", "Count the lines"]) == 0

    assert load(here).goal.goal == "Count the lines"


def test_init_never_overwrites(here: Path, capsys: Capture) -> None:
    """A goal.yaml that is there stays as it is."""
    (here / "goal.yaml").write_text("goal: mine\n")

    assert status_of(["init"]) == 2

    assert (here / "goal.yaml").read_text() == "goal: mine\n"
    assert "goal.yaml is there already, and nothing was written" in capsys.readouterr().err


def test_a_template_that_nobody_edited_is_no_goal(here: Path, capsys: Capture) -> None:
    """Neither validated nor run."""
    assert status_of(["init"]) == 0

    assert [status_of(["validate", "."]), status_of(["run", "."])] == [2, 2]

    assert "goal.yaml: the goal is still what 'autoagent init' wrote" in capsys.readouterr().err


def test_validate_says_the_goal_back(here: Path, capsys: Capture) -> None:
    """On stdout in English, notes on stderr; nothing is made."""
    (here / "goal.yaml").write_text("goal: Sum it\nallow: {web: [example.org]}\nplugins: [files]\n")

    assert status_of(["validate", "."]) == 0

    said = capsys.readouterr()
    assert "fetch  pages from example.org" in said.out
    assert said.err.startswith("note: allow.web names hosts")
    assert os.listdir(here) == ["goal.yaml"]  # noqa: PTH208


def test_validate_names_plugins_that_are_missing(here: Path, capsys: Capture) -> None:
    """Those that the goal lists, and those that it implies; none is imported."""
    (here / "goal.yaml").write_text("goal: Tell bob\nallow: {send: {post: [bob]}}\nplugins: [fils, post]\n")

    assert status_of(["validate", "."]) == 0

    notes = capsys.readouterr().err.splitlines()
    assert notes[0] == "note: the goal needs the plugin 'fils', which isn't installed; did you mean 'files'?"
    assert notes[1].startswith(
        "note: the goal needs the plugin 'post', which isn't installed; installed are: "
    )


def test_a_dry_run_names_what_never_does_not_forbid(here: Path, capsys: Capture) -> None:
    """A misspelt tool under `never` is noted once the tools are known."""
    (here / "goal.yaml").write_text("goal: Sum it\nnever: [files_delet]\n")

    assert status_of(["run", ".", "--dry-run"]) == 5

    assert "note: 'never' lists 'files_delet', and no tool" in capsys.readouterr().err


def test_validate_names_file_and_line(here: Path, capsys: Capture) -> None:
    """An error is one line on stderr, exit status 2."""
    (here / "goal.yaml").write_text("goal: Sum it\nlimits:\n  usb: 3\n")

    assert status_of(["validate", "goal.yaml"]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("autoagent: goal.yaml:3: ")


def test_hostile_names_are_spelled_out(here: Path, capsys: Capture) -> None:
    """An error names a file without letting its name do anything."""
    assert status_of(["validate", "\x1b[2Jx\n✓ proved"]) == 2

    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert all(not each.startswith("✓") for each in err.splitlines())


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["run"], ["runs", "--wrong"], ["run", "x", "--steps", "many"]]
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is wrong and where to read more."""
    assert status_of(arguments) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"autoagent: [^\n]+[;?] 'autoagent[a-z ]* --help' tells more\n", said.err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runz"], "no such command 'runz'; did you mean 'run', 'runs'? 'autoagent --help'"),
        (["memory", "serach"], "no such command 'serach'; did you mean 'search'? 'autoagent memory --help'"),
        (["run", "--stps", "3", "x"], "no such option: --stps; did you mean --steps? 'autoagent run --help'"),
        (["run", "x", "--steps", "3.5"], "invalid value for '--steps': expected "),
        (
            ["run", "Count", "lines"],
            "; words that belong together, such as a goal, stand in quotes; 'autoagent",
        ),
    ],
)
def test_a_wrong_call_names_what_was_meant(arguments: list[str], said: str, capsys: Capture) -> None:
    """The nearest command or option, in one sentence."""
    assert status_of(arguments) == 2

    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["memory"], ["plugins", "-h"], ["run", "--help"]])
def test_help_comes_on_stdout(arguments: list[str], capsys: Capture) -> None:
    """Also for a group whose command wasn't named."""
    assert status_of(arguments) == 0

    assert capsys.readouterr().out.startswith("Usage: autoagent")


def test_help_lists_every_command_under_a_heading(capsys: Capture) -> None:
    """Once; what a newcomer needs comes first."""
    assert status_of(["--help"]) == 0

    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(known)
    said = capsys.readouterr().out
    assert said.index("\n  run ") < said.index("\n  resume ") < said.index("\n  init ")
    assert all(f"\n  {name} " in said for name in known)


def test_every_command_that_a_text_names_exists() -> None:
    """No message sends a person to a command that isn't there."""
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    package = Path(sys.modules["autoagent"].__file__ or "").parent
    named = {
        name
        for file in package.rglob("*.py")
        for name in re.findall(r"'autoagent ([a-z]+)", file.read_text(encoding="utf-8"))
        + re.findall(r"\"autoagent ([a-z]+) \{", file.read_text(encoding="utf-8"))
    }

    assert len(named) > 10
    assert named - known == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["validate", "goal.yaml"]])
def test_what_starts_nothing_imports_nothing_heavy(here: Path, arguments: list[str]) -> None:
    """`--help` and `validate` load no client, no database, no event loop."""
    (here / "goal.yaml").write_text("goal: Sum it\ndone_when: [{file: a.txt}]\n")
    code = (
        "import sys; from autoagent.cli.app import status_of; status = status_of(sys.argv[2:]);"
        "print(*(name for name in sys.argv[1].split(',') if name in sys.modules), file=sys.stderr);"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(HEAVY), *arguments], capture_output=True, text=True, check=True
    )

    assert done.stderr == "\n"


def test_a_dry_run_starts_nothing(here: Path, capsys: Capture) -> None:
    """It says the goal back and what would be used; without a model that is exit status 5."""
    assert status_of(["run", "Count the lines of all files", "--dry-run"]) == 5

    said = capsys.readouterr()
    assert "autoagent-count-the-lines-of-all-files (would be made)" in said.out
    assert re.search(r"^missing  model +none is set", said.out, re.MULTILINE)
    assert said.err == "nothing was started\n"
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("target", ["nowhere", "a/b", "some goals/x.yaml", "./no such", "~/x"])
def test_a_path_that_is_missing_is_no_goal(
    here: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What looks like a path is never carried out as words."""
    assert status_of(["run", target]) == 2

    assert f"there is no file or folder {target!r}" in capsys.readouterr().err
    assert list(here.iterdir()) == []
