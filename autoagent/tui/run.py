"""One run: its plan and proof, what it does, its files, and the gauges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, Static

from autoagent.commands import Command, RaiseLimits, Tell
from autoagent.console.changes import Caps, differences
from autoagent.console.line import line
from autoagent.errors import AutoagentError
from autoagent.past.changes import changes
from autoagent.past.patch import patch
from autoagent.trees import load_tree
from autoagent.tui.drawing import drawn
from autoagent.tui.footer import Keys
from autoagent.tui.lines import Lines
from autoagent.tui.overview import Seen, title
from autoagent.tui.reading import ReadScreen
from autoagent.tui.view import file_rows, gauges, plan_lines, plan_summary, unfolded
from autoagent.tui.watching import Heard

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_WIDE = 100


def _raised(text: str) -> Command | str:
    """The limit that a person typed."""
    name, _, value = text.strip().partition(" ")
    if name not in ("usd", "steps", "minutes", "tokens"):
        return "write usd, steps, minutes or tokens, and the new value"
    try:
        return RaiseLimits.model_validate({name: value.strip()})
    except ValidationError:
        return f"{value!r} is no number for {name}"


_SIGNS = {"added": "+", "changed": "~", "removed": "-", "moved": ">"}


class RunScreen(Screen[None]):
    """One run: left the plan and the criteria, right what it does. Enter unfolds a line.

    Closing this leaves the run going.
    """

    CSS = """
    RunScreen > #title { height: 1; }
    RunScreen #plan { width: 2fr; border: round $quiet; }
    RunScreen #views { width: 3fr; }
    RunScreen #activity, RunScreen #files { border: round $quiet; }
    RunScreen #plan:focus, RunScreen #activity:focus, RunScreen #files:focus { border: round $primary; }
    RunScreen > #gauges { height: 1; }
    RunScreen > #field { display: none; height: 1; }
    RunScreen.narrow #plan { display: none; }
    RunScreen.narrow.planned #plan { display: block; width: 1fr; }
    RunScreen.narrow.planned #views { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('plan')", "plan", id="run.plan"),
        Binding("2", "view('activity')", "activity", id="run.activity"),
        Binding("3", "view('files')", "files", tooltip="What it has changed", id="run.files"),
        Binding("d", "diff", "diff", tooltip="All lines that it has changed", id="run.diff"),
        Binding("w", "why", "why", tooltip="What led to the line under the cursor", id="run.why"),
        Binding("p", "past", "past", tooltip="The run as it was, entry by entry", id="run.past"),
        Binding("s", "steer", "steer", tooltip="Say something to the agent", id="run.steer"),
        Binding("space", "pause", "pause", tooltip="Hold still, and go on", id="run.pause"),
        Binding("l", "limit", "limit", tooltip="Raise a limit: usd 3, steps 80", id="run.limit"),
        Binding("r", "resume", "resume", id="run.resume"),
        Binding("c", "cancel", "cancel", tooltip="End it for good; asks", id="run.cancel"),
        Binding("escape", "back", "back", id="run.back", priority=True),
    ]

    app: Cockpit

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._cancelling = False
        self._said_waiting = ""
        self._made: Callable[[str], Command | str] | None = None
        """What the one-line field is for; a text says what is wrong with what was typed."""

    def compose(self) -> ComposeResult:
        yield Static(f"{self.run_id} …", id="title", markup=False)
        with Horizontal():
            yield Lines(id="plan", has_cursor=False, is_wrapped=True)
            with ContentSwitcher(id="views", initial="activity"):
                yield Lines(id="activity", follows=True)
                yield Lines(id="files")
        yield Static("", id="gauges", markup=False)
        yield Input(id="field", compact=True)
        yield Static("", id="news", classes="news", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#plan").border_title = "Plan"
        self.query_one("#activity").border_title = "Activity"
        self.query_one("#files").border_title = "Files"
        self.query_one("#activity").focus()
        self.app.follow(self.run_id)
        self.set_interval(1, self._tick)

    def on_screen_resume(self) -> None:
        self.hear()

    def on_resize(self) -> None:
        self.set_class(self.size.width < _WIDE, "narrow")
        self.call_after_refresh(self.hear)

    def _tick(self) -> None:
        """The time of day, and how long what is under way takes."""
        run = self.app.seen.get(self.run_id)
        if run is not None and self.is_current:
            self._head(run)

    def _head(self, run: Seen) -> None:
        said = title(run, self.app.now(), self.size.width - 1)
        self.query_one("#title", Static).update(drawn(said))

    def hear(self) -> None:
        """The run is other than it was."""
        run = self.app.seen.get(self.run_id)
        if run is None:
            if self.app.has_looked:
                self.tell("This run isn't there any more.")
            return
        self._head(run)
        if run.state is None:
            self.tell(run.problem or "its journal is being read …")
            return
        plan = self.query_one("#plan", Lines)
        plan.border_title = plan_summary(run.state)
        plan.show_lines(plan_lines(run.state, run.paces, plan.columns))
        self.query_one("#gauges", Static).update(drawn(gauges(run.state, run.state.seconds)))
        self._tell_what_waits(run)
        if self.query_one("#views", ContentSwitcher).current == "files":
            self._show_files()

    def _tell_what_waits(self, run: Seen) -> None:
        """Once, so that it takes no other news' place."""
        others = [other for other, _ in self.app.questions() if other != self.run_id]
        said = ""
        if run.waiting:
            said = f"! it waits for you ({len(run.waiting)}) · a answers"
        elif others:
            more = f" ({len(others)} in all)" if len(others) > 1 else ""
            said = f"! {others[0]} waits for you{more} · a answers"
        if said != self._said_waiting:
            self._said_waiting = said
            self.tell(said)

    def add(self, heard: Heard) -> None:
        """More lines of the run."""
        pane = self.query_one("#activity", Lines)
        if heard.is_first:
            pane.show(heard.rows)
        else:
            pane.add(heard.rows)
        pane.border_subtitle = "live" if pane.follows else f"{pane.unseen} new below · G follows"

    def tell(self, news: str) -> None:
        self.query_one("#news", Static).update(drawn(line(news)))

    # --- looking closer -------------------------------------------------------------------------------------

    @on(Lines.Chosen, "#activity")
    def _unfold(self, event: Lines.Chosen) -> None:
        number = int(event.key)
        try:
            entries = self.app.journal.read(self.run_id, upto=number)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen(f"entry {number}", unfolded(entries[-1], entries)))

    @on(Lines.Chosen, "#files")
    def _lines_of_file(self, event: Lines.Chosen) -> None:
        self._diff(event.key)

    def action_diff(self) -> None:
        self._diff(None)

    def _diff(self, path: str | None) -> None:
        run = self.app.seen.get(self.run_id)
        if run is None or run.state is None:
            return
        objects = self.app.journal.objects
        try:
            trees = load_tree(run.state.start_tree, objects), load_tree(run.state.main, objects)
            found = [each for each in changes(*trees) if path is None or each.path == path]
            shown = list(differences([(each, patch(each, objects)) for each in found], Caps()))
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen(path or "all that it has changed", shown or [line("nothing yet")]))

    def action_why(self) -> None:
        from autoagent.console.reasons import reasons
        from autoagent.past.ledger import Ledger
        from autoagent.past.why import why

        pane = self.query_one("#activity", Lines)
        what = pane.key if pane.has_focus else self.query_one("#files", Lines).key
        if not what:
            return
        try:
            ledger = Ledger(self.run_id, self.app.journal.read(self.run_id))
            found = list(reasons(why(ledger, what, self.app.journal.objects)))
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen(f"what led to {what}", found))

    # --- doing ----------------------------------------------------------------------------------------------

    def action_past(self) -> None:
        from autoagent.tui.past import PastScreen

        self.app.push_screen(PastScreen(self.run_id))

    def action_steer(self) -> None:
        self._write("what the agent should know before its next step", self._steered)

    def _steered(self, text: str) -> Command | str:
        return Tell(text=text) if text.strip() else "nothing was said"

    def action_limit(self) -> None:
        self._write("a limit and its new value: usd 3, steps 80, minutes 60, tokens 500000", _raised)

    def action_pause(self) -> None:
        self.app.pause(self.run_id)

    def _write(self, what: str, made: Callable[[str], Command | str]) -> None:
        field = self.query_one("#field", Input)
        self._made, field.placeholder, field.value, field.display = made, what, "", True
        field.focus()

    @on(Input.Submitted, "#field")
    def _written(self, event: Input.Submitted) -> None:
        assert self._made is not None
        command = self._made(event.value)
        if isinstance(command, str):
            self.tell(command)
            return
        self._close_field()
        self.tell(self.app.send(self.run_id, command))

    def _close_field(self) -> None:
        self._made = None
        self.query_one("#field").display = False
        self.query_one("#activity").focus()

    def action_back(self) -> None:
        """Out of the field, or back to the list."""
        if self._made is not None:
            self._close_field()
        else:
            self.app.action_leave()

    def action_view(self, name: str) -> None:
        self.set_class(name == "plan", "planned")
        if name == "plan":
            self.query_one("#plan").focus()
            return
        self.query_one("#views", ContentSwitcher).current = name
        if name == "files":
            self._show_files()
        self.query_one(f"#{name}").focus()

    def _show_files(self) -> None:
        run = self.app.seen.get(self.run_id)
        if run is None or run.state is None:
            return
        objects = self.app.journal.objects
        try:
            found = changes(load_tree(run.state.start_tree, objects), load_tree(run.state.main, objects))
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.query_one("#files", Lines).show(file_rows([(_SIGNS[x.change], x.path) for x in found]))

    def action_resume(self) -> None:
        self.app.resume(self.run_id)

    def action_cancel(self) -> None:
        """The second time it is done."""
        if self._cancelling:
            self.app.cancel(self.run_id)
        else:
            self.tell(f"c once more ends run {self.run_id} for good; any other key leaves it")
        self._cancelling = not self._cancelling

    def on_key(self, event: object) -> None:
        if getattr(event, "key", "") != "c":
            self._cancelling = False
