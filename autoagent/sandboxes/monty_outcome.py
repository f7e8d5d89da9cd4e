"""What a worker is given, how it ended, and how that is told: pure values, no interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoagent.ports import JobResult
from autoagent.sandboxes.monty_hints import hint

MOST_FRAMES = 8
"""A traceback shows this many of the program's lines, from its two ends."""


@dataclass(frozen=True)
class Program:
    """What a worker runs."""

    source: str
    name: str = "main.py"
    """How tracebacks call it."""
    memory_bytes: int = 256 << 20


@dataclass(frozen=True)
class Frame:
    """A line of the program that an error passed through."""

    line: int
    function: str | None


@dataclass(frozen=True)
class Ended:
    """How a program ended by itself."""

    error: str = ""
    """`Type: message` of an uncaught exception; empty where it ran to its end or exited."""
    frames: tuple[Frame, ...] = ()
    """The program's own, outermost first."""
    exit_code: int = 0
    """1 for an uncaught exception."""


class WorkerDied(Exception):
    """The worker process is gone: the interpreter crashed, or someone killed it."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt to run a program went."""

    program: Program
    how: Ended | Literal["timeout", "killed", "stopped"]
    output: str
    why: str = ""
    """For `timeout`, `killed` and `stopped`."""


def as_result(outcome: Outcome) -> JobResult:
    """The end of a `python` or `script` job. Whoever reads a failure reads that nothing was changed."""
    match outcome.how:
        case Ended(error="", exit_code=0):
            return JobResult(True, outcome.output, "exit", 0)
        case Ended(error="", exit_code=code):
            return _failed(outcome.output, "error", f"the code ended with exit status {code}", code)
        case Ended() as ended:
            output = _joined(outcome.output, traceback(ended, outcome.program))
            return _failed(output, "error", _summary(ended, outcome.program), 1, after=hint(ended.error))
        case how:
            return _failed(outcome.output, how, outcome.why)


def as_verdict(outcome: Outcome) -> JobResult:
    """The end of a `check`: an exit status, but none where memory or the subset was too small for it."""
    match outcome.how:
        case Ended(error="", exit_code=code):
            return exited(code, outcome.output)
        case Ended(error=error) as ended:
            output = _joined(outcome.output, traceback(ended, outcome.program))
            if error.startswith("MemoryError"):
                return _failed(output, "killed", "the check ran out of memory")
            return (
                refused(f"needs Docker: {lacking}", output) if (lacking := hint(error)) else exited(1, output)
            )
        case how:
            return _failed(outcome.output, how, outcome.why)


def refused(why: str, output: str = "") -> JobResult:
    """The job wasn't run, or its end says nothing; `why` begins with "needs Docker"."""
    return _failed(output, "error", why)


def exited(code: int, output: str) -> JobResult:
    """A verdict."""
    return JobResult(True, output, "exit", code)


def traceback(ended: Ended, program: Program) -> str:
    """As CPython prints it, with the program's own lines."""
    lines = program.source.splitlines()
    text = "Traceback (most recent call last):\n" if ended.frames else ""
    for frame in _ends(ended.frames):
        if frame is None:
            text += f"  ... {len(ended.frames) - MOST_FRAMES} more\n"
            continue
        where = f", in {frame.function}" if frame.function else ""
        text += f'  File "{program.name}", line {frame.line}{where}\n    {_line(lines, frame.line)}\n'
    return f"{text}{ended.error}\n"


def _ends(frames: tuple[Frame, ...]) -> tuple[Frame | None, ...]:
    """The first and last frames, `None` for those between."""
    if len(frames) <= MOST_FRAMES:
        return frames
    half = MOST_FRAMES // 2
    return (*frames[:half], None, *frames[-half:])


def _summary(ended: Ended, program: Program) -> str:
    first = ended.error.splitlines()[0]
    if not ended.frames:
        return first
    line = ended.frames[-1].line
    return f"{first} (line {line}: {_line(program.source.splitlines(), line)})"


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def _joined(output: str, trace: str) -> str:
    return f"{output}\n{trace}" if output and not output.endswith("\n") else output + trace


def _failed(
    output: str,
    ended: Literal["error", "timeout", "killed", "stopped"],
    why: str,
    exit_code: int | None = None,
    after: str = "",
) -> JobResult:
    problem = f"{why}; nothing was changed" + (f". {after[0].upper()}{after[1:]}." if after else "")
    return JobResult(False, output, ended, exit_code, problem=problem)
