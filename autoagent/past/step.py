"""One link of the chain that led to something: what `why` answers with, and its whole closed shape."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from autoagent.events import Entry, Label
from autoagent.messages import Frozen

StepKind = Literal[
    "change",  # a path of the workspace was changed
    "start",  # it was there when the run began
    "person",  # a person did it by hand
    "undo",  # a person took it back
    "merge",  # a fork's files became part of main
    "reset",  # no progress: back to the sub-task's start
    "call",  # a tool was called
    "decision",  # what policy said of the call, and why
    "question",  # a person was asked
    "answer",  # what they said
    "reply",  # a model asked for it
    "sub_task",  # the work that it was part of
    "plan",  # where the sub-task comes from
    "read",  # what had been read before
    "verbatim",  # a part that stands word for word in what was read
    "spent",  # money
    "event",  # anything else that the journal holds
]


class Step(Frozen):
    """A fact with its place in the journal, and the steps that led to it."""

    kind: StepKind
    entry: int | None = None
    """Where it stands; `None` for what is summed up over many."""
    at: datetime | None = None
    text: str
    """In our words; may hold names from outside."""
    quote: str = ""
    """Exactly what stands there: a model's words, an answer, a run of text."""
    args: dict[str, JsonValue] | None = None
    """Of a call, or of a question where its call has others: the arguments; `None` for all else."""
    labels: tuple[Label, ...] = ()
    because: tuple[Step, ...] = ()
    """What led to it, nearest first."""


def step(
    kind: StepKind,
    entry: Entry,
    text: str,
    *because: Step | None,
    quote: str = "",
    args: dict[str, JsonValue] | None = None,
    labels: tuple[Label, ...] = (),
) -> Step:
    """A step at an entry; what isn't there is left out of `because`."""
    led = tuple(each for each in because if each is not None)
    return Step(
        kind=kind,
        entry=entry.seq,
        at=entry.at,
        text=text,
        quote=quote,
        args=args,
        labels=labels,
        because=led,
    )
