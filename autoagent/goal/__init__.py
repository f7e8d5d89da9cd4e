"""A goal: what shall be true, what the agent may do for it, and what it may cost. Pure data.

`autoagent.goal.file` reads it from YAML and says it back in English.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from autoagent.messages import Frozen

if TYPE_CHECKING:
    from autoagent.goal.file import LoadedGoal


class FileCriterion(Frozen):
    """A file exists and holds each of these texts."""

    file: str
    contains: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file} contains {', '.join(self.contains)}" if self.contains else f"{self.file} exists"


class RunCriterion(Frozen):
    """A command exits with status 0 in a clean sandbox, on a copy of the workspace."""

    run: str

    def __str__(self) -> str:
        return self.run


class JudgeCriterion(Frozen):
    """A model judges a statement about the files and quotes its evidence."""

    judge: str

    def __str__(self) -> str:
        return self.judge


class HumanCriterion(Frozen):
    """A person says whether a statement is true."""

    human: str

    def __str__(self) -> str:
        return self.human


Criterion = FileCriterion | RunCriterion | JudgeCriterion | HumanCriterion


def described(criterion: Criterion) -> str:
    """A criterion with its kind, for people who are asked to accept it: who will say that it holds."""
    match criterion:
        case FileCriterion():
            return f"the file {criterion}"
        case RunCriterion(run=command):
            return f"the command exits with 0: {command}"
        case JudgeCriterion(judge=text):
            return f"a model judges: {text}"
        case HumanCriterion(human=text):
            return f"you say so: {text}"


class Allow(Frozen):
    """The powers of a run; what isn't listed is denied without asking."""

    read: tuple[str, ...] = (".",)
    write: tuple[str, ...] = (".",)
    run: Literal["none", "sandbox"] = "none"
    web: tuple[str, ...] = ()
    """Hosts: `host`, `host:port`, `*.suffix` or `*`. Empty: no network."""
    send: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Plugin name -> destinations; an empty tuple lets the plugin ask for each destination."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """Name of a secret -> the one host that it may be sent to."""


class Limits(Frozen):
    """`0` means none at all, never unlimited."""

    usd: Decimal = Field(default=Decimal(3), ge=0, le=1_000_000)
    steps: int = Field(default=100, ge=0, le=1_000_000)
    """Replies of a worker model."""
    minutes: float = Field(default=60.0, ge=0, le=1_000_000)
    """Active time: waiting for a person does not count."""
    tokens: int = Field(default=1_000_000, ge=0, le=10_000_000_000)
    """Prompt and completion tokens together."""


class RoleModels(Frozen):
    """Which configured model plays which role; `None` leaves it to the settings."""

    planner: str | None = None
    worker: str | None = None
    judge: str | None = None


class SubTask(Frozen):
    """One piece of the plan."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    title: str
    instructions: str = ""
    depends_on: tuple[str, ...] = ()
    done_when: tuple[Criterion, ...] = ()


Absence = Literal["park", "skip", "stop"]


class Goal(Frozen):
    """Everything that a person says before a run."""

    goal: str
    done_when: tuple[Criterion, ...] = ()
    allow: Allow = Allow()
    private: tuple[str, ...] = ()
    """Paths whose content is private: after it was read next to outside text, ask before anything leaves."""
    yours: tuple[str, ...] = ()
    """Paths whose text you vouch for; all other files count as outside text."""
    protect: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    """Checkpoints: `plan`, `task`, `send`, `finish`, `spend:N%`, `every:N`."""
    never: tuple[str, ...] = ()
    limits: Limits = Limits()
    if_nobody_answers: Absence = "park"
    plugins: tuple[str, ...] | None = None
    """`None`: files, memory and what `allow` implies."""
    parallel: int = Field(default=1, ge=1, le=16)
    model: RoleModels = RoleModels()
    plan: tuple[SubTask, ...] = ()
    """Not empty: a fixed workflow, and no planner is called."""

    @staticmethod
    def load(path: str | Path) -> LoadedGoal:
        """The goal in a file or in a workspace folder, with the folder that it works in.

        Raises `GoalError` for everything that is wrong with it, with path and line.
        """
        from autoagent.goal.file import load  # the one look upwards: this is how people spell it

        return load(Path(path))

    @property
    def enabled_plugins(self) -> tuple[str, ...]:
        """The plugins of this goal; installed ones that aren't named are never imported."""
        if self.plugins is not None:
            return self.plugins
        implied = ["files", "memory"]
        if self.allow.run == "sandbox":
            implied.append("python")
        if self.allow.web:
            implied.append("web")
        return tuple(dict.fromkeys([*implied, *self.allow.send]))
