"""How a question is answered: once, many times, always, with words, or later.

No key that was typed before the question was seen counts: keys are dead until it has been painted and nothing
was typed for a moment. Leaving is never an answer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key, Paste

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.always import Always as Giving
from autoagent.console.replying import Reply
from autoagent.errors import AutoagentError
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.questions.asked import AskedScreen
from autoagent.tui.questions.choices import denied, many, text
from autoagent.tui.questions.matter import Always, Matter
from autoagent.tui.questions.writing import settled


class QuestionScreen(AskedScreen):
    """A question with its answers.

    Enter takes the answer under the cursor, which starts on no. Among the rows of a plan it rewords the one
    under the cursor. Leaving answers nothing: the question waits.
    The fingerprint below stands for exactly what is asked: an answer counts for that alone.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "no", "no", id="question.no"),
        Binding("y", "yes", "yes, once", id="question.yes"),
        Binding("Y", "many", "yes to the next N", id="question.many"),
        Binding("f", "because", "no, and why", id="question.because"),
        Binding("A", "always", "always to this destination", id="question.always"),
        Binding("left", "step(-1)", "the answer before", show=False, id="question.left"),
        Binding("right,tab", "step(1)", "the next answer", show=False, id="question.right"),
        Binding("enter", "take", "take the answer", show=False, priority=True, id="question.take"),
        Binding("right_square_bracket", "other(1)", "the next question", key_display="]", id="question.next"),
        Binding("left_square_bracket", "other(-1)", "the one before", key_display="[", id="question.before"),
        Binding("escape", "later", "later: it goes on waiting", priority=True, id="question.later"),
        *(
            Binding(str(n), f"pick({n})", f"choice {n}", show=False, id=f"question.choice_{n}")
            for n in range(1, 10)
        ),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Of the choices those that the question has: help names no others."""
        if action != "pick" or self._asked is None:
            return super().check_action(action, parameters)
        count = 0 if self.question.is_yes_no else len(self.question.choices)
        return isinstance(parameters[0], int) and parameters[0] <= count

    # --- the answers ----------------------------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        if not self._attention.is_early():
            self._exactly.leave_rows()
            self._answers.step(by)
            self._draw_answers()

    async def action_take(self) -> None:
        """Enter: in the field it submits, among a plan's rows it rewords, else it is what the cursor says."""
        if self._attention.is_early():
            return
        if self._field.is_open and self.app.typing.is_burst:
            self._say("that came in one burst, as a paste does; enter once more sends it")
        elif self._field.is_open:
            await settled(self._field)
            self._submit()
        elif self._editor.is_open:
            self._editor.insert("\n")
        elif self._exactly.is_among_rows:
            self._exactly.action_reword()
        else:
            await self.run_action(self._answers.chosen)

    def hear_words(self, event: Key | Paste) -> None:
        """Where words are the answer they open their field, before they come to it; that sends nothing."""
        if self._asked is None or self.question.choices or self._is_gone or self._is_writing:
            return
        if isinstance(event, Key):
            ours = (self.app.key_of(id) for id in ("question.next", "question.before", "app.help"))
            if not event.is_printable or event.character in {" ", *" ".join(ours).split()}:
                return
        if not self._attention.is_early():
            self._write()

    def _write(self) -> None:
        self._field.open("your answer", partial(text, self.question))
        self._say(
            f"{self.app.key_of('question.take')} sends it · {self.app.key_of('question.later')} drops it"
        )

    def _may_answer(self) -> bool:
        """Not in a burst of keys, which is a paste: nothing counts for a while after it."""
        if self.app.typing.is_burst:
            self._attention.wake()
        return not (self._attention.is_early() or self._is_gone or self._is_writing)

    def action_no(self) -> None:
        if isinstance(self._matter, Always) and self._may_answer():
            self._leave_always(self._matter)
        elif self._may_answer() and self.question.is_yes_no:
            self._send(Deny(question=self.question.id, digest=self.question.digest))

    def action_yes(self) -> None:
        """Pages on while there are lines that weren't in view; none while something is wrong with an edit."""
        if not self._may_answer() or not self.question.is_yes_no:
            return
        if self._pages_on():
            return
        if why := self.matter.objection:
            self._say(why)
        else:
            yes = Approve(question=self.question.id, digest=self.question.digest, edit=self.matter.edit)
            self._send(yes, always=isinstance(self.matter, Always))

    def _pages_on(self) -> bool:
        """Show more, where there are lines that weren't in view; first of the head, above all else."""
        if (top := self.query_one("#head", Lines)).unseen:
            top.scroll_page_down(animate=False)
        elif self._exactly.unseen:
            self._exactly.show_unseen()
        else:
            return False
        self._attention.wake()  # a key that is held down must not go through what nobody can read so fast
        return True

    def action_pick(self, number: int) -> None:
        if self._may_answer() and 1 <= number <= len(self.question.choices) and not self.question.is_yes_no:
            said = self.question.choices[number - 1]
            self._send(Answer(question=self.question.id, digest=self.question.digest, text=said))

    def action_write(self) -> None:
        if self._may_answer():
            self._write()

    def action_because(self) -> None:
        if self._may_answer() and self._answers.offers("because"):
            self._field.open("why not; the agent reads it", partial(denied, self.question))

    def action_many(self) -> None:
        if self._may_answer() and self._answers.offers("many"):
            subject = self.question.subject
            whom = f"{subject.tool} to {subject.destination}"
            self._say(f"the next N of {whom}, asked for the same reason; texts and files may differ")
            self._field.open("how many, this one included", partial(many, self.question))

    def _submit(self) -> None:
        made = self._field.made()
        if isinstance(made, str):
            self._say(made)
        else:
            self._send(made)

    # --- always ---------------------------------------------------------------------------------------------

    def action_always(self) -> None:
        """Show what it would cover, once all of this call was in view: the yes to it allows this call too.

        Nothing is answered by that, and no key counts until it is shown.
        """
        if self._may_answer() and self._answers.offers("always") and not self._pages_on():
            self._attention.sleep()
            self._say("looking at what it would have answered …")
            self._look_back(self.matter)

    @work(exclusive=True)
    async def _look_back(self, matter: Matter) -> None:
        giving, now = Giving.here(self.app.journal, self.app.home), self.app.now()
        try:
            lines = await asyncio.to_thread(giving.preview, matter.question, now)
        except AutoagentError as error:
            self._say(str(error))
        else:
            if matter is self._matter and not self._is_gone:
                self._put(Always(matter, lines))
                self._say("y gives it and allows this call · n and esc lead back to the question")
        self.call_after_refresh(self._attention.wake)

    def _leave_always(self, always: Always) -> None:
        self._put(always.of)
        self._say("no always was given")
        self._attention.wake()

    def _put(self, matter: Matter) -> None:
        """Something else is asked about from here on; what has taken another's place is unseen."""
        self._matter = matter
        self._exactly.forget()
        self._show()

    # --- leaving --------------------------------------------------------------------------------------------

    async def action_later(self) -> None:
        """One level back: out of the field, out of the editor, out of the rows, out of the question."""
        if isinstance(self._matter, Always) and not self._is_gone:
            self._leave_always(self._matter)
            return
        if self._is_writing:
            if await self._would_lose_words():
                return
            self._close_editor() if self._editor.is_open else self._field.close()
        elif self._exactly.is_among_rows:
            self._exactly.leave_rows()
            self._draw_answers()
            return
        else:
            self.dismiss(None)
            return
        self._say("")
        self._exactly.focus()

    async def _would_lose_words(self) -> bool:
        """Whether there are words that nobody has been asked about yet: then it is asked once."""
        place = self._editor if self._editor.is_open else self._field
        await settled(place)
        if not place.has_words or place.words == self._asked_about:
            self._asked_about = ""
            return False
        self._asked_about = place.words
        take = self.app.key_of("question.save" if self._editor.is_open else "question.take")
        drop = self.app.key_of("question.later")
        self._say(f"what you wrote isn't taken yet: {take} takes it · {drop} again drops it")
        return True

    def action_other(self, by: int) -> None:
        if self._attention.is_early() or self._is_writing:
            return
        waiting = self.app.questions(self._first)
        if not waiting:
            return
        here = (self.run_id, self.question_id)
        at = waiting.index(here) if here in waiting else min(-by, 0)
        self.run_id, self.question_id = waiting[(at + by) % len(waiting)]
        self._matter, self._is_gone = None, False
        self.query_one(Vertical).styles.opacity = 1
        self._attention.sleep()
        self._answers.begin()
        self._exactly.forget()
        self._say("")
        self._show()
        self.call_after_refresh(self._attention.wake)

    def _send(self, command: Reply, *, always: bool = False) -> None:
        try:
            said = self.app.orders.reply(self.run_id, self.question_id, command, always=always)
        except AutoagentError as error:
            self._say(str(error))
        else:
            self.dismiss(said)
