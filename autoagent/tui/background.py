"""Starts processes that carry runs; they outlive this screen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from autoagent.errors import StoreUnavailable
from autoagent.ids import new_id

_FAILED = (2, 5)
"""Exit codes of what could not be carried: the goal or call is wrong, or something could not be had."""


class Carrier(Protocol):
    """Gets runs carried by somebody else than this process."""

    def resume(self, run_id: str) -> Path:
        """Go on with a run; the log that says how it went. Raises `StoreUnavailable`."""
        ...

    def start(self, target: Path) -> Path:
        """Begin a run in a folder, or of a goal file; its log. Raises `StoreUnavailable`."""
        ...

    def failures(self) -> Sequence[str]:
        """What kept those from working that were started here and have failed since this was asked last."""
        ...

    def console(self, arguments: Sequence[str]) -> None:
        """A command of autoagent at this terminal, until it ends and the person has read it."""
        ...


class Background:
    """Carries runs in processes of their own, each with a log in the home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def resume(self, run_id: str) -> Path:
        return self._start(run_id, ["resume", "--json", "--", run_id])

    def start(self, target: Path) -> Path:
        return self._start(f"starting-{new_id()}", ["run", "--json", "--", str(target)])

    def failures(self) -> Sequence[str]:
        over = [each for each in self._started if each[0].poll() is not None]
        self._started = [each for each in self._started if each not in over]
        return [_last_words(log) for process, log in over if process.returncode in _FAILED]

    def console(self, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-P", "-m", "autoagent", *arguments]
        subprocess.run(command, env={**os.environ, "AUTOAGENT_HOME": str(self._home)}, check=False)
        input("enter goes back to the cockpit › ")

    def _start(self, name: str, arguments: Sequence[str]) -> Path:
        folder = self._home / "logs"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            log = folder / f"{name}.log"
            with log.open("ab") as stream:
                process = subprocess.Popen(
                    # -P: the current folder, which may be a workspace, is no place to import from
                    [sys.executable, "-P", "-m", "autoagent", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    start_new_session=True,
                    env={**os.environ, "AUTOAGENT_HOME": str(self._home)},
                )
        except OSError as error:
            raise StoreUnavailable(f"{folder}: no process could be started: {error.strerror}") from error
        self._started.append((process, log))
        return log


def _last_words(log: Path) -> str:
    """The last line of a log that is no record, and where the rest is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.strip() and not line.startswith("{")]
    return f"{said[-1].strip() if said else 'it ended without a word'} · {log}"
