"""A person who works in the folder while the agent does, and what must become of each version of theirs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autoagent.commands import Answer, Approve
from autoagent.events import CallEnded, CallStarted, Entry, LaneMerged
from autoagent.journal.sqlite import SqliteJournal
from autoagent.messages import Frozen
from autoagent.ports import Objects
from autoagent.questions import Question
from autoagent.state import RunState, advance
from autoagent.testing.server import SeenRequest, ServedCall, ServedTurn
from autoagent.trees import load_tree

from . import play
from .matrix import Dying, Run, Theatre, files_of
from .play import CELLS, task_of
from .warm import Job

PATHS = ("a.txt", "b.txt", "sub/c.txt", "sub/d.txt")
"""What both work on."""
ACTS_AT_MOST = 14
CHANCE = 0.05
"""That the person acts at a place that a process passes."""
STEPS = 5
PREFIX = "scribe"


class Act(Frozen):
    """What the person did, in order."""

    kind: str
    """`write`, `replace`, `delete`, or the answer to a question about their files."""
    paths: tuple[str, ...]
    text: str = ""


class Person:
    """Acts by a seed; each act is noted in a file that outlives processes."""

    def __init__(self, folder: Path, notes: Path, seed: int) -> None:
        self.folder, self.notes, self.seed = folder, notes, seed

    def acts(self) -> list[Act]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [Act.model_validate_json(line) for line in lines]

    def note(self, act: Act) -> None:
        with self.notes.open("a") as file:
            file.write(act.model_dump_json() + "\n")

    def act(self) -> None:
        """Write, replace or delete one of the files."""
        number = len(self.acts())
        if number >= ACTS_AT_MOST:
            return
        moment = random.Random(f"{self.seed} {number}")
        name, kind = moment.choice(PATHS), moment.choice(("write", "write", "replace", "delete"))
        path, text = self.folder / name, "" if kind == "delete" else f"person {number}\n"
        path.parent.mkdir(exist_ok=True)
        match kind:
            case "delete":
                path.unlink(missing_ok=True)
            case "replace":
                other = self.notes.with_name("draft")
                other.write_text(text)
                other.replace(path)
            case _:
                path.write_text(text)
        self.note(Act(kind=kind, paths=(name,), text=text))


class Meddling:
    """Has the person act at some of the places that a process passes.

    Never while another thread is about to rename: between a look at a path and the rename some microseconds
    lie in which no program can see a change.
    """

    _BEFORE = ("ended, not projected", "merged, not projected")
    _INSIDE = ("file half written", "file staged", "between two paths")

    def __init__(self, person: Person, chance: float) -> None:
        self._person, self._chance = person, chance
        self._moments = random.Random(f"{person.seed} after {len(person.acts())}")
        self._projecting = False

    def at(self, place: str) -> None:
        """Called with nobody dying meanwhile."""
        if place in self._BEFORE:
            self._projecting = True
        elif place == "projected":
            self._projecting = False
        is_beside = self._projecting and place not in (*self._INSIDE, *self._BEFORE)
        if self._moments.random() < self._chance and not is_beside:
            self._person.act()


# --- the agent ----------------------------------------------------------------------------------------------


def goal(lanes: int) -> str:
    """Scribes who write over one another's files, one after the other or side by side, and one who ends."""
    names = [f"{PREFIX}{letter}" for letter in "abc"]
    plan = [{"id": n, "title": n, "instructions": f"TASK {n}"} for n in names]
    last = {"id": f"{PREFIX}z", "title": "end", "instructions": f"TASK {PREFIX}z", "depends_on": names}
    return f"""
goal: fill the folder
allow: {{run: sandbox}}
plugins: [files, python]
parallel: {lanes}
done_when: [{{file: end.txt}}]
limits: {{steps: 1000, usd: 0, minutes: 600, tokens: 1000000000}}
plan: {json.dumps([*plan, last])}
"""


def answer(request: SeenRequest) -> ServedTurn:
    """A scribe writes, appends and deletes without looking; whatever happens to it, it goes on."""
    name = task_of(request)
    if not name.startswith(PREFIX):
        return play.answer(request)
    done = sum(message.get("role") == "assistant" for message in request.messages)
    if name == f"{PREFIX}z" or done >= STEPS:
        made = [("files_write", {"path": "end.txt", "content": "x"})] if name == f"{PREFIX}z" else []
        calls = [*made, ("finish", {"result": name})]
    else:
        calls = [_scribbled(f"{name} {done} {n}") for n in (1, 2)]
    served = [ServedCall(name=t, arguments=a, id=f"{name}-{done}-{n}") for n, (t, a) in enumerate(calls)]
    return ServedTurn(text="On.", calls=tuple(served))


def _scribbled(what: str) -> tuple[str, dict[str, str]]:
    moment, text = random.Random(what), f"agent {what}\n"
    path = moment.choice(PATHS)
    match moment.choice(("write", "write", "append", "delete")):
        case "write":
            return "files_write", {"path": path, "content": text}
        case "append":
            code = f"import os\nos.makedirs('sub', exist_ok=True)\nopen({path!r}, 'a').write({text!r})"
            return "python_run", {"code": code}
        case _:
            return "files_delete", {"path": path}


# --- one run ------------------------------------------------------------------------------------------------


class Meddled(Run):
    """A run in whose folder a person works, and whose processes die at random."""

    def __init__(self, theatre: Theatre, at: Path, dying: Dying, lanes: int, seed: int) -> None:
        super().__init__(theatre, CELLS[0], at, dying)
        self.lanes, self.seed = lanes, seed
        self.person = Person(self.folder, at / "acts", seed)
        self.moments = random.Random(seed)
        self.fates: list[str] = []

    def files(self) -> dict[str, str]:
        return {"a.txt": "first\n", "sub/c.txt": "first\n"}

    def goal(self) -> str:
        return goal(self.lanes)

    def job(self) -> Job:
        meddling = (str(self.person.notes), self.seed, CHANCE)
        return super().job().model_copy(update={"meddling": meddling, "edit": None})

    def between(self) -> None:
        """While no process lives."""
        if self.moments.random() < 0.3:
            self.person.act()

    def said(self, question: Question) -> Approve | Answer:
        assert question.subject.kind == "folder", question
        args = question.subject.args
        assert isinstance(args, dict)
        choice = self.moments.choice(question.choices)
        self.person.note(Act(kind=choice, paths=tuple(map(str, args["paths"]))))  # type: ignore[arg-type]
        return Answer(question=question.id, digest=question.digest, text=choice)

    async def check(self) -> None:
        """Every version of the person's came to an end of the kinds that are promised."""
        assert self.run is not None
        acts, files = self.person.acts(), files_of(self.folder)
        with closing(SqliteJournal(self.home)) as journal:
            mains = [*_mains(self.run, journal.read(self.run), journal.objects)]
            assert journal.verify(self.run).first_bad is None, "the chain of entries is broken"
        for number, act in enumerate(acts):
            if act.text:
                fate = _fate(act, acts[number + 1 :], files, mains)
                assert fate is not None, f"lost: {act.paths[0]} {act.text!r}; {acts}; {files}"
                self.fates.append(fate)
        for path in PATHS:
            if any(act.kind == "theirs" and path in act.paths for act in acts):
                continue  # the agent's version may begin as an older one of the person's
            written = [act.text for act in acts if act.kind in _KINDS and act.paths == (path,)]
            assert files.get(path) not in [text for text in written[:-1] if text], f"{path} came back; {acts}"
        assert not [name for name in files if "autoagent-tmp" in name], "a temporary file was left"


_KINDS = ("write", "replace", "delete")


@dataclass(frozen=True)
class _Main:
    """What `main` held from an entry on."""

    texts: dict[str, str]
    known: dict[str, str]
    """What the agent had before it that made it so; nothing where a person did."""


def _mains(run: str, entries: Sequence[Entry], objects: Objects) -> Iterator[_Main]:
    state, worked_on = RunState(run), dict[str, str]()
    for entry in entries:
        before, state = state, advance(state, entry)
        match entry.event:
            case CallStarted(call=call, tree=tree):
                worked_on[call] = tree
            case CallEnded(call=call) if state.main != before.main:
                yield _Main(_texts(state.main, objects), _texts(worked_on[call], objects))
            case LaneMerged(lane=lane) if state.main != before.main:
                yield _Main(_texts(state.main, objects), _texts(before.lanes[lane].base, objects))
            case _ if state.main != before.main:
                yield _Main(_texts(state.main, objects), {})
            case _:
                pass


def _texts(tree: str, objects: Objects) -> dict[str, str]:
    entries = load_tree(tree, objects).entries.items()
    return {path: objects.get(e.sha256).decode() for path, e in entries if e.kind == "file"}


def _fate(act: Act, later: Sequence[Act], files: dict[str, str], mains: Sequence[_Main]) -> str | None:
    """What became of a version; `None`: it was lost."""
    (path,) = act.paths
    if any(act.text in text for text in files.values()):
        return "there"
    if any(path in other.paths and other.kind in (*_KINDS, "theirs") for other in later):
        return "replaced by the person"
    was_there = False
    for main in mains:
        is_there = act.text in main.texts.get(path, "")
        if was_there and not is_there:
            return "replaced by an agent that knew it" if act.text in main.known.get(path, "") else None
        was_there = is_there
    return None
