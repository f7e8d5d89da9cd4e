"""What people and other processes want of a run: a closed union, appended to a second stream.

The runtime turns each into an event; a command changes nothing by itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from autoagent.messages import Frozen


class Approve(Frozen):
    """Yes to a question."""

    kind: Literal["approve"] = "approve"
    question: str
    digest: str
    """What was shown; a question that has changed since voids the answer."""
    covers: int = Field(default=1, ge=1, le=1000)
    """`y -N`: also the next N-1 questions of this tool and destination in this run."""
    edit: JsonValue = None
    """Other arguments, or another plan, than the ones asked about."""


class Deny(Frozen):
    """No to a question."""

    kind: Literal["deny"] = "deny"
    question: str
    digest: str
    why: str = ""
    """Feedback; the agent reads it."""


class Answer(Frozen):
    """A choice or a text, for questions that are not yes or no."""

    kind: Literal["answer"] = "answer"
    question: str
    digest: str
    text: str


class Cancel(Frozen):
    """End the run for good; a running tool or reply ends at once."""

    kind: Literal["cancel"] = "cancel"
    why: str = ""


class RaiseLimits(Frozen):
    """New limits; `None` keeps the old one."""

    kind: Literal["raise_limits"] = "raise_limits"
    usd: Decimal | None = None
    steps: int | None = None
    minutes: float | None = None
    tokens: int | None = None


class Tell(Frozen):
    """Words for the agent: each sub-task, at work or to come, reads them before its next step."""

    kind: Literal["tell"] = "tell"
    text: str


class Pause(Frozen):
    """No sub-task begins its next step until `GoOn`; a step that is under way ends first."""

    kind: Literal["pause"] = "pause"


class GoOn(Frozen):
    """The end of a pause."""

    kind: Literal["go_on"] = "go_on"


Command = Annotated[
    Approve | Deny | Answer | Cancel | RaiseLimits | Tell | Pause | GoOn, Field(discriminator="kind")
]
