"""What a plugin's code is given: a tool in each call, a plugin while it is open.

There is nothing else: no path of the host but the plugin's own folder, no model, no journal.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import BaseModel, SecretStr

from autoagent.door.offline import NO_HTTP
from autoagent.door.parameters import WorkspaceFile
from autoagent.errors import NotDone, ToolError
from autoagent.events import Effect, Label
from autoagent.goal import Goal
from autoagent.messages import Frozen
from autoagent.ports import Http, Job, JobResult, Memory, Passages
from autoagent.trees import Tree, TreeEntry, WorkingCopy

if TYPE_CHECKING:
    from autoagent.door.providers import Searcher
    from autoagent.door.tools import Tool


class Observation(Frozen):
    """What a tool returns when plain text isn't enough."""

    text: str
    labels: tuple[Label, ...] = ()
    """`outside` where the text comes from neither the person nor the agent."""
    paths: tuple[str, ...] | None = None
    """The workspace files that the text was taken from, where these aren't all that the arguments name: the
    call's labels follow them. `None`: every file at and beneath its paths.
    """


class FilesView:
    """A read-only view of a lane's files."""

    def __init__(self, copy: WorkingCopy) -> None:
        self._copy = copy

    def stat(self, path: str) -> TreeEntry | None:
        """The entry of `path`, `None` where there is nothing."""
        return self._copy.stat(path)

    def paths(self) -> Iterator[str]:
        """All paths, sorted, folders too."""
        return self._copy.paths()

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a regular file. Raises `ToolError`."""
        return self._copy.read(path, offset, size)

    def tree(self) -> Tree:
        """The files as a value."""
        return self._copy.tree()


class OfPlugin:
    """What a tool and its plugin have in common."""

    secrets: Mapping[str, SecretStr]
    home: Path | None

    def secret(self, variable: str) -> str:
        """A secret that the plugin's settings name, or that the goal binds to the host of this call.

        Raises `NotDone` where it isn't set, or isn't for this call.
        """
        if variable not in self.secrets:
            raise NotDone(
                f"the variable {variable} isn't set, and the goal binds no secret of that name to the host "
                "of this call"
            )
        return self.secrets[variable].get_secret_value()

    @property
    def folder(self) -> Path:
        """The plugin's own folder: caches, indexes. Made when it is asked for; no run writes there."""
        if self.home is None:
            raise ToolError("this plugin has no folder here")
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.home


@dataclass(frozen=True)
class ToolContext(OfPlugin):
    """What a tool may use."""

    run_id: str
    call_id: str
    lane: str
    key: str
    """Idempotency key: the same at every try of this call."""
    effect: Effect
    working_copy: WorkingCopy
    run_job: Callable[[Job], Awaitable[JobResult]] | None = None
    """Runs code in the sandbox on this call's working copy; `None` where the goal lets nothing run."""
    memory: Memory | None = None
    passages: Passages | None = None
    """The plugin's own index of texts, shared by all runs of this home: a cache. `None`: there is none."""
    goal: str = ""
    labels: tuple[str, ...] = ()
    """What the run has read so far: `outside`, `private`."""
    began_at: datetime | None = None
    """When an external call was first started: the same at every try; `None` for other effects."""
    settings: BaseModel | None = None
    """The plugin's, as config.toml has them: a value of `Plugin.settings`."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, for the variables that the plugin's settings name, and for what the goal binds to
    the host of this call: these `http` attaches by itself."""
    http: Http = NO_HTTP
    """The way out. It leads to the goal's web hosts for a read that has a destination, to the provider for a
    search, to the host of its destination for an external call; and to nobody else."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("autoagent.plugins"))
    home: Path | None = None
    """See `folder`."""
    searchers: Mapping[str, Searcher] = field(default_factory=dict)
    """Plugin -> what it searches with; of a tool that declares `SearchedAt` with plugins."""

    @property
    def files(self) -> FilesView:
        """The lane's files, to read."""
        return FilesView(self.working_copy)

    @property
    def staging(self) -> WorkingCopy:
        """The files, to change; the changes are kept when the tool returns, dropped when it raises."""
        if self.effect != "write":
            raise ToolError(f"this tool declares effect={self.effect!r} and may not change files")
        return self.working_copy

    def read_file(self, file: WorkspaceFile) -> bytes:
        """The bytes that were fixed when the call was decided."""
        return self.working_copy.objects.get(file.sha256)

    def open_file(self, file: WorkspaceFile) -> BinaryIO:
        """As `read_file`, to be read piece by piece: a file may be larger than memory. Close it."""
        return self.working_copy.objects.open(file.sha256)


def _nobody_hears(tools: Sequence[Tool]) -> None:
    """The plugin is opened by hand, as in a test."""


@dataclass(frozen=True)
class PluginContext(OfPlugin):
    """What a plugin may use from when it is opened until it is closed: as long as a run is carried."""

    goal: Goal
    inputs: FilesView
    """The workspace as it is when the run is carried, as far as the goal lets it be read."""
    settings: BaseModel | None = None
    """The plugin's, as config.toml has them: a value of `Plugin.settings`."""
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, for the variables that the plugin's settings name."""
    http: Http = NO_HTTP
    """The way out, to the goal's web hosts and to the hosts of the URLs in the plugin's settings."""
    changed: Callable[[Sequence[Tool]], None] = _nobody_hears
    """To be called, from any thread, when the plugin's opened tools have become others: with all of them.

    Open questions about its calls are void then, and a call of a tool that differs asks a person first,
    who is shown the difference.
    """
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("autoagent.plugins"))
    home: Path | None = None
    """See `folder`."""
