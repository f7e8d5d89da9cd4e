"""The workspace of a run: its trees, and the user's folder as a projection of `main`.

Every move of `main` goes through here, one at a time: adopt what the person changed, record, project. No
question is ever asked while the folder is held.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TypeVar

from autoagent.events import Event, FolderChanged, Observed, Undone
from autoagent.loop.asking import Asking
from autoagent.loop.history import History
from autoagent.loop.versions import resolved
from autoagent.ports import Folder, Objects
from autoagent.questions import Subject
from autoagent.trees import Tree, WorkingCopy, diff, load_tree, restrict

T = TypeVar("T")

CHOICES = ("mine", "theirs", "both")
_WHY = "you and the agent changed the same files: keep mine (yours), take theirs (the agent's), or both"
_CHANGED = "The person changed files"
_TAKEN_BACK = "The person took files back to what they were before"
_KEPT_TREES = 32
_QUICK_S = 0.002


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
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._scan_s = inf

    @asynccontextmanager
    async def moving(self, on_main: bool, asking: Asking) -> AsyncIterator[None]:
        """`lock` for a lane on main; none for a fork, which moves nothing but its own head.

        `main` moves only while the folder holds it, so what a crash leaves is one move behind at most.
        """
        if not on_main:
            yield
            return
        if self.projected != self.history.state.main:
            await self.adopt(asking)
        async with self.lock:
            yield

    # --- trees --------------------------------------------------------------------------------------------

    def tree(self, id: str) -> Tree:
        return self.keep(self._trees.get(id) or load_tree(id, self.objects))

    def keep(self, tree: Tree) -> Tree:
        """Have a tree at hand that is stored already: reading 10,000 entries back takes 60 ms."""
        self._trees[tree.id] = tree
        self._trees.move_to_end(tree.id)
        if len(self._trees) > _KEPT_TREES:
            self._trees.popitem(last=False)
        return tree

    def copy(self, tree: str, roots: Iterable[str]) -> WorkingCopy:
        """A private copy of what the goal lets be seen."""
        return WorkingCopy(self.visible(tree, roots), self.objects)

    def visible(self, tree: str, roots: Iterable[str]) -> Tree:
        roots = tuple(roots)
        return self.tree(tree) if "." in roots else restrict(self.tree(tree), roots)

    # --- the folder ---------------------------------------------------------------------------------------

    async def adopt(self, asking: Asking) -> None:
        """Make the folder hold `main`, and take into `main` what the person changed in it.

        A path that both changed is the person's as it stands, until they say whose version stays. Raises
        `Parked` where nobody says so.
        """
        while (disagreement := await self.catch_up()) is not None:
            await asking.ask(disagreement, _WHY, choices=CHOICES)

    async def catch_up(self) -> Subject | None:
        """As `adopt`, as far as it goes without asking; the question that it comes to."""
        async with self.lock:
            if (foreign := await self._project()) and (question := await self._disagree(foreign)) is not None:
                return question
            found = await self._scan()
            if found.id != self.projected:
                self._adopt(self.keep(found))
        return None

    async def follow(self) -> None:
        """Make the folder hold `main`, which has just moved; the caller holds `lock`.

        Where the person changed a path as well it stays theirs, and the next `adopt` asks about it.
        """
        await self._project()

    # --- taking back --------------------------------------------------------------------------------------

    async def found(self) -> Tree:
        """The folder as it is, untouched."""
        async with self.lock:
            return self.keep(await self._scan())

    async def settled(self) -> Tree:
        """The folder as it is, once it holds what was last projected."""
        async with self.lock:
            await self._project()
            return self.keep(await self._scan())

    async def take_back(self, found: Tree, undone: Undone) -> tuple[str, ...]:
        """Move `main` to where `undone` says, from the folder as it was found; then the folder follows.

        On record before the folder is touched: killed in between, the next `resume` or `restore` goes on. The
        paths that a person changed meanwhile, which stay.
        """
        async with self.lock:
            events: list[Event] = []
            if found.id != self.history.state.main:
                paths = diff(self.tree(self.history.state.main), found).paths
                changed = FolderChanged(tree=found.id, paths=paths, folder=found.id)
                events = [changed, *self._tell(paths)]
            self.history.record(*events, undone, *self._tell(undone.paths, _TAKEN_BACK), sync=True)
            self.projected = found.id
        return await self.restore()

    async def restore(self) -> tuple[str, ...]:
        """Bring an undo that is on record to its end, where it isn't; the paths that stay a person's."""
        async with self.lock:
            undone = self.history.state.undone
            if undone is None or undone.projected:
                return ()
            await self.history.durable()
            if not (foreign := await self._project()):
                self.history.record(undone.model_copy(update={"projected": True}), sync=True)
                await self.history.durable()
            return foreign

    # --- inside -------------------------------------------------------------------------------------------

    async def _project(self) -> tuple[str, ...]:
        """Paths of the folder that hold neither `main` nor what it held before: a person changed them."""
        wanted = self.history.state.main
        if self.projected == wanted:
            return ()
        old, new, check = self.tree(self.projected), self.tree(wanted), self.history.assert_owned
        done = await _whole(lambda: self.folder.project(old, new, check))
        self.history.faults.reached("projected")
        if not done.foreign:
            self.projected = wanted
        return done.foreign

    async def _scan(self) -> Tree:
        """The folder as it is; in a thread, unless the last scan was quicker than the way there and back."""
        began = time.monotonic()
        found = self.folder.scan() if self._scan_s < _QUICK_S else await _whole(self.folder.scan)
        self._scan_s = time.monotonic() - began
        return found

    def _adopt(self, found: Tree, target: Tree | None = None, chosen: str = "") -> None:
        """The folder as it is becomes `main`; or `target`, what a person has `chosen`, which then follows."""
        before, new = self.tree(self.projected), target or found
        self.history.faults.reached("person's edit found")
        held = found.id
        events = [FolderChanged(tree=held, paths=diff(before, found).paths, folder=held)]
        if new.id != held:
            paths = diff(found, new).paths
            events.append(FolderChanged(tree=new.id, paths=paths, chosen=chosen, folder=held))
        self.history.record(*events, *self._tell(diff(before, new).paths))
        self.projected = found.id

    def _tell(self, paths: tuple[str, ...], what: str = _CHANGED) -> list[Event]:
        shown = ", ".join(repr(p) for p in paths[:20]) + (" and more" if len(paths) > 20 else "")
        text = f"{what} while you work: {shown}. Read them again before you rely on them."
        lanes = self.history.state.lanes.values()
        return [
            Observed(lane=x.name, text=text, source="folder") for x in lanes if x.on_main and x.ended is None
        ]

    # --- the same path, changed by both -------------------------------------------------------------------

    async def _disagree(self, paths: tuple[str, ...]) -> Subject | None:
        """The question whose version stays; `None` once it was answered and the folder is as was wanted."""
        wanted = self.tree(self.history.state.main)
        found = self.keep(await self._scan())
        question = Subject(
            run=self.history.run_id,
            kind="folder",
            args={"paths": list(paths), "yours": found.id},
            tree=wanted.id,
        )
        choice = self._chosen(question)
        if choice is None:
            return question
        self.projected = wanted.id
        self._adopt(found, self.keep(resolved(choice, paths, found, wanted, self.objects)), choice)
        await self.history.durable()
        await self._project()
        return None

    def _chosen(self, question: Subject) -> str | None:
        """What the person chose; where nobody was there, both versions stay."""
        for asked in self.history.state.questions.values():
            if asked.question.subject == question and asked.answer is not None:
                return asked.answer.text if asked.answer.text in CHOICES else "both"
        return None


async def _whole(work: Callable[[], T]) -> T:
    """Work in a thread that has ended before a cancellation goes on: nobody may find the folder half done."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):  # raised below, once the thread has ended
                await asyncio.wait({task})
        task.exception()  # a resumed run does the work again, and meets what stood in its way
        raise
