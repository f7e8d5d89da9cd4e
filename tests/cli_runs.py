"""The command line as a person has it: a process, a home and a folder of its own, maybe a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn

WITHIN_S = 60.0
"""Far more than anything here takes; a hang fails instead of blocking."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def records(self) -> list[dict[str, Any]]:
        """stdout as JSON lines."""
        return [json.loads(text) for text in self.out.splitlines()]


@dataclass
class Cli:
    """Runs `python -m autoagent` with a home of its own, in a folder of its own."""

    home: Path
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def __call__(self, *arguments: str | Path, status: int | None = 0) -> Done:
        """What the command printed; its exit status is as expected."""
        process = await self.start(*arguments)
        done = await finished(process)
        if status is not None:
            assert done.status == status, done
        return done

    async def start(
        self, *arguments: str | Path, stdout: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """The command, under way, with nothing to read."""
        return await asyncio.create_subprocess_exec(
            *self.command(arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.cwd,
            env=self.env(),
        )

    def command(self, arguments: Sequence[str | Path]) -> list[str]:
        return [sys.executable, "-m", "autoagent", *map(str, arguments)]

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """This process's, without what would choose a model or a home."""
        # without compiled modules each process costs half a second more
        dropped = ("OPENAI_", "AUTOAGENT_", "PYTHONDONTWRITEBYTECODE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        return {**kept, "AUTOAGENT_HOME": str(self.home), **self.environment, **(more or {})}

    def workspace(self, goal: str, name: str = "work") -> Path:
        """A folder with this goal.yaml."""
        folder = self.cwd / name
        folder.mkdir()
        (folder / "goal.yaml").write_text(goal, encoding="utf-8")
        return folder


async def finished(process: asyncio.subprocess.Process) -> Done:
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode is not None
    return Done(process.returncode, (out or b"").decode(), (err or b"").decode())


@contextlib.asynccontextmanager
async def served(cli: Cli, *turns: ServedTurn) -> AsyncIterator[ScriptedServer]:
    """A model for the commands of `cli`. A command that is started again finds its place."""
    async with ScriptedServer(turns, same_again=True) as server:
        cli.environment |= {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_MODEL": "scripted",
            "OPENAI_API_KEY": "none",
        }
        yield server


def calls(name: str, text: str = "", **arguments: Any) -> ServedTurn:
    """A worker's reply that calls one tool."""
    return ServedTurn(role="worker", text=text, calls=(ServedCall(name=name, arguments=arguments),))


def plans(*titles: str) -> ServedTurn:
    """A planner's reply: sub-tasks one after the other."""
    sub_tasks = [
        {"id": str(n), "title": title, "instructions": title, "depends_on": [str(n - 1)] if n > 1 else []}
        for n, title in enumerate(titles, 1)
    ]
    call = ServedCall(name="propose_plan", arguments={"sub_tasks": sub_tasks})
    return ServedTurn(role="planner", calls=(call,))


def _at_a_terminal() -> None:
    """In the child: a terminal of its own, and ^C as there, also where the tests run in the background."""
    os.login_tty(0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A command on a terminal of its own: what it shows, and a keyboard."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @classmethod
    async def start(cls, cli: Cli, *arguments: str | Path, **environment: str) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        try:
            process = await asyncio.create_subprocess_exec(
                *cli.command(arguments),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=cli.cwd,
                env=cli.env({"TERM": "xterm", **environment}),
                preexec_fn=_at_a_terminal,
            )
        finally:
            os.close(slave)
        return cls(process, master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the last process on the terminal has ended
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        self._news.set()

    async def until(self, text: str, times: int = 1) -> None:
        """Wait until `text` was shown so many times."""
        async with asyncio.timeout(WITHIN_S):
            while self.shown.count(text) < times:
                self._news.clear()
                await self._news.wait()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def press(self, number: signal.Signals) -> None:
        """^C and its like, as the terminal sends them."""
        keys = {signal.SIGINT: b"\x03"}
        os.write(self._master, keys[number])

    async def end(self) -> int:
        """The exit status."""
        status = await asyncio.wait_for(self.process.wait(), WITHIN_S)
        await asyncio.sleep(0.05)  # what it printed last is on its way
        with contextlib.suppress(ValueError):
            asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        return status

    @property
    def lines(self) -> list[str]:
        """What was shown, without colours and without the live line's repaints."""
        plain = _without_colours(self.shown)
        return [text.rpartition("\r\x1b[K")[2] for text in plain.split("\n")]


def _without_colours(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
