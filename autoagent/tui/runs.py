"""The list of all runs, those that wait for you first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input, Static

from autoagent.console.line import line
from autoagent.tui.drawing import drawn
from autoagent.tui.footer import Keys
from autoagent.tui.lines import Lines
from autoagent.tui.overview import Seen, by_need, preview, run_rows, top

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class RunsScreen(Screen[None]):
    """All runs of this home, those that wait for you first.

    The pane below says what the run under the cursor wants, or how it stands.
    """

    CSS = """
    RunsScreen > #top { height: 1; }
    RunsScreen > #runs { border: round $primary; border-title-color: $text; }
    RunsScreen > #preview { height: 8; border: round $quiet; }
    RunsScreen > #filter { display: none; height: 1; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", tooltip="Start a goal", id="runs.new"),
        Binding("r", "resume", "resume", tooltip="Go on with the run under the cursor", id="runs.resume"),
        Binding("c", "cancel", "cancel", tooltip="End it for good; asks", id="runs.cancel"),
        Binding("m", "memory", "memory", tooltip="What earlier runs found", id="runs.memory"),
        Binding("P", "plugins", "plugins", tooltip="What is installed, and what it lacks", id="runs.plugins"),
        Binding("slash", "filter", "filter", key_display="/", id="runs.filter"),
        Binding("escape", "all", "all", tooltip="Drop the filter", show=False, id="runs.all"),
    ]

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._cancelling = ""
        self._filter = ""
        self._was_moved = False
        """Whether the person chose a run."""

    def compose(self) -> ComposeResult:
        yield Static("reading the journal …", id="top", markup=False)
        yield Lines(id="runs")
        yield Lines(id="preview", has_cursor=False, is_wrapped=True)
        yield Input(id="filter", placeholder="words of the goal, a state, a run", compact=True)
        yield Static("", id="news", classes="news", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#runs", Lines).border_title = "Runs"
        self.query_one("#runs").focus()
        self.set_interval(1, self._tick)

    def on_screen_resume(self) -> None:
        self.hear()

    def _tick(self) -> None:
        """Ages and the time of day."""
        if self.is_current:
            self.hear()

    @property
    def chosen(self) -> str:
        """The run under the cursor; empty where there is none."""
        return self.query_one("#runs", Lines).key

    def _shown(self) -> list[Seen]:
        words = self._filter.lower().split()
        runs = by_need(self.app.seen.values())
        return [run for run in runs if all(w in f"{run.id} {run.name} {run.goal}".lower() for w in words)]

    def hear(self) -> None:
        """The runs are other than they were."""
        if not self.app.has_looked:
            return
        shown, now = self._shown(), self.app.now()
        runs = self.query_one("#runs", Lines)
        if not self._was_moved:  # on what is needed first, until the person stands elsewhere
            runs.cursor = 0
        runs.show(run_rows(shown, now, self.size.width - 3), keeps=self._was_moved)
        of = f" of {len(self.app.seen)}" if self._filter else ""
        runs.border_title = f"Runs ({len(shown)}{of})"
        said = top([*self.app.seen.values()], now, self.size.width - 1)
        self.query_one("#top", Static).update(drawn(said))
        self._preview()

    def _preview(self) -> None:
        run = self.app.seen.get(self.chosen)
        pane = self.query_one("#preview", Lines)
        pane.border_title = "" if run is None else f"{run.id} waits for you" if run.waiting else run.id
        if run is None and self._filter:
            pane.show_lines([line(f"No run has all of {self._filter!r} in it. esc shows all.")])
        else:
            pane.show_lines(preview(run, self.app.now()))

    def tell(self, news: str) -> None:
        self.query_one("#news", Static).update(drawn(line(news)))

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
        from autoagent.tui.starting import StartScreen

        self.app.push_screen(StartScreen(), lambda said: self.tell(said or ""))

    def action_memory(self) -> None:
        from autoagent.tui.memory import MemoryScreen

        self.app.push_screen(MemoryScreen())

    def action_plugins(self) -> None:
        from autoagent.tui.extensions import PluginsScreen

        self.app.push_screen(PluginsScreen())

    def action_resume(self) -> None:
        if self.chosen:
            self.app.resume(self.chosen)

    def action_cancel(self) -> None:
        """The second time it is done."""
        if self.chosen and self._cancelling == self.chosen:
            self._cancelling = ""
            self.app.cancel(self.chosen)
        elif self.chosen:
            self._cancelling = self.chosen
            self.tell(f"c once more ends run {self.chosen} for good; any other key leaves it")

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
