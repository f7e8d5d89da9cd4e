"""The answers of a question on screen, with the cursor that enter obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.widgets import Static

from autoagent.console.line import Line
from autoagent.tui.drawing.drawn import drawn
from autoagent.tui.questions.choices import LATER, Choice, choice_row

_ANY_WIDTH = 1_000
"""Before it was laid out."""


class Answers(Static):
    """One beside the other; the cursor starts on the first, which lets nothing out."""

    DEFAULT_CSS = "Answers { height: auto; max-height: 5; border-top: solid $quiet; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self._choices: tuple[Choice, ...] = (LATER,)
        self._at = 0

    @property
    def chosen(self) -> str:
        """The action of the answer under the cursor."""
        return self._choices[self._at].action

    def offers(self, action: str) -> bool:
        return any(choice.action == action for choice in self._choices)

    def step(self, by: int) -> None:
        self._at = (self._at + by) % len(self._choices)

    def begin(self) -> None:
        """The cursor goes back to the first."""
        self._at = 0

    def draw(
        self,
        choices: tuple[Choice, ...],
        key_of: Callable[[str], str],
        beneath: Sequence[Line],
        *,
        is_marked: bool,
    ) -> None:
        """Show other answers; where they are others the cursor begins anew."""
        if choices != self._choices:
            self._choices, self._at = choices, 0
        row = choice_row(choices, self._at if is_marked else -1, key_of, self.size.width or _ANY_WIDTH)
        self.update(drawn(row, *beneath))
