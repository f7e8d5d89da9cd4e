"""Where autoagent keeps its state. Owns the name of that folder; never creates it."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "AUTOAGENT_HOME"


def home() -> Path:
    """The folder of the journal, objects, memory, grants and logs, absolute.

    `AUTOAGENT_HOME` where it is set and not empty, else this platform's data folder of the user.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("autoagent", appauthor=False)
