"""A text in the editor of the person at this terminal: `$VISUAL`, `$EDITOR`, else vi."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from autoagent.errors import UsageError


def editor() -> str:
    """What the person edits with, as they say it."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


@contextmanager
def edited(text: str) -> Iterator[tuple[list[str], Path]]:
    """The command that edits a file with `text` in it, and the file; gone afterwards.

    Raises `UsageError` where `$EDITOR` is no command.
    """
    try:
        command = shlex.split(editor())
    except ValueError as error:
        raise UsageError(f"{editor()!r} is no command ({error}); set EDITOR") from error
    with tempfile.TemporaryDirectory(prefix="autoagent-") as folder:
        file = Path(folder) / "arguments.txt"
        file.write_text(text, encoding="utf-8")
        yield [*command, str(file)], file


def result(file: Path) -> str:
    """What the person made of it. Raises `UsageError` where the editor took the file away."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{editor()!r} left no file to read ({error.strerror}); set EDITOR") from error


def in_front(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a program that has the terminal until it ends: ^C is for it, not for this process.

    Raises `OSError` where it can't be started.
    """
    # not SIG_IGN, which the program would inherit
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        subprocess.run(command, check=False, env=environment)
    finally:
        signal.signal(signal.SIGINT, before)


def in_editor(text: str) -> str:
    """What the person makes of `text`, who has the whole terminal meanwhile. Raises `UsageError`."""
    with edited(text) as (command, file):
        try:
            in_front(command)
        except OSError as error:
            raise UsageError(f"{editor()!r} can't be started ({error.strerror}); set EDITOR") from error
        return result(file)
