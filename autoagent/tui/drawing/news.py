"""The line above the footer: what has just happened, and what is so until it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual.widgets import Static

from autoagent.console.line import line
from autoagent.tui.drawing.drawn import drawn

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit

LONGEST = timedelta(seconds=20)
"""After which nothing said is news any more."""
LEAST = timedelta(seconds=4)
"""As long a person has to read what they didn't ask for, or what was over at once."""


@dataclass(frozen=True)
class Said:
    """A piece of news, as it was when it was said."""

    text: str
    at: datetime
    is_unasked: bool = False
    """No key of the person's brought it."""
    standings: Mapping[str, str] = field(default_factory=dict)
    """Run -> how it stood, of the runs that it is about."""

    def is_over(self, now: datetime, standings: Mapping[str, str]) -> bool:
        """Whether time or the runs have gone on since."""
        changed = any(standings.get(run, how) != how for run, how in self.standings.items())
        return now - self.at >= (LEAST if changed else LONGEST)

    def passes_with_a_key(self, now: datetime) -> bool:
        """Whether the person's next key takes it away."""
        return not self.is_unasked or now - self.at >= LEAST


class News(Static):
    """Shows the last piece of news; where there is none, what holds."""

    DEFAULT_CSS = "News { height: 1; color: $text-warning; }"

    app: Cockpit

    def __init__(self, about: str = "") -> None:
        """`about`: a run that all news here is about, besides those that it names."""
        super().__init__("", id="news", markup=False)
        self._about, self._holds = about, ""
        self._said: Said | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(1, self.look, pause=self._said is None)

    def say(self, text: str, *, is_unasked: bool = False) -> None:
        """Tell something until it is over, or the next key; an empty text takes back what was told."""
        standings = {
            run: how for run, how in self.app.standings().items() if run == self._about or run in text
        }
        self._said = Said(text, self.app.now(), is_unasked, standings) if text else None
        self._timer.resume()
        self._show()

    def hold(self, text: str) -> None:
        """What is so until this is called again; empty where nothing is."""
        if text != self._holds:
            self._holds = text
            self._show()

    @property
    def holds(self) -> str:
        """What is so."""
        return self._holds

    def look(self) -> None:
        """Time has passed, or runs are other than they were."""
        if self._said is None:
            self._timer.pause()
        elif self._said.is_over(self.app.now(), self.app.standings()):
            self.say("")

    def heard_key(self) -> None:
        """The person does something else."""
        if self._said is not None and self._said.passes_with_a_key(self.app.now()):
            self.say("")

    def _show(self) -> None:
        self.update(drawn(line(self._holds if self._said is None else self._said.text)))
