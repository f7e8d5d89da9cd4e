"""What a run may have put in the way of a `run:` check: files that Python would take for modules of its own.

A checker that is laid out as it was at the start still imports by name, and Python looks beside the script
and in the current folder first.
"""

from __future__ import annotations

import sys
from collections.abc import Container

from autoagent.trees import Tree, WorkingCopy, diff

_LOADED_UNASKED = frozenset({"conftest", "sitecustomize", "usercustomize"})
_TEST_TOOLS = frozenset({"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"})
_NAMES = sys.stdlib_module_names | _LOADED_UNASKED | _TEST_TOOLS
_SOURCES = frozenset({"py", "pyw", "pyc", "so", "pyd"})


def drop_bytecode(copy: WorkingCopy, start: Tree) -> None:
    """Take out all compiled code that wasn't there at the start: it would stand in for its source."""
    for path in sorted(copy.tree().entries):
        entry = copy.stat(path)  # what was in a folder may be gone with it
        if entry is not None and _is_bytecode(path) and entry != start.entries.get(path):
            if entry.kind == "folder" and path in start.entries:
                continue  # only its mode differs; what it holds is looked at by itself
            copy.delete(path)


def stand_in(start: Tree, now: Tree, named: Container[str]) -> str | None:
    """The first path that the run added or changed and that Python would load for a module of its own.

    Paths in `named` are the work itself: the goal names them as what the run may write or has to make.
    """
    changes = diff(start, now)
    for path in sorted((*changes.added, *changes.changed)):
        if path not in named and _stands_in(path, now):
            return path
    return None


def objection(path: str) -> str:
    """Why a check isn't run over such a file, as the worker and the person read it."""
    return (
        f"{path!r}, which this run added or changed, would be loaded for a module that the check relies on, "
        "so the check was not run; rename or delete it (or the goal names it under allow.write)"
    )


def _is_bytecode(path: str) -> bool:
    return "__pycache__" in path.split("/") or path.endswith((".pyc", ".pyo"))


def _stands_in(path: str, now: Tree) -> bool:
    *folders, name = path.split("/")
    stem, dot, rest = name.partition(".")
    entry = now.entries[path]
    if stem in _NAMES and (rest.rpartition(".")[2] in _SOURCES if dot else entry.kind == "link"):
        return True
    if name.endswith(".pth") and folders and folders[-1] in ("site-packages", "dist-packages"):
        return True
    return any(
        folder in _NAMES and _is_package("/".join(folders[: at + 1]), now)
        for at, folder in enumerate(folders)
    )


def _is_package(folder: str, now: Tree) -> bool:
    """Only with an `__init__` does a folder come before a module of the same name."""
    return any(name.startswith("__init__.") for name in now.folders[folder].names)
