"""A text in the editor of the person at this terminal: `$VISUAL`, `$EDITOR`, else vi."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoagent.errors import UsageError


def editor() -> str:
    """What the person edits with, as they say it."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


@contextmanager
def edited(text: str) -> Iterator[tuple[list[str], Path]]:
    """The command that edits a file with `text` in it, and the file; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="autoagent-") as folder:
        file = Path(folder) / "arguments.json"
        file.write_text(text, encoding="utf-8")
        yield [*shlex.split(editor()), str(file)], file


def result(file: Path) -> str:
    """What the person made of it."""
    return file.read_text(encoding="utf-8", errors="replace")


def in_editor(text: str) -> str:
    """What the person makes of `text`, who has the whole terminal meanwhile. Raises `UsageError`."""
    with edited(text) as (command, file):
        try:
            subprocess.run(command, check=False)
        except OSError as error:
            raise UsageError(f"{editor()!r} can't be started ({error.strerror}); set EDITOR") from error
        return result(file)
