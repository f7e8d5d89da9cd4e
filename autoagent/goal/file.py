"""Goal files: from a path to a checked `Goal`. Owns reading them; spawns nothing, imports no plugin.

The schema stands in `schema`, the YAML in `yaml`; `english` says a goal back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from autoagent.errors import GoalError
from autoagent.goal import Criterion, FileCriterion, Goal, RunCriterion
from autoagent.goal.autogpt import FILE_NAME as AUTOGPT_NAME
from autoagent.goal.autogpt import convert, is_autogpt
from autoagent.goal.command import files_named
from autoagent.goal.schema import read_goal, said_goal
from autoagent.goal.values import said
from autoagent.goal.writer import PLACEHOLDER, dump, template
from autoagent.goal.yaml import Fields, Text, parse
from autoagent.ids import digest

__all__ = [
    "FILE_NAME",
    "PLACEHOLDER",
    "LoadedGoal",
    "dump",
    "from_text",
    "goal_digest",
    "load",
    "made",
    "protected",
    "template",
    "understand",
]

FILE_NAME = "goal.yaml"
GIT = (".git/hooks", ".git/config")
"""Where a repository says what git runs, on the person's machine and not in the sandbox."""
MAX_BYTES = 128 * 1024
"""Far more than a person reads; checked before anything is read."""

_TOO_LARGE = f"is larger than {MAX_BYTES // 1024} KiB; a goal file is read by people: shorten it"
_WRITE_ONE = "'autoagent init' writes one"


@dataclass(frozen=True)
class LoadedGoal:
    """A goal with the file that it came from."""

    goal: Goal
    text: str
    """The file as it stands, decoded."""
    path: Path
    """The file itself, also where a folder was named."""
    notes: tuple[str, ...] = ()
    """What its author should know, in sentences."""


def load(path: Path) -> LoadedGoal:
    """The goal in a file, or in the `goal.yaml` (or AutoGPT's `ai_settings.yaml`) of a folder.

    Raises `GoalError` for everything that is wrong with it, with path and line.
    """
    file = _file_of(path)
    source = _decoded(_read(file), file)
    try:
        goal, notes = understand(source)
    except GoalError as error:
        raise GoalError(error.problem, path=file, line=error.line) from None
    if goal.goal.strip() == PLACEHOLDER:
        raise GoalError(f"the goal is still what 'autoagent init' wrote: {PLACEHOLDER!r}", path=file)
    if file.name != FILE_NAME and file.name not in goal.protect:
        goal = goal.model_copy(update={"protect": (*goal.protect, file.name)})
    return LoadedGoal(goal, source, file, notes)


def from_text(text: str) -> Goal:
    """The goal that consists of this text alone, with all defaults. Raises `GoalError`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise GoalError("the goal isn't valid UTF-8; write it into a goal.yaml and name that") from None
    if not text.strip():
        raise GoalError("the goal is empty; say in a sentence or two what shall be true at the end")
    return Goal(goal=said_goal(Text(text, 1, is_plain=False), "the goal"))


def goal_digest(goal: Goal) -> str:
    """What approvals and recordings know a goal by."""
    return digest(goal.model_dump(mode="json"))


def protected(goal: Goal, existing: Container[str] | None = None) -> tuple[str, ...]:
    """The paths that no run of this goal may write: `protect`, `goal.yaml`, the files that a `run:` names.

    Besides, what git would run on the person's machine. Of the files that a `run:` names, only those that
    the run doesn't have to make: not the file of a `file:` criterion, not one that `allow.write` names
    itself, not a folder that holds such a file, and, if `existing` gives the paths at the start, not one
    missing there.
    """
    own = made(goal)
    named = [
        path
        for criterion in _checked(goal)
        if isinstance(criterion, RunCriterion)
        for path in files_named(criterion.run, existing)
        if path not in own and not any(work.startswith(f"{path}/") for work in own)
    ]
    return tuple(dict.fromkeys([*goal.protect, FILE_NAME, *GIT, *named]))


def made(goal: Goal) -> frozenset[str]:
    """The paths that are the work itself: those that `allow.write` names, and files that criteria want."""
    return frozenset({*goal.allow.write, *(c.file for c in _checked(goal) if isinstance(c, FileCriterion))})


def _checked(goal: Goal) -> tuple[Criterion, ...]:
    return (*goal.done_when, *(c for sub_task in goal.plan for c in sub_task.done_when))


# --- reading -----------------------------------------------------------------------------------------------


def _file_of(path: Path) -> Path:
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return path
    for name in (FILE_NAME, AUTOGPT_NAME):
        if os.path.lexists(path / name):
            return path / name
    if (path / "goal.yml").exists():
        raise GoalError(
            "is named goal.yml; rename it to goal.yaml, the name that is protected", path=path / "goal.yml"
        )
    raise GoalError(f"the folder holds no {FILE_NAME}; {_WRITE_ONE}", path=path)


def _read(file: Path) -> bytes:
    """The bytes of a regular file of a sane size. A FIFO is never waited for, a device never opened."""
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise GoalError(f"is {_kind(found.st_mode)}; expected a YAML file", path=file)
        if found.st_size > MAX_BYTES:
            raise GoalError(_TOO_LARGE, path=file)
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise GoalError(f"there is no such file; {_WRITE_ONE}", path=file) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise GoalError(f"can't be read: {why}", path=file) from None
    if len(data) > MAX_BYTES:
        raise GoalError(_TOO_LARGE, path=file)
    return data


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket", stat.S_ISDIR: "a folder"}
    return next((name for test, name in kinds.items() if test(mode)), "a device")


def _decoded(data: bytes, file: Path) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise GoalError("is written in UTF-16; save it as UTF-8", path=file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise GoalError(
            f"holds the byte 0x{byte:02x}, which isn't UTF-8; save it as UTF-8", path=file, line=line
        ) from None


def understand(source: str) -> tuple[Goal, tuple[str, ...]]:
    """The goal in a YAML text, and notes for its author. Raises `GoalError`, without a path."""
    document = parse(source)
    if document is None:
        raise GoalError(f"is empty; it needs at least 'goal: …', and {_WRITE_ONE}")
    if not isinstance(document, Fields):
        raise GoalError(f"is {said(document)}; expected fields like 'goal: …'", line=document.line)
    if is_autogpt(document):
        return convert(document)
    goal = read_goal(document)
    return goal, _notes(goal)


def _notes(goal: Goal) -> tuple[str, ...]:
    """Powers that no plugin would use."""
    enabled = goal.enabled_plugins
    notes = [
        f"allow.send names {plugin!r}, which isn't among the plugins, so nothing can be sent through it"
        for plugin in goal.allow.send
        if plugin not in enabled
    ]
    if goal.allow.run == "sandbox" and "python" not in enabled:
        notes.append(
            "allow.run is 'sandbox', but 'python' isn't among the plugins, so its tools aren't offered"
        )
    if goal.allow.web and _FETCH_NOTHING.issuperset(enabled):
        notes.append("allow.web names hosts, but none of the plugins fetches anything; add 'web' or 'http'")
    return tuple(notes)


_FETCH_NOTHING = {"documents", "files", "mail", "memory", "notify", "python", "sql"}
"""Of our own plugins; another's may fetch whatever it wants to."""
