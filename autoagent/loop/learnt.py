"""What a call's result adds to what the run knows: its labels, and the URLs that may be fetched unasked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote, unquote_plus

from autoagent.door.parameters import each_text
from autoagent.door.tools import SEARCH, Tool
from autoagent.events import CallDecided, Label
from autoagent.goal import Goal
from autoagent.hosts import host_of
from autoagent.loop.context import RunContext
from autoagent.loop.toolbox import ToolOutcome
from autoagent.ports import Objects
from autoagent.state import LaneState, RunState
from autoagent.taint import labels_of_paths, labels_of_tree, urls_in, urls_of_files
from autoagent.trees import Tree, WorkingCopy

_LOOKED_THROUGH_BYTES = 32 << 20
"""A larger file is not searched for URLs: what it holds is asked about as if the agent had made it up."""


def roots_of(goal: Goal) -> tuple[str, ...]:
    """What a lane's code may see."""
    return (*goal.allow.read, *goal.allow.write)


@dataclass(frozen=True)
class Learnt:
    """What the calls of one lane bring to light."""

    ctx: RunContext
    lane: str

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    @property
    def me(self) -> LaneState:
        return self.state.lanes[self.lane]

    def labels(self, decided: CallDecided, outcome: ToolOutcome) -> tuple[Label, ...]:
        """What the model learns from the call's observation."""
        goal, tool = self.state.goal, self.ctx.tools.get(decided.tool)
        tree = self.ctx.workspace.tree(self.me.tree)
        own: tuple[str, ...] = outcome.labels
        if tool is None or tool.runs_code:
            own = (*own, *labels_of_tree(goal, tree))
        elif outcome.paths is not None and not all(path in tree.entries for path in outcome.paths):
            own = (*own, *labels_of_tree(goal, tree))  # a path that isn't there could stand for any
        elif tool.paths or outcome.paths is not None:
            paths = _paths_of(tool, decided) if outcome.paths is None else outcome.paths
            found = {*_files_in(tree, paths, self.ctx.workspace.objects)}
            if decided.effect != "read":  # a folder that is moved takes along what lies in it
                found |= {path for path in paths if path in tree.entries}
            own = (*own, *labels_of_paths(goal, found))
        if tool is not None and tool.destination is not None and decided.effect != "external":
            own = (*own, "outside")
        return tuple(x for x in ("outside", "private") if x in own)

    def urls(
        self, decided: CallDecided, output: str, paths: tuple[str, ...] | None = None
    ) -> tuple[str, ...]:
        """URLs of an output that the agent can't have put there itself: see `CallEnded.urls`.

        `paths`: the files that it was taken from, as `Observation.paths`.
        """
        tool, found = self.ctx.tools.get(decided.tool), urls_in(output)
        if not found or tool is None or tool.runs_code or decided.effect != "read":
            return ()
        if tool.paths or paths is not None:
            known = urls_of_files(self._unchanged(_paths_of(tool, decided) if paths is None else paths))
            return tuple(url for url in found if url in known)
        if not _is_of_the_web(decided.destination):
            return ()
        said = _readings(json.dumps(decided.args, ensure_ascii=False))
        return tuple(url for url in found if not any(url in each for each in said))

    def _unchanged(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The files at and beneath `paths` that still are as the run found them; not the huge ones."""
        assert self.state.started is not None
        workspace = self.ctx.workspace
        start, now = (
            workspace.tree(self.state.started.tree),
            workspace.visible(self.me.tree, roots_of(self.state.goal)),
        )
        for path in _files_in(now, paths, workspace.objects):
            entry = now.entries[path]
            is_short = entry.size <= _LOOKED_THROUGH_BYTES
            if entry.kind == "file" and is_short and start.entries.get(path) == entry:
                yield workspace.objects.get(entry.sha256)


def _is_of_the_web(destination: str | None) -> bool:
    """Whether a read fetched something. A database or a server with tools puts texts together as it is told:
    what they answer can be the agent's own words, in no way that could be seen in the arguments.
    """
    return destination is not None and (destination.startswith(SEARCH) or host_of(destination) is not None)


def _readings(said: str) -> tuple[str, ...]:
    """What the agent said, and what a server makes of it that takes it for a form's field, or for HTML."""
    once = unquote_plus(said)
    return said, unquote(said), once, unquote_plus(once), unescape(said)


def _files_in(tree: Tree, paths: Iterable[str], objects: Objects) -> Iterator[str]:
    """The files and links at `paths`, and in the folders among them."""
    copy = WorkingCopy(tree, objects)
    for path in paths:
        entry = copy.stat(path)
        found = () if entry is None else copy.beneath(path) if entry.kind == "folder" else (path,)
        yield from (p for p in found if tree.entries[p].kind != "folder")


def _paths_of(tool: Tool, decided: CallDecided) -> tuple[str, ...]:
    """What a call names of the workspace, without files to be sent."""
    return tuple(path for name in tool.paths for path in each_text(decided.args.get(name)))
