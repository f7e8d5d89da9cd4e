"""`validate`: a goal said back, or what is wrong with it. Spawns nothing, imports no plugin."""

from __future__ import annotations

from pathlib import Path

from autoagent.cli.output import note, out
from autoagent.goal.english import explain
from autoagent.goal.file import load
from autoagent.installed import missing


def validate(path: str) -> int:
    """Raises `GoalError` with file and line."""
    loaded = load(Path(path))
    out(*explain(loaded.goal).split("\n"))
    note(*(f"note: {said}" for said in (*loaded.notes, *missing(loaded.goal.enabled_plugins))))
    return 0
