"""Terminals as one has them over SSH: panes of a tmux server of the test's own, 80 × 24, no true colour."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_runs import WITHIN_S, Cli
from npm_peers import IS_REQUIRED


@dataclass(frozen=True)
class Pane:
    """One terminal, with a command in it."""

    socket: Path
    name: str

    def press(self, *keys: str) -> None:
        """Keys as tmux names them; other texts are typed."""
        tmux(self.socket, "send-keys", "-t", self.name, *keys)

    @property
    def screen(self) -> str:
        """What it shows."""
        return tmux(self.socket, "capture-pane", "-p", "-t", self.name)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal its command, as no terminal does: end it at once."""
        shell = tmux(self.socket, "display-message", "-p", "-t", self.name, "#{pane_pid}").strip()
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        os.kill(int(child), number)

    async def until(self, *texts: str, pressing: str = "") -> None:
        """Wait until it shows all `texts`; `pressing` a key now and then, where one may come too early."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not all(text in self.screen for text in texts):
                    if pressing:
                        self.press(pressing)
                    await asyncio.sleep(1 if pressing else 0.1)
        except TimeoutError:
            pytest.fail(f"{texts} never stood on this screen:\n{self.screen}")

    async def end(self) -> int:
        """The exit status of its command; 128 and the number of the signal that ended it."""
        await self.until("exit status ")
        return int(self.screen.partition("exit status ")[2].split()[0])


@dataclass
class Tmux:
    """A tmux server, and the commands that are started in it."""

    socket: Path
    cli: Cli

    def run(self, name: str, *arguments: str | Path) -> Pane:
        """`autoagent ARGUMENTS` in a terminal of its own."""
        env = self.cli.env({"TERM": "xterm", "LANG": "C.UTF-8"})
        given = [f"{key}={value}" for key, value in env.items() if key not in ("COLORTERM", "TMUX")]
        # tmux 3.3 doesn't always learn of a child's end: the shell says it, beside what a killed one has left
        command = (
            f"{shlex.join(['env', '-i', *given, *self.cli.command(arguments)])}; echo exit status $? ' '; cat"
        )
        first = ["-f", "/dev/null", "start-server", ";", "set", "-g", "default-terminal", "xterm", ";"]
        size = ["-x", "80", "-y", "24", "-c", str(self.cli.cwd)]
        tmux(self.socket, *first, "new-session", "-d", "-s", name, *size, command)
        return Pane(self.socket, name)


def tmux(socket: Path, *arguments: str) -> str:
    env = {**os.environ, "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["tmux", "-u", "-S", str(socket), *arguments], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def terminals(cli: Cli, folder: Path) -> Iterator[Tmux]:
    """A tmux server, and its end."""
    if shutil.which("tmux") is None:
        why = "needs tmux: apt-get install tmux"
        assert not IS_REQUIRED, why
        pytest.skip(why)
    socket = folder / "tmux"
    try:
        yield Tmux(socket, cli)
    finally:
        subprocess.run(["tmux", "-S", str(socket), "kill-server"], capture_output=True)
