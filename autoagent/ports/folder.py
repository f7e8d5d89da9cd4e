"""The user's folder: the only door to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoagent.trees import Tree


@dataclass(frozen=True)
class Projection:
    """What `project` did."""

    written: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    """Paths that held neither the old nor the new content: a person's, left alone."""


class Folder(Protocol):
    """The user's folder: the only door to it."""

    def scan(self) -> Tree:
        """The folder as it is, its contents stored as objects. Cheap where nothing changed."""
        ...

    def project(self, old: Tree, new: Tree, check: Callable[[], None] = lambda: None) -> Projection:
        """Make the folder hold `new` where it held `old`. Idempotent; never overwrites a person's change.

        `check` is called before each change of a path; what it raises ends the projection, and the next one
        goes on from there.
        """
        ...
