"""What a person types for a run on one line, as the command that it is; and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from autoagent.commands import Command, RaiseLimits, Tell
from autoagent.console.line import Line, Part, line, short
from autoagent.ports import SentCommand
from autoagent.tui.run.pace import Steered

_LIMITS = ("usd", "steps", "minutes", "tokens")


def raised(text: str) -> Command | str:
    """The limit that a person typed; a text says what is wrong with it."""
    name, _, value = text.strip().partition(" ")
    if name not in _LIMITS:
        return "write usd, steps, minutes or tokens, and the new value"
    try:
        return RaiseLimits.model_validate({name: value.strip()})
    except ValidationError:
        return f"{value!r} is no number for {name}"


def words(text: str) -> Command | str:
    """What the agent is told."""
    return Tell(text=text) if text.strip() else "nothing was said"


def steer_line(steered: Steered | None, sent: Iterable[SentCommand], steps: int, width: int) -> Line | None:
    """What was said last, and whether it has arrived. `sent`: commands that the run hasn't taken yet."""
    told = [each.command.text for each in sent if isinstance(each.command, Tell)]
    if told:
        text, how = told[-1], "not taken yet"
    elif steered is None:
        return None
    elif steered.before_step is None:
        text, how = steered.text, f"taken; read before step {steps + 1}"
    else:
        text, how = steered.text, f"delivered before step {steered.before_step}"
    room = max(width - len(how) - 12, 10)
    said = short(text, room)
    gap = " " * max(room - len(said.shown), 0)
    return line(Part(" steer › ", "accent"), said, gap, Part(f"  {how}", "dim"))
