"""Processes of their own that carry runs. They outlive whoever started them, and log into the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoagent.errors import StoreUnavailable
from autoagent.ids import new_id

if TYPE_CHECKING:
    from autoagent.wiring import Launch


@dataclass
class Detached:
    """A process that was started here, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path
    _from: int = 0
    """Where in the log its own words begin: an earlier process may have written there."""

    def said(self) -> str:
        """All that it has written so far."""
        with self.log.open("rb") as stream:
            stream.seek(self._from)
            return stream.read().decode("utf-8", "replace")

    def last_words(self) -> str:
        """The last line that is no record for programs."""
        said = [text for text in self.said().splitlines() if text.strip() and not text.startswith("{")]
        return said[-1].strip() if said else "it ended without a word"

    def launch(self) -> Launch | None:
        """The launch record, once the run has begun; from then on the log bears the run's name."""
        from autoagent.wiring import Launch

        for text in self.said().split("\n")[:-1]:  # whole lines
            if text.startswith('{"run":') and '"started_at"' in text:
                launch = Launch.model_validate_json(text)
                self.log = self.log.rename(self.log.with_name(f"{launch.run}.log"))
                return launch
        return None


def detach(home: Path, arguments: Sequence[str], run_id: str | None = None) -> Detached:
    """Start `autoagent` with these arguments, for a run that is there already or for a new one.

    Raises `StoreUnavailable` where the log can't be written, or no process be started.
    """
    folder = home / "logs"
    log = folder / f"{run_id or f'starting-{new_id()}'}.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                # -P: the current folder, which may be a workspace, is no place to import from
                [sys.executable, "-P", "-m", "autoagent", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={**os.environ, "AUTOAGENT_HOME": str(home)},
            )
            return Detached(process, log, stream.tell())
    except OSError as error:
        what = f"{folder}: no process could be started that logs there: {error.strerror}"
        raise StoreUnavailable(f"{what}; set AUTOAGENT_HOME") from error
