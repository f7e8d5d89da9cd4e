"""Whole runs in the Docker sandbox: scripts, shell, checks, and lanes side by side."""

from __future__ import annotations

from pathlib import Path

from docker_sandboxes import NEEDS_DOCKER, opened
from loops import Stage, Together, finish, plan

from autoagent.events import CallEnded, LaneMerged
from autoagent.sandboxes.docker import DockerSandbox
from autoagent.testing.model import ScriptedModel, call, script

__all__ = ["opened"]

pytestmark = NEEDS_DOCKER

GOAL = """
goal: count the lines of a.txt and b.txt
allow: {run: sandbox}
plugins: [files, python]
done_when: [{run: "python3 check.py && test -s a.count"}]
"""
CHECK = """
import pathlib
for name in ("a", "b"):
    lines = len(pathlib.Path(f"{name}.txt").read_text().splitlines())
    assert pathlib.Path(f"{name}.count").read_text().strip() == str(lines)
"""
FILES = {"a.txt": "1\n2\n", "b.txt": "1\n2\n3\n", "check.py": CHECK}


def count(name: str) -> str:
    return f"n = len(open('{name}.txt').readlines())\nopen('{name}.count', 'w').write(str(n))\nfinish('ok')"


async def test_scripts_side_by_side_are_merged_and_proved(tmp_path: Path, opened: DockerSandbox) -> None:
    """Each lane in its own container, the check in one of its own."""
    stage = Stage.at(tmp_path, FILES, sandbox=opened)
    model = Together(
        style="code",
        planner=[plan("a", "b")],
        worker={"a": [script(count("a"))], "b": [script(count("b"))]},
    )

    outcome = await stage.start(GOAL + "parallel: 2\n", model)

    assert (outcome.ending, outcome.criteria[0].by) == ("proved", "sandbox (docker)")
    assert {e.lane for e in stage.events(LaneMerged)} == {"a", "b"}
    assert (stage.read("a.count"), stage.read("b.count")) == ("2", "3")


async def test_shell_and_python_share_files_and_a_forged_check_proves_nothing(
    tmp_path: Path, opened: DockerSandbox
) -> None:
    """A module that would end the check with 0 doesn't reach it; the checker is the one of the start."""
    stage = Stage.at(tmp_path, FILES, sandbox=opened)
    forge = "printf 'import os\\nos._exit(0)\\n' | tee pathlib.py > json.py; cat check.py"
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[
            call("shell_run", command=forge),
            call("shell_run", command="echo > check.py"),
            call("shell_run", command="ln -sf json.py check.py"),
            call("shell_run", command="mv check.py old.py && ln -s json.py check.py"),
            finish("it exits with 0"),
            call("shell_run", command="rm pathlib.py json.py; wc -l < a.txt > a.count; exit 3"),
            call("python_run", code="open('b.count', 'w').write('3')\nprint(open('a.count').read())"),
            finish("counted"),
        ],
    )

    outcome = await stage.start(GOAL, model)

    assert outcome.ending == "proved"
    ended = [e for e in stage.events(CallEnded) if e.call.count(".") == 2]
    assert [e.ok for e in ended] == [True, False, False, False, False, True, True, True]
    assert ["'check.py' is protected" in e.output for e in ended[1:4]] == [True] * 3
    assert "refuted" in ended[4].output
    assert "(exit status 3)" in ended[5].output
    assert sorted(stage.files()) == ["a.count", "a.txt", "b.count", "b.txt", "check.py"]
