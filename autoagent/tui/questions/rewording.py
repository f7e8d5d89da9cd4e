"""One sub-task in four fields, to be reworded. Nothing is answered here: what is saved becomes an edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from autoagent.console.line import line
from autoagent.goal import SubTask
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.questions.draft import Written, read, written


class RewordScreen(ModalScreen[SubTask | None]):
    """Title, instructions, what it comes after, and what proves it, a line each: `file: report.md`."""

    CSS = """
    RewordScreen > Vertical { border: round $primary; background: $surface; }
    RewordScreen Input, RewordScreen TextArea { border: round $quiet; background: $surface; padding: 0 1; }
    RewordScreen Input:focus, RewordScreen TextArea:focus { border: round $primary; }
    RewordScreen #title, RewordScreen #after { height: 3; }
    RewordScreen #instructions { height: 1fr; min-height: 4; }
    RewordScreen #done_when { height: 6; }
    RewordScreen #said { height: auto; max-height: 2; color: $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "take it", priority=True, id="reword.save"),
        Binding("escape", "drop", "drop it", priority=True, id="reword.drop"),
    ]

    def __init__(self, task: SubTask, number: int, others: str, key_of: Callable[[str], str]) -> None:
        """`others`: the ids that it can come after."""
        super().__init__()
        self._given, self._number, self._others, self._key_of = task, number, others, key_of

    def compose(self) -> ComposeResult:
        fields = written(self._given)
        with Vertical() as frame:
            frame.border_title = drawn(line(f"sub-task {self._given.id}"))
            yield _titled(Input(fields.title, id="title"), "title")
            yield _titled(
                TextArea(fields.instructions, id="instructions", soft_wrap=True, tab_behavior="focus"),
                "what its worker is told",
            )
            yield _titled(Input(fields.after, id="after"), f"after · one or more of: {self._others}")
            yield _titled(
                TextArea(fields.done_when, id="done_when", soft_wrap=True, tab_behavior="focus"),
                "done when · a line each: file: a.md contains x, y | run: command | judge: … | human: …",
            )
            yield Static(drawn(line(self._keys)), id="said", markup=False)

    @property
    def _keys(self) -> str:
        save, drop = self._key_of("reword.save"), self._key_of("reword.drop")
        return f"tab next field · {save} takes it · {drop} drops it"

    def action_save(self) -> None:
        """The sub-task as the fields say it; what can't be read is said, and the fields stay."""
        fields = Written(
            self.query_one("#title", Input).value,
            self.query_one("#instructions", TextArea).text,
            self.query_one("#after", Input).value,
            self.query_one("#done_when", TextArea).text,
        )
        found = read(fields, self._given, self._number)
        if isinstance(found, str):
            self.query_one("#said", Static).update(drawn(line(found)))
        else:
            self.dismiss(found)

    def action_drop(self) -> None:
        self.dismiss(None)


def _titled(widget: Input | TextArea, title: str) -> Input | TextArea:
    widget.border_title = drawn(line(title))
    return widget
