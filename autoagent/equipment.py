"""What a process carries a run with, besides goal, folder and plugins: as it stands in the record. Pure data.

A replay gives the loop the same again, so that what it then does otherwise is the program's doing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from autoagent.messages import Frozen


class ModelEquipment(Frozen):
    """A model as the loop knows it."""

    name: str
    prompt_usd: Decimal = Decimal(0)
    """US dollars for a million tokens."""
    completion_usd: Decimal = Decimal(0)
    server: str = ""
    """The address that it is asked at, without user or query; empty where it has none, or nobody said."""


class SandboxEquipment(Frozen):
    """A sandbox as prompts and tools know it."""

    name: str
    python: Literal["full", "subset"] = "full"
    shell: bool = True
    packages: tuple[str, ...] = ()
    notes: str = ""


class Equipment(Frozen):
    """Models and sandbox of one owner of the run."""

    worker: ModelEquipment
    planner: ModelEquipment | None = None
    """`None`: the worker plays this role too."""
    judge: ModelEquipment | None = None
    stronger: ModelEquipment | None = None
    """`None`: there is none."""
    style: Literal["tools", "code"] = "tools"
    context_tokens: int = Field(ge=0)
    sandbox: SandboxEquipment | None = None
    recording: str = ""
    """Where the replies come from, where no model is called: a recording's file, absolute, or a run."""
    recording_sha256: str = ""
    """Of that file as it was."""
