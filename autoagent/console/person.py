"""Asks the person at this terminal: the record, the exact arguments, and one line for the answer.

[y] once  [y -N] the next N  [n]  [e] edit  [always] this destination  or tell it what to do instead  (…)
"""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from autoagent.clock import SystemClock
from autoagent.commands import Answer, Approve, Deny
from autoagent.console import editing
from autoagent.console.always import Always
from autoagent.console.asked import Page, rewritten
from autoagent.console.keyboard import forget_typed, read_line
from autoagent.console.line import Line, Part, line
from autoagent.console.question import whole
from autoagent.console.screen import Screen
from autoagent.console.written import as_written, from_json, read
from autoagent.errors import AutoagentError, UsageError
from autoagent.loop.answers import unusable
from autoagent.questions import Question
from autoagent.state import RunState
from autoagent.trees import ObjectSource

_YES_TO_MANY = re.compile(r"(?:y|yes)\s*-?\s*(\d{1,4})", re.IGNORECASE)
_ALWAYS = "always"
_EDITABLE = ("call", "plan")
_KEYS = frozenset(string.ascii_letters + string.digits + string.punctuation)
"""A lone one of these was meant as a key, not as words for the agent."""
_LIKE_A_YES = ("ok", "okay", "sure", "yeah", "yep")


@dataclass
class Person:
    """An approver (`autoagent.loop.asking.Approver`) at a terminal."""

    screen: Screen
    descriptor: int
    """Of the terminal, to read from."""
    is_open: Callable[[str], bool]
    """Whether a question still waits."""
    objects: ObjectSource | None = None
    """Where the versions of files are, for a question about two of them."""
    always: Always | None = None
    """How an *always* is given; `None`: it isn't offered."""
    is_editing: bool = False
    """An editor has the terminal, and its keys, ^C too."""

    async def __call__(self, question: Question, state: RunState) -> Approve | Deny | Answer | None:
        """The person's answer; `None`: they leave it for later. Cancelled when answered elsewhere."""
        self.screen.hold()
        try:
            self.screen.ask(line(""), *whole(question, state, self.objects))
            return await self._answer(question, state)
        except asyncio.CancelledError:
            over = (
                "(answered elsewhere)" if question.expires_at is None else "(answered elsewhere, or expired)"
            )
            self.screen.ask(line("" if self.is_open(question.id) else f"  {over}"))
            raise
        finally:
            self.screen.release()

    async def _answer(self, question: Question, state: RunState) -> Approve | Deny | Answer | None:
        edit: JsonValue = None
        while True:
            forget_typed(self.descriptor)
            self.screen.ask(prompt=_prompt(question, is_always_offered=self._is_always_offered(question)))
            typed = await read_line(self.descriptor)
            if typed is None:
                self.screen.ask(line(""), line(f"left for later; 'autoagent approvals' shows {question.id}"))
                return None
            if question.is_yes_no and question.subject.kind in _EDITABLE and _is_edit(typed):
                edit = await self._edited(question, state, typed.strip()[1:].strip())
                continue
            if typed.strip().lower() == _ALWAYS and question.is_yes_no:
                if await self._gives_always(question, edit):
                    return Approve(question=question.id, digest=question.digest)
                continue
            answer = understood(question, typed, edit)
            if isinstance(answer, str):
                self.screen.ask(line(answer))
                continue
            return answer

    def _is_always_offered(self, question: Question) -> bool:
        return self.always is not None and question.explained.always is not None

    async def _gives_always(self, question: Question, edit: JsonValue) -> bool:
        """Show the literal rule and what it would have answered, and have it confirmed."""
        if self.always is None or question.explained.always is None or edit is not None:
            said = "'always' is for calls as they stand, to somebody known"
            self.screen.ask(line(f"{said}; type y, n, or what to do instead"))
            return False
        try:
            self.screen.ask(*await asyncio.to_thread(self.always.preview, question, SystemClock().now()))
            forget_typed(self.descriptor)
            self.screen.ask(prompt=line("[y] always exactly this  (Enter: back) › "))
            typed = await read_line(self.descriptor)
            if (typed or "").strip().lower() not in ("y", "yes"):
                self.screen.ask(*[line("")] * (typed is None), line("nothing was given; the question stands"))
                return False
            grant = self.always.give(question, SystemClock().now())
        except AutoagentError as error:
            self.screen.ask(line(f"no always can be given: {error}"))
            return False
        self.screen.ask(line(f"given as {grant.id}; autoagent grants revoke {grant.id} takes it back"))
        return True

    async def _edited(self, question: Question, state: RunState, inline: str) -> JsonValue:
        """Other arguments, from the line itself or from an editor; `None` where they can't be used."""
        try:
            args = question.subject.args
            edit = from_json(inline) if inline else read(await self._from_editor(as_written(args)), args)
        except UsageError as error:
            self.screen.ask(line(f"{error}, or type e {{…}}; nothing was changed"))
            return None
        except ValueError as error:
            self.screen.ask(line(f"{error}; nothing was changed"))
            return None
        if why := unusable(state, question, edit):
            self.screen.ask(line(f"{why}; nothing was changed"))
            return None
        if edit == question.subject.args:
            self.screen.ask(line("nothing was changed"))
            return None
        self.screen.ask(*_compared(question, edit))
        return edit

    async def _from_editor(self, text: str) -> str:
        """What the person made of `text` in their editor."""
        with editing.edited(text) as (command, file):
            try:
                process = await asyncio.create_subprocess_exec(*command)
            except OSError as error:
                why = f"{editing.editor()!r} can't be started ({error.strerror}); set EDITOR, or type e {{…}}"
                self.screen.ask(line(why))
                return text
            self.is_editing = True
            try:
                await process.wait()
            finally:
                self.is_editing = False
            return editing.result(file)


def understood(question: Question, typed: str, edit: JsonValue = None) -> Approve | Deny | Answer | str:
    """The answer that a typed line is; a text says why it is none."""
    words, digest = typed.strip(), question.digest
    if not question.is_yes_no:
        return _chosen(question, words)
    if words.lower() in ("y", "yes"):
        return Approve(question=question.id, digest=digest, edit=edit)
    if many := _YES_TO_MANY.fullmatch(words):
        if edit is not None or not _is_coverable(question):
            return "'y -N' is for calls as they stand, to somebody known; type y, n, or what to do instead"
        if not 1 <= int(many[1]) <= 1000:
            return "'y -N' takes 1 to 1000"
        return Approve(question=question.id, digest=digest, covers=int(many[1]))
    why = "" if words.lower() in ("", "n", "no") else words
    if why in _KEYS:
        return f"{words!r} isn't offered here; type y, n, or what to do instead"
    if why.lower() in _LIKE_A_YES:
        return f"{words!r} is no clear yes; type y, n, or what to do instead"
    return Deny(question=question.id, digest=digest, why=why)


def _chosen(question: Question, words: str) -> Answer | str:
    """One of the choices, by its name, its number or the start of its name; any text where there are none."""
    choices = question.choices
    if not choices:
        return Answer(question=question.id, digest=question.digest, text=words) if words else "type an answer"
    numbered = dict(enumerate(choices, 1))
    if words.isdecimal() and int(words) in numbered:
        words = numbered[int(words)]
    fitting = [choice for choice in choices if words and choice.startswith(words.lower())]
    if len(fitting) != 1:
        return f"type one of: {', '.join(choices)}"
    return Answer(question=question.id, digest=question.digest, text=fitting[0])


def _is_edit(typed: str) -> bool:
    return re.fullmatch(r"\s*e(\s*|\s+[\[{].*)", typed, re.DOTALL) is not None


def _is_coverable(question: Question) -> bool:
    """Whether a yes can count for the next questions of its kind: only where it is known whom they reach."""
    return question.subject.kind == "call" and bool(question.subject.destination)


def _prompt(question: Question, *, is_always_offered: bool = False) -> Line:
    if not question.is_yes_no:
        choices = "  ".join(f"[{n}] {choice}" for n, choice in enumerate(question.choices, 1))
        return line(choices, "  " if choices else "", Part("(^D: later) ", "dim"), "› ")
    many = "[y -N] the next N  " if _is_coverable(question) else ""
    edit = "[e] edit  " if question.subject.kind in _EDITABLE else ""
    once = "once" if question.subject.kind == "call" else "yes"
    always = f"[{_ALWAYS}] this destination  " if is_always_offered else ""
    return line(f"[y] {once}  {many}[n]  {edit}{always}or tell it what to do instead  (Enter: n) › ")


def _compared(question: Question, edit: JsonValue) -> Iterator[Line]:
    yield from rewritten(question.subject.args, edit, Page())
    yield line("y allows what was edited")
