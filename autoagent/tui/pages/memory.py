"""Long-term memory: what earlier runs found, searched, and dropped where it is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from autoagent.console.line import line, short
from autoagent.errors import AutoagentError
from autoagent.ports import Memory, MemoryHit, MemoryPoint
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.footer import Keys
from autoagent.tui.drawing.items import Items
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.news import News
from autoagent.tui.pages.memory_lines import hit_rows, newest, point_lines
from autoagent.tui.pages.reading import ReadScreen

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

T = TypeVar("T")
_MOST = 50
_EMPTY = (
    "Nothing is remembered yet: each sub-task that ends leaves what came of it, and later runs recall it.",
    "A note of your own: autoagent memory remember TEXT",
)


class MemoryScreen(Screen[None]):
    """What earlier runs found, and later ones recall.

    Type words and press enter; enter on what was found shows all of it.
    """

    CSS = """
    MemoryScreen > Input { height: 3; border: round $quiet; }
    MemoryScreen > Input:focus { border: round $primary; }
    MemoryScreen > #hits { border: round $quiet; }
    MemoryScreen > #hits:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", tooltip="Other words", id="memory.search"),
        Binding("o", "origin", "its run", tooltip="Open the run that it came out of", id="memory.origin"),
        Binding("x", "forget", "forget", tooltip="Drop it for good; asks", id="memory.forget"),
        Binding("escape", "app.leave", "back", id="memory.back", priority=True),
    ]
    PANES: ClassVar[Mapping[str, str]] = {
        "words": "Words of what earlier runs found; enter looks them up. Nothing is asked of a model.",
        "hits": "What was found, best first, each with its run and whether outside text was read for it. "
        "Enter shows all of it, x twice forgets it.",
    }

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._dropping = ""
        self._hits: Sequence[MemoryHit] = ()

    def compose(self) -> ComposeResult:
        yield Input(placeholder="words of what earlier runs found, then enter", id="words")
        yield Items(id="hits", is_wrapped=True)
        yield News()
        yield Keys()

    def on_mount(self) -> None:
        self.query_one("#hits").border_title = "Memory"
        self.query_one("#words").focus()
        self._show_newest(newest([*self.app.seen.values()]))

    def tell(self, news: str) -> None:
        self.query_one(News).say(news)

    # --- looking --------------------------------------------------------------------------------------------

    @on(Input.Submitted)
    def _search(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._look_up(event.value)

    @work(exclusive=True)
    async def _show_newest(self, ids: Sequence[str]) -> None:
        """What stands here before anything was searched."""

        async def get(memory: Memory) -> list[MemoryHit]:
            found = [await memory.get(id) for id in ids]
            return [MemoryHit(point, 0) for point in found if point is not None]

        hits = await self._with_memory(get) if ids else []
        if hits:
            self._show(hits)
            self.query_one("#hits", Lines).border_title = f"Memory (the newest {len(hits)})"
        elif hits is not None:
            self.query_one("#hits", Lines).show_lines([line(text) for text in _EMPTY])

    @work(exclusive=True)
    async def _look_up(self, words: str) -> None:
        hits = await self._with_memory(lambda memory: memory.search(words, _MOST))
        if hits is None:
            return
        self._show(hits)
        pane = self.query_one("#hits", Lines)
        pane.border_title = drawn(line(f"Memory ({len(hits)} for ", short(repr(words)), ")"))
        self.tell("" if hits else "Nothing in memory fits.")
        if hits:
            pane.focus()

    def _show(self, hits: Sequence[MemoryHit]) -> None:
        self._hits = hits
        self.query_one("#hits", Lines).show(hit_rows(hits))

    async def _with_memory(self, work: Callable[[Memory], Awaitable[T]]) -> T | None:
        """What memory answers; where it can't be had, that is told."""
        from autoagent.wiring import open_memory

        try:
            memory = open_memory(self.app.home, self.app.settings)
            try:
                return await work(memory)
            finally:
                await memory.close()
        except AutoagentError as error:
            self.tell(str(error))
            return None

    @property
    def _chosen(self) -> MemoryPoint | None:
        key = self.query_one("#hits", Lines).key
        return next((hit.point for hit in self._hits if hit.point.id == key), None)

    # --- acting ---------------------------------------------------------------------------------------------

    @on(Lines.Moved, "#hits")
    def _moved(self) -> None:
        if self._dropping:
            self._dropping = ""
            self.tell("")

    @on(Lines.Chosen, "#hits")
    def _open(self) -> None:
        if (point := self._chosen) is not None:
            self.app.push_screen(ReadScreen("Remembered", point_lines(point)))

    def action_search(self) -> None:
        self.query_one("#words").focus()

    def action_origin(self) -> None:
        if (point := self._chosen) is None:
            return
        if point.run in self.app.seen:
            self.app.open_run(point.run)
        else:
            self.tell("it came from no run that this home has: a note, or a run that was removed")

    def action_forget(self) -> None:
        """The second time it is done."""
        chosen = self.query_one("#hits", Lines).key
        if chosen and self._dropping == chosen:
            self._drop(chosen)
        elif chosen:
            self.tell("x once more forgets it for good; moving on leaves it")
        self._dropping = "" if self._dropping == chosen else chosen

    @work(exclusive=True)
    async def _drop(self, point: str) -> None:
        if await self._with_memory(lambda memory: memory.forget(point)) is None:
            return
        self._show([hit for hit in self._hits if hit.point.id != point])
        self.tell("forgotten; no run recalls it any more")
