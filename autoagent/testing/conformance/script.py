"""What the checking process and the stage say to each other: JSON, a line a message."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from autoagent.messages import Frozen


class DeedSeen(Frozen):
    """Something that a tool did to its machine."""

    kind: Literal["writes", "reads", "connects", "starts", "changes", "prints"]
    what: str
    is_guarded: bool = False


class Order(Frozen):
    """Load a plugin, with all that it shall have."""

    do: Literal["open"] = "open"
    target: str
    """``module:attribute``, as an entry point says it."""
    settings: dict[str, JsonValue] | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    """The workspace: path -> bytes in base64."""
    web: tuple[str, ...] = ()
    """What the goal's `allow.web` names."""
    home: str
    """autoagent's own, with a folder for the plugin."""
    canary: str
    """A file of the host that no tool may open."""
    free: tuple[str, ...] = ()
    """Folders that may be written."""
    may_reach_all: bool = False


class ToolSeen(Frozen):
    """One tool, as far as the checks look at it."""

    name: str
    description: str
    parameters: dict[str, JsonValue]
    """JSON schema."""
    effect: str | None
    """`None`: by the arguments."""
    destination: bool
    """It declares one."""
    paths: tuple[str, ...]
    has_probe: bool
    has_key: bool
    is_opened: bool
    """It was found when the plugin was opened: its words are those of others."""
    timeout_s: float
    output_limit: int


class Opened(Frozen):
    """What was loaded; `problem` says why nothing was."""

    name: str = ""
    tools: tuple[ToolSeen, ...] = ()
    deeds: tuple[DeedSeen, ...] = ()
    """While it was imported."""
    problem: str = ""


class Calling(Frozen):
    """Call a tool, or its probe, or only say what a call would do."""

    do: Literal["call", "probe", "judge"]
    tool: str
    args: str
    """As JSON, which may hold what is no text: a lone surrogate."""
    key: str
    timeout_s: float
    cancel_after_s: float | None = None
    dies_at: int = 0
    """Kill the process when the tool is about to do its n-th deed to the world; 0: let it live."""


class Called(Frozen):
    """What became of it."""

    refused: str = ""
    """The arguments don't fit."""
    broken: str = ""
    """What the tool declares can't be computed for these arguments."""
    effect: str = ""
    destination: str | None = None
    ok: bool = False
    text: str = ""
    is_not_done: bool = False
    deeds: tuple[DeedSeen, ...] = ()
    changed: tuple[str, ...] = ()
    """Paths of the workspace."""
    seconds: float = 0
    """Until it ended; of a cancelled call, after that."""
    was_cancelled: bool = False
