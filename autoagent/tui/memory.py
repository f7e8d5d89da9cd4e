"""Long-term memory: what earlier runs found, searched, and dropped where it is wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input, Static

from autoagent.console.line import Line, Part, block, dotted, line, short
from autoagent.errors import AutoagentError
from autoagent.ports import MemoryHit
from autoagent.settings import load
from autoagent.tui.drawing import drawn
from autoagent.tui.footer import Keys
from autoagent.tui.lines import Lines
from autoagent.tui.view import Row

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_MOST = 50


class MemoryScreen(Screen[None]):
    """What earlier runs found. Type words and press enter; `x` twice drops the one under the cursor."""

    CSS = """
    MemoryScreen > Input { height: 3; border: round $quiet; }
    MemoryScreen > #hits { border: round $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", id="memory.search"),
        Binding("x", "forget", "forget", tooltip="Drop it; asks", id="memory.forget"),
        Binding("escape", "app.leave", "back", id="memory.back", priority=True),
    ]

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._dropping = ""

    def compose(self) -> ComposeResult:
        yield Input(placeholder="words of what earlier runs found, then enter", id="words")
        yield Lines(id="hits")
        yield Static("", id="news", classes="news", markup=False)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#hits").border_title = "Memory"
        self.query_one("#words").focus()

    def tell(self, news: str) -> None:
        self.query_one("#news", Static).update(drawn(line(news)))

    @on(Input.Submitted)
    def _search(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._look_up(event.value)

    @work(exclusive=True)
    async def _look_up(self, words: str) -> None:
        from autoagent.wiring import open_memory

        try:
            memory = open_memory(self.app.home, load(self.app.home, os.environ))
            try:
                hits = await memory.search(words, _MOST)
            finally:
                await memory.close()
        except AutoagentError as error:
            self.tell(str(error))
            return
        pane = self.query_one("#hits", Lines)
        pane.show(_rows(hits))
        pane.border_title = drawn(line(f"Memory ({len(hits)} for ", short(repr(words)), ")"))
        self.tell("" if hits else "Nothing in memory fits.")
        if hits:
            pane.focus()

    def action_search(self) -> None:
        self.query_one("#words").focus()

    def action_forget(self) -> None:
        """The second time it is done."""
        chosen = self.query_one("#hits", Lines).key
        if chosen and self._dropping == chosen:
            self._drop(chosen)
        elif chosen:
            self.tell("x once more forgets it; any other key leaves it")
        self._dropping = "" if self._dropping == chosen else chosen

    @work(exclusive=True)
    async def _drop(self, point: str) -> None:
        from autoagent.wiring import open_memory

        try:
            memory = open_memory(self.app.home, load(self.app.home, os.environ))
            try:
                await memory.forget(point)
            finally:
                await memory.close()
        except AutoagentError as error:
            self.tell(str(error))
            return
        pane = self.query_one("#hits", Lines)
        pane.show([row for row in pane.rows if row.key != point])
        self.tell("forgotten")


def _rows(hits: Sequence[MemoryHit]) -> list[Row]:
    """Each outcome with where it comes from; every line of it stands for it."""
    rows: list[Row] = []
    for hit in hits:
        point = hit.point
        labels = [Part(label.upper(), "outside") for label in point.labels]
        head: Line = dotted(
            line(Part(f"{point.at.astimezone():%Y-%m-%d}", "accent")),
            f"run {point.run}",
            point.source,
            *labels,
        )
        rows += [Row(head, point.id), *(Row(each, point.id) for each in block(point.text, 6, before="  │ "))]
    return rows
