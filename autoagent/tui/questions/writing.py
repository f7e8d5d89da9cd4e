"""Where a person writes in a question: one line for words, many for arguments. Closed until opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.widget import Widget
from textual.widgets import Input, TextArea

from autoagent.console.replying import Reply


async def settled(*fields: Widget) -> None:
    """Every key that was typed into these has arrived: they take them in later than a screen its own."""
    for field in fields:
        arrived = asyncio.Event()
        field.call_later(arrived.set)
        await arrived.wait()


class Field(Input):
    """One line, for what an answer needs in words."""

    DEFAULT_CSS = "Field { display: none; height: 1; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True)
        self._made: Callable[[str], Reply | str] | None = None

    @property
    def is_open(self) -> bool:
        return self._made is not None

    def open(self, what: str, made: Callable[[str], Reply | str]) -> None:
        """Ask for `what`. `made`: the answer that a text is, or what is wrong with the text."""
        self._made, self.placeholder, self.value, self.display = made, what, "", True
        self.screen.set_focus(self)  # at once: the next key is for it

    def close(self) -> None:
        self._made, self.display = None, False

    @property
    def words(self) -> str:
        return self.value

    @property
    def has_words(self) -> bool:
        return bool(self.value.strip())

    def made(self) -> Reply | str:
        """The answer that stands in it, or what is wrong with it."""
        assert self._made is not None
        return self._made(self.value)


class Editor(TextArea):
    """A call's arguments, to be edited."""

    DEFAULT_CSS = "Editor { display: none; height: 1fr; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, soft_wrap=True)
        self._given = ""

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    def open(self, text: str) -> None:
        self.text, self.display = text, True
        self._given = self.text
        self.screen.set_focus(self)

    @property
    def words(self) -> str:
        return self.text

    @property
    def has_words(self) -> bool:
        """Whether it holds what wasn't there when it was opened."""
        return self.text != self._given

    def close(self) -> None:
        self.display = False
