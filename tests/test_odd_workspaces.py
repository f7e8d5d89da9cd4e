"""A workspace that holds what few programs expect is carried through a run, a resume and a clearing up."""

from __future__ import annotations

import os
from pathlib import Path

from loops import Stage, finish, write

from autoagent.folder import LocalFolder
from autoagent.journal.sqlite import SqliteJournal
from autoagent.journal.sweeping import sweep
from autoagent.testing.model import ScriptedModel, call
from autoagent.trees import EMPTY, load_tree

GOAL = """
goal: x
done_when: [{file: end.txt}]
plugins: [files]
ask: [finish]
plan: [{id: a, title: b}]
"""


def furnish(folder: Path) -> None:
    """Repositories within a repository, names that are no UTF-8, a path that is too long for the kernel."""
    for place in ("", "vendor/", "vendor/deep/er/"):
        (folder / place / ".git" / "objects").mkdir(parents=True)
        (folder / place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (Path(os.fsdecode(bytes(folder) + b"/caf\xe9 \xff.txt"))).write_text("odd")
    at = os.open(folder, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("a" * 20, dir_fd=at)
        inner = os.open("a" * 20, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("leaf", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at))
    os.close(at)


async def test_everything_in_it_survives(tmp_path: Path) -> None:
    """The run ends proved, what it moved and deleted among the odd names is so, all else is as it was."""
    home = tmp_path / "home"
    stage = Stage.at(tmp_path, journal=SqliteJournal(home))
    furnish(stage.folder)
    worker = [
        call("files_move", path="caf\\xe9 \\xff.txt", to="plain.txt"),
        call("files_delete", path="vendor/.git"),
        write("end.txt", "x"),
        finish(),
    ]
    parked = await stage.start(GOAL, ScriptedModel(worker=worker))
    stage.journal.close()
    swept = sweep(home, frozenset())
    stage.journal = SqliteJournal(home)
    stage.approve()
    ended = await stage.resume(ScriptedModel())
    tree = load_tree(stage.state.main, stage.journal.objects)

    assert parked.ending == "parked"
    assert ended.ending == "proved"
    assert swept.kept > 0
    assert "plain.txt" in tree.entries
    assert "vendor/.git" not in tree.entries
    assert {".git/HEAD", "vendor/deep/er/.git/HEAD"} <= set(tree.entries)
    assert max(map(len, tree.entries)) > 6_000
    assert sorted(path.name for path in stage.folder.iterdir()) == [
        ".git",
        "a" * 20,
        "end.txt",
        "plain.txt",
        "vendor",
    ]
    # few programs can remove such a path: not every cleaner of temporary folders
    assert LocalFolder(stage.folder, stage.journal.objects).project(tree, EMPTY).foreign == ()
    stage.journal.close()
