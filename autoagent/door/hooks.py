"""Hooks: how a plugin takes part in runs besides its tools. It may hear, and refuse; it changes nothing.

    plugin = Plugin("post", [post_letter], hooks=Hooks(pre_call=has_stamps, report=ring))

Each is an async function whose first argument is a `HookContext`. A plugin's hooks are called one at a time,
in a thread of their own. One that raises, takes too long or gives nonsense leaves an event, `HookFailed`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue, SecretStr

from autoagent.door.contexts import OfPlugin
from autoagent.events import Effect
from autoagent.questions import Question

ReportKind = Literal["question", "end", "limit", "parked", "interrupted", "unavailable"]
"""`end`: proved, finished, unproved or cancelled. `unavailable`: a model, sandbox or store can't be had."""


@dataclass(frozen=True)
class HookContext(OfPlugin):
    """What a hook may use."""

    plugin: str
    home: Path | None = None
    """See `folder`."""
    settings: BaseModel | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    """Variable -> secret, for the variables that the plugin's settings name."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("autoagent.plugins"))


@dataclass(frozen=True)
class HeardCall:
    """A call as it stands in the record."""

    run_id: str
    call_id: str
    lane: str
    plugin: str
    """Empty for a script (`code` style), whose tool is `script`."""
    tool: str
    args: Mapping[str, JsonValue]
    """A copy."""
    effect: Effect
    destination: str | None
    """Whom it reaches: `None` for nobody outside, empty for somebody unknown."""
    files: Mapping[str, str]
    """Files to be sent: path -> SHA-256."""
    key: str
    """The same at every try of this call, and of no other."""

    @property
    def reaches_out(self) -> bool:
        """Whether somebody outside may learn of it."""
        return self.effect == "external" or self.destination is not None


@dataclass(frozen=True)
class CallOutcome:
    """How a call ended."""

    ok: bool
    output: str
    """What the model reads."""
    was_started: bool
    """False: a person or a hook said no, and nothing was tried."""
    may_have_happened: bool
    """Of an external call: it did, or nobody knows. False: certainly nothing happened outside."""
    seconds: float


@dataclass(frozen=True)
class Report:
    """Something that a person would want to know of a run."""

    kind: ReportKind
    run_id: str
    goal: str
    workspace: str
    at: datetime
    is_seen: bool
    """A person sat at the run's terminal a moment ago, and sees it there."""
    commands: tuple[str, ...]
    """What to type: to answer the question, or to go on, or to look."""
    question: Question | None = None
    """What waits, where `kind` is `question`."""
    ending: str = ""
    """How the run ended or stopped: `proved`, `parked`, …; empty for a question."""
    reason: str = ""
    exit_code: int | None = None
    waiting: tuple[str, ...] = ()
    """Ids of all open questions."""


@dataclass(frozen=True)
class Hooks:
    """Each may be left out."""

    pre_call: Callable[[HookContext, HeardCall], Awaitable[str | None]] | None = None
    """Hears a call of any enabled tool that was decided, and approved where needed, before it starts.

    `None` lets it go on; a text refuses it, and is what the model reads. It can't allow what policy denied,
    nor change anything. Its verdict is what is recorded next, the start or the end of the call: until then it
    may be asked again after a crash, with the same `key`; afterwards never. Where it fails, a call that
    reaches out is refused, and any other goes on. Ten seconds.
    """
    post_call: Callable[[HookContext, HeardCall, CallOutcome], Awaitable[None]] | None = None
    """Hears how a call ended that policy did not deny, once that is recorded. At least once: again where the
    process died, or the run stopped, before the lane went on. Ten seconds.
    """
    report: Callable[[HookContext, Report], Awaitable[None]] | None = None
    """Hears that a question waits, and how the run ended or stopped. At least once: again where the process
    died before that was recorded. Thirty seconds, beside the run's work.
    """
