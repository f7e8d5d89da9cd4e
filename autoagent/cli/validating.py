"""`validate`: a goal said back, or what is wrong with it. Spawns nothing, imports no plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from autoagent.cli.output import note, out
from autoagent.errors import UsageError
from autoagent.goal.english import explain
from autoagent.goal.file import load
from autoagent.journal.home import home
from autoagent.plugin_host.installed import missing
from autoagent.settings import load as load_settings


def validate(path: str) -> int:
    """Raises `GoalError` with file and line."""
    loaded = load(Path(path))
    out(*explain(loaded.goal).split("\n"))
    note(*(f"note: {said}" for said in (*loaded.notes, *missing(loaded.goal.enabled_plugins), *_settings())))
    return 0


def _settings() -> Iterator[str]:
    """What config.toml adds to every run, and what is wrong with that."""
    try:
        settings = load_settings(home(), os.environ)
    except UsageError as error:
        yield f"no run can begin: {error}"
        return
    if names := settings.every_run.plugins:
        yield f"{settings.path} enables in every run: {', '.join(names)}"
        yield from missing(names, f"{settings.path}: [every_run] names")
