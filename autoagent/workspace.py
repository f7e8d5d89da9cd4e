"""The workspace of a run: its trees, and the user's folder as a projection of `main`.

Every move of `main` goes through here, one at a time: adopt what the person changed, record, project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import lru_cache

from autoagent.asking import Asking
from autoagent.events import Event, FolderChanged, Observed
from autoagent.history import History
from autoagent.ports import Folder, Objects
from autoagent.questions import Subject
from autoagent.trees import Tree, WorkingCopy, diff, load_tree, restrict

CHOICES = ("mine", "theirs", "both")


class Workspace:
    """Trees by id, working copies, and the folder."""

    def __init__(self, history: History, objects: Objects, folder: Folder) -> None:
        self.history = history
        self.objects = objects
        self.folder = folder
        self.lock = asyncio.Lock()
        """Held while `main` moves and the folder follows."""
        self.projected = history.state.before_main
        """The tree that the folder was last made to hold."""
        self._load = lru_cache(maxsize=32)(lambda id: load_tree(id, objects))

    def moving(self, on_main: bool) -> AbstractAsyncContextManager[None]:
        """`lock` for a lane on main; none for a fork, which moves nothing but its own head."""
        return self.lock if on_main else nullcontext()

    def tree(self, id: str) -> Tree:
        return self._load(id)

    def copy(self, tree: str, roots: Iterable[str]) -> WorkingCopy:
        """A private copy of what the goal lets be seen."""
        return WorkingCopy(self.visible(tree, roots), self.objects)

    def visible(self, tree: str, roots: Iterable[str]) -> Tree:
        roots = tuple(roots)
        return self.tree(tree) if "." in roots else restrict(self.tree(tree), roots)

    async def adopt(self, asking: Asking) -> None:
        """Take what the person changed in the folder since it was last projected into `main`."""
        async with self.lock:
            await self.project(asking)
            found = await asyncio.to_thread(self.folder.scan)
            if found.id != self.projected:
                self._adopt(found, diff(self.tree(self.projected), found).paths)

    def _adopt(self, found: Tree, paths: tuple[str, ...]) -> None:
        """The folder as it is becomes `main`."""
        self.history.record(FolderChanged(tree=found.id, paths=paths), *self._tell(paths))
        self.projected = found.id

    def _tell(self, paths: tuple[str, ...]) -> list[Event]:
        shown = ", ".join(repr(p) for p in paths[:20]) + (" and more" if len(paths) > 20 else "")
        text = f"The person changed files while you work: {shown}. Read them again before you rely on them."
        lanes = self.history.state.lanes.values()
        return [
            Observed(lane=x.name, text=text, source="folder") for x in lanes if x.on_main and x.ended is None
        ]

    async def project(self, asking: Asking) -> None:
        """Make the folder hold `main`; the caller holds `lock`. Does nothing where it does already.

        A path that holds neither was changed by a person; a question offers both versions.
        """
        wanted = self.history.state.main
        if self.projected == wanted:
            return
        done = await asyncio.to_thread(self.folder.project, self.tree(self.projected), self.tree(wanted))
        if done.foreign:
            await self._disagree(done.foreign, wanted, asking)
        self.projected = self.history.state.main

    async def _disagree(self, paths: tuple[str, ...], wanted: str, asking: Asking) -> None:
        """The same path was changed by the person and by the agent."""
        found = await asyncio.to_thread(self.folder.scan)
        subject = Subject(
            run=self.history.run_id,
            kind="folder",
            args={"paths": list(paths), "yours": found.id},
            tree=wanted,
        )
        why = (
            "you and the agent changed the same files: keep mine (yours), take theirs (the agent's), or both"
        )
        answer = await asking.ask(subject, why, choices=CHOICES)
        target = self._settled(answer.text, paths, self.tree(wanted), found)
        self._adopt(target, paths)
        await self.history.durable()
        await asyncio.to_thread(self.folder.project, found, target)

    def _settled(self, choice: str, paths: tuple[str, ...], wanted: Tree, found: Tree) -> Tree:
        """The tree that the answer asks for; anything but `theirs` keeps the person's version in place."""
        copy = WorkingCopy(found, self.objects)
        for path in paths:
            theirs, here = wanted.entries.get(path), copy.stat(path)
            if choice == "theirs":
                if here is not None:
                    copy.delete(path)
                if theirs is not None:
                    copy.place(path, theirs)
            elif choice == "both" and theirs is not None:
                copy.place(f"{path}.agent", theirs)
        return copy.tree()
