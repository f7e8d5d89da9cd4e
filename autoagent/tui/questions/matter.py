"""What a question is about, as a person edits it: arguments as a whole, a plan row by row. No Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import JsonValue

from autoagent.console.asked import Page, anew, exactly, in_full, meanings, over, rewritten
from autoagent.console.enclosed import MOST_LINES
from autoagent.console.figures import several
from autoagent.console.line import Line, Part, line
from autoagent.goal import SubTask
from autoagent.loop.answers import unusable
from autoagent.questions import Question
from autoagent.state import RunState
from autoagent.trees import ObjectSource
from autoagent.tui.drawing.view import Row
from autoagent.tui.questions.choices import ALWAYS, Choice, offered
from autoagent.tui.questions.draft import Draft, draft_of
from autoagent.tui.questions.plan_table import plan_table

_DIFFERING_LINES = 400
"""Shown of a path that two have changed."""


class Matter:
    """The exact arguments, as they were asked about or as they were edited."""

    def __init__(self, question: Question, state: RunState, objects: ObjectSource) -> None:
        self.question, self.state, self._objects = question, state, objects
        self.edit: JsonValue = None
        """What a yes takes along; `None` where nothing is edited."""

    @property
    def now(self) -> JsonValue:
        """What a yes would allow."""
        return self.question.subject.args if self.edit is None else self.edit

    @property
    def objection(self) -> str | None:
        """Why it can't be allowed as it stands."""
        return None

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The answers to it as it stands."""
        return offered(self.question, is_edited=self.edit is not None)

    @property
    def said(self) -> str:
        """What it is, over its lines."""
        return over(self.question) if self.edit is None else "as you edited it; y allows this"

    @property
    def standing(self) -> str:
        """What has become of it by an edit."""
        if self.edit is None:
            return "it is as it was asked about"
        is_wrong = self.objection is not None
        return "edited; it can't be accepted so" if is_wrong else "edited; y allows it as it now stands"

    def rows(self, columns: int) -> list[Row]:
        """All of it for a screen of so many columns."""
        page = Page(self._objects, columns, _DIFFERING_LINES, MOST_LINES, is_read=True)
        return [Row(each) for each in self._lines(page)]

    def rewrite(self, value: JsonValue) -> str | None:
        """Put `value` in its place; what is wrong with it otherwise."""
        if why := unusable(self.state, self.question, value):
            return why
        self.edit = None if value == self.question.subject.args else value
        return None

    def _lines(self, page: Page) -> Iterator[Line]:
        if self.edit is None:
            yield from in_full(self.question, self.state, page)
            return
        yield from self._elsewhere()
        subject = self.question.subject.model_copy(update={"args": self.edit})
        yield from exactly(self.question.model_copy(update={"subject": subject}), self.state, page)
        yield line(Part("what you changed", "dim"))
        yield from rewritten(self.question.subject.args, self.edit, page)

    def _elsewhere(self) -> Iterator[Line]:
        """That an edit has changed whom it reaches: the head names who was asked about."""
        asked, edit, to = self.question.subject.args, self.edit, self.question.subject.destination
        if not (to and isinstance(asked, dict) and isinstance(edit, dict)):
            return
        for name, was in asked.items():
            if was in (to, [to]) and edit.get(name) != was:
                said = f"{name} is other than asked about: this no longer reaches {to}, but whom it names now"
                yield line(Part(said, "attention"))


class EditedPlan(Matter):
    """A plan, whose rows can be edited one by one."""

    def __init__(self, question: Question, state: RunState, objects: ObjectSource) -> None:
        super().__init__(question, state, objects)
        begun = [task.id for task in state.begun]
        self.draft = draft_of(question.subject.args, begun, proposes=not state.criteria)

    @property
    def objection(self) -> str | None:
        if self.draft.objection is not None or self.edit is None:
            return self.draft.objection
        return unusable(self.state, self.question, self.edit)

    @property
    def said(self) -> str:
        count = self.draft.edits
        return f"the plan, with {several(count, 'edit')} of yours" if count else "exactly this plan"

    def rows(self, columns: int) -> list[Row]:
        page = Page(self._objects, columns)
        before = [Row(each) for each in anew(self.question, self.state, page)]
        return [*before, *plan_table(self.draft, self.state, columns, meanings(self.question, self.state))]

    def rewrite(self, value: JsonValue) -> str | None:
        return self.take(self.draft.rewritten(value))

    def take(self, made: Draft | str) -> str | None:
        """The next draft; a text says why there is none."""
        if isinstance(made, str):
            return made
        self.draft, self.edit = made, made.edit
        return None

    def change(self, edit: Callable[[Draft], Draft | str]) -> str | None:
        """Edit the draft; a text says why that can't be done."""
        return self.take(edit(self.draft))

    def at(self, number: int) -> SubTask:
        return self.draft.rows[number].task


class Always(Matter):
    """The rule of an *always*, and what it would have answered: shown before it is given."""

    def __init__(self, of: Matter, lines: Sequence[Line]) -> None:
        super().__init__(of.question, of.state, of._objects)
        self.of, self._shown = of, [Row(each) for each in lines]

    @property
    def choices(self) -> tuple[Choice, ...]:
        return ALWAYS

    @property
    def said(self) -> str:
        return "always exactly this"

    def rows(self, columns: int) -> list[Row]:
        return self._shown


def matter_of(question: Question, state: RunState, objects: ObjectSource) -> Matter:
    made = EditedPlan if question.subject.kind == "plan" else Matter
    return made(question, state, objects)
