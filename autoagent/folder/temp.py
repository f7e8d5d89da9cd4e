"""Names of our own temporary files in the user's folder: made by a projection, gone when it ends.

A killed projection leaves some behind; a scan leaves them out, and the next projection removes them.
"""

from __future__ import annotations

import os
import re
import secrets

_NAME = re.compile(r"\.autoagent-tmp-[0-9a-f]{16}")


def new_temp() -> str:
    return f".autoagent-tmp-{secrets.token_hex(8)}"


def is_temp(name: str) -> bool:
    return name.startswith(".autoagent-tmp-") and _NAME.fullmatch(name) is not None


def remove_temps(folder: int) -> None:
    """Remove what is left in a folder, given its descriptor."""
    for name in os.listdir(folder):
        if is_temp(name):
            remove_temp(folder, name)


def remove_temp(folder: int, name: str) -> None:
    """Remove one, whatever it is (a folder among them is always empty)."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # Linux says the one, macOS the other
        os.rmdir(name, dir_fd=folder)
