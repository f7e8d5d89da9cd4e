"""What a person is told who looks elsewhere: what has come to wait, and how a terminal tells the desktop.

A notice's text is harmless whatever it holds. Terminals that know none of them ignore what is sent. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autoagent.console.signs import without_signs
from autoagent.redact import one_line

_LONGEST = 80
Kind = Literal["9", "99", "777", ""]
_BY_TERM: tuple[tuple[str, Kind], ...] = (
    ("xterm-kitty", "99"),
    ("foot", "777"),
    ("rxvt-unicode", "777"),
    ("linux", ""),
    ("dumb", ""),
    ("vt", ""),
    ("screen", ""),
)
_BY_VARIABLE: tuple[tuple[str, Kind], ...] = (
    ("KITTY_WINDOW_ID", "99"),
    ("VTE_VERSION", "777"),
    ("KONSOLE_VERSION", "777"),
)
"""Which of iTerm2's, kitty's and urxvt's sequences a terminal takes; all others get iTerm2's."""


@dataclass(frozen=True)
class News:
    """What waits, against the look before."""

    said: str
    """How much waits; empty where nothing does."""
    new: tuple[str, ...]
    """Runs that have come to wait since."""
    is_other: bool


class Waiting:
    """What of all that waits the person was told of."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] | None = None

    def look(self, questions: Sequence[tuple[str, str]]) -> News:
        """`questions`: (run, question). Nothing is new at the first look: the person is here anyway."""
        told, waiting = self._told, set(questions)
        self._told = waiting
        count = len(waiting)
        said = f"{count} wait{'s' if count == 1 else ''} for you" if count else ""
        new = tuple(run for run, id in questions if told is not None and (run, id) not in told)
        return News(said, new, waiting != told)


def notice(said: str, environment: Mapping[str, str]) -> str:
    """What to write to the terminal; empty for one that would show it as text.

    Whatever `said` holds, the terminal can obey nothing of it, and it is short.
    """
    term = environment.get("TERM", "")
    is_tmux = bool(environment.get("TMUX"))
    text = _text(said)
    match _kind("" if is_tmux else term, environment):
        case "":
            return ""
        case "99":
            made = f"\x1b]99;i=autoagent;{text}\x1b\\"
        case "777":
            made = f"\x1b]777;notify;autoagent;{text}\x1b\\"
        case _:
            made = f"\x1b]9;{text}\x07"
    if is_tmux:  # which passes it on where 'allow-passthrough' is on, and drops it else
        return f"\x1bPtmux;{made.replace(chr(27), chr(27) * 2)}\x1b\\"
    return made


def _kind(term: str, environment: Mapping[str, str]) -> Kind:
    by_term = next((kind for start, kind in _BY_TERM if term.startswith(start)), None)
    if by_term is not None:
        return by_term
    return next((kind for name, kind in _BY_VARIABLE if environment.get(name)), "9")


def _text(said: str) -> str:
    """ASCII letters and signs, without what separates the parts of a sequence."""
    plain = without_signs(one_line(said, _LONGEST), "ascii").replace(";", ",")
    return "".join(char for char in plain if " " <= char <= "~")
