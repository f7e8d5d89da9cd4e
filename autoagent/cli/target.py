"""What `run` is pointed at: a folder, a goal file, or a goal in words. Loads nothing but the goal."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from autoagent.cli.output import note
from autoagent.errors import UsageError
from autoagent.goal import Goal
from autoagent.goal.file import FILE_NAME, dump, from_text, load

_SLUG_LENGTH = 30


@dataclass(frozen=True)
class Work:
    """A goal and the folder that it works in."""

    goal: Goal
    workspace: Path
    source: Path
    """What names both: the goal file, or the new folder."""
    notes: tuple[str, ...] = ()
    is_new: bool = False
    """The folder isn't there yet."""

    def prepare(self) -> None:
        """Make the folder of a goal in words, with the goal in it; say so."""
        if self.is_new:
            self.workspace.mkdir()
            (self.workspace / FILE_NAME).write_text(dump(self.goal), encoding="utf-8")
            note(f"made {self.workspace.name}/ for this goal, with its {FILE_NAME}")
        note(*(f"note: {said}" for said in self.notes))


def understand(target: str) -> Work:
    """What a person means by `run`'s argument. Raises `UsageError`; makes nothing."""
    if os.path.exists(target):  # noqa: PTH110 - Path.exists raises for a text that is too long for a name
        loaded = load(Path(target))
        return Work(loaded.goal, loaded.path.parent, loaded.path, loaded.notes)
    if looks_like_path(target):
        raise UsageError(
            f"there is no file or folder {target!r}; name a folder with a {FILE_NAME} ('autoagent init' "
            "makes one), or say the goal in a sentence"
        )
    goal = from_text(target)
    folder, notes, is_new = _new_folder(goal)
    return Work(goal, folder, folder, notes, is_new)


def looks_like_path(target: str) -> bool:
    """No white space, or the ending or the start of a path: words that nobody means as a goal."""
    text = target.strip()
    return bool(text) and (
        len(text.split()) == 1 or text.endswith((".yaml", ".yml")) or text.startswith(("/", "./", "../", "~"))
    )


def _new_folder(goal: Goal) -> tuple[Path, tuple[str, ...], bool]:
    """Where a goal in words works, notes, and whether the folder must be made.

    The folder of an earlier try that changed nothing there is taken again.
    """
    words = re.sub(r"[^a-z0-9]+", "-", goal.goal.lower()).strip("-")[:_SLUG_LENGTH].rstrip("-")
    name = f"autoagent-{words or 'goal'}"
    number = 1
    while (folder := Path.cwd() / (name if number == 1 else f"{name}-{number}")).exists():
        if [path.name for path in folder.iterdir()] == [FILE_NAME] and load(folder).goal == goal:
            return folder, (f"works in {folder.name}/, which holds this goal already",), False
        number += 1
    return folder, (), True


def quoted(argument: object) -> str:
    """A path or text as a shell takes it, for commands that are shown to be typed."""
    import shlex  # 2 ms

    return shlex.quote(str(argument))
