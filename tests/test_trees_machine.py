"""Trees, the folder and the person, in any order: a machine does what runs and people do. After each step
trees are what they claim to be, the folder holds them, and no edit of a person is lost.

`HYPOTHESIS_PROFILE=thorough` makes it long.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from states import GOAL, lane, started

from autoagent.clock import SystemClock
from autoagent.errors import ToolError
from autoagent.events import CallDecided, CallEnded, FolderChanged, LaneConflicted, QuestionAnswered, Undone
from autoagent.faults import FaultPoint
from autoagent.folder import LocalFolder
from autoagent.loop.asking import Asking, Parked
from autoagent.loop.context import Models, RunContext
from autoagent.loop.history import History
from autoagent.loop.merging import Merging
from autoagent.loop.meter import Meter
from autoagent.loop.versions import DELETED
from autoagent.loop.workspace import Workspace
from autoagent.past.heads import heads, main_at
from autoagent.past.undo import Keep, carry_out, plan_for, without_the_persons
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.model import ScriptedModel
from autoagent.trees import EMPTY, Tree, WorkingCopy, load_tree, make_tree

T = TypeVar("T")
Entry = tuple[str, int, bytes]
"""(kind, mode, content or target): an entry of the model."""
Model = dict[str, Entry]

PATHS = st.sampled_from(["a", "d", "d/x", "d/e/z"])
EDITS = st.sampled_from(["write", "write", "write", "remove", "mode"])
CHOICES = st.sampled_from(["mine", "theirs", "both"])
QUICK = os.environ.get("HYPOTHESIS_PROFILE") != "thorough"
POINTS: list[FaultPoint] = ["file half written", "file staged", "between two paths", "projected"]


class Killed(Exception):
    """The process dies here."""


class Dying:
    """Kills at the n-th of the points that it hears of; harmless until it is armed."""

    def __init__(self) -> None:
        self.left = 0

    def reached(self, point: FaultPoint) -> None:
        if point in POINTS and self.left:
            self.left -= 1
            if not self.left:
                raise Killed(point)


# --- the model: a dictionary, and what the words mean on it -------------------------------------------------


def parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def beneath(model: Model, path: str) -> list[str]:
    return [p for p in model if p == path or p.startswith(f"{path}/")]


def can_hold(model: Model, path: str) -> bool:
    """Whether nothing but folders stands above."""
    return all(model.get(top, ("folder",))[0] == "folder" for top in parents(path))


def put(model: Model, path: str, entry: Entry) -> Model:
    made = {top: ("folder", 0o755, b"") for top in parents(path) if top not in model}
    return {**model, **made, path: entry}


def written(model: Model, path: str, data: bytes) -> Model | None:
    before = model.get(path)
    if not can_hold(model, path) or (before is not None and before[0] != "file"):
        return None
    return put(model, path, ("file", before[1] if before is not None else 0o644, data))


def linked(model: Model, path: str, target: bytes) -> Model | None:
    if not can_hold(model, path) or (path in model and model[path][0] == "folder"):
        return None
    return put(model, path, ("link", 0o777, target))


def with_folder(model: Model, path: str) -> Model | None:
    if path in model:
        return model if model[path][0] == "folder" else None
    return put(model, path, ("folder", 0o755, b"")) if can_hold(model, path) else None


def contents(model: Model) -> Model:
    """Without modes, which are nobody's version of a file."""
    return {path: (kind, 0, data) for path, (kind, _, data) in model.items()}


def without(model: Model, path: str) -> Model | None:
    gone = beneath(model, path)
    return {p: entry for p, entry in model.items() if p not in gone} if path in model else None


def moved(model: Model, path: str, to: str) -> Model | None:
    if path not in model:
        return None
    if path == to:
        return model
    if to in model or to.startswith(f"{path}/") or not can_hold(model, to):
        return None
    left = without(model, path)
    assert left is not None
    for p in sorted(beneath(model, path)):
        left = put(left, to + p[len(path) :], model[p])
    return left


def with_mode(model: Model, path: str, mode: int) -> Model | None:
    if path not in model or model[path][0] == "link":
        return None
    kind, _, data = model[path]
    return {**model, path: (kind, mode, data)}


def merged(base: Model, ours: Model, theirs: Model) -> Model | None:
    """Three-way by path; `None` where both changed one, or one put something beneath what is a file now."""
    result: Model = {}
    for path in {*base, *ours, *theirs}:
        was, our, their = base.get(path), ours.get(path), theirs.get(path)
        if our != their and was not in (our, their):
            return None
        entry = their if our == was else our
        if entry is not None:
            result[path] = entry
    for path in [*result]:
        for top in parents(path):
            kept = result.setdefault(top, ours.get(top) or theirs.get(top) or ("none", 0, b""))
            if kept[0] != "folder":
                return None
    return result


OPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.sampled_from([b"1", b"22", b"333"])),
    st.tuples(st.just("write"), PATHS, st.sampled_from([b"4", b"55", b"666"])),
    st.tuples(st.just("link"), PATHS, st.sampled_from([b"a", b"../out"])),
    st.tuples(st.just("folder"), PATHS, st.none()),
    st.tuples(st.just("delete"), PATHS, st.none()),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("mode"), PATHS, st.sampled_from([0o644, 0o755, 0o700])),
)


def on_model(model: Model, op: tuple[str, str, Any]) -> Model | None:
    """What the model is after it; `None` where it is refused."""
    word, path, value = op
    match word:
        case "write":
            return written(model, path, value)
        case "link":
            return linked(model, path, value)
        case "folder":
            return with_folder(model, path)
        case "delete":
            return without(model, path)
        case "move":
            return moved(model, path, value)
        case _:
            kind = model.get(path, ("file",))[0]
            return with_mode(model, path, value | 0o700 if kind == "folder" else value)


def on_copy(copy: WorkingCopy, op: tuple[str, str, Any]) -> None:
    """The same on the real thing. Raises `ToolError`."""
    word, path, value = op
    verbs: dict[str, Callable[[], None]] = {
        "write": lambda: copy.write(path, value),
        "link": lambda: copy.link(path, value),
        "folder": lambda: copy.make_folder(path),
        "delete": lambda: copy.delete(path),
        "move": lambda: copy.move(path, value),
        "mode": lambda: copy.set_mode(path, value),
    }
    verbs[word]()


def disk(folder: Path) -> Model:
    """What is in a folder, read without any of our code; our own temporary files left out."""
    found: Model = {}
    for top, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(top, name)
            status, key = path.lstat(), path.relative_to(folder).as_posix()
            if name.startswith(".autoagent-tmp-"):
                continue
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", 0o777, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("folder", stat.S_IMODE(status.st_mode), b"")
            else:
                found[key] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
    return found


# --- the machine --------------------------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """One run in one folder, with a person in it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.home = Path(tempfile.mkdtemp())
        self.path = self.home / "workspace"
        self.path.mkdir()
        self.journal = MemoryJournal()
        self.journal.create("r", str(self.path))
        self.dying = Dying()
        self.lanes: dict[str, Model] = {}
        self.bases: dict[str, Model] = {}
        self.persons: dict[str, bytes] = {}
        """Path -> what the person put there last."""
        self.snapshots: dict[int, Model] = {}
        self.tokens = 0

    @initialize(files=st.dictionaries(st.sampled_from(["a", "b", "d/x"]), st.sampled_from([b"1", b"o"])))
    def begin(self, files: dict[str, bytes]) -> None:
        """A run starts in a folder that may hold files."""
        for path, data in files.items():
            (self.path / path).parent.mkdir(exist_ok=True)
            (self.path / path).write_bytes(data)
        tree = LocalFolder(self.path, self.journal.objects).scan()
        self.lease = self.journal.acquire("r", "host:1")
        history = History(self.journal, self.lease, SystemClock())
        history.record(started(GOAL).model_copy(update={"tree": tree.id}), lane("main1", tree=tree.id))
        self.process()

    def teardown(self) -> None:
        self.runner.close()
        shutil.rmtree(self.home)

    def process(self) -> None:
        """What a new process builds from the journal and the folder."""
        self.dying.left = 0
        objects = self.journal.objects
        self.history = History(self.journal, self.lease, SystemClock(), faults=self.dying)
        folder = LocalFolder(self.path, objects, self.home / "cache", self.dying)
        meter, model = Meter(SystemClock()), ScriptedModel()
        self.workspace = Workspace(self.history, objects, folder)
        self.asking = Asking(self.history, meter)
        models = Models(model, model, model)
        self.ctx = RunContext(self.history, self.workspace, self.asking, meter, models, {}, {})

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def model(self, tree: str) -> Model:
        """A stored tree as the model has it."""
        objects = self.journal.objects
        return {
            path: (e.kind, e.mode, b"" if e.kind == "folder" else objects.get(e.sha256))
            for path, e in load_tree(tree, objects).entries.items()
        }

    @property
    def main(self) -> Model:
        return self.model(self.history.state.main)

    # --- the agent

    def insisting(self, work: Callable[[], Coroutine[Any, Any, T]], choice: str) -> T:
        """Do something that may park; each question is answered with `choice`, and it is done again."""
        while True:
            try:
                return self.run(work())
            except Parked:
                for asked in self.history.state.waiting:
                    answer = {"question": asked.question.id, "digest": asked.question.digest}
                    answer |= {"verdict": "text", "text": choice, "by": "command"}
                    self.history.record(QuestionAnswered.model_validate(answer))

    @rule(ops=st.lists(OPS, min_size=1, max_size=3), meanwhile=st.none() | EDITS, choice=CHOICES)
    def agent_works_on_main(
        self, ops: list[tuple[str, str, Any]], meanwhile: str | None, choice: str
    ) -> None:
        """And, while a call is under way, a person may change the very path."""
        for op in ops[:-1]:
            self.insisting(lambda op=op: self.on_main(op), choice)
        self.insisting(lambda: self.on_main(ops[-1], meanwhile), choice)

    async def on_main(self, op: tuple[str, str, Any], meanwhile: str | None = None) -> None:
        async with self.workspace.moving(True, self.asking):
            before = self.main
            expected, tree = self.done(self.history.state.main, before, op)
            if meanwhile is not None:
                self.edit(meanwhile, op[1])
            self.moved_to("main1", tree.id)
            assert self.main == expected
            await self.workspace.follow()

    def done(self, head: str, before: Model, op: tuple[str, str, Any]) -> tuple[Model, Tree]:
        """What an operation makes of a head: as the model says, or refused by both and nothing changed."""
        copy = WorkingCopy(load_tree(head, self.journal.objects), self.journal.objects)
        expected = on_model(before, op)
        refused = False
        try:
            on_copy(copy, op)
        except ToolError:
            refused = True
        assert refused == (expected is None), op
        return (before if expected is None else expected), copy.tree()

    def moved_to(self, name: str, tree: str) -> None:
        """A call ends with a tree; what it was is remembered, to be gone back to."""
        id = f"c{self.history.state.seq}"
        decided = {"call": id, "lane": name, "tool": "t", "args": {}, "effect": "write", "decision": "allow"}
        self.history.record(
            CallDecided.model_validate({**decided, "why": "inside"}),
            CallEnded(call=id, lane=name, ok=True, output="", tree=tree),
        )
        self.snapshots[self.history.state.seq] = self.main

    # --- forks of main

    @precondition(lambda self: len(self.lanes) < 2)
    @rule(ops=st.lists(OPS, min_size=1, max_size=4), choice=CHOICES)
    def lane_is_forked(self, ops: list[tuple[str, str, Any]], choice: str) -> None:
        self.insisting(lambda: self.workspace.adopt(self.asking), choice)
        name = f"f{self.history.state.seq}"
        self.history.record(lane(name, tree=self.history.state.main, on_main=False))
        self.lanes[name] = self.bases[name] = self.main
        for op in ops:
            self.lane_works(name, op)

    def lane_works(self, name: str, op: tuple[str, str, Any]) -> None:
        self.lanes[name], tree = self.done(self.history.state.lanes[name].tree, self.lanes[name], op)
        main = self.history.state.main
        self.moved_to(name, tree.id)
        assert self.history.state.main == main

    @precondition(lambda self: self.lanes)
    @rule(data=st.data(), choice=CHOICES)
    def lane_is_merged(self, data: st.DataObject, choice: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.lanes)))
        self.insisting(lambda: self.workspace.adopt(self.asking), choice)
        ours, theirs = self.main, self.lanes[name]
        expected = merged(self.bases[name], ours, theirs)

        is_merged = self.run(Merging(self.ctx).merge(name, lambda tree: []))

        assert is_merged == (expected is not None)
        if expected is not None:
            assert self.main == expected
            del self.lanes[name], self.bases[name]
            return
        assert self.main == ours
        self.nothing_of_the_lane_is_lost(theirs)
        self.lanes[name], self.bases[name] = self.model(self.history.state.lanes[name].tree), ours

    def nothing_of_the_lane_is_lost(self, theirs: Model) -> None:
        """Its version of each path in conflict stands beside `main`'s."""
        event = [x.event for x in self.journal.read("r") if isinstance(x.event, LaneConflicted)][-1]
        held = self.model(event.tree)
        for path, beside in event.kept.items():
            assert beside == DELETED if path not in theirs else held[beside][2] == theirs[path][2]

    # --- the person

    @rule(edit=EDITS, path=PATHS)
    def person_edits(self, edit: str, path: str) -> None:
        self.edit(edit, path)

    def edit(self, edit: str, path: str) -> None:
        target = self.path / path
        match edit:
            case "write":
                self.person_writes(path, target)
            case "mode" if target.exists() and not target.is_symlink():
                target.chmod(target.stat().st_mode ^ 0o050)
            case "remove":
                for gone in beneath(dict.fromkeys(self.persons, ("file", 0, b"")), path):
                    del self.persons[gone]
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                else:
                    with suppress(FileNotFoundError, NotADirectoryError):
                        target.unlink()
            case _:
                pass

    def person_writes(self, path: str, target: Path) -> None:
        """A text that stands nowhere else; not where a folder is, or beneath a file."""
        self.tokens += 1
        token = f"person {self.tokens}".encode()
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()
            target.write_bytes(token)
            self.persons[path] = token

    @rule(data=st.data(), edits=st.lists(st.tuples(EDITS, PATHS), max_size=2), keep=CHOICES)
    def person_undoes(self, data: st.DataObject, edits: list[tuple[str, str]], keep: Keep) -> None:
        """To any entry: what only one side changed since is as that side has it, a clash as was chosen."""
        for edit, path in edits:
            self.edit(edit, path)
        seq = data.draw(st.sampled_from([1, *sorted(self.snapshots)]))
        start = self.model(self.history.state.start_tree)
        target = self.snapshots[seq] if seq > 1 else start
        self.run(self.workspace.settled())
        found, moves = disk(self.path), heads("r", self.journal.read("r"))
        main = load_tree(self.history.state.main, self.journal.objects)
        agents = self.model(without_the_persons(main, moves, seq, self.journal.objects).id)
        expected = merged(contents(agents), contents(found), contents(target))

        undo = self.run(self.undone(seq, keep))

        held = disk(self.path)
        assert held == self.main == self.model(undo)
        if found == agents:
            assert held == target
        if expected is not None:
            assert contents(held) == expected
        if keep == "mine":
            assert {p: t for p, t in self.persons.items() if p in held and held[p][2] == t} == {
                p: t for p, t in self.persons.items() if p in found and found[p][2] == t
            }

    async def undone(self, seq: int, keep: Keep) -> str:
        objects, moves = self.journal.objects, heads("r", self.journal.read("r"))
        found = await self.workspace.settled()
        main = load_tree(self.history.state.main, objects)
        undo = plan_for(moves, seq, main, found, keep, objects)
        assert await carry_out(self.workspace, undo) == ()
        return undo.result.id

    # --- the process

    @rule(op=OPS, after=st.integers(1, 6), choice=CHOICES)
    def process_dies_while_the_folder_follows(
        self, op: tuple[str, str, Any], after: int, choice: str
    ) -> None:
        self.insisting(lambda: self.workspace.adopt(self.asking), choice)
        self.dying.left = after
        with suppress(Killed):
            self.insisting(lambda: self.on_main(op), choice)
        self.die()
        self.nothing_of_the_agent_is_lost(choice)

    @rule(data=st.data(), after=st.integers(1, 6), keep=CHOICES)
    def process_dies_in_an_undo(self, data: st.DataObject, after: int, keep: Keep) -> None:
        to = data.draw(st.sampled_from([1, *sorted(self.snapshots)]))
        self.dying.left = after
        with suppress(Killed):
            self.run(self.undone(to, keep))
        self.die()
        if isinstance(self.journal.read("r")[-1].event, Undone):
            self.nothing_of_the_agent_is_lost(keep)

    def nothing_of_the_agent_is_lost(self, choice: str) -> None:
        """What is on record comes into the folder; that it wasn't there yet is nobody's edit."""
        recorded = self.main
        self.insisting(lambda: self.workspace.adopt(self.asking), choice)
        assert disk(self.path) == self.main == recorded

    def die(self) -> None:
        """The next process finds the journal and the folder, nothing else."""
        self.journal = self.journal.after_kill()
        self.lease = self.journal.acquire("r", "host:2")
        self.process()

    @rule(choice=CHOICES)
    def folder_is_adopted(self, choice: str) -> None:
        """Everything said, `main` is what the folder holds, and both are what a stranger reads there."""
        self.insisting(lambda: self.workspace.adopt(self.asking), choice)

        assert disk(self.path) == self.main

    @rule(data=st.data())
    def run_is_forked(self, data: st.DataObject) -> None:
        """Any moment's tree can be laid out in another folder."""
        seq = data.draw(st.sampled_from([1, *sorted(self.snapshots)]))
        objects = self.journal.objects
        tree = load_tree(main_at(heads("r", self.journal.read("r")), seq), objects)
        place = Path(tempfile.mkdtemp(dir=self.home))

        LocalFolder(place, objects).project(EMPTY, tree)

        assert disk(place) == self.model(tree.id)
        assert LocalFolder(place, objects).scan() == tree

    # --- what always holds

    @invariant()
    def trees_are_what_they_claim(self) -> None:
        """Their ids are those of their entries, for `main` and each lane."""
        if not hasattr(self, "history"):
            return
        for id in {self.history.state.main, *(x.tree for x in self.history.state.lanes.values())}:
            assert make_tree(load_tree(id, self.journal.objects).entries).id == id
        for name, model in self.lanes.items():
            assert self.model(self.history.state.lanes[name].tree) == model

    @invariant()
    def no_edit_of_the_person_is_lost(self) -> None:
        """It stands where they put it, or went on record before anything took its place."""
        if not hasattr(self, "history"):
            return
        held = disk(self.path)
        for path, token in [*self.persons.items()]:
            if held.get(path, ("", 0, b""))[2] != token:
                assert self.is_on_record(path, token), (path, token)
                del self.persons[path]

    def is_on_record(self, path: str, token: bytes) -> bool:
        sha256 = hashlib.sha256(token).hexdigest()
        events = [x.event for x in self.journal.read("r")]
        trees = {event.tree for event in events if isinstance(event, FolderChanged)}
        entries = (load_tree(tree, self.journal.objects).entries.get(path) for tree in trees)
        return any(entry is not None and entry.sha256 == sha256 for entry in entries)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=30 if QUICK else 1000,
    stateful_step_count=20 if QUICK else 50,
    deadline=None,
    phases=[Phase.generate] if QUICK else [*Phase],  # making a failure small takes minutes
)
