"""`export --recording`: what a run's models replied, in a file that `--recorded` plays."""

from __future__ import annotations

from pathlib import Path

from autoagent.cli.output import note
from autoagent.console.finding import find_run, opened, state_of
from autoagent.errors import UsageError
from autoagent.llm.recording import write_recording
from autoagent.llm.recording_of_run import recording_of_run


def keep(prefix: str, file: str) -> None:
    """Write a run's recording. Raises `UsageError` for an unknown run, a file that can't be written."""
    with opened() as journal:
        run = find_run(journal, prefix)
        state_of(journal, run)
        recording = recording_of_run(journal, run)
    try:
        write_recording(Path(file), recording.header, recording.replies)
    except OSError as error:
        raise UsageError(f"{file!r}: can't be written: {error.strerror}; name another file") from error
    note(f"{len(recording.replies)} replies of run {run} are in {file}")
