"""A person before the cockpit, for its tests: a home with runs in it, keys, and what stands on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from tempfile import mkdtemp

from loops import plan
from textual.pilot import Pilot
from textual.widgets import Static
from worlds import World

from autoagent.commands import Command
from autoagent.console.finding import opened
from autoagent.goal.file import understand
from autoagent.journal.home import home
from autoagent.loop.context import Models
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.sandboxes.docker import EngineStatus
from autoagent.settings import ModelSettings, Settings
from autoagent.testing.model import ScriptedModel, call
from autoagent.tui.app import Cockpit
from autoagent.tui.background import Carrier
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.questions.screen import QuestionScreen
from autoagent.tui.runs.overview import UNREAD
from autoagent.wiring import Parts, start

POST = "goal: Tell bob\nallow: {send: {post: []}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"
PROVED = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\n"
UNSET = Settings()
A_MODEL = Settings(environment=ModelSettings(model="small", base_url="http://127.0.0.1:9/v1"))
NO_ENGINE = EngineStatus(problem="no Docker engine answered")
LONG = "\n".join(f"line {n} \x1b[31mred [bold]not bold[/bold] \u202eevil" for n in range(60))


@dataclass
class Carried:
    """A carrier that only remembers what it was asked for."""

    resumed: list[str] = field(default_factory=list)
    started: list[Path] = field(default_factory=list)
    played: list[Path | None] = field(default_factory=list)
    typed: list[Sequence[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def resume(self, run_id: str) -> Path:
        self.resumed.append(run_id)
        return Path("a.log")

    def start(self, target: Path, recorded: Path | None = None) -> Path:
        self.started.append(target)
        self.played.append(recorded)
        return Path("a.log")

    def begun(self) -> Sequence[str]:
        return ()

    def failures(self) -> Sequence[str]:
        failed, self.failed = self.failed, []
        return failed

    def console(self, arguments: Sequence[str]) -> None:
        self.typed.append(arguments)


async def ran(folder: Path, goal: str, *replies: Reply) -> Outcome:
    """A run of one sub-task in this test's home, as far as it goes."""
    workspace = Path(mkdtemp(dir=folder))
    model = ScriptedModel(planner=[plan("tell")], worker=replies)
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model), plugins=[World().plugin()])
        return await start(understand(goal)[0], workspace, parts=parts)


async def parked(folder: Path, text: str = "hi") -> Outcome:
    return await ran(folder, POST, call("post_send", to="bob", text=text))


def commands(run: str) -> list[Command]:
    with opened() as journal:
        return [sent.command for sent in journal.commands(run)]


class HeardCockpit(Cockpit):
    """Keeps what the terminal would be told."""

    def __init__(
        self,
        run: str | None,
        carrier: Carrier,
        settings: Settings,
        dead_s: float,
        ascii_of: str = "",
        quiet_s: float = inf,
    ) -> None:
        super().__init__(
            home(),
            run,
            carrier,
            lambda: settings,
            dead_s,
            lambda _: NO_ENGINE,
            ascii_of,
            {"TERM": "xterm"},
            quiet_s,
        )
        self.bells, self.titles, self.sent = 0, list[str](), list[str]()

    def bell(self) -> None:
        self.bells += 1

    def titled(self, said: str) -> None:
        self.titles.append(said)

    def to_terminal(self, sequence: str) -> None:
        self.sent.append(sequence)


@dataclass
class Seat:
    """A person before the cockpit."""

    pilot: Pilot[None]
    app: HeardCockpit
    carrier: Carried
    """What it was given, where a test gave none of its own."""

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def asked(self) -> QuestionScreen:
        """The question on screen, looked at long enough."""
        await self.press("a")
        await self.until(lambda: isinstance(self.app.screen, QuestionScreen))
        return await self.looked_at()

    async def looked_at(self) -> QuestionScreen:
        """The question on screen, once it takes keys."""
        screen = self.app.screen
        assert isinstance(screen, QuestionScreen)
        await self.until(lambda: screen.takes_keys)
        return screen

    async def on_row(self, words: str) -> None:
        """The activity's cursor on the first row with these words."""
        pane = self.app.screen.query_one("#activity", Lines)
        pane.action_move(next(n for n, row in enumerate(pane.rows) if words in str(row.line)) - pane.cursor)
        await self.pilot.pause()

    def text(self, of: str) -> str:
        """What stands in a pane, all of it."""
        pane = self.app.screen.query_one(of)
        if isinstance(pane, Lines):
            return "\n".join(str(row.line) for row in pane.rows)
        assert isinstance(pane, Static)
        return str(pane.content)

    def screen(self) -> list[str]:
        """The whole screen, as a terminal shows it."""
        width = self.app.size.width
        return [strip.text.ljust(width) for strip in self.app.screen._compositor.render_strips()]


@asynccontextmanager
async def seated(
    size: tuple[int, int] = (120, 36),
    run: str | None = None,
    keys: Mapping[str, Mapping[str, str]] = {},
    dead_s: float = 0.05,
    carrier: Carrier | None = None,
    settings: Settings = UNSET,
    ascii_of: str = "",
    quiet_s: float = inf,
) -> AsyncIterator[Seat]:
    """The cockpit over this test's home, once it has looked at all runs; no question opens by itself."""
    carried = Carried()
    own = settings.model_copy(update={"keys": keys})
    app = HeardCockpit(run, carrier or carried, own, dead_s, ascii_of, quiet_s)
    async with app.run_test(size=size) as pilot:
        seat = Seat(pilot, app, carried)
        await seat.until(lambda: app.has_looked and all(x.name != UNREAD for x in app.seen.values()))
        await pilot.pause()
        yield seat
