"""A new run: a folder, its goal file in an editor, and beside it what that goal means, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from autoagent.console.line import Line, Part, line
from autoagent.errors import AutoagentError, GoalError
from autoagent.goal.english import explain
from autoagent.goal.file import FILE_NAME, understand
from autoagent.plugin_host.installed import missing
from autoagent.tui.drawing import drawn
from autoagent.tui.lines import Lines

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_FIRST = """goal: >
  Write down what shall be true at the end.
done_when:
  - file: report.md
allow:
  run: none        # or sandbox
limits: {usd: 1.00, steps: 40, minutes: 20}
"""


class StartScreen(ModalScreen[str | None]):
    """A folder and its goal file. On the right stands what the goal may do, can't do and will ask."""

    CSS = """
    StartScreen > Vertical { border: round $primary; background: $surface; }
    StartScreen Input { height: 1; border: none; }
    StartScreen TextArea { width: 1fr; border: round $quiet; }
    StartScreen Lines { width: 1fr; border: round $quiet; }
    StartScreen #said { height: 1; color: $text-warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "save and start", priority=True, id="start.start"),
        Binding("escape", "dismiss(None)", "back, nothing starts", priority=True, id="start.back"),
    ]

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._loaded = _FIRST

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(placeholder="the folder to work in: one with a goal.yaml, or a new one", id="folder")
            with Horizontal():
                yield TextArea(_FIRST, id="goal", language="yaml")
                yield Lines(id="meaning", has_cursor=False, is_wrapped=True)
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        frame = self.query_one(Vertical)
        frame.border_title, frame.border_subtitle = "A new run", "ctrl+s saves and starts · esc back"
        self.query_one("#folder").focus()
        self._explain()

    @property
    def folder(self) -> Path | None:
        text = self.query_one("#folder", Input).value.strip()
        return Path(text).expanduser() if text else None

    @on(Input.Changed, "#folder")
    def _look(self) -> None:
        """A folder with a goal brings it, where nobody has written another one here."""
        editor, folder = self.query_one("#goal", TextArea), self.folder
        file = None if folder is None else folder / FILE_NAME
        if file is None or editor.text != self._loaded or not file.is_file():
            return
        try:
            self._loaded = editor.text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"{file} can't be read: {error}")

    @on(TextArea.Changed, "#goal")
    def _explain(self) -> None:
        self.query_one("#meaning", Lines).show_lines(self._meaning())

    def _meaning(self) -> list[Line]:
        try:
            goal, notes = understand(self.query_one("#goal", TextArea).text)
        except GoalError as error:
            where = f"line {error.line}: " if error.line else ""
            return [line(Part(f"{where}{error.problem}", "bad"))]
        said = [line(text) for text in explain(goal).splitlines()]
        return [*said, *(line(Part(f"note: {note}", "attention")) for note in notes)]

    def _say(self, said: str) -> None:
        self.query_one("#said", Static).update(drawn(line(said)))

    def action_start(self) -> None:
        """Write the goal file where it was changed, and begin the run in the background."""
        folder, text = self.folder, self.query_one("#goal", TextArea).text
        if folder is None:
            self._say("name a folder first")
            return
        try:
            goal, _ = understand(text)
            if lack := next(missing(goal.enabled_plugins), None):
                self._say(lack)
                return
            file = folder / FILE_NAME
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                folder.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            log = self.app.carrier.start(folder.resolve())
        except GoalError as error:
            self._say(f"the goal can't be used: {error.problem}")
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"{folder}: {error}")
        except AutoagentError as error:
            self._say(str(error))
        else:
            self.dismiss(f"started in the background; its log: {log}")
