"""The cockpit itself: one watch, one journal to send commands with, and the screens above them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.events import Event, Key, Paste
from textual.filter import LineFilter
from textual.reactive import reactive

from autoagent.clock import SystemClock
from autoagent.errors import AutoagentError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.live.attending import Attendant, Live
from autoagent.settings import Settings
from autoagent.tui.background import Background, Carrier
from autoagent.tui.drawing.colourless import BLACK_AND_WHITE, Colourless
from autoagent.tui.drawing.harmless import Harmless
from autoagent.tui.drawing.news import News
from autoagent.tui.drawing.plainly import Plainly
from autoagent.tui.drawing.theming import DEFAULTS, THEMES
from autoagent.tui.engine import Asking, Look, look_at_docker
from autoagent.tui.keys import keymap, known
from autoagent.tui.notices import Waiting, notice
from autoagent.tui.orders import Orders
from autoagent.tui.pages.helping import HelpScreen
from autoagent.tui.pages.palette import Actions
from autoagent.tui.past.screen import PastScreen
from autoagent.tui.questions.attention import DEAD_S, QUIET_S, Typing
from autoagent.tui.questions.screen import QuestionScreen
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.overview import UNREAD, Seen
from autoagent.tui.runs.screen import RunsScreen
from autoagent.tui.sweeping import LOOK_S, Sweeping
from autoagent.tui.watching import Heard, Watch

if TYPE_CHECKING:
    from autoagent.sandboxes.docker import EngineStatus

T = TypeVar("T")
_LOOK_S = 0.25
"""Between two looks whether a question may open by itself."""


def _has_terminal() -> bool:
    return sys.__stdin__ is not None and sys.__stdin__.isatty()


class Cockpit(App[None]):
    """What `autoagent tui` opens."""

    TITLE = "autoagent"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Actions}
    CSS = """
    Screen { background: $background; }
    """
    engine: reactive[EngineStatus | None] = reactive(None)
    """What Docker answered; `None` until it was asked."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "answer", tooltip="Open what waits longest", id="app.answer"),
        Binding("question_mark", "help", "help", key_display="?", id="app.help"),
        Binding("f1", "help", "help", show=False, priority=True, id="app.help_anywhere"),
        Binding("q", "leave", "leave", tooltip="One level back, or out; runs go on", id="app.leave"),
        Binding(
            "ctrl+p", "command_palette", "commands", tooltip="Every action", priority=True, id="app.commands"
        ),
    ]

    def __init__(
        self,
        home: Path,
        run_id: str | None = None,
        carrier: Carrier | None = None,
        settings: Callable[[], Settings] = Settings,
        dead_s: float = DEAD_S,
        look: Look = look_at_docker,
        ascii_of: str = "",
        environment: Mapping[str, str] = os.environ,
        quiet_s: float = QUIET_S,
    ) -> None:
        """Raises what `settings` does, and `UsageError` where they name keys that can't be used.

        `dead_s`: keys don't answer a question until it was seen so long, and none was typed so long.
        `quiet_s`: a question of the run on screen opens by itself when no key came for so long.
        `look`: asks Docker; it is called in a thread of its own, and never before the first paint.
        `ascii_of`: the terminal's encoding, where it has no signs but ASCII.
        `environment`: tells which terminal it is.
        """
        super().__init__()
        self.settings, self._settings, self.dead_s = settings(), settings, dead_s
        self._harmless = Harmless()
        self._plainly = [Plainly(ascii_of)] if ascii_of else []
        self._environment = environment
        self._tells_focus = False
        """The terminal says when another window comes to the front."""
        self._engine_asked = Asking(look)
        self.actions, self._own_keys = known(), keymap(self.settings.keys)
        self.set_keymap(self._own_keys)
        self.home = home
        self.journal = SqliteJournal(home)
        self.carrier = Background(home) if carrier is None else carrier
        self.seen: dict[str, Seen] = {}
        self._waiting = Waiting()
        self.has_looked = False
        """Whether all runs were read at least once."""
        self._is_leaving = False
        self._sweeping = Sweeping()
        self.typing, self._quiet_s = Typing(), quiet_s
        self._opened: set[tuple[str, str]] = set()
        """The questions that were on screen: left for later, they come back by a key alone."""
        self._first = run_id
        self._attendant = Attendant(home, self._here(self._hear_live))
        self._watch = Watch(
            home, self._here(self._hear_runs), self._here(self._hear_run), self._here(self._hear_news)
        )
        self.orders = Orders(
            home, self.journal, self.carrier, lambda: self.seen, self.now, self._watch.look, self.first_key
        )

    def get_line_filters(self) -> Sequence[LineFilter]:
        colourless = [Colourless()] if self.no_color else []
        return [*super().get_line_filters(), *colourless, self._harmless, *self._plainly]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def on_mount(self) -> None:
        themes = (BLACK_AND_WHITE,) if self.no_color else THEMES
        for theme in themes:
            self.register_theme(theme)
        self.theme = themes[0].name
        self.push_screen(RunsScreen())
        if self._first is not None:
            self.open_run(self._first)
        if not self.is_web:  # there textual hears it
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self._watch.start()
        self._attendant.start()
        self._sweeping.begin()
        self.set_interval(LOOK_S, lambda: self._sweeping.look(self.typing.quiet_s))
        self.set_interval(0.3, self._hear_carrier)
        if not self.is_headless and _has_terminal():
            self.set_interval(1, self._leave_with_the_terminal)
        if math.isfinite(self._quiet_s):
            self.set_interval(_LOOK_S, self._open_by_itself)

    async def on_unmount(self) -> None:
        self.titled("")
        self._is_leaving = True
        self._sweeping.end()
        if not self.is_web:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        # they may be waiting for this very loop to hear them
        await asyncio.to_thread(self._watch.stop)
        await asyncio.to_thread(self._attendant.stop)
        self.journal.close()

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            self._watch.give_way()
            self.typing.heard()
            for news in self.screen.query(News):
                news.heard_key()
            if isinstance(self.screen, QuestionScreen):
                self.screen.hear_words(event)
        await super().on_event(event)

    def now(self) -> datetime:
        return SystemClock().now()

    # --- what the watch says --------------------------------------------------------------------------------

    def _here(self, hear: Callable[[T], None]) -> Callable[[T], None]:
        """`hear`, called on the screen's own loop."""

        def heard(value: T) -> None:
            if self.is_running and not self._is_leaving:  # else its widgets are on their way out
                hear(value)

        def told(value: T) -> None:
            if self._is_leaving:
                return
            with contextlib.suppress(RuntimeError):  # the screen is closing: nobody needs it any more
                self.call_from_thread(heard, value)

        return told

    def _hear_runs(self, runs: Sequence[Seen]) -> None:
        self.seen, self.has_looked = {run.id: run for run in runs}, True
        self._notify()
        for news in (each for screen in self.screen_stack for each in screen.query(News)):
            news.look()
        # those behind it look when they come to the front again
        if isinstance(self.screen, RunsScreen | RunScreen | QuestionScreen) and self.screen.is_mounted:
            self.screen.hear()

    def _notify(self) -> None:
        """One bell for what has come to wait since the last look; the terminal's title says how much does."""
        if any(run.name == UNREAD for run in self.seen.values()):
            return
        news = self._waiting.look(self.questions())
        if news.new:
            self.bell()
            self._tell_desktop(f"{news.said}: {self.seen[news.new[0]].goal}")
        if news.is_other:
            self.titled(news.said)

    def _tell_desktop(self, said: str) -> None:
        """Unless the person looks at this very window, or doesn't want it."""
        if self.settings.terminal.notices and not (self._tells_focus and self.app_focus):
            self.to_terminal(notice(said, self._environment))

    def on_app_focus(self) -> None:
        self._tells_focus = True

    def on_app_blur(self) -> None:
        self._tells_focus = True

    def titled(self, said: str) -> None:
        """The terminal's title, which a desktop shows while the window is behind others."""
        self.to_terminal(f"\x1b]0;{f'{said} - ' if said else ''}autoagent\x07")

    def to_terminal(self, sequence: str) -> None:
        """What no screen shows; nothing of it reaches a browser."""
        if sequence and self._driver is not None and not self.is_web:
            self._driver.write(sequence)
            self._driver.flush()

    def _hear_run(self, heard: Heard) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, RunScreen) and screen.run_id == heard.run_id:
                screen.add(heard)

    def _hear_live(self, live: Live) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, RunScreen) and screen.run_id == live.run_id:
                screen.hear_live(live.replies)
        if any(reply.entry is not None for reply in live.replies.values()):
            self._watch.look()  # it is in the journal now

    def _hear_news(self, news: str) -> None:
        """What no key of the person's has brought about."""
        self.tell(news, is_unasked=True)

    def tell(self, news: str, *, is_unasked: bool = False) -> None:
        """One line above the footer."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, RunsScreen | RunScreen | PastScreen):
                screen.query_one(News).say(news, is_unasked=is_unasked)
                return

    def standings(self) -> dict[str, str]:
        """Run -> how it stands, in a word that is another one when it stands otherwise."""
        return {run.id: f"{run.name} {' '.join(run.waiting)}" for run in self.seen.values()}

    # --- what a person does ---------------------------------------------------------------------------------

    def open_run(self, run_id: str) -> None:
        self.push_screen(RunScreen(run_id), lambda _: self.follow(None))

    def follow(self, run_id: str | None) -> None:
        """Be told every entry of this run, from its first; of none with `None`."""
        self._watch.open(run_id)
        self._attendant.attend(run_id)

    def rest(self) -> None:
        """For a thread between two stretches of work: makes room for what a person types."""
        self._watch.rest()

    def questions(self, first: str | None = None) -> list[tuple[str, str]]:
        """(run, question) of all that waits, those of run `first` first, then the longest."""
        found = [
            (run.state.questions[id].asked_at, run.id, id)
            for run in self.seen.values()
            if run.state is not None
            for id in run.waiting
        ]
        return [(run, id) for _, run, id in sorted(found, key=lambda each: (each[1] != first, each[0]))]

    def action_answer(self) -> None:
        """The next question; of the run on screen, if it has one."""
        here = self.screen.run_id if isinstance(self.screen, RunScreen) else None
        if isinstance(self.screen, RunsScreen):
            here = self.screen.chosen
        waiting = self.questions(here)
        if not waiting:
            self.tell("Nobody waits for you.")
            return
        self._ask(*waiting[0])

    def _open_by_itself(self) -> None:
        """A question of the run on screen, unless a person is typing; else the bell and the line say it."""
        if not self.screen_stack:  # it is closing
            return
        screen = self.screen
        if not isinstance(screen, RunScreen) or screen.has_words or self.typing.quiet_s < self._quiet_s:
            return
        fresh = [each for each in self.questions(screen.run_id) if each not in self._opened]
        if fresh and fresh[0][0] == screen.run_id:
            self._ask(*fresh[0])

    def _ask(self, run_id: str, question: str) -> None:
        self.push_screen(QuestionScreen(run_id, question), self._answered)

    def opened(self, run_id: str, question: str) -> None:
        """A question is on screen."""
        self._opened.add((run_id, question))

    def _answered(self, said: str | None) -> None:
        if said:
            self.tell(said)
        self._watch.look()

    def _leave_with_the_terminal(self) -> None:
        """Where nobody is told that it has gone (nohup, disown), reading it goes round and round."""
        if not _has_terminal():
            self.exit()

    def _hear_carrier(self) -> None:
        """What was started here opens by itself, where the person still stands in the list."""
        for run_id in self.carrier.begun():
            if isinstance(self.screen, RunsScreen) and not self.screen.is_typing:
                self.tell("")
                self.open_run(run_id)
            else:
                self._hear_news(f"{run_id} has begun")
        for said in self.carrier.failures():
            self._hear_news(said)

    def reload(self) -> None:
        """Look at config.toml again: a model may have been set meanwhile. Keys stay as they were."""
        try:
            self.settings = self._settings()
        except AutoagentError as error:
            self.tell(str(error))

    def look_at_engine(self) -> None:
        """Ask Docker, once, without waiting for it; who watches `engine` hears of it."""

        def heard(status: EngineStatus) -> None:
            self.engine = status

        self._engine_asked.once(self.settings.sandbox, self._here(heard))

    def on_console(self, *arguments: str) -> None:
        """A command at the terminal itself, which shows and asks; the screen comes back after it."""
        try:
            with self.suspend():
                self.carrier.console(arguments)
        except SuspendNotSupported:
            self.tell(f"type: autoagent {' '.join(arguments)}")
        self._watch.look()

    def first_key(self, action: str) -> str:
        """The key of an action, as it is written in a sentence; of several the first."""
        return self.key_of(action).partition(" ")[0]

    def key_of(self, action: str) -> str:
        """The keys of an action."""
        usual, own = self.actions[action], self._own_keys.get(action)
        if own is None and usual.key_display:
            return usual.key_display
        keys = (own or usual.key).split(",")
        return " ".join(self.get_key_display(usual.with_key(each, None)) for each in keys)

    def action_help(self) -> None:
        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            self.push_screen(HelpScreen(self.screen, self.focused))

    def action_help_quit(self) -> None:
        """^C, which nobody means for a run: this carries none."""
        self.tell(f"{self.first_key('app.leave')} leaves; every run goes on")

    def action_leave(self) -> None:
        """One level back; from the list, out."""
        if isinstance(self.screen, RunsScreen):
            self.exit()
        else:
            self.pop_screen()

    @property
    def left_at(self) -> str:
        """What a person is told when they are back in their shell."""
        going = [run.id for run in self.seen.values() if run.holder is not None]
        waiting = sum(len(run.waiting) for run in self.seen.values())
        said = [f"{', '.join(going)} {'goes' if len(going) == 1 else 'go'} on"] if going else []
        said += [f"{waiting} wait{'s' if waiting == 1 else ''} for you"] if waiting else []
        return " · ".join([*said, "autoagent tui comes back"])
