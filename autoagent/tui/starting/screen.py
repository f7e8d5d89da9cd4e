"""A new run: a folder, its goal file in an editor, and beside it what that goal means, as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from autoagent.console.line import Line, Part, line
from autoagent.errors import AutoagentError, GoalError, UsageError
from autoagent.examples import Example, examples, fresh, refuse_links
from autoagent.goal import Goal
from autoagent.goal.english import explain
from autoagent.goal.file import FILE_NAME, understand
from autoagent.llm.recording import FILE_NAME as RECORDING
from autoagent.plugin_host.installed import missing
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.runs.welcome import modelless, without_docker
from autoagent.tui.starting.editing import Folders, GoalEditor
from autoagent.tui.starting.templates import TemplatesScreen

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


_LONGEST_SAID = 400


class StartScreen(ModalScreen[str | None]):
    """A folder and its goal file. On the right stands what the goal may do, can't do and will ask.

    A mistake is said beside the line that has it. Nothing is written before it starts.
    """

    CSS = """
    StartScreen > Vertical { border: round $primary; background: $surface; }
    StartScreen Input { height: 1; border: none; }
    StartScreen #place { height: 1; color: $quiet; padding: 0 2; }
    StartScreen GoalEditor { width: 1fr; border: round $quiet; }
    StartScreen GoalEditor:focus { border: round $primary; }
    StartScreen Lines { width: 1fr; border: round $quiet; }
    StartScreen Lines:focus { border: round $primary; }
    StartScreen.narrow Horizontal { layout: vertical; }
    StartScreen.narrow GoalEditor, StartScreen.narrow Lines { width: 100%; height: 1fr; }
    StartScreen #said { height: auto; min-height: 1; max-height: 3; color: $text-warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "save and start", priority=True, id="start.start"),
        Binding("ctrl+t", "templates", "templates", priority=True, id="start.templates"),
        Binding("escape", "back", "back, nothing starts", priority=True, id="start.back"),
    ]

    PANES: ClassVar[Mapping[str, str]] = {
        "folder": "The folder to work in: one with a goal.yaml, which comes into the editor, or one that is"
        " made when it starts. The right arrow completes a name.",
        "goal": "The goal file; a mistake is said beside the line that has it, in full at the bottom. "
        "ctrl+t fills it from a template, and nothing is written before ctrl+s.",
        "meaning": "What the goal means: what it may do, can't do and will ask you. On top stands what this "
        "machine lacks for it.",
    }

    app: Cockpit

    def __init__(self) -> None:
        super().__init__()
        self._loaded = _FIRST
        """What stood in the editor before a person changed it."""
        self._file: Path | None = None
        """Where that came from."""
        self._template: Example | None = None
        self._is_leaving = False
        self._mistake = ""
        """The one that the line at the bottom says in full."""
        self._last = ""
        """What was said last."""
        self._meant: list[Line] = []
        """The last reading of a goal without a mistake, as it stands below one."""

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(
                placeholder="the folder to work in: one with a goal.yaml, or a new one",
                id="folder",
                suggester=Folders(),
            )
            yield Static("", id="place", markup=False)
            with Horizontal():
                yield GoalEditor(_FIRST, id="goal")
                yield Lines(id="meaning", has_cursor=False, is_wrapped=True)
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        frame = self.query_one(Vertical)
        frame.border_title = "A new run"
        frame.border_subtitle = "ctrl+s saves and starts · ctrl+t templates · f1 help · esc back"
        self.query_one("#goal").border_title, self.query_one("#meaning").border_title = FILE_NAME, "It means"
        self.query_one("#folder").focus()
        self.app.reload()
        self.watch(self.app, "engine", self.hear, init=False)
        self.app.look_at_engine()
        self._look()
        self.hear()

    def on_resize(self) -> None:
        self.set_class(self.size.width < 100, "narrow")

    @property
    def folder(self) -> Path | None:
        text = self.query_one("#folder", Input).value.strip()
        return Path(text).expanduser() if text else None

    @property
    def _text(self) -> str:
        return self.query_one("#goal", TextArea).text

    @on(Input.Changed, "#folder")
    def _look(self) -> None:
        """A folder with a goal brings it, where nobody has written another one here."""
        self._is_leaving = False
        folder = self.folder
        self.query_one("#place", Static).update(drawn(line(Part(self._place(folder), limit=200))))
        file = None if folder is None else folder / FILE_NAME
        if file is None or self._text != self._loaded or self._template is not None or not file.is_file():
            return
        try:
            self._loaded = self.query_one("#goal", TextArea).text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"{file} can't be read: {error}")
        else:
            self._file = file.absolute()

    def _place(self, folder: Path | None) -> str:
        """What starting there would do."""
        if folder is None:
            return "no folder yet · the right arrow completes a name"
        where = folder.absolute()
        copied = (
            f"; {len(self._template.files)} files of {self._template.name} are copied"
            if self._template
            else ""
        )
        if not folder.exists():
            return f"{where} is made when it starts{copied}"
        if not folder.is_dir():
            return f"{where} is no folder"
        if (folder / FILE_NAME).exists():
            return f"{where} has a {FILE_NAME}"
        return f"{where} is there; it works on what it finds in it{copied}"

    @on(TextArea.Changed, "#goal")
    def hear(self) -> None:
        """The goal, or what is known of this machine, is other than it was."""
        self._is_leaving = False
        self.query_one("#meaning", Lines).show_lines(self._meaning())

    def _meaning(self) -> list[Line]:
        """What was typed, or its mistake above what it meant before that."""
        editor = self.query_one("#goal", GoalEditor)
        try:
            goal, notes = understand(self._text)
        except GoalError as error:
            editor.mark(error.line, error.problem)
            self._mistake = f"line {error.line}: {error.problem}" if error.line else error.problem
            self._say(self._mistake)
            return [line(Part(self._mistake, "bad")), *self._meant]
        editor.mark(None)
        if self._mistake and self._last == self._mistake:
            self._say("")
        self._mistake = ""
        said = explain(goal).splitlines()
        before = [line(Part("Before this mistake it meant:", "dim")), *(line(Part(x, "dim")) for x in said)]
        self._meant = [line(""), *before]
        noted = (line(Part(f"note: {note}", "attention")) for note in notes)
        return [*self._lacking(goal), *(line(text) for text in said), *noted]

    def _lacking(self, goal: Goal) -> list[Line]:
        """What this machine hasn't got for it."""
        settings = self.app.settings
        lacks = [line(Part(lack, "attention")) for lack in missing(goal.enabled_plugins)]
        if why := modelless(settings, goal.model.worker):
            lacks.append(line(Part(why, "attention")))
            if self._plays:
                lacks.append(line("As long as you leave this goal as it is, recorded replies are played."))
        if goal.allow.run == "sandbox":
            lacks += without_docker(settings, self.app.engine)
        return [*lacks, line("")] if lacks else []

    @property
    def _plays(self) -> bool:
        """A run here would play recorded replies, as no model is set."""
        own = self._template is not None and self._text == self._template.text
        has_recording = own or (self.folder is not None and (self.folder / RECORDING).is_file())
        return has_recording and not self.app.settings.chain("worker")

    def _say(self, said: str) -> None:
        self._last = said
        self.query_one("#said", Static).update(drawn(line(Part(said, limit=_LONGEST_SAID))))

    def action_templates(self) -> None:
        try:
            self.app.push_screen(TemplatesScreen(examples()), self._fill)
        except AutoagentError as error:
            self._say(str(error))

    def _fill(self, chosen: Example | None) -> None:
        """Put a template into the editor, and name a folder that isn't there yet."""
        if chosen is None:
            return
        self._template, self._loaded = chosen, chosen.text
        self.query_one("#goal", TextArea).text = chosen.text
        self.query_one("#folder", Input).value = fresh(chosen.name, Path()).as_posix()
        self._look()
        self.query_one("#goal").focus()
        self._say("make it yours, or leave it as it is; ctrl+s starts it")

    def action_back(self) -> None:
        """What was written is left the second time only."""
        if self._text == self._loaded or self._is_leaving:
            self.dismiss(None)
        else:
            self._is_leaving = True
            self._say("esc once more drops what you wrote; ctrl+s saves and starts it")

    def action_start(self) -> None:
        """Write the goal file where it was changed, and begin the run in the background."""
        if (folder := self.folder) is None:
            self._say("name a folder first")
            self.query_one("#folder").focus()
            return
        self.app.reload()
        try:
            goal, _ = understand(self._text)
            if lack := next(missing(goal.enabled_plugins), None):
                self._say(lack)
                return
            self._write(folder)
            why = modelless(self.app.settings, goal.model.worker)
            if why and not self._plays:
                self._say(f"{folder / FILE_NAME} is written, and nothing started. {why}")
                return
            said = self.app.orders.start(folder.resolve())
        except GoalError as error:
            self._say(f"line {error.line}: {error.problem}" if error.line else error.problem)
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"{folder}: {error}")
        except AutoagentError as error:
            self._say(str(error))
        else:
            self.dismiss(said)

    def _write(self, folder: Path) -> None:
        """The goal file where it was changed, and beside it what a template brings.

        Raises `UsageError` over a goal that was never shown here.
        """
        file = folder / FILE_NAME
        if self._template is not None:
            self._template.copy(folder, self._text)
        elif not file.exists() or file.read_text(encoding="utf-8") != self._text:
            if file.exists() and file.absolute() != self._file:
                what = f"{file} is there already, says something else, and was left as it is"
                raise UsageError(f"{what}; name another folder")
            refuse_links(folder, FILE_NAME)
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(self._text, encoding="utf-8")
        self._template, self._file = None, file.absolute()
