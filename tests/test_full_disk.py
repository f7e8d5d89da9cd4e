"""A full disk, of the home or of the workspace: a clear error, nothing lost, and the run goes on afterwards.

Real ones, of a few megabytes; where no file system can be mounted the tests are skipped with that reason.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from loops import Stage, finish, write
from test_frozen import Children

from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn

MAKE_BIG = "open('big.txt', 'w').write('x' * 5_000_000)"
GOAL = "goal: x\ndone_when: [{file: end.txt}]\nplugins: [files]\nplan: [{id: a, title: b}]\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB, of which 3 are free until `ballast` is removed."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted: {error}")
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    (folder / "ballast").write_bytes(b"x" * 13_000_000)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def turns() -> list[ServedTurn]:
    replies = [
        write("a.txt", "a"),
        call("python_run", code=MAKE_BIG),
        call("post_send", to="anna", text="hi"),
    ]
    replies += [write("end.txt", "x"), call("finish", result="all")]
    made = [reply.calls[0] for reply in replies]
    return [ServedTurn(calls=(ServedCall(name=c.name, arguments=c.arguments),)) for c in made]


async def test_a_full_home_stops_the_run_and_it_goes_on(tmp_path: Path, small: Path) -> None:
    """What was recorded stays; the error says what to do; afterwards nothing is missing or done twice."""
    run = Children(small / "home", tmp_path / "work")
    run.home.mkdir()
    run.folder.mkdir()
    async with ScriptedServer(turns(), same_again=True) as server:
        run.url = server.base_url
        first = run.start("-")
        said, complaint = await asyncio.to_thread(first.communicate)
        before = {path.name: path.read_text() for path in run.folder.iterdir()}
        (small / "ballast").unlink()
        again, errors = await asyncio.to_thread(run.start("-", said.split()[0]).communicate)

    assert (first.returncode, before) == (5, {"a.txt": "a"})
    assert "free some space" in said + complaint
    assert "Traceback" not in complaint
    assert "proved" in again, errors
    files, sent = run.now()
    assert {name: len(text) for name, text in files.items()} == {
        "a.txt": 1,
        "big.txt": 5_000_000,
        "end.txt": 1,
    }
    assert sent.count("\n") == 1
    journal = SqliteJournal(run.home)
    assert journal.verify(said.split()[0]).first_bad is None
    journal.close()


async def test_a_full_workspace_interrupts_the_run(tmp_path: Path, small: Path) -> None:
    """The path is named, no part of a file is left, and `resume` writes what is still missing."""
    stage = Stage(small / "work", tmp_path / "home", journal=SqliteJournal(tmp_path / "home"))
    stage.folder.mkdir()
    (stage.folder / "more").write_bytes(b"x" * 3_700_000)
    model = ScriptedModel(worker=[write("a.txt", "a"), write("big.txt", "x" * 200_000)])
    outcome = await stage.start(GOAL, model)
    names = {path.name for path in stage.folder.iterdir()}

    assert (outcome.ending, outcome.exit_code) == ("unavailable", 5)
    assert (
        "can't write 'big.txt' in the workspace: No space left on device; free some space" in outcome.reason
    )
    assert names == {"a.txt", "more"}
    (small / "ballast").unlink()
    outcome = await stage.resume(ScriptedModel(worker=[write("end.txt", "x"), finish()]))
    assert outcome.ending == "proved"
    assert len(stage.read("big.txt")) == 200_000
    stage.journal.close()
