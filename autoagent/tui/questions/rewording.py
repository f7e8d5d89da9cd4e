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
from autoagent.tui.questions.writing import settled


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
        # before any field has them: what is typed behind them is for the next field, however fast it comes
        Binding("tab", "step(1)", "the next field", show=False, priority=True, id="reword.next"),
        Binding("shift+tab", "step(-1)", "the field before", show=False, priority=True, id="reword.before"),
        Binding("enter", "end_line", "the next field", show=False, priority=True, id="reword.end_line"),
    ]

    def __init__(self, task: SubTask, number: int, others: str, key_of: Callable[[str], str]) -> None:
        """`others`: the ids that it can come after."""
        super().__init__()
        self._given, self._number, self._others, self._key_of = task, number, others, key_of
        self._asked_about: Written | None = None
        """What stood in the fields when it was asked whether that may be lost."""

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A text of several lines keeps its enter."""
        return isinstance(self.focused, Input) if action == "end_line" else True

    def action_step(self, by: int) -> None:
        fields = self._fields
        at = fields.index(self.focused) if self.focused in fields else -by
        self.set_focus(fields[(at + by) % len(fields)])

    def action_end_line(self) -> None:
        self.action_step(1)

    @property
    def _fields(self) -> list[Input | TextArea]:
        return [each for each in self.query("Input, TextArea") if isinstance(each, Input | TextArea)]

    @property
    def _now(self) -> Written:
        return Written(
            self.query_one("#title", Input).value,
            self.query_one("#instructions", TextArea).text,
            self.query_one("#after", Input).value,
            self.query_one("#done_when", TextArea).text,
        )

    async def action_save(self) -> None:
        """The sub-task as the fields say it; what can't be read is said, and the fields stay."""
        await settled(*self._fields)
        found = read(self._now, self._given, self._number)
        if isinstance(found, str):
            self.query_one("#said", Static).update(drawn(line(found)))
        else:
            self.dismiss(found)

    async def action_drop(self) -> None:
        """What was written asks once before it is lost."""
        await settled(*self._fields)
        now = self._now
        if now in (written(self._given), self._asked_about):
            self.dismiss(None)
            return
        self._asked_about = now
        save, drop = self._key_of("reword.save"), self._key_of("reword.drop")
        said = f"what you wrote isn't taken yet: {save} takes it · {drop} again drops it"
        self.query_one("#said", Static).update(drawn(line(said)))


def _titled(widget: Input | TextArea, title: str) -> Input | TextArea:
    widget.border_title = drawn(line(title))
    return widget
