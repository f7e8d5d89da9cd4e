"""A question over the whole screen, as it is shown and edited; how it is answered is told elsewhere.

Head and answers stay, only the middle scrolls. Nothing is answered by editing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from autoagent.console.editing import in_editor
from autoagent.console.finding import first_answer
from autoagent.console.line import Part, dotted, line
from autoagent.console.question import head
from autoagent.console.written import as_written, read
from autoagent.errors import AutoagentError
from autoagent.questions import Question
from autoagent.state import QuestionState, RunState
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.drawing.view import Row
from autoagent.tui.questions.answers import Answers
from autoagent.tui.questions.attention import Attention
from autoagent.tui.questions.choices import CLOSE, edits_row, framed, over, waits
from autoagent.tui.questions.exact import Exact
from autoagent.tui.questions.matter import EditedPlan, Matter, matter_of
from autoagent.tui.questions.writing import Editor, Field, settled

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

_FRAME = 5
"""Columns of the frame and the scroll bar."""
_TICK_S = 1.0
_BELOW_HEAD = 10
"""Rows of a screen that are for what stands below the head."""


class AskedScreen(ModalScreen[str | None]):
    """What it wants, from the record alone: who is reached first, then exactly what would be done."""

    DEFAULT_CSS = """
    AskedScreen > Vertical { border: round $warning; background: $surface; }
    AskedScreen #head { height: auto; max-height: 8; overflow-x: hidden; }
    AskedScreen #exactly { height: 1fr; min-height: 3; border-top: solid $quiet; }
    AskedScreen #said { height: 1; color: $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit what is done", id="question.edit"),
        Binding("question_mark", "app.help", "help", key_display="?", id="app.help"),
        Binding("ctrl+o", "outside", "edit it in $EDITOR", key_display="^o", id="question.outside"),
        Binding("ctrl+s", "save", "take the edit", show=False, priority=True, id="question.save"),
    ]

    app: Cockpit

    def __init__(self, run_id: str, question_id: str) -> None:
        super().__init__()
        self.run_id, self.question_id = run_id, question_id
        self._first = run_id
        """The run whose questions come first: the order stays as one goes through them."""
        self._attention = Attention(lambda: self.app.dead_s)
        self._matter: Matter | None = None
        self._is_gone = self._is_cut = False
        self._asked_about = ""
        """The words that it was asked about whether they may be lost."""

    # --- what is shown --------------------------------------------------------------------------------------

    @property
    def _asked(self) -> tuple[RunState, QuestionState] | None:
        run = self.app.seen.get(self.run_id)
        if run is None or run.state is None or self.question_id not in run.state.questions:
            return None
        return run.state, run.state.questions[self.question_id]

    @property
    def question(self) -> Question:
        found = self._asked
        assert found is not None
        return found[1].question

    @property
    def matter(self) -> Matter:
        """What it is about, as it was edited so far."""
        if self._matter is None:
            found = self._asked
            assert found is not None
            self._matter = matter_of(found[1].question, found[0], self.app.journal.objects)
        return self._matter

    @property
    def _field(self) -> Field:
        return self.query_one(Field)

    @property
    def _editor(self) -> Editor:
        return self.query_one(Editor)

    @property
    def _answers(self) -> Answers:
        return self.query_one(Answers)

    @property
    def _exactly(self) -> Exact:
        return self.query_one(Exact)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Lines(id="head", has_cursor=False, is_wrapped=True)
            yield Exact(self._may_edit, id="exactly")
            yield Editor(id="editor")
            yield Answers(id="answers")
            yield Field(id="field")
            yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.call_after_refresh(self._attention.wake)
        self.set_interval(_TICK_S, self._draw_answers)  # ages grow

    def on_screen_resume(self) -> None:
        if self._matter is not None:
            self.hear()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_head)
        self.call_after_refresh(self._show_rows)
        self.call_after_refresh(self._exactly.look)

    def _show(self) -> None:
        found = self._asked
        if found is None:
            self._leave_word("This question isn't there any more.")
            return
        state, asked = found
        self.app.opened(self.run_id, self.question_id)
        self._frame()
        self._exactly.plan = self.matter if isinstance(self.matter, EditedPlan) else None
        self.query_one("#head", Lines).show_lines(list(head(asked.question, state)))
        self._fit_head()
        self.call_after_refresh(self._fit_head)  # its lines are laid out anew once its width is known
        self._show_rows()
        self._exactly.focus()

    def _frame(self) -> None:
        if (found := self._asked) is None:
            return
        state, asked = found
        waiting, here = self.app.questions(self._first), (self.run_id, self.question_id)
        place = (waiting.index(here) + 1, len(waiting)) if asked.is_open and here in waiting else None
        is_edited = self.matter.edit is not None
        title, beneath = framed(asked, state, place, self.size.width, is_edited=is_edited)
        frame = self.query_one(Vertical)
        frame.border_title, frame.border_subtitle = drawn(title), drawn(beneath)

    def _show_rows(self) -> None:
        if self._asked is not None:
            rows = [*self.matter.rows(self.size.width - _FRAME), *self._cut_off()]
            self._exactly.show(rows, keeps=self._exactly.plan is not None)
            self.call_after_refresh(self._draw_answers)  # how much is in view is known then

    def _fit_head(self) -> None:
        top = self.query_one("#head", Lines)
        most = min(max(self.size.height - _BELOW_HEAD, 2), 8)
        top.styles.height = min(max(len(top.rows), 2), most)
        was_cut, self._is_cut = self._is_cut, len(top.rows) > most
        if self._is_cut != was_cut:
            self._show_rows()

    def _cut_off(self) -> Iterator[Row]:
        """The head, once more and whole, where it has no room above: no yes passes it unseen."""
        if self._is_cut and self._asked is not None:
            yield Row(line(Part("all of what stands above, which has no room there", "attention")))
            yield from (Row(each) for each in head(self.question, self._asked[0]))

    def hear(self) -> None:
        """The runs are other than they were: answered elsewhere, expired, asked anew?"""
        found = self._asked
        if found is None:
            self._leave_word("This question isn't there any more.")
        elif over(self.app.seen[self.run_id], found[1]) is not None:
            sent = first_answer(self.app.journal, self.run_id, self.question_id)
            self._leave_word(over(self.app.seen[self.run_id], found[1], sent) or "")

    def _leave_word(self, said: str) -> None:
        self._is_gone = True
        self.query_one(Vertical).styles.opacity = 0.6
        self._say(f"{said} esc closes.")
        self._draw_answers()

    def _say(self, said: str) -> None:
        self.query_one("#said", Static).update(drawn(line(said)))

    @on(Exact.Looked)
    @on(Lines.Moved)
    def _draw_answers(self) -> None:
        found, middle, key_of = self._asked, self._exactly, self.app.key_of
        self._answers.display = not self._editor.is_open  # no key answers there
        beneath = [edits_row(key_of)] if middle.plan is not None and not self._is_gone else []
        if found is None or self._is_gone:
            self._answers.draw((CLOSE,), key_of, beneath, is_marked=True)
            return
        middle.border_title = drawn(dotted(line(" ", self.matter.said), middle.place) + line(" "))
        more = "   pgdn shows more" if middle.unseen else ""
        said = f"{waits(found[1], self.app.now())} · {key_of('app.help')} help"
        beneath.append(line(Part(said, "dim"), Part(more, "attention")))
        self._answers.draw(self.matter.choices, key_of, beneath, is_marked=not middle.is_among_rows)

    @property
    def takes_keys(self) -> bool:
        """Whether it has been in view for long enough."""
        return self._attention.is_awake

    def _may_edit(self) -> bool:
        """Also in the moment after an edit, in which nothing is answered."""
        return self._attention.is_open and not (self._is_gone or self._is_writing)

    @property
    def _is_writing(self) -> bool:
        return self._field.is_open or self._editor.is_open

    # --- editing --------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """A plan's row in its fields, else all arguments, texts as they stand."""
        if self._exactly.plan is not None:
            self._exactly.action_reword()
        elif self._may_edit() and self._answers.offers("edit"):
            self._edit_here()

    def _edit_here(self) -> None:
        self._exactly.display = False
        self._editor.open(as_written(self.matter.now))
        self._draw_answers()
        keys = self.app.key_of("question.save"), self.app.key_of("question.later")
        self._say(f"{keys[0]} takes your edit and asks again · {keys[1]} drops it")

    def action_outside(self) -> None:
        """In the person's own editor, which has the terminal meanwhile; here where that can't be."""
        if not self._may_edit() or not (self._answers.offers("edit") or self._exactly.plan is not None):
            return
        try:
            with self.app.suspend():
                said = in_editor(as_written(self.matter.now))
        except SuspendNotSupported:
            self._edit_here()
            self._say("no other program can have this screen: edit here; ^s takes it, esc drops it")
        except AutoagentError as error:
            self._say(str(error))
        else:
            self._take(said)
        self._attention.wake()  # what was typed meanwhile may come in only now

    async def action_save(self) -> None:
        await settled(self._editor)
        if self._editor.is_open and self._asked is not None and self._take(self._editor.text):
            self._close_editor()
            self._exactly.focus()

    def _take(self, said: str) -> bool:
        """What was edited takes the place of what was asked; nothing is answered by that."""
        try:
            edit = read(said, self.matter.now)
        except ValueError as error:
            self._say(str(error))
            return False
        why = self.matter.rewrite(edit)
        self._changed(Exact.Edited(why))
        return why is None

    @on(Exact.Edited)
    def _changed(self, edited: Exact.Edited) -> None:
        """It is other than it was, or says why it isn't. An answer to it takes a look at it first."""
        if edited.why is not None:
            self._say(edited.why)
            return
        self._frame()
        self._show_rows()
        self._answers.begin()
        self._attention.wake()
        self._say(self.matter.standing)

    def _close_editor(self) -> None:
        self._editor.close()
        self._exactly.display = True
        self._draw_answers()
