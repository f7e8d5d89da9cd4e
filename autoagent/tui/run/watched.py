"""One run as the watch tells of it: what stands in its panes, from second to second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import ContentSwitcher, Input, Static
from textual.worker import get_current_worker

from autoagent.console.line import Line, Part, line
from autoagent.errors import AutoagentError
from autoagent.live.replies import Replies
from autoagent.past.changes import changes
from autoagent.state import RunState
from autoagent.trees import load_tree
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.drawing.view import (
    Row,
    active_seconds,
    gauges,
    plan_in_short,
    plan_rows,
    plan_summary,
)
from autoagent.tui.run.activity import Item
from autoagent.tui.run.closer import everything, output_of
from autoagent.tui.run.evidence import evidence_rows
from autoagent.tui.run.feed import Feed
from autoagent.tui.run.files import Steps, file_rows
from autoagent.tui.run.leading import Leading
from autoagent.tui.run.pace import Pulse
from autoagent.tui.run.standing import standing_rows, useful
from autoagent.tui.run.steering import steer_line
from autoagent.tui.run.streaming import tail_rows, trying_in_short
from autoagent.tui.run.trail import Trail
from autoagent.tui.runs.overview import Seen, title
from autoagent.tui.watching import Heard

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_WIDE = 100
_SPIN_S = 0.25
_READING = "its journal is being read …"


class WatchedRun(Leading):
    """The panes of one run, kept as the run is."""

    app: Cockpit

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self._cancelling = False
        self._typed: Callable[[str], bool] | None = None
        """What the one-line field is for; says whether what was typed could be taken."""
        self._known: tuple[RunState, Pulse] | None = None
        """The run after the last entry that its activity tells of."""
        self._trail, self._steps = Trail(), Steps()
        self._replies: Replies = {}
        """Those that come in."""

    def compose(self) -> ComposeResult:
        yield Static(f"{self.run_id} …", id="title", markup=False)
        yield Static("", id="brief", markup=False)
        with Horizontal():
            yield Lines(id="plan", is_wrapped=True)
            with ContentSwitcher(id="views", initial="activity"):
                yield Feed(self._output, self._behind, id="activity")
                yield Lines(id="files")
                yield Lines(id="evidence", is_wrapped=True)
        yield Static("", id="gauges", markup=False)
        yield Static("", id="steer", markup=False)
        yield Input(id="field", compact=True)
        yield News(self.run_id)
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
    def news(self) -> News:
        return self.query_one(News)

    @property
    def feed(self) -> Feed:
        return self.query_one("#activity", Feed)

    # --- what the watch says --------------------------------------------------------------------------------

    def add(self, heard: Heard) -> None:
        """More of what the run has done."""
        self._known = heard.state, heard.pulse
        self._begun()
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
                self.news.hold("This run isn't there any more.")
            return
        self._head(run)
        if run.state is None and self._known is None:
            self.news.hold(run.problem or _READING)
            return
        self._begun()
        self._show()
        self.query_one(Keys).put_first(useful(run))
        self._tell_what_waits(run)
        self._show_view()

    def hear_live(self, replies: Replies) -> None:
        """What has come so far of the replies to requests that are under way."""
        self._replies = replies
        self._show_tail()

    def _begun(self) -> None:
        """There is something to be seen."""
        if self.news.holds == _READING:
            self.news.hold("")

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
        trying = trying_in_short(self._replies, run.pulse.requests)
        said = title(run, self.app.now(), self.size.width - 1, self.app.first_key, trying)
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
        begun, is_carried = self._trail.begun, self._is_carried
        plan.show(
            plan_rows(state, pulse.paces, plan.columns, active_s, begun, checked, is_carried=is_carried)
        )
        width = self.size.width
        if self.has_class("narrow"):
            self._update("#brief", plan_in_short(state, pulse, active_s, width, is_carried=is_carried))
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
        self.set_class(said is not None and self._typed is None, "steered")
        self._update("#steer", said or line(""))

    def _show_tail(self) -> None:
        """The requests that are under way, with what the model says as far as it came."""
        if (latest := self._latest()) is None:
            return
        run, columns = self.app.seen.get(self.run_id), self.feed.stream.columns
        if run is not None and run.holder is None:
            self.feed.tailed(standing_rows(run, self.app.key_of, columns.width))
            return
        requests, now_s = latest[1].requests, self.app.now().timestamp()
        self.feed.tailed(tail_rows(requests, self._replies, columns, now_s, latest[0].steps + 1))

    def _show_following(self) -> None:
        feed = self.feed
        if feed.follows:
            run = self.app.seen.get(self.run_id)
            is_live = run is None or run.holder is not None
            said = line(Part("live", "accent") if is_live or run is None else Part(run.name, "dim"))
        else:
            new = line(Part(f"{feed.news} new ↓ ", "attention")) if feed.news else line("")
            said = new + line(Part(f"{self.app.first_key('lines.last')} follows", "dim"))
        feed.border_subtitle = drawn(said)

    @on(Lines.Moved, "#activity")
    def _moved(self) -> None:
        self._show_following()

    def _tell_what_waits(self, run: Seen) -> None:
        """As long as it is so, below what is news."""
        others = [other for other, _ in self.app.questions() if other != self.run_id]
        said, answer = "", self.app.first_key("app.answer")
        if run.waiting:
            said = f"! it waits for you ({len(run.waiting)}) · {answer} answers"
        elif others:
            more = f" ({len(others)} in all)" if len(others) > 1 else ""
            said = f"! {others[0]} waits for you{more} · {answer} answers"
        self.news.hold(said)

    def _show_view(self) -> None:
        """The files or the proof, where they are on screen."""
        if (latest := self._latest()) is None or latest[0].started is None:
            return
        match self.query_one("#views", ContentSwitcher).current:
            case "files" if self.query_one("#files", Lines).columns:  # else it isn't laid out yet
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
        worker, columns = get_current_worker(), self.query_one("#files", Lines).columns
        assert latest is not None
        is_long = False
        try:
            found = changes(load_tree(latest[0].start_tree, objects), load_tree(latest[0].main, objects))
            while not steps.catch_up(trail.changes, objects) and not worker.is_cancelled:
                self.app.call_from_thread(self.tell, f"step {steps.done} of {len(trail.changes)} …")
                self.app.rest()
                is_long = True
            if is_long:
                self.app.call_from_thread(self.tell, "")
            if not worker.is_cancelled:
                rows = file_rows(found, steps.by_path, trail.reads, columns)
                self.app.call_from_thread(self._show_files, rows, steps)
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))

    def _show_files(self, rows: Sequence[Row], steps: Steps) -> None:
        if steps is self._steps and self.is_mounted:
            self.query_one("#files", Lines).show(rows)

    # --- one line of a person's -----------------------------------------------------------------------------

    def _write(self, what: str, typed: Callable[[str], bool]) -> None:
        """Ask for one line; `typed` says whether it was taken."""
        field = self.query_one("#field", Input)
        self._typed, field.placeholder, field.value, field.display = typed, what, "", True
        self.remove_class("steered")
        field.focus()

    @on(Input.Submitted, "#field")
    def _written(self, event: Input.Submitted) -> None:
        typed = self._typed
        assert typed is not None
        if typed(event.value):
            self._close_field()

    @property
    def has_words(self) -> bool:
        """Whether the person is in the middle of writing."""
        return self._typed is not None and bool(self.query_one("#field", Input).value)

    def _close_field(self) -> None:
        self._typed = None
        self.query_one("#field").display = False
        self.feed.focus()

    # --- what stands behind a row ---------------------------------------------------------------------------

    def _output(self, seq: int) -> Sequence[str]:
        try:
            return output_of(self.app.journal, self.run_id, seq)
        except AutoagentError as error:
            return [str(error)]

    def _behind(self, item: Item) -> Sequence[Line] | None:
        return self._everything(item.seq, item.began)

    def _everything(self, seq: int, began: int) -> list[Line] | None:
        try:
            return everything(self.app.journal, self.run_id, seq, began)
        except AutoagentError as error:
            self.tell(str(error))
            return None
