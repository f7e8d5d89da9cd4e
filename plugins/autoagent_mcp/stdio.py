"""A server that is a program of this machine: started, spoken to in lines, ended with all that it started.

It gets a short list of variables and those that the settings name. What it says on stderr goes to a log of
its own; a line that is too long ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 16 << 20
"""Bytes of one message."""
_LONGEST_LOG = 1 << 20
_USUAL = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR")
_GRACE_S = 1.0
"""Between the end of its input, a polite signal and the last one."""


class TooLong(Exception):
    """A line has more bytes than a message may have."""


def environment(named: Mapping[str, str]) -> dict[str, str]:
    """What a server is told of this machine, besides the variables that the settings name."""
    usual = {k: v for k, v in os.environ.items() if k in _USUAL or k.startswith("LC_")}
    return usual | dict(named)


class Program:
    """A running server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def lines(self) -> AsyncIterator[bytes]:
        """What it says, line by line, until it says no more. Raises `TooLong`."""
        assert self._process.stdout is not None
        while True:
            try:
                yield await self._process.stdout.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                self._signal(signal.SIGKILL)  # it is still writing, and would heed nothing
                raise TooLong(f"it sent a message of more than {LONGEST_LINE >> 20} MiB") from None

    async def say(self, line: bytes) -> None:
        """Raises `OSError` where it doesn't listen any more."""
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        await self._process.stdin.drain()

    async def how_it_ended(self) -> str:
        """In words, once it has said its last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        status = self._process.returncode
        if status is None:
            return "it closed its output"
        return f"it ended with status {status}" if status >= 0 else f"it was ended by signal {-status}"

    async def end(self) -> None:
        """Close its input, then ask it to end, then end it; and whatever it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        for number in (None, signal.SIGTERM):
            if number is not None:
                self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_S):
                    await self._process.wait()
                    break
        self._signal(signal.SIGKILL)  # its children too, where it has left any
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # all of its group have ended
            os.killpg(self._process.pid, number)


@asynccontextmanager
async def started(
    command: Sequence[str],
    variables: Mapping[str, str],
    folder: Path,
    log: Path,
    masked: Callable[[str], str],
) -> AsyncIterator[Program]:
    """The program, in a session of its own, with `folder` as its working folder. Raises `OSError`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(variables),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    program = Program(process)
    assert process.stderr is not None
    with log.open("wb") as file:
        logging = asyncio.create_task(_kept(process.stderr, file, masked))
        try:
            yield program
        finally:
            await asyncio.shield(program.end())
            logging.cancel()
            await asyncio.gather(logging, return_exceptions=True)
            # the pipes of a child that survived would else be warned about
            process._transport.close()  # type: ignore[attr-defined]


async def _kept(stream: asyncio.StreamReader, file: BinaryIO, masked: Callable[[str], str]) -> None:
    """Write what a server says besides, up to a limit, and read on."""
    left = _LONGEST_LOG
    while piece := await stream.read(1 << 16):
        if left > 0:
            text = masked(piece.decode(errors="replace")).encode()
            file.write(text[:left])
            file.flush()
            left -= len(text)
