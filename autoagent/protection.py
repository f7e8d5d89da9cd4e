"""The paths of a run that nothing may write, found in the workspace as it was at the start."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from autoagent.errors import ToolError
from autoagent.goal import Criterion, Goal
from autoagent.goal.file import made, protected
from autoagent.paths import ROOT, from_raw, is_beneath, parent, workspace_path
from autoagent.trees import ObjectSource, Tree

_MOST_LINKS = 40
"""As many as Linux follows in one path."""


def protected_at_start(goal: Goal, tree: Tree, objects: ObjectSource) -> tuple[str, ...]:
    """`goal_file.protected` of what is there, and where links among it lead inside the workspace."""
    roots = list(protected(goal, _Followed(tree, objects)))
    own = made(goal) - {*goal.protect}
    links = [path for path, entry in tree.entries.items() if entry.kind == "link"]
    for root in roots:  # grows while it is gone through
        passed = [*_steps(root, tree, objects)]
        passed += [x for link in links if is_beneath(link, (root,)) for x in _steps(link, tree, objects)]
        roots += [path for path in dict.fromkeys(passed) if path not in roots and path not in own]
    return tuple(roots)


def protected_besides(
    goal: Goal, criteria: Sequence[Criterion], already: Sequence[str], tree: Tree, objects: ObjectSource
) -> tuple[str, ...]:
    """What criteria that a person accepted later protect, besides what is protected already."""
    accepted = goal.model_copy(update={"done_when": tuple(criteria)})
    return tuple(path for path in protected_at_start(accepted, tree, objects) if path not in already)


@dataclass(frozen=True)
class _Followed(Container[str]):
    """The paths of a tree, those too that lead through links."""

    tree: Tree
    objects: ObjectSource

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and any(True for _ in _steps(path, self.tree, self.objects))


def _steps(path: str, tree: Tree, objects: ObjectSource) -> Iterator[str]:
    """The links that a path leads through, then what is there in the end, inside the workspace."""
    for _ in range(_MOST_LINKS):
        link = _first_link(path, tree)
        if link is None:
            if path in tree.entries:
                yield path
            return
        yield link
        target = from_raw(objects.get(tree.entries[link].sha256))
        try:
            path = workspace_path(posixpath.join(parent(link), target) + path[len(link) :])
        except ToolError:
            return  # it leads out: nothing of the workspace
        if path == ROOT:
            return


def _first_link(path: str, tree: Tree) -> str | None:
    """The outermost part of a path that is a link."""
    names = path.split("/")
    for count in range(1, len(names) + 1):
        entry = tree.entries.get(start := "/".join(names[:count]))
        if entry is None:
            return None
        if entry.kind == "link":
            return start
    return None
