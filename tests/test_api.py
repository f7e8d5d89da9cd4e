"""autoagent in Python: what `run` takes, and what it refuses before anything has begun."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import autoagent
from autoagent import Goal, Outcome, run, run_sync
from autoagent.errors import UsageError
from autoagent.events import Entry
from autoagent.testing import ScriptedModel, call


def _model() -> ScriptedModel:
    return ScriptedModel(
        call("propose_plan", sub_tasks=["Write a.txt"]),
        call("files_write", path="a.txt", content="A"),
        call("finish", result="a.txt is written"),
    )


async def test_a_goal_in_words_works_in_the_folder_that_is_named(tmp_path: Path) -> None:
    """A text is a goal with all defaults; without criteria it ends as finished, exit code 1."""
    (tmp_path / "work").mkdir()
    outcome = await run("Write a.txt", tmp_path / "work", model=_model(), home=tmp_path / "home")

    assert (outcome.ending, outcome.exit_code, outcome.files) == ("finished", 1, ("a.txt",))
    assert (tmp_path / "work" / "a.txt").read_text() == "A"


def test_the_synchronous_twin_runs_a_loaded_goal_in_its_own_folder(tmp_path: Path) -> None:
    """`Goal.load` knows the folder; entries are heard as they are recorded."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "goal.yaml").write_text("goal: Write a.txt\ndone_when: [{file: a.txt}]\n")
    heard: list[Entry] = []
    outcome = run_sync(Goal.load(work), model=_model(), on_event=heard.append, home=tmp_path / "home")

    assert isinstance(outcome, Outcome)
    assert (outcome.ending, outcome.exit_code) == ("proved", 0)
    assert [entry.seq for entry in heard] == list(range(1, len(heard) + 1))
    assert "run_ended" in [entry.event.kind for entry in heard]


def test_the_synchronous_twin_takes_and_documents_the_same() -> None:
    """For `help` and editors: `run`'s parameters, its own name and text."""
    assert inspect.signature(run_sync) == inspect.signature(run)
    assert not inspect.iscoroutinefunction(run_sync)
    assert (run_sync.__name__, run_sync.__doc__) == ("run_sync", "`run`, for code without an event loop.")


async def test_a_workspace_that_holds_the_home_is_refused(tmp_path: Path) -> None:
    """A run could write its own journal and settings there."""
    with pytest.raises(UsageError, match="holds autoagent's own state"):
        await run("Write a.txt", tmp_path, model=_model(), home=tmp_path / "home")


def test_every_public_name_is_there() -> None:
    """What `__all__` promises can be imported, and nothing else is."""
    assert all(getattr(autoagent, name) is not None for name in autoagent.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        autoagent.__getattr__("nothing")


def test_importing_the_package_loads_none_of_it() -> None:
    """The command line imports it at every start."""
    code = "import autoagent, sys; print([m for m in sys.modules if m.startswith('autoagent.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
