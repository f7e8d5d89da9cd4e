"""Looking closer at a run: entries as pages, what changed, what led to something, words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import on, work
from textual.widgets import ContentSwitcher
from textual.worker import get_current_worker

from autoagent.console.line import line
from autoagent.errors import AutoagentError
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.pages.reading import ReadScreen
from autoagent.tui.run.activity import Item
from autoagent.tui.run.closer import differing
from autoagent.tui.run.files import history, one_step
from autoagent.tui.run.kept import BLOCK
from autoagent.tui.run.searching import found
from autoagent.tui.run.watched import WatchedRun

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class LookingCloser(WatchedRun):
    """The keys that show more of what is there."""

    app: Cockpit

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self._searched = 0
        """Items that were looked through for the text that is marked."""
        self._is_searching = False

    def on_mount(self) -> None:
        self.set_interval(1, self.look_on)

    # --- looking closer -------------------------------------------------------------------------------------

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
            self.lead_to(what)
        else:
            self.tell("Nothing led to this line; one that names a step, a path or a verdict has a why.")

    # --- finding --------------------------------------------------------------------------------------------

    def action_find(self) -> None:
        self.action_view("activity")
        self._write("words to be found in the activity, also in what is folded", self._find)

    def _find(self, text: str) -> bool:
        if sought := text.strip():
            self.feed.sought(sought)
            self.tell(f"looking for {sought!r} …")
            self._look_through(0)
        return True

    def _look_through(self, first: int) -> None:
        items = self.feed.stream.items
        self._is_searching, self._searched = True, len(items)
        self._search(self.feed.marked, first, items.blocks(first))

    @work(thread=True, exclusive=True, group="find")
    def _search(self, sought: str, first: int, blocks: Iterable[tuple[int, Sequence[Item]]]) -> None:
        """In a thread: what is folded is read from the journal."""
        worker, matches = get_current_worker(), list[int]()
        try:
            for each in found(self.app.journal, self.run_id, sought, blocks, self.app.rest):
                matches += each
                if worker.is_cancelled:
                    return
        except AutoagentError as error:
            self.app.call_from_thread(self.tell, str(error))
        else:
            self.app.call_from_thread(self._matched, sought, first, matches)

    def _matched(self, sought: str, first: int, matches: Sequence[int]) -> None:
        self._is_searching = False
        if self.feed.marked == sought:
            self.feed.matched(matches, first - first % BLOCK)
            if not first:
                self.action_match(1)

    def look_on(self) -> None:
        """What has come since is looked through too."""
        if self.feed.marked and not self._is_searching and self._searched < len(self.feed.stream.items):
            self._look_through(self._searched)

    def action_match(self, by: int) -> None:
        """The next place with the text that is looked for, or the one before."""
        feed = self.feed
        if not feed.marked:
            self.tell("/ looks for words")
            return
        place, count = feed.next_match(by), len(feed.matches)
        where = f"{place} of {count}" if place is not None else f"{count} found"
        self.tell(
            f"{feed.marked!r}: {where} · n N next, before · esc ends"
            if count
            else f"{feed.marked!r} is nowhere"
        )

    # --- panes ----------------------------------------------------------------------------------------------

    def action_view(self, name: str) -> None:
        self.set_class(name == "plan", "planned")
        if name == "plan":
            self.query_one("#plan").focus()
            self.call_after_refresh(self._show)
            return
        self.query_one("#views", ContentSwitcher).current = name
        self.call_after_refresh(self._show_view)  # it has its width by then
        self.query_one(f"#{name}").focus()
