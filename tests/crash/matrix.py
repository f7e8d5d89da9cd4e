"""Carries one run to its end through any number of deaths, and checks what is left of it."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from autoagent.commands import Answer, Approve
from autoagent.events import CallEnded, CallStarted, Entry, MemoryIndexed, SubTaskEnded
from autoagent.folder.local import LocalFolder
from autoagent.ids import memory_id
from autoagent.journal.sqlite import SqliteJournal
from autoagent.memory.edge import EdgeMemory
from autoagent.questions import Question
from autoagent.state import RunState, fold
from autoagent.testing.server import ScriptedServer, SeenRequest, ServedTurn

from .play import CELLS, EDIT, FILES, LETTERS, MAILS, Cell, answer, expected_files, goal
from .warm import Job, Report, Warm
from .world import Office, Post

PROCESSES_AT_MOST = 3_000


@dataclass
class Played:
    """What one run went through."""

    kills: int = 0
    resumes: int = 0
    asked: int = 0
    """Recovery questions: what became of a letter that nothing but a person can find out."""
    letters: int = 0
    mails: int = 0
    again: int = 0
    """Mails that came once more, with the same Message-ID and the same bytes."""


@dataclass(frozen=True)
class Dying:
    """When the processes of a run die: each at the first moment at which none did, by the file `covered`."""

    covered: Path
    times: int
    """At most so many of a run's processes die."""
    by_place: bool = False
    """Once at each place; else once at each place after each entry."""
    only: tuple[str, ...] = ()
    chance: float = 1
    """The share of those moments at which one dies, picked by `seed`."""
    seed: int = 0

    def died(self) -> list[str]:
        """The moments so far, in order."""
        return self.covered.read_text().splitlines() if self.covered.exists() else []


LIVES = Dying(Path("none"), 0)


class Theatre:
    """The servers and the warm process that all runs share; `async with Theatre(path) as theatre`."""

    def __init__(self, path: Path, model: Callable[[SeenRequest], ServedTurn] = answer) -> None:
        self.path = path
        self.office = Office()
        self.model = ScriptedServer(model)
        self.warm = Warm()
        self._stack = AsyncExitStack()
        self._number = 0

    async def __aenter__(self) -> Theatre:
        for part in (self.office, self.model, self.warm):
            await self._stack.enter_async_context(part)
        rehearsal = Run(self, CELLS[0], self.path / "rehearsal", LIVES)
        rehearsal.prepare()
        self.warm.rehearse(rehearsal.job())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def play(self, cell: Cell, dying: Dying = LIVES, wait_s: float = 0) -> Played:
        """One whole run; raises `AssertionError` that names cell, deaths and where to look.

        With `wait_s` processes wait so long for answers, which come meanwhile; else they park.
        """
        run = Run(self, cell, self.place(), dying, wait_s)
        await self.perform(run)
        return run.played

    def place(self) -> Path:
        """A folder for a run of its own."""
        self._number += 1
        return self.path / str(self._number)

    async def perform(self, run: Run) -> None:
        """Carry a run and check it, as `play` does."""
        at, dying = run.at, run.dying
        try:
            await run.carry()
            await run.check()
        except AssertionError as error:
            log = run.home / "child.log"
            said = log.read_text()[-3000:] if log.exists() else ""
            died = " | ".join(dying.died()[-min(run.played.kills, 5) :]) if run.played.kills else "never"
            raise AssertionError(f"{run.cell}; died: {died}; {at}: {error}\n{said}") from error
        shutil.rmtree(at)


class Run:
    """One run, process after process."""

    def __init__(self, theatre: Theatre, cell: Cell, at: Path, dying: Dying, wait_s: float = 0) -> None:
        self.theatre, self.cell, self.at, self.dying, self.wait_s = theatre, cell, at, dying, wait_s
        self.folder = at / "work"
        self.name = f"home{at.name}"
        self.home = at / self.name
        self.played = Played()
        self.run: str | None = None
        self.journal: SqliteJournal | None = None

    @property
    def post(self) -> Post:
        return self.theatre.office.of(self.name)

    def prepare(self) -> None:
        self.home.mkdir(parents=True)
        for path, text in self.files().items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        style, url = self.cell.style, self.theatre.model.base_url
        (self.home / "config.toml").write_text(
            f'[models.scripted]\nmodel = "scripted"\nbase_url = "{url}"\nstyle = "{style}"\n'
            f'[sandbox]\nkind = "{self.cell.sandbox}"\n'
            f'[plugins.mail]\nhost = "127.0.0.1"\nport = {self.theatre.office.mail_port}\ntls = "none"\n'
            f'from = "agent@{self.name}.example.org"\nafter_crash = "send again"\n'
        )

    def files(self) -> dict[str, str]:
        """What the run finds."""
        return FILES

    def goal(self) -> str:
        return goal(self.cell)

    def between(self) -> None:
        """What happens while no process carries the run."""

    async def carry(self) -> None:
        """Process after process, people's answers between them, until the run has ended."""
        self.prepare()
        for _ in range(PROCESSES_AT_MOST):
            report = await self._process()
            await self.theatre.office.settled()
            self.between()
            assert report.left == 0, "a process was left running"
            if report.killed:
                self.played.kills += 1
            elif report.ending == "parked":
                self._answer_all()
            else:
                assert report.ending == "proved", f"{report.ending}: {report.reason}"
                return
        raise AssertionError("the run doesn't come to its end")

    async def _process(self) -> Report:
        self.run = self._begun()
        self.played.resumes += self.run is not None
        answering = asyncio.ensure_future(self._answer_as_they_come() if self.wait_s else asyncio.sleep(0))
        report = await self.theatre.warm.run(self.job())
        answering.cancel()
        for result in await asyncio.gather(answering, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        return report

    def job(self) -> Job:
        return Job(
            home=str(self.home),
            folder=str(self.folder),
            office=self.theatre.office.port,
            run=self.run,
            goal=self.goal(),
            edit=EDIT,
            wait_s=self.wait_s,
            covered=str(self.dying.covered) if self.played.kills < self.dying.times else None,
            by_place=self.dying.by_place,
            only=self.dying.only,
            chance=self.dying.chance,
            seed=self.dying.seed,
        )

    def _begun(self) -> str | None:
        """The run as far as its journal knows of it; one without an entry is none, and is started anew."""
        if not (self.home / "journal.db").exists():
            return None
        with closing(SqliteJournal(self.home)) as journal:
            begun = [head.id for head in journal.runs() if head.entries]
        assert len(begun) < 2, "two runs were begun"
        return begun[0] if begun else None

    # --- people -------------------------------------------------------------------------------------------

    def _answer_all(self) -> None:
        """From another process than the run's: yes to all, and the truth about letters."""
        self.run = self.run or self._begun()
        assert self.run is not None
        with closing(SqliteJournal(self.home)) as journal:
            waiting = fold(self.run, journal.read(self.run)).waiting
            assert waiting, "it is parked, and nobody is asked"
            for asked in waiting:
                journal.send(self.run, self.said(asked.question), by="command")

    async def _answer_as_they_come(self) -> None:
        """While a process waits, as from another terminal."""
        answered: set[str] = set()
        while True:
            await asyncio.sleep(0.03)
            self.run = self.run or self._begun()
            if self.run is None:
                continue
            with closing(SqliteJournal(self.home)) as journal:
                for asked in fold(self.run, journal.read(self.run)).waiting:
                    if asked.question.id not in answered:
                        answered.add(asked.question.id)
                        journal.send(self.run, self.said(asked.question), by="command")

    def said(self, question: Question) -> Approve | Answer:
        if question.is_yes_no:
            return Approve(question=question.id, digest=question.digest)
        assert question.subject.kind == "recovery", question
        self.played.asked += 1
        assert question.subject.tool == "post_plain", "only a letter without probe and key is asked about"
        args = question.subject.args
        assert isinstance(args, dict)
        text = "done" if args["text"] in self.post.texts() else "run again"
        return Answer(question=question.id, digest=question.digest, text=text)

    # --- what is left -------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Nothing is lost, and nothing happened twice."""
        found, right = files_of(self.folder), expected_files(self.cell)
        wrong = {p: (found.get(p), right.get(p)) for p in {*found, *right} if found.get(p) != right.get(p)}
        _same("the folder (path: is, should be)", wrong, {})
        wanted = sorted((LETTERS[name][0], name) for name in ("gather", *self.cell.tasks, "end"))
        _same("letters", sorted(self.post.letters), wanted)
        self.played.letters = len(wanted)
        self._check_mails(right)
        assert self.run is not None
        with closing(SqliteJournal(self.home)) as journal:
            entries = journal.read(self.run)
            state = fold(self.run, entries)
            _check_state(state, entries)
            assert LocalFolder(self.folder, journal.objects).scan().id == state.main, "folder and main differ"
            assert journal.holder(self.run) is None
            assert journal.verify(self.run).first_bad is None, "the chain of entries is broken"
        await self._check_memory(entries)
        if self.cell.sandbox == "docker":
            _check_containers(self.run)

    def _check_mails(self, right: dict[str, str]) -> None:
        """Each has one Message-ID, and the same bytes with the right file at every try."""
        mailed = {str(mail["Subject"]): mail for mail in self.post.mailed()}
        _same("mails", [sorted(mailed), len(self.post.mails)], [sorted(MAILS), len(MAILS)])
        for name, path in MAILS.items():
            (file,) = mailed[name].iter_attachments()
            _same(f"the file with mail {name!r}", file.get_content().replace("\r\n", "\n"), right[path])
        tries = [*self.post.mails.values()]
        _same("tries with other bytes", [set(each) for each in tries if len(set(each)) > 1], [])
        self.played.mails = len(tries)
        self.played.again = sum(map(len, tries)) - len(tries)

    async def _check_memory(self, entries: Sequence[Entry]) -> None:
        """Each outcome, and what the agent wanted remembered, once."""
        assert self.run is not None
        names = {memory_id(self.run, name) for name in ("gather", *self.cell.tasks, "end")}
        hits = await EdgeMemory(self.home / "memory").search("books gather left right up down end", limit=50)
        found = [hit.point for hit in hits if hit.point.run == self.run]
        _same("outcomes", {point.id for point in found if point.source == "outcome"}, names)
        remembered = [point.text for point in found if point.source == "remembered"]
        _same("memory", remembered, ["the books were opened"])
        indexed = [e.event.point for e in entries if isinstance(e.event, MemoryIndexed)]
        _same("indexed outcomes", sorted(indexed), sorted(names))


def _same(what: str, found: object, wanted: object) -> None:
    assert found == wanted, f"{what}: {str(found)[:1500]}, not {str(wanted)[:1500]}"


def files_of(folder: Path) -> dict[str, str]:
    """Path -> text of all that is in the folder, whatever its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if stat.S_ISREG(path.lstat().st_mode):
            found[path.relative_to(folder).as_posix()] = path.read_text()
    return found


def _check_state(state: RunState, entries: Sequence[Entry]) -> None:
    """The journal tells one consistent story, in which nothing is open."""
    assert state.ended is not None
    assert state.ended.ending == "proved"
    assert not state.held, "a request is still held"
    assert not state.waiting
    assert not [c for c in state.calls.values() if c.ended is None and c.started is not None]
    epochs = [entry.epoch for entry in entries]
    assert epochs == sorted(epochs)
    ends = Counter(e.event.call for e in entries if isinstance(e.event, CallEnded))
    assert set(ends.values()) == {1}, "a call ended twice"
    begun = {e.event.call for e in entries if isinstance(e.event, CallStarted)}
    assert begun <= set(ends)
    over = Counter(e.event.lane for e in entries if isinstance(e.event, SubTaskEnded))
    assert set(over.values()) == {1}, "a sub-task ended twice"


def _check_containers(run: str) -> None:
    from autoagent.sandboxes.engine import Engine

    with closing(Engine.connect()) as engine:
        assert engine.containers_of(run) == [], "a container was left"
