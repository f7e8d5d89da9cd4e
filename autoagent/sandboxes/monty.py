"""The sandbox for machines without Docker: a subset of Python, interpreted, in a worker process a job.

Owns what a job may reach and what is kept of it. Needs nothing but the `pydantic-monty` package; the host's
Python never runs a line of the guest's code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from autoagent.errors import ToolError
from autoagent.paths import MOUNT, workspace_path
from autoagent.ports import Abilities, CallTool, Job, JobResult, ScriptFunction, StopScript
from autoagent.sandboxes.monty_check import NeedsShell, PythonCommand, parse_command
from autoagent.sandboxes.monty_files import FileLimits, GuestFiles
from autoagent.sandboxes.monty_hints import NOTES, refused_check, refused_import, refused_syntax
from autoagent.sandboxes.monty_outcome import (
    Ended,
    Outcome,
    Program,
    WorkerDied,
    as_result,
    as_verdict,
    exited,
    refused,
)
from autoagent.sandboxes.monty_output import CutText
from autoagent.trees import WorkingCopy

if TYPE_CHECKING:
    from autoagent.sandboxes.monty_worker import Parser, Workers


@dataclass(frozen=True)
class MontyLimits:
    """What one job may use besides its time."""

    memory_bytes: int = 256 << 20
    """The interpreter's heap."""
    printed_bytes: int = 64 << 20
    """Who prints more is killed: nobody will read it, and it may never stop."""
    files: FileLimits = field(default_factory=FileLimits)


@dataclass(frozen=True)
class Tools:
    """The functions of a script, and who answers them."""

    functions: Sequence[ScriptFunction] = ()
    call: CallTool | None = None


class MontySandbox:
    """`ports.Sandbox` on pydantic-monty. Lanes share nothing and hold nothing, so closing one is free."""

    def __init__(self, limits: MontyLimits | None = None) -> None:
        self._limits = limits or MontyLimits()
        self._workers: Workers | None = None
        self._parser: Parser | None = None

    @property
    def abilities(self) -> Abilities:
        return Abilities("monty", python="subset", shell=False, notes=NOTES)

    async def run(
        self,
        lane: str,
        job: Job,
        files: WorkingCopy,
        functions: Sequence[ScriptFunction] = (),
        call_tool: CallTool | None = None,
    ) -> JobResult:
        began = time.monotonic()
        result = await self._run(job, files, Tools(functions, call_tool))
        return replace(result, seconds=time.monotonic() - began)

    def refuses(self, source: str, kind: Literal["python", "check"]) -> str | None:
        if kind == "python":
            return refused_import(source) or refused_syntax(self._parsing().error(source))
        try:
            command = parse_command(source)
        except NeedsShell as problem:
            return f"needs Docker: {problem}"
        return self._refuses_check(command, command.code)

    async def close_lane(self, lane: str) -> None:
        """Nothing to do: between jobs a lane holds neither a process nor a file."""

    async def close(self) -> None:
        parser, self._parser = self._parser, None
        workers, self._workers = self._workers, None
        if parser is not None:
            parser.close()
        if workers is not None:
            await workers.close()

    async def _run(self, job: Job, files: WorkingCopy, tools: Tools) -> JobResult:
        if job.kind == "shell":
            return refused("needs Docker: this sandbox has no shell, only a small Python subset")
        if job.kind == "check":
            return await self._check(job, WorkingCopy(files.tree(), files.objects))
        head = files.tree()
        kept = False
        try:
            program = Program(job.source, memory_bytes=self._limits.memory_bytes)
            result = as_result(await self._attempt(program, job, files, tools))
            kept = result.ok
        finally:  # whatever happened, a cancellation too
            if not kept:
                files.replace(head)
        return result

    async def _check(self, job: Job, files: WorkingCopy) -> JobResult:
        """A verdict on files that are thrown away."""
        try:
            command = parse_command(job.source)
            program = self._checking(command, files)
        except NeedsShell as problem:
            return refused(f"needs Docker: {problem}")
        except ToolError as problem:
            return exited(2, f"python: can't open file: [Errno 2] {problem}\n")
        if refusal := self._refuses_check(command, program.source):
            return refused(refusal)
        return as_verdict(await self._attempt(program, job, files, Tools()))

    def _checking(self, command: PythonCommand, files: WorkingCopy) -> Program:
        if command.file is None:
            return Program(command.code, "-c", self._limits.memory_bytes)
        source = files.read(workspace_path(command.file)).decode("utf-8", "replace")
        return Program(source, command.file, self._limits.memory_bytes)

    def _refuses_check(self, command: PythonCommand, source: str) -> str | None:
        is_nested = "/" in (command.file or "").removeprefix(f"{MOUNT}/")
        return refused_check(source, bool(command.args), is_nested) or self.refuses(source, "python")

    async def _attempt(self, program: Program, job: Job, copy: WorkingCopy, tools: Tools) -> Outcome:
        """Run a program; what it wrote is in `copy` when it ended well."""
        from autoagent.sandboxes.monty_run import Guest, run

        output = CutText(job.output_limit_bytes, self._limits.printed_bytes)
        files = GuestFiles(copy, self._limits.files)
        how: Ended | Literal["timeout", "killed", "stopped"]
        why = ""
        try:
            async with asyncio.timeout(job.timeout_s) as clock:
                call = None if tools.call is None else _outside_time(clock, files, tools.call)
                functions = {function.name: function for function in tools.functions}
                how = await run(self._working(), program, Guest(files, output, functions, call))
                files.flush()
        except TimeoutError:
            if not clock.expired():
                raise
            how, why = "timeout", f"it did not end within {job.timeout_s:g} s and was killed"
        except WorkerDied as error:
            how, why = "killed", str(error)
        except StopScript as stop:
            how, why = "stopped", f"the script was stopped ({stop})"
        return Outcome(program, how, output.text(), why)

    def _working(self) -> Workers:
        if self._workers is None:
            from autoagent.sandboxes.monty_worker import Workers

            self._workers = Workers()
        return self._workers

    def _parsing(self) -> Parser:
        if self._parser is None:
            from autoagent.sandboxes.monty_worker import Parser

            self._parser = Parser()
        return self._parser


def _outside_time(clock: asyncio.Timeout, files: GuestFiles, call_tool: CallTool) -> CallTool:
    """`call_tool` on the files as written so far, its time not counted as the script's."""
    loop = asyncio.get_running_loop()

    async def call(name: str, args: Mapping[str, object]) -> str:
        files.flush()
        left_s = (clock.when() or 0) - loop.time()
        clock.reschedule(None)
        try:
            return await call_tool(name, args)
        finally:
            clock.reschedule(loop.time() + left_s)

    return call
