"""Starts processes that carry runs; they outlive this screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from autoagent.console.editing import in_front
from autoagent.detached import Detached, detach

_FAILED = (2, 5)
"""Exit codes of what could not be carried: the goal or call is wrong, or something could not be had."""


class Carrier(Protocol):
    """Gets runs carried by somebody else than this process."""

    def resume(self, run_id: str) -> Path:
        """Go on with a run; the log that says how it went. Raises `StoreUnavailable`."""
        ...

    def start(self, target: Path, recorded: Path | None = None) -> Path:
        """Begin a run in a folder, or of a goal file, perhaps with recorded replies; its log.

        Raises `StoreUnavailable`.
        """
        ...

    def begun(self) -> Sequence[str]:
        """The runs that began here since this was asked last."""
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
        self.at_work: list[Detached] = []
        """Those that weren't seen to end yet."""
        self._beginning: list[Detached] = []

    def resume(self, run_id: str) -> Path:
        carried = detach(self._home, ["resume", "--json", "--", run_id], run_id)
        self.at_work.append(carried)
        return carried.log

    def start(self, target: Path, recorded: Path | None = None) -> Path:
        replies = [] if recorded is None else [f"--recorded={recorded}"]
        carried = detach(self._home, ["run", "--json", *replies, "--", str(target)])
        self.at_work.append(carried)
        self._beginning.append(carried)
        return carried.log

    def begun(self) -> Sequence[str]:
        over = [each for each in self._beginning if each.process.poll() is not None]
        runs = [(each, launch.run) for each in self._beginning if (launch := each.launch()) is not None]
        heard = [*over, *(each for each, _ in runs)]
        self._beginning = [each for each in self._beginning if each not in heard]
        return [run for _, run in runs]

    def failures(self) -> Sequence[str]:
        over = [each for each in self.at_work if each.process.poll() is not None]
        self.at_work = [each for each in self.at_work if each not in over]
        return [f"{each.last_words()} · {each.log}" for each in over if _has_failed(each)]

    def console(self, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-P", "-m", "autoagent", *arguments]
        in_front(command, {**os.environ, "AUTOAGENT_HOME": str(self._home)})
        with suppress(EOFError):  # ^D goes back too
            input("enter goes back to the cockpit › ")


def _has_failed(ended: Detached) -> bool:
    """Whether the journal tells less than its last words: no run began, or something could not be had."""
    status = ended.process.returncode
    return status in _FAILED or (status != 0 and ended.launch() is None)
