"""One run: its plan and proof, what it does, its files, and the gauges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, Static
from textual.worker import get_current_worker

from autoagent.commands import Command
from autoagent.console.line import Line, Part, line
from autoagent.errors import AutoagentError
from autoagent.past.changes import PathChange, changes
from autoagent.state import RunState
from autoagent.trees import load_tree
from autoagent.tui.closer import differing, everything, led_to, output_of
from autoagent.tui.drawing import drawn
from autoagent.tui.evidence import evidence_rows
from autoagent.tui.feed import Feed
from autoagent.tui.files import Steps, file_rows, history, one_step
from autoagent.tui.footer import Keys
from autoagent.tui.item_lines import under_way
from autoagent.tui.lines import Lines
from autoagent.tui.overview import Seen, title
from autoagent.tui.pace import Pulse
from autoagent.tui.reading import ReadScreen
from autoagent.tui.steering import raised, steer_line, words
from autoagent.tui.trail import Trail
from autoagent.tui.view import (
    Row,
    active_seconds,
    gauges,
    plan_in_short,
    plan_rows,
    plan_summary,
)
from autoagent.tui.watching import Heard

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_WIDE = 100
_SPIN_S = 0.25


class RunScreen(Screen[None]):
    """One run: left the plan and the criteria, right what it does. Enter unfolds a row in place.

    Closing this leaves the run going.
    """

    CSS = """
    RunScreen > #title, RunScreen > #brief, RunScreen > #gauges, RunScreen > #steer { height: 1; }
    RunScreen #plan { width: 2fr; max-width: 44; border: round $quiet; }
    RunScreen #views { width: 3fr; }
    RunScreen #views > Lines { border: round $quiet; }
    RunScreen #plan:focus, RunScreen #views > Lines:focus { border: round $primary; }
    RunScreen > #field { display: none; height: 1; }
    RunScreen > #brief, RunScreen > #steer { display: none; }
    RunScreen.narrow > #brief, RunScreen.steered > #steer { display: block; }
    RunScreen.narrow #plan { display: none; }
    RunScreen.narrow.planned #plan { display: block; width: 1fr; max-width: 100%; }
    RunScreen.narrow.planned #views { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('plan')", "plan", id="run.plan"),
        Binding("2", "view('activity')", "activity", id="run.activity"),
        Binding("3", "view('files')", "files", tooltip="What it has changed", id="run.files"),
        Binding("4", "view('evidence')", "evidence", tooltip="What is proved, and how", id="run.evidence"),
        Binding("z", "fold", "fold", tooltip="Fold what is unfolded; else unfold all", id="run.fold"),
        Binding("o", "page", "page", tooltip="All of an entry, as a page", show=False, id="run.page"),
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
        self._known: tuple[RunState, Pulse] | None = None
        """The run after the last entry that its activity tells of."""
        self._trail, self._steps = Trail(), Steps()
        self._words: dict[str, str] = {}
        """Request -> what the model has said so far."""

    def compose(self) -> ComposeResult:
        yield Static(f"{self.run_id} …", id="title", markup=False)
        yield Static("", id="brief", markup=False)
        with Horizontal():
            yield Lines(id="plan", is_wrapped=True)
            with ContentSwitcher(id="views", initial="activity"):
                yield Feed(self._output, id="activity")
                yield Lines(id="files")
                yield Lines(id="evidence", is_wrapped=True)
        yield Static("", id="gauges", markup=False)
        yield Static("", id="steer", markup=False)
        yield Input(id="field", compact=True)
        yield Static("", id="news", classes="news", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#plan").border_title = "Plan"
        self.query_one("#activity").border_title = "Activity"
        self.query_one("#files").border_title = "Files"
        self.query_one("#evidence").border_title = "Evidence"
        self.query_one("#activity").focus()
        self.app.follow(self.run_id)
        self.set_interval(1, self._tick)
        if self.app.animation_level != "none":
            self.set_interval(_SPIN_S, self._spin)

    def on_screen_resume(self) -> None:
        self.hear()

    def on_resize(self) -> None:
        self.set_class(self.size.width < _WIDE, "narrow")
        self.call_after_refresh(self.hear)

    @property
    def feed(self) -> Feed:
        return self.query_one("#activity", Feed)

    # --- what the watch says --------------------------------------------------------------------------------

    def add(self, heard: Heard) -> None:
        """More of what the run has done."""
        self._known = heard.state, heard.pulse
        if heard.is_first:
            self._trail, self._steps = Trail(), Steps()
            self.feed.begin(heard.told.items)
        else:
            self.feed.take(heard.told.items)
        self._trail.add(heard.told.facts)
        self._show()
        self._show_view()

    def hear(self) -> None:
        """The run is other than it was."""
        run = self.app.seen.get(self.run_id)
        if run is None:
            if self.app.has_looked:
                self.tell("This run isn't there any more.")
            return
        self._head(run)
        if run.state is None and self._known is None:
            self.tell(run.problem or "its journal is being read …")
            return
        self._show()
        self._tell_what_waits(run)
        self._show_view()

    def hear_words(self, request: str, said: str) -> None:
        """What a model has said so far, of a request that is under way."""
        self._words[request] = said
        self._show_tail()

    def _latest(self) -> tuple[RunState, Pulse] | None:
        """The run as far as anything is known of it."""
        run, known = self.app.seen.get(self.run_id), self._known
        if run is None or run.state is None or (known is not None and known[0].seq >= run.state.seq):
            return known
        return run.state, run.pulse

    @property
    def _is_carried(self) -> bool:
        run = self.app.seen.get(self.run_id)
        return run is not None and run.holder is not None

    # --- showing --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Another second."""
        run = self.app.seen.get(self.run_id)
        if run is not None and self.is_current:
            self._head(run)
            self._show()

    def _spin(self) -> None:
        if self.is_current and self._is_carried:
            self.feed.tick(self.app.now().timestamp())
            self._show_tail()

    def _head(self, run: Seen) -> None:
        said = title(run, self.app.now(), self.size.width - 1)
        self.query_one("#title", Static).update(drawn(said))

    def _show(self) -> None:
        """Plan, gauges, and what is under way."""
        if (latest := self._latest()) is None or latest[0].started is None:
            return
        state, pulse = latest
        active_s = active_seconds(state, pulse, self.app.now(), self._is_carried)
        plan = self.query_one("#plan", Lines)
        plan.border_title = plan_summary(state)
        checked = {number: check.seq for number, check in self._trail.checks.items()}
        plan.show(plan_rows(state, pulse.paces, plan.columns, active_s, self._trail.begun, checked))
        width = self.size.width
        if self.has_class("narrow"):
            self._update("#brief", plan_in_short(state, pulse, active_s, width))
        self._update("#gauges", gauges(state, pulse, active_s, width))
        self._show_steering(state, pulse)
        self.feed.known(state)
        self.feed.tick(self.app.now().timestamp() if self._is_carried else None)
        self._show_tail()
        self._show_following()

    def _update(self, what: str, said: Line) -> None:
        """Only where it says something else: each time costs a frame."""
        static = self.query_one(what, Static)
        if static.content != (content := drawn(said)):
            static.update(content)

    def _show_steering(self, state: RunState, pulse: Pulse) -> None:
        try:
            sent = self.app.journal.commands(self.run_id, state.commands)
        except AutoagentError as error:
            self.tell(str(error))
            return
        said = steer_line(pulse.steered, sent, state.steps, self.size.width)
        self.set_class(said is not None and self._made is None, "steered")
        self._update("#steer", said or line(""))

    def _show_tail(self) -> None:
        """The requests that are under way, with what the model says as far as it came."""
        if (latest := self._latest()) is None:
            return
        requests = latest[1].requests if self._is_carried else {}
        self._words = {call: said for call, said in self._words.items() if call in requests}
        columns, now_s = self.feed.stream.columns, self.app.now().timestamp()
        step = latest[0].steps + 1
        rows = [
            Row(under_way(request, self._words.get(call, ""), columns, now_s, step))
            for call, request in requests.items()
        ]
        self.feed.tailed(rows)

    def _show_following(self) -> None:
        feed = self.feed
        if feed.follows:
            said = line(Part("live", "accent" if self._is_carried else "dim"))
        else:
            new = line(Part(f"{feed.news} new ↓ ", "attention")) if feed.news else line("")
            said = new + line(Part("G follows", "dim"))
        feed.border_subtitle = drawn(said)

    @on(Lines.Moved, "#activity")
    def _moved(self) -> None:
        self._show_following()

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

    def tell(self, news: str) -> None:
        self.query_one("#news", Static).update(drawn(line(news)))

    # --- looking closer -------------------------------------------------------------------------------------

    def _output(self, seq: int) -> Sequence[str]:
        try:
            return output_of(self.app.journal, self.run_id, seq)
        except AutoagentError as error:
            return [str(error)]

    @on(Feed.Unfolding)
    def _unfold(self, event: Feed.Unfolding) -> None:
        item = event.feed.stream.items[event.item]
        if (lines := self._everything(item.seq, item.began)) is not None:
            event.feed.unfold(event.item, lines)

    def action_page(self) -> None:
        """All of the entry under the cursor."""
        pane = self.focused if isinstance(self.focused, Lines) else self.feed
        if pane is self.feed and (at := self.feed.item) is not None:
            item = self.feed.stream.items[at]
            self._page(item.seq, item.began)
        elif pane.key.isdecimal():
            self._page(int(pane.key))

    def _page(self, seq: int, began: int = 0) -> None:
        if (lines := self._everything(seq, began)) is not None:
            self.app.push_screen(ReadScreen(f"entry {seq}", lines))

    def _everything(self, seq: int, began: int) -> list[Line] | None:
        try:
            return everything(self.app.journal, self.run_id, seq, began)
        except AutoagentError as error:
            self.tell(str(error))
            return None

    def action_fold(self) -> None:
        self.feed.fold_all()

    @on(Lines.Chosen, "#plan")
    @on(Lines.Chosen, "#evidence")
    def _entry(self, event: Lines.Chosen) -> None:
        self._page(int(event.key))

    @on(Lines.Chosen, "#files")
    def _of_file(self, event: Lines.Chosen) -> None:
        """What each step made of a path; of a step what it changed, or read."""
        objects = self.app.journal.objects
        try:
            if event.key.isdecimal():
                touch = next((x for x in self._trail.changes if x.seq == int(event.key)), None)
                if touch is None:
                    self._page(int(event.key))
                    return
                name, shown = f"step {touch.step}", list(one_step(touch, objects))
            else:
                name = event.key.removeprefix("./")
                shown = history(name, self._steps.by_path.get(name, ()), objects)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen(name, shown or [line("no step changed it")]))

    def action_diff(self) -> None:
        if (latest := self._latest()) is None:
            return
        try:
            shown = differing(self.app.journal, latest[0].start_tree, latest[0].main)
        except AutoagentError as error:
            self.tell(str(error))
            return
        self.app.push_screen(ReadScreen("all that it has changed", shown))

    def action_why(self) -> None:
        pane = self.focused if isinstance(self.focused, Lines) else self.feed
        if what := pane.key:
            self.tell(f"looking for what led to {what} …")
            self._why(what)

    @work(thread=True, exclusive=True, group="why")
    def _why(self, what: str) -> None:
        """In a thread: all entries are read."""
        try:
            found = led_to(self.app.journal, self.run_id, what)
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))
        else:
            self.app.call_from_thread(self._told_why, what, found)

    def _told_why(self, what: str, found: Sequence[Line]) -> None:
        self.tell("")
        if self.is_current:
            self.app.push_screen(ReadScreen(f"what led to {what}", found))

    # --- doing ----------------------------------------------------------------------------------------------

    def action_past(self) -> None:
        from autoagent.tui.past import PastScreen

        self.app.push_screen(PastScreen(self.run_id))

    def action_steer(self) -> None:
        self._write("what the agent should know before its next step", words)

    def action_limit(self) -> None:
        self._write("a limit and its new value: usd 3, steps 80, minutes 60, tokens 500000", raised)

    def action_pause(self) -> None:
        self.app.pause(self.run_id)

    def _write(self, what: str, made: Callable[[str], Command | str]) -> None:
        field = self.query_one("#field", Input)
        self._made, field.placeholder, field.value, field.display = made, what, "", True
        self.remove_class("steered")
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
        self._show()

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
        self._show_view()
        self.query_one(f"#{name}").focus()

    def _show_view(self) -> None:
        """The files or the proof, where they are on screen."""
        if (latest := self._latest()) is None or latest[0].started is None:
            return
        match self.query_one("#views", ContentSwitcher).current:
            case "files":
                self._catch_up()
            case "evidence":
                rows = evidence_rows(latest[0], self._trail.checks, self._trail.recalls, latest[0].workspace)
                self.query_one("#evidence", Lines).show(rows)
            case _:
                pass

    @work(thread=True, exclusive=True, group="files")
    def _catch_up(self) -> None:
        """In a thread: the trees of every step are read, once."""
        trail, steps, objects, latest = self._trail, self._steps, self.app.journal.objects, self._latest()
        worker = get_current_worker()
        assert latest is not None
        try:
            found = changes(load_tree(latest[0].start_tree, objects), load_tree(latest[0].main, objects))
            is_done = False
            while not is_done and not worker.is_cancelled:
                is_done = steps.catch_up(trail.changes, objects)
                self.app.call_from_thread(self._show_files, found, steps, trail)
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))

    def _show_files(self, found: Sequence[PathChange], steps: Steps, trail: Trail) -> None:
        if steps is self._steps and self.is_mounted:
            pane = self.query_one("#files", Lines)
            pane.show(file_rows(found, steps.by_path, trail.reads, pane.columns))

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
