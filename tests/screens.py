"""What the cockpit's screens look like, as SVG: the pictures in the docs, and those that a test compares.

    python -m tests.screens         draws all of them anew; the diff shows what has changed

They are drawn over the runs of `stories`, at one moment, in one time zone, with nothing that moves. So a
picture changes when the program does, and never else.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

from textual.events import Mount
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input, TextArea

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE))  # as pytest has it

from seats import NO_ENGINE, Carried  # noqa: E402
from stories import AT_WORK, MAIL, NOW, PLAN, POINTS, lay_out  # noqa: E402

from autoagent.events import Entry  # noqa: E402
from autoagent.journal.home import home  # noqa: E402
from autoagent.journal.sqlite import SqliteJournal  # noqa: E402
from autoagent.settings import Settings  # noqa: E402
from autoagent.tui.app import Cockpit  # noqa: E402
from autoagent.tui.drawing.lines import Lines  # noqa: E402
from autoagent.tui.past.screen import PastScreen  # noqa: E402
from autoagent.tui.questions.screen import QuestionScreen  # noqa: E402
from autoagent.tui.run.screen import RunScreen  # noqa: E402
from autoagent.tui.runs.overview import UNREAD  # noqa: E402
from autoagent.wiring import open_memory  # noqa: E402

IMAGES = HERE.parent / "docs" / "images"
SNAPSHOTS = HERE / "snapshots"
ANEW = "python -m tests.screens"
WITHIN_S = 20.0


# --- how it is looked at ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A terminal, and the settings of who sits before it."""

    name: str
    size: tuple[int, int]
    theme: str = "autoagent"
    environment: Mapping[str, str] = field(default_factory=dict)
    ascii_of: str = ""
    of: Sequence[str] = ()
    """The screens that are drawn so; all where there are none."""


SMALL = Look("80x24", (80, 24))
LOOKS = (
    SMALL,
    Look("120x40", (120, 40)),
    Look("light", (120, 40), theme="autoagent-light", of=("runs", "run", "question")),
    Look("no-color", (80, 24), theme="", environment={"NO_COLOR": "1"}, of=("run", "question")),
    Look("ascii", (80, 24), ascii_of="ascii", of=("run", "question")),
)
DOCS = Look("docs", (112, 30), of=("run", "question"))
"""What README.md and the pages show."""


class StillCockpit(Cockpit):
    """The cockpit at one moment, without Docker, at a terminal that says nothing of itself."""

    def __init__(self, home: Path, run: str | None = None, ascii_of: str = "", theme: str = "") -> None:
        super().__init__(
            home,
            run,
            Carried(),
            dead_s=0,
            look=lambda _: NO_ENGINE,
            ascii_of=ascii_of,
            environment={},
            quiet_s=1e9,
        )
        self._wanted = theme

    def on_mount(self, event: Mount) -> None:
        """Its theme before anything is drawn."""
        event.prevent_default()
        super().on_mount()
        self.theme = self._wanted or self.theme

    def now(self) -> datetime:
        return NOW

    def titled(self, said: str) -> None:
        """There is no terminal to be told."""


@dataclass
class Eye:
    """Somebody who goes from screen to screen."""

    pilot: Pilot[None]
    app: StillCockpit

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def on(self, screen: type[Screen[object]]) -> None:
        await self.until(lambda: isinstance(self.app.screen, screen) and self.app.screen.is_mounted)

    def has(self, pane: str) -> Callable[[], bool]:
        """Whether a pane of the screen has lines."""
        return lambda: bool(self.app.screen.query_one(pane, Lines).rows)

    def rows(self) -> list[str]:
        """What is on screen, line by line."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    async def still(self) -> None:
        """Wait until nothing changes any more."""
        for blinking in (*self.app.screen.query(Input), *self.app.screen.query(TextArea)):
            blinking.cursor_blink = False
        before: list[Strip] = []
        while before != (before := self.app.screen._compositor.render_strips()):
            await self.pilot.pause(0.05)
            await self.pilot.pause()

    def svg(self) -> str:
        return cleaned(self.app.export_screenshot(title="autoagent tui", simplify=True))

    async def chosen(self, run: str) -> None:
        """The cursor of the list on a run."""
        pane = self.app.screen.query_one("#runs", Lines)
        await self.until(lambda: any(row.key == run for row in pane.rows))
        pane.action_move([row.key for row in pane.rows].index(run) - pane.cursor)


# --- what is looked at --------------------------------------------------------------------------------------


async def _run(eye: Eye) -> None:
    await eye.chosen(MAIL)
    await eye.press("enter")
    await eye.on(RunScreen)
    await eye.until(eye.has("#activity"))


async def _question(eye: Eye) -> None:
    await eye.chosen(MAIL)
    await _asked(eye)


async def _plan(eye: Eye) -> None:
    await eye.chosen(PLAN)
    await _asked(eye)


async def _asked(eye: Eye) -> None:
    await eye.press("a")
    await eye.on(QuestionScreen)


async def _past(eye: Eye) -> None:
    await _run(eye)
    await eye.press("p")
    await eye.on(PastScreen)
    screen = eye.app.screen
    assert isinstance(screen, PastScreen)
    await eye.until(lambda: screen.at > 1)
    await eye.press("H", "H")


async def _memory(eye: Eye) -> None:
    await eye.press("m", *"payments", "enter")
    await eye.until(eye.has("#hits"))


async def _runs(eye: Eye) -> None:
    await eye.chosen(MAIL)


async def _plugins(eye: Eye) -> None:
    await eye.press("P")


async def _new(eye: Eye) -> None:
    await eye.press("n")


async def _help(eye: Eye) -> None:
    await eye.press("question_mark")


SCREENS: Mapping[str, Callable[[Eye], Awaitable[None]]] = {
    "runs": _runs,
    "run": _run,
    "question": _question,
    "plan": _plan,
    "past": _past,
    "memory": _memory,
    "plugins": _plugins,
    "new": _new,
    "help": _help,
}


# --- drawing ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def still_home(
    folder: Path, changed: Callable[[list[Entry]], list[Entry]] = lambda entries: entries
) -> Iterator[Path]:
    """The runs of `stories` in a home at `folder`; one of them is carried by this process meanwhile."""
    lay_out(folder, changed)
    asyncio.run(_remember(folder))
    journal = SqliteJournal(folder)
    journal.acquire(AT_WORK, "stories")
    try:
        yield folder
    finally:
        journal.close()


async def _remember(folder: Path) -> None:
    memory = open_memory(folder, Settings())
    await memory.store(POINTS)
    await memory.close()


@contextlib.contextmanager
def surroundings(folder: Path, look: Look) -> Iterator[None]:
    """This process as if started in that home, in UTC; as it was afterwards."""
    before = dict(os.environ)
    os.environ.pop("NO_COLOR", None)
    os.environ |= {
        "AUTOAGENT_HOME": str(folder),
        "TZ": "UTC",
        "TEXTUAL_ANIMATIONS": "none",
        **look.environment,
    }
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
        time.tzset()


async def visited(look: Look, names: Sequence[str] = ()) -> AsyncIterator[tuple[str, Eye]]:
    """Each screen, one cockpit for all of them; its name, and who looks at it."""
    app = StillCockpit(home(), None, look.ascii_of, look.theme)
    async with app.run_test(size=look.size) as pilot:
        eye = Eye(pilot, app)
        await eye.until(lambda: app.has_looked and all(x.name != UNREAD for x in app.seen.values()))
        for name in names or look.of or SCREENS:
            await SCREENS[name](eye)
            await eye.still()
            yield name, eye
            while len(app.screen_stack) > 2:
                app.pop_screen()
                await pilot.pause()


def cleaned(svg: str) -> str:
    """Without what differs from drawing to drawing, or would be loaded from elsewhere."""
    svg = re.sub(r"terminal-\d+", "t", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+\n", "\n", svg)


# --- comparing ----------------------------------------------------------------------------------------------


_COLUMN = 12.2
"""Of a picture, in its own units."""


def rows_of(svg: str) -> list[str]:
    """The text of a picture, row by row."""
    rows: dict[float, str] = {}
    for x, y, text in re.findall(r'<text class="t-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        before = rows.get(float(y), "").ljust(round(float(x) / _COLUMN))
        rows[float(y)] = before + html.unescape(text).replace("\xa0", " ")
    return [rows[y].rstrip() for y in sorted(rows)]


def difference(stored: Path, drawn: str) -> str:
    """In what a picture differs from the stored one; empty where it doesn't."""
    before = stored.read_text(encoding="utf-8") if stored.exists() else ""
    if before == drawn:
        return ""
    lines = list(unified_diff(rows_of(before), rows_of(drawn), "stored", "now", lineterm="", n=1))
    return "\n".join(lines[2:]) or "(the same text in other colours, or elsewhere)"


def place_of(name: str, look: Look) -> Path:
    """Where a picture is stored."""
    return IMAGES / f"{name}.svg" if look is DOCS else SNAPSHOTS / f"{name}-{look.name}.svg"


async def _draw(folder: Path) -> None:
    for look in (*LOOKS, DOCS):
        with surroundings(folder, look):
            async for name, eye in visited(look):
                place_of(name, look).write_text(eye.svg(), encoding="utf-8")


if __name__ == "__main__":
    for old in SNAPSHOTS.glob("*.svg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as made, still_home(Path(made)) as laid_out:
        asyncio.run(_draw(laid_out))
