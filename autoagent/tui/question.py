"""A question over the whole screen, drawn from the record. Head and answers stay; only the middle scrolls.

No key that was typed before the question was seen counts: keys are dead until it has been painted and nothing
was typed for a moment. Leaving is never an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from pydantic import JsonValue
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.always import Always
from autoagent.console.asked import Page, exactly, in_full
from autoagent.console.beside import edited as differing_values
from autoagent.console.figures import several
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.console.question import asks, head, left
from autoagent.console.replying import Reply
from autoagent.errors import AutoagentError
from autoagent.loop.answers import unusable
from autoagent.questions import Question
from autoagent.state import QuestionState, RunState
from autoagent.tui.choices import ALWAYS, CLOSE, Choice, choice_row, offered, over, waits
from autoagent.tui.drawing import drawn
from autoagent.tui.lines import Lines
from autoagent.tui.writing import Editor, Field

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

DEAD_S = 0.5
"""Keys don't count until the question was seen so long, and none was typed so long."""
_MOST_COVERED = 1000
_FRAME = 5
"""Columns of the frame and the scroll bar."""
_DIFFERING_LINES = 400
"""Shown of a path that two have changed."""


class QuestionScreen(ModalScreen[str | None]):
    """What it wants, from the record alone: who is reached first, then exactly what would be done.

    Enter takes the answer under the cursor, which starts on no. Leaving answers nothing: the question waits.
    """

    CSS = """
    QuestionScreen > Vertical { border: round $warning; background: $surface; }
    QuestionScreen #head { height: auto; max-height: 8; }
    QuestionScreen #exactly { height: 1fr; min-height: 3; border-top: solid $quiet; }
    QuestionScreen #answers { height: auto; max-height: 3; border-top: solid $quiet; }
    QuestionScreen #said { height: 1; color: $quiet; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "no", "no", id="question.no"),
        Binding("y", "yes", "yes, once", id="question.yes"),
        Binding("Y", "many", "yes to the next N", id="question.many"),
        Binding("e", "edit", "edit what is done", id="question.edit"),
        Binding("f", "because", "no, and why", id="question.because"),
        Binding("A", "always", "always to this destination", id="question.always"),
        Binding("left", "step(-1)", "the answer before", show=False, id="question.left"),
        Binding("right,tab", "step(1)", "the next answer", show=False, id="question.right"),
        Binding("enter", "take", "take the answer", show=False, priority=True, id="question.take"),
        Binding("right_square_bracket", "other(1)", "the next question", key_display="]", id="question.next"),
        Binding("left_square_bracket", "other(-1)", "the one before", key_display="[", id="question.before"),
        Binding("ctrl+s", "save", "take the edit", show=False, priority=True, id="question.save"),
        Binding("escape", "later", "later: it goes on waiting", priority=True, id="question.later"),
        *(
            Binding(str(n), f"pick({n})", f"choice {n}", show=False, id=f"question.choice_{n}")
            for n in range(1, 10)
        ),
    ]

    app: Cockpit

    def __init__(self, run_id: str, question_id: str) -> None:
        super().__init__()
        self.run_id, self.question_id = run_id, question_id
        self._first = run_id
        """The run whose questions come first: the order stays as one goes through them."""
        self._alive_at = float("inf")
        self._at = 0
        self._edit: JsonValue = None
        self._always: tuple[Line, ...] = ()
        """The rule of an *always*, and what it would have answered, while it is to be confirmed."""
        self._is_gone = False

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
    def _field(self) -> Field:
        return self.query_one(Field)

    @property
    def _editor(self) -> Editor:
        return self.query_one(Editor)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Lines(id="head", has_cursor=False, is_wrapped=True)
            yield Lines(id="exactly", has_cursor=False, is_wrapped=True)
            yield Editor(id="editor")
            yield Static(id="answers", markup=False)
            yield Field(id="field")
            yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        self._show()
        self.call_after_refresh(self._wake)

    def _wake(self) -> None:
        self._alive_at = monotonic() + self.app.dead_s

    def _show(self) -> None:
        found = self._asked
        if found is None:
            self._leave_word("This question isn't there any more.")
            return
        state, asked = found
        waiting = self.app.questions(self._first)
        place = (
            waiting.index((self.run_id, self.question_id)) + 1
            if asked.is_open and (self.run_id, self.question_id) in waiting
            else 0
        )
        frame = self.query_one(Vertical)
        said = f"{place} of {len(waiting)} waiting" if place else "no longer waiting"
        of = asks(asked.question, state) or state.goal.goal
        frame.border_title = drawn(dotted(said, self.run_id, short(of, max(self.size.width - 30, 20))))
        frame.border_subtitle = drawn(dotted(left(state), f"digest {asked.question.digest[:12]}"))
        top = self.query_one("#head", Lines)
        top.show_lines(list(head(asked.question, state)))
        self._fit_head()
        self.call_after_refresh(self._fit_head)  # its lines are laid out anew once its width is known
        middle = self.query_one("#exactly", Lines)
        middle.border_title = "always exactly this" if self._always else "exactly this"
        middle.show_lines(list(self._body(asked.question, state)))
        middle.scroll_home(animate=False, immediate=True)  # what has taken another's place is unseen
        middle.focus()
        self.call_after_refresh(self._draw_answers)  # how much is in view is known then

    def _fit_head(self) -> None:
        top = self.query_one("#head", Lines)
        top.styles.height = min(max(len(top.rows), 2), 8)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_head)
        self.call_after_refresh(self._draw_answers)

    def _body(self, question: Question, state: RunState) -> Iterator[Line]:
        if self._always:
            yield from self._always
            return
        page = Page(self.app.journal.objects, self.size.width - _FRAME, _DIFFERING_LINES)
        if self._edit is not None:
            yield line(Part("as you edited it; y allows this", "accent"))
            edited = question.model_copy(
                update={"subject": question.subject.model_copy(update={"args": self._edit})}
            )
            yield from exactly(edited, state, page)
            yield line(Part("what you changed", "dim"))
            yield from differing_values(question.subject.args, self._edit, page.columns)
            return
        yield from in_full(question, state, page)

    def hear(self) -> None:
        """The runs are other than they were: answered elsewhere, expired, asked anew?"""
        found = self._asked
        if found is None:
            self._leave_word("This question isn't there any more.")
            return
        if said := over(self.app.seen[self.run_id], found[1]):
            self._leave_word(said)

    def _leave_word(self, said: str) -> None:
        self._is_gone, self._at, self._always = True, 0, ()
        self.query_one(Vertical).styles.opacity = 0.6
        self._say(f"{said} esc closes.")
        self._draw_answers()

    def _say(self, said: str) -> None:
        self.query_one("#said", Static).update(drawn(line(said)))

    # --- the answers ----------------------------------------------------------------------------------------

    @property
    def choices(self) -> tuple[Choice, ...]:
        if self._is_gone or self._asked is None:
            return (CLOSE,)
        return ALWAYS if self._always else offered(self.question, is_edited=self._edit is not None)

    def _draw_answers(self) -> None:
        unseen = self.query_one("#exactly", Lines).unseen
        more = f"   {several(unseen, 'line')} below, not seen yet · pgdn" if unseen else ""
        answers = self.query_one("#answers", Static)
        row = choice_row(self.choices, self._at, self.app.key_of, answers.size.width)
        below = line(Part(self._waits(), "dim"), Part(more, "attention"))
        answers.update(drawn(row, below))

    def _waits(self) -> str:
        found = self._asked
        return "" if found is None or self._is_gone else waits(found[1], self.app.now())

    def action_step(self, by: int) -> None:
        if self._is_dead():
            return
        self._at = (self._at + by) % len(self.choices)
        self._draw_answers()

    async def action_take(self) -> None:
        """Enter: in the field it submits, else it is the answer under the cursor."""
        if self._is_dead():
            return
        if self._field.is_open:
            self._submit()
        elif self._editor.is_open:
            self._editor.insert("\n")
        else:
            await self.run_action(self.choices[self._at].action)

    @property
    def takes_keys(self) -> bool:
        """Whether it has been in view for long enough."""
        return monotonic() >= self._alive_at

    def _is_dead(self) -> bool:
        """Whether a key comes too early; each such key puts the moment off."""
        if not self.takes_keys:
            self._alive_at = max(self._alive_at, monotonic() + self.app.dead_s)
            return True
        return False

    def _may_answer(self) -> bool:
        return not (self._is_dead() or self._is_gone or self._is_writing)

    @property
    def _is_writing(self) -> bool:
        return self._field.is_open or self._editor.is_open

    def action_no(self) -> None:
        if self._always and self._may_answer():
            self._leave_always()
        elif self._may_answer() and self.question.is_yes_no:
            self._send(Deny(question=self.question.id, digest=self.question.digest))

    def action_yes(self) -> None:
        """Pages on while there are lines that weren't in view."""
        if not self._may_answer() or not self.question.is_yes_no:
            return
        if self._pages_on():
            return
        if self._always:
            self._send(Approve(question=self.question.id, digest=self.question.digest), always=True)
        else:
            self._send(Approve(question=self.question.id, digest=self.question.digest, edit=self._edit))

    def _pages_on(self) -> bool:
        """Show more, where there are lines below that weren't in view."""
        middle = self.query_one("#exactly", Lines)
        if not middle.unseen:
            return False
        middle.action_page(1)
        self.call_after_refresh(self._draw_answers)
        return True

    def action_pick(self, number: int) -> None:
        if self._may_answer() and 1 <= number <= len(self.question.choices) and not self.question.is_yes_no:
            text = self.question.choices[number - 1]
            self._send(Answer(question=self.question.id, digest=self.question.digest, text=text))

    def action_write(self) -> None:
        if self._may_answer():
            self._field.open("your answer", self._text)

    def action_because(self) -> None:
        if self._may_answer() and self.question.is_yes_no and not self._always:
            self._field.open("why not; the agent reads it", self._denied)

    def action_many(self) -> None:
        if self._may_answer() and any(choice.action == "many" for choice in self.choices):
            subject = self.question.subject
            self._say(
                f"covers the next N questions of {subject.tool} to {subject.destination}; texts may differ"
            )
            self._field.open("how many, this one included", self._many)

    def _text(self, text: str) -> Reply | str:
        return Answer(question=self.question.id, digest=self.question.digest, text=text)

    def _denied(self, text: str) -> Reply | str:
        return Deny(question=self.question.id, digest=self.question.digest, why=text)

    def _many(self, text: str) -> Reply | str:
        if not text.isdecimal() or not 1 <= int(text) <= _MOST_COVERED:
            return f"a number from 1 to {_MOST_COVERED}"
        return Approve(question=self.question.id, digest=self.question.digest, covers=int(text))

    # --- always ---------------------------------------------------------------------------------------------

    def action_always(self) -> None:
        """Show what it would cover, once all of this call was in view: the yes to it allows this call too.

        Nothing is answered by that, and no key counts until it is shown.
        """
        is_offered = any(choice.action == "always" for choice in self.choices)
        if self._may_answer() and is_offered and not self._pages_on():
            self._alive_at = float("inf")
            self._say("looking at what it would have answered …")
            self._look_back(self.question)

    @work(exclusive=True)
    async def _look_back(self, question: Question) -> None:
        always, now = Always.here(self.app.journal, self.app.home), self.app.now()
        try:
            lines = await asyncio.to_thread(always.preview, question, now)
        except AutoagentError as error:
            self._say(str(error))
            self._wake()
            return
        if question.id == self.question_id and not self._is_gone:
            self._always, self._at = lines, 0
            self._say("y gives it and allows this call · n and esc lead back to the question")
            self._show()
        self.call_after_refresh(self._wake)

    def _leave_always(self) -> None:
        self._always, self._at = (), 0
        self._say("no always was given")
        self._show()
        self._wake()

    # --- writing --------------------------------------------------------------------------------------------

    def _submit(self) -> None:
        made = self._field.made()
        if isinstance(made, str):
            self._say(made)
        else:
            self._send(made)

    def action_edit(self) -> None:
        if not self._may_answer() or not any(choice.action == "edit" for choice in self.choices):
            return
        self.query_one("#exactly").display = False
        self._editor.open(self.question.subject.args if self._edit is None else self._edit)
        self._say("ctrl+s takes your edit and asks again · esc drops it")

    def action_save(self) -> None:
        """What was edited takes the place of what was asked; nothing is answered by that."""
        found = self._asked
        if not self._editor.is_open or found is None:
            return
        try:
            edit = self._editor.read()
        except (ValueError, RecursionError) as error:
            self._say(f"that is no JSON: {error}")
            return
        if why := unusable(found[0], self.question, edit):
            self._say(why)
            return
        self._edit = None if edit == self.question.subject.args else edit
        self._close_editor()
        self._show()
        self._say("edited; y allows it as it now stands" if self._edit is not None else "nothing was changed")
        self._at = 0
        self._wake()

    def _close_editor(self) -> None:
        self._editor.close()
        self.query_one("#exactly").display = True

    # --- leaving --------------------------------------------------------------------------------------------

    def action_later(self) -> None:
        """One level back: out of the field, out of the editor, out of the question."""
        if self._always:
            self._leave_always()
            return
        if self._field.is_open:
            self._field.close()
        elif self._editor.is_open:
            self._close_editor()
        else:
            self.dismiss(None)
            return
        self._say("")
        self.query_one("#exactly").focus()

    def action_other(self, by: int) -> None:
        if self._is_dead() or self._is_writing:
            return
        waiting = self.app.questions(self._first)
        if not waiting:
            return
        here = (self.run_id, self.question_id)
        at = waiting.index(here) if here in waiting else 0
        self.run_id, self.question_id = waiting[(at + by) % len(waiting)]
        self._edit, self._always, self._at, self._is_gone = None, (), 0, False
        self.query_one(Vertical).styles.opacity = 1
        self._alive_at = float("inf")
        self._show()
        self.call_after_refresh(self._wake)

    def _send(self, command: Reply, *, always: bool = False) -> None:
        try:
            said = self.app.reply(self.run_id, self.question_id, command, always=always)
        except AutoagentError as error:
            self._say(str(error))
            return
        self.dismiss(said)

    @on(Lines.Moved)
    def _scrolled(self) -> None:
        self._draw_answers()
