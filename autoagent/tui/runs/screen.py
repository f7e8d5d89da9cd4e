"""The list of all runs, those that wait for you first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from autoagent.console.line import line, short
from autoagent.errors import AutoagentError
from autoagent.llm.recording import FILE_NAME as RECORDING
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.runs.overview import Seen, preview, run_table, top
from autoagent.tui.runs.sorting import Order, after, having, in_order
from autoagent.tui.runs.welcome import welcome

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_SAID: dict[Order, str] = {
    "need": "",
    "newest": " · newest first",
    "spent": " · dearest first",
    "goal": " · by goal",
}

_OF_RUNS = ("resume", "pause", "filter", "sort", "cancel")


class RunsScreen(Screen[None]):
    """All runs of this home, those that wait for you first.

    The pane below says what the run under the cursor wants, or how it stands.
    """

    CSS = """
    RunsScreen > #top { height: 1; }
    RunsScreen > #list { height: 1fr; border: round $quiet; }
    RunsScreen > #list:focus-within { border: round $primary; border-title-color: $text; }
    RunsScreen #heading { height: 1; display: none; }
    RunsScreen.wide #heading { display: block; }
    RunsScreen > #preview { height: 8; border: round $quiet; }
    RunsScreen > #preview:focus { border: round $primary; }
    RunsScreen.empty > #list { height: 3; }
    RunsScreen.empty #heading { display: none; }
    RunsScreen.empty > #preview { height: 1fr; }
    RunsScreen > #filter { display: none; height: 1; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "app.answer", "answer", tooltip="Open what waits longest", id="app.answer"),
        Binding("n", "new", "new", tooltip="Start a goal, of your own or from a template", id="runs.new"),
        Binding("t", "try", "try", tooltip="The recorded example: no key, no cost", id="runs.try"),
        Binding("r", "resume", "resume", tooltip="Go on with the run under the cursor", id="runs.resume"),
        Binding("space", "pause", "pause", tooltip="Hold it still, and let it go on", id="runs.pause"),
        Binding("slash", "filter", "filter", key_display="/", tooltip="By words", id="runs.filter"),
        Binding("o", "sort", "sort", tooltip="By need, newest, dearest, goal", id="runs.sort"),
        Binding("c", "cancel", "cancel", tooltip="End it for good; asks", id="runs.cancel"),
        Binding("m", "memory", "memory", tooltip="What earlier runs found", id="runs.memory"),
        Binding("A", "grants", "always", tooltip="What you always allow", show=False, id="runs.grants"),
        Binding("P", "plugins", "plugins", tooltip="What is installed, and what it lacks", id="runs.plugins"),
        Binding("escape", "all", "all", tooltip="Drop the filter", show=False, id="runs.all"),
    ]

    PANES: ClassVar[Mapping[str, str]] = {
        "runs": "All runs of this home, those that wait for you first. The pane below says what the run "
        "under the cursor wants, or how it stands.",
        "preview": "What the run under the cursor waits for, or how it stands and which key does something "
        "about it. It follows the cursor; tab leads back to the list.",
        "filter": "Words that must stand in a run's goal, its state, its folder's name or its own; all of "
        "them. Enter leads to what is left, esc brings all runs back.",
    }

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._cancelling = ""
        self._filter = ""
        self._order: Order = "need"
        self._was_moved = False
        """Whether the person chose a run."""

    def compose(self) -> ComposeResult:
        yield Static("reading the journal …", id="top", markup=False)
        with Vertical(id="list"):
            yield Static("", id="heading", markup=False)
            yield Lines(id="runs")
        yield Lines(id="preview", has_cursor=False, is_wrapped=True)
        yield Input(id="filter", placeholder="words of the goal, a state, a folder, a run", compact=True)
        yield News()
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Runs"
        self.query_one("#runs").focus()
        self.watch(self.app, "engine", self.hear, init=False)
        self.set_interval(1, self._tick)

    def on_screen_resume(self) -> None:
        self.hear()

    def _tick(self) -> None:
        """Ages and the time of day."""
        if self.is_current:
            self.hear()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on aren't offered below; help has them all the same."""
        has_runs = bool(self.app.seen) or not self.app.has_looked
        return True if has_runs or action not in _OF_RUNS else None

    @property
    def chosen(self) -> str:
        """The run under the cursor; empty where there is none."""
        return self.query_one("#runs", Lines).key

    @property
    def is_typing(self) -> bool:
        """A person writes into the filter."""
        return self.query_one("#filter").has_focus

    def hear(self) -> None:
        """The runs are other than they were."""
        if not self.app.has_looked:
            return
        all_runs, now = [*self.app.seen.values()], self.app.now()
        shown = in_order(having(all_runs, self._filter), self._order)
        if (is_empty := not all_runs) != self.has_class("empty"):
            self.set_class(is_empty, "empty")
            self.refresh_bindings()
        if is_empty:
            self.app.look_at_engine()
        self._show(shown, len(all_runs))
        self.query_one("#top", Static).update(drawn(top(all_runs, now, self.size.width - 1)))
        self._preview()

    def _show(self, shown: list[Seen], of: int) -> None:
        runs = self.query_one("#runs", Lines)
        if not self._was_moved:  # on what stands first, until the person stands elsewhere
            runs.cursor = 0
        heading, rows = run_table(shown, self.app.now(), self.size.width - 3)
        runs.show(rows, keeps=self._was_moved)
        self.set_class(bool(heading.parts), "wide")
        self.query_one("#heading", Static).update(drawn(heading))
        count = f"{len(shown)} of {of}" if self._filter else str(of)
        self.query_one("#list").border_title = f"Runs ({count}){_SAID[self._order]}"

    def _preview(self) -> None:
        run = self.app.seen.get(self.chosen)
        pane = self.query_one("#preview", Lines)
        pane.border_title = "" if run is None else f"{run.id} waits for you" if run.waiting else run.id
        where = "" if run is None or run.state is None else run.state.workspace
        room = max(self.size.width - 10, 10)
        pane.border_subtitle = drawn(line("in ", short(where, room))) if where else ""
        if run is not None:
            pane.show_lines(preview(run, self.app.now(), self.app.first_key))
        elif self._filter:
            key = self.app.first_key("runs.all")
            pane.show_lines([line(f"No run has all of {self._filter!r} in it. {key} shows all.")])
        else:
            pane.show_lines(welcome(self.app.settings, self.app.engine, self.app.first_key))

    def tell(self, news: str) -> None:
        self.query_one(News).say(news)

    def on_resize(self) -> None:
        self.hear()

    @on(Lines.Moved, "#runs")
    def _moved(self) -> None:
        self._cancelling, self._was_moved = "", True
        self._preview()

    @on(Lines.Chosen, "#runs")
    def _open(self, event: Lines.Chosen) -> None:
        self.app.open_run(event.key)

    def action_new(self) -> None:
        from autoagent.tui.starting.screen import StartScreen

        self.app.push_screen(StartScreen(), lambda said: self.tell(said or ""))

    def action_try(self) -> None:
        """The example in a copy of its own, beside the folder that the cockpit was opened in."""
        from autoagent.examples import TRIED, example, fresh

        try:
            tried = example(TRIED)
            folder = fresh(TRIED, Path.cwd())
            tried.copy(folder)
            self.tell(self.app.orders.start(folder, folder / RECORDING))
        except AutoagentError as error:
            self.tell(str(error))

    def action_memory(self) -> None:
        from autoagent.tui.pages.memory import MemoryScreen

        self.app.push_screen(MemoryScreen())

    def action_grants(self) -> None:
        from autoagent.tui.pages.grants import GrantsScreen

        self.app.push_screen(GrantsScreen())

    def action_plugins(self) -> None:
        from autoagent.tui.pages.plugins import PluginsScreen

        self.app.push_screen(PluginsScreen())

    def action_resume(self) -> None:
        if self.chosen:
            self.app.tell(self.app.orders.resume(self.chosen))

    def action_pause(self) -> None:
        if self.chosen:
            self.app.tell(self.app.orders.pause(self.chosen))

    def action_sort(self) -> None:
        """The next order; the cursor goes to its top."""
        self._order, self._was_moved = after(self._order), False
        self.hear()

    def action_cancel(self) -> None:
        """The second time it is done."""
        if self.chosen and self._cancelling == self.chosen:
            self._cancelling = ""
            self.app.tell(self.app.orders.cancel(self.chosen))
        elif self.chosen:
            self._cancelling = self.chosen
            key = self.app.first_key("runs.cancel")
            self.tell(f"{key} once more ends run {self.chosen} for good; any other key leaves it")

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self._filter = event.value
        self.hear()

    def action_all(self) -> None:
        """Out of the filter, with all runs back."""
        self.query_one("#filter", Input).value = ""
        self._filter_done()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.query_one("#filter").display = bool(self._filter)
        self.query_one("#runs").focus()
