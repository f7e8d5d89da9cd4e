"""Where untrusted code runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from autoagent.trees import WorkingCopy


@dataclass(frozen=True)
class Abilities:
    """What a sandbox can run; tools, prompts and criteria follow it."""

    name: str
    """`docker`, `monty`."""
    python: Literal["full", "subset"]
    shell: bool
    packages: tuple[str, ...] = ()
    """Importable besides the standard library."""
    notes: str = ""
    """For the prompt: what is missing, in a sentence or two."""


@dataclass(frozen=True)
class Job:
    """One fresh process."""

    kind: Literal["python", "shell", "script", "check"]
    """`check` is a command line whose exit status is a verdict; its files are thrown away."""
    source: str
    timeout_s: float = 60
    output_limit_bytes: int = 64_000


CallTool = Callable[[str, Mapping[str, object]], Awaitable[str]]
"""(tool name, arguments) -> observation, for the functions that a script sees. A `ToolError` that it raises
becomes an exception in the script; a `StopScript` ends the script at once."""


class StopScript(Exception):
    """Raised by a `CallTool`: the script must end now, nothing of it is kept."""


@dataclass(frozen=True)
class ScriptFunction:
    """A tool as a function inside a script: parameters in order, for positional calls."""

    name: str
    parameters: tuple[str, ...]
    doc: str = ""


@dataclass(frozen=True)
class JobResult:
    """How a job ended. `ok` means: it ended by itself and its files are in the working copy."""

    ok: bool
    output: str
    """stdout and stderr as they came, cut in the middle at the limit."""
    ended: Literal["exit", "error", "timeout", "killed", "stopped", "files"]
    """`error`: an uncaught exception. `files`: what it left can't be taken (too large, odd kinds)."""
    exit_code: int | None = None
    images: tuple[bytes, ...] = ()
    """Figures that the code drew, PNG."""
    seconds: float = 0
    problem: str = ""
    """Why `ok` is false, in a sentence for the model; says that nothing was changed."""


class Sandbox(Protocol):
    """Runs untrusted code on a working copy: no network, no host files, fresh process each time.

    When a job ends well its changed files are applied to `files`; otherwise `files` is untouched. A shell
    command's non-zero exit is a result and keeps its files. Raises `SandboxUnavailable`; never runs
    elsewhere.
    """

    @property
    def abilities(self) -> Abilities: ...

    async def run(
        self,
        lane: str,
        job: Job,
        files: WorkingCopy,
        functions: Sequence[ScriptFunction] = (),
        call_tool: CallTool | None = None,
    ) -> JobResult:
        """Run `job` in `lane`'s container.

        While a script waits for `call_tool`, `files` shows what the script has written so far, and the script
        sees what `call_tool` wrote. Cancelling kills the job.
        """
        ...

    def refuses(self, source: str, kind: Literal["python", "check"]) -> str | None:
        """Why this sandbox can't run the source at all ("needs Docker: …"); `None` if it seems to."""
        ...

    async def close_lane(self, lane: str) -> None: ...

    async def close(self) -> None: ...
