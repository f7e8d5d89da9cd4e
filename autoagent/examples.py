"""The workspaces that come along: one to see a run without a model, all of them goals to begin with.

In a clone they lie beside the package; a wheel holds them inside it (pyproject.toml says so). Nothing here is
ever run in place: who uses one gets a copy, over which nothing that is there already is written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autoagent.errors import UsageError
from autoagent.goal import Goal
from autoagent.goal.file import FILE_NAME, understand
from autoagent.llm.recording import FILE_NAME as RECORDING
from autoagent.plugin_host.installed import missing

TRIED = "log-triage"
"""The one that shows what a run is."""
_PACKED = Path(__file__).with_name("workspaces")
_CLONE = _PACKED.parents[1]
_COMPILED = "__pycache__"
"""What an installation adds to the Python files of a package."""


@dataclass(frozen=True)
class Example:
    """A workspace that came with autoagent."""

    name: str
    folder: Path
    text: str
    """Its goal file."""

    @property
    def goal(self) -> Goal:
        return understand(self.text)[0]

    @property
    def does(self) -> str:
        """What it is for, in a sentence: the comment that its goal file begins with."""
        return self.text.partition("\n")[0].removeprefix("#").strip()

    @property
    def needs(self) -> tuple[str, ...]:
        """What a run of it takes that this machine may not have; a sentence each."""
        reached = ", ".join(self.goal.allow.web)
        served = f"it reads {reached}, which README.md there says how to serve" if reached else ""
        return (*missing(self.goal.enabled_plugins, "it needs"), *([served] if served else []))

    @property
    def files(self) -> tuple[str, ...]:
        """Its other files, by their paths there; without what a run in a clone has left."""
        left = _left_by_runs(self.name)
        return tuple(path for path in _files(self.folder) if path != FILE_NAME and path not in left)

    @property
    def recording(self) -> Path | None:
        """Recorded replies, which fit the goal as it stands and no other."""
        file = self.folder / RECORDING
        return file if file.is_file() else None

    def copy(self, into: Path, text: str | None = None) -> tuple[str, ...]:
        """Write it into a folder that may be there, with this goal file; the files that were there and stay.

        A goal of one's own gets no recording. Raises `UsageError` where a folder can't be written, and
        where it holds another goal file.
        """
        goal = self.text if text is None else text
        wanted = [path for path in self.files if path != RECORDING or goal == self.text]
        try:
            if (own := into / FILE_NAME).exists() and own.read_text(
                encoding="utf-8", errors="replace"
            ) != goal:
                raise UsageError(f"{own} is there already, and nothing was written; name another folder")
            refuse_links(into, FILE_NAME, *wanted)
            kept = tuple(path for path in wanted if (into / path).exists())
            for path in wanted:
                if path not in kept:
                    (into / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.folder / path, into / path)
            own.write_text(goal, encoding="utf-8")
        except OSError as error:
            what = f"{error.filename or into}: can't be written: {error.strerror}"
            raise UsageError(f"{what}; choose a folder of yours") from None
        return kept


def examples() -> tuple[Example, ...]:
    """All of them, by name. Raises `UsageError` where this installation has none."""
    root = _PACKED if _PACKED.is_dir() else _CLONE / "workspaces"
    found = tuple(
        Example(file.parent.name, file.parent, file.read_text(encoding="utf-8"))
        for file in sorted(root.glob(f"*/{FILE_NAME}"))
    )
    if not found:
        raise UsageError(f"no example came with this installation (looked in {root}); reinstall autoagent")
    return found


def example(name: str) -> Example:
    """The one of this name. Raises `UsageError` that lists all."""
    found = {each.name: each for each in examples()}
    if name not in found:
        raise UsageError(f"there is no template {name[:60]!r}; expected one of {', '.join(found)}")
    return found[name]


def fresh(name: str, parent: Path) -> Path:
    """A folder in `parent` that isn't there yet, called after an example."""
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, 10_000))
    return next(folder for each in names if not os.path.lexists(folder := parent / each))


def refuse_links(folder: Path, *paths: str) -> None:
    """Raises `UsageError` where a path in the folder leads out of it: what is written there is elsewhere."""
    for path in paths:
        for place in (*reversed(PurePosixPath(path).parents), PurePosixPath(path)):
            if (link := folder / place).is_symlink() and place.parts:
                raise UsageError(f"{link} is a link, and nothing was written; put the thing itself there")


def _files(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and _COMPILED not in file.parts:
            yield file.relative_to(folder).as_posix()


def _left_by_runs(name: str) -> frozenset[str]:
    """The files that runs in the clone itself make there: what git ignores, and so no wheel holds."""
    if _PACKED.is_dir():
        return frozenset()
    ignored = (_CLONE / ".gitignore").read_text(encoding="utf-8").splitlines()
    place = f"workspaces/{name}/"
    return frozenset(path.removeprefix(place) for path in ignored if path.startswith(place))
