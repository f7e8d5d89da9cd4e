"""Folders that a run is given empty."""

from __future__ import annotations

from pathlib import Path

from autoagent.errors import UsageError


def empty_folder(folder: Path) -> None:
    """Make it, in a folder that is there, or take it as it is where it holds nothing.

    Raises `UsageError`.
    """
    try:
        folder.mkdir(exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"the folder {str(folder)!r} can't be made: {error.strerror}") from None
    if not is_empty:
        raise UsageError(f"the folder {str(folder)!r} holds something; name a new one, or an empty one")
