"""Python and shell in the sandbox."""

from __future__ import annotations

from autoagent.door.tools import Plugin, ToolContext, ToolError, observation, tool
from autoagent.ports import Job, JobResult

_TIMEOUT_S = 120.0


@tool(effect="write", runs_code=True, timeout_s=_TIMEOUT_S + 30)
async def python_run(ctx: ToolContext, code: str) -> str:
    """Run Python in a fresh process in the workspace and return what it prints.

    No variable outlives a call; files do. An uncaught exception undoes the call's file changes.

    Args:
        code: A whole script. Print what you need to see.
    """
    return _observed(await _run(ctx, Job("python", code, _TIMEOUT_S)))


@tool(effect="write", runs_code=True, timeout_s=_TIMEOUT_S + 30)
async def shell_run(ctx: ToolContext, command: str) -> str:
    """Run a shell command in the workspace and return its output and exit status.

    Args:
        command: Given to the shell as it is. No network.
    """
    return _observed(await _run(ctx, Job("shell", command, _TIMEOUT_S)))


async def _run(ctx: ToolContext, job: Job) -> JobResult:
    if ctx.run_job is None:
        raise ToolError("the goal lets nothing run (allow: run: none)")
    return await ctx.run_job(job)


def _observed(result: JobResult) -> str:
    text = observation(result)
    if not result.ok:
        raise ToolError(text)
    return text


plugin = Plugin("python", [python_run, shell_run])
