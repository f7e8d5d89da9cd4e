"""The hooks of the enabled plugins, as a lane calls them: before a call starts, and once it has ended.

A plugin's `pre_call` and `post_call` are called one at a time, in a thread of their own. What a hook does
wrong becomes a `HookFailed`.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from autoagent.door.hooks import CallOutcome, HeardCall, HookContext, Hooks
from autoagent.door.tools import Tool
from autoagent.errors import ToolError
from autoagent.events import CallDecided, CallEnded, CallStarted, Entry, HookFailed
from autoagent.loop.context import RunContext
from autoagent.loop.history import History
from autoagent.loop.toolbox import ToolThread, message_of
from autoagent.redact import cut
from autoagent.state import CallState
from autoagent.turns import SCRIPT

TIMEOUT_S = 10.0
_REASON = 500
"""Characters of a reason or a problem that are kept."""
_REFUSED = "Not allowed by the plugin "


@dataclass(frozen=True)
class Hooked:
    """An enabled plugin that has hooks."""

    hooks: Hooks
    context: HookContext


@dataclass(frozen=True)
class _Said:
    """What a hook returned, or what was wrong with it."""

    value: object = None
    problem: str = ""


@dataclass(frozen=True)
class Voice:
    """One plugin's hooks, called one at a time."""

    hooked: Hooked
    thread: ToolThread = field(default_factory=ToolThread)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def plugin(self) -> str:
        return self.hooked.context.plugin

    async def say(self, hook: Callable[..., Awaitable[Any]], timeout_s: float, *about: object) -> _Said:
        """Call a hook of this plugin with its context and what it is about. Raises only `CancelledError`."""
        context = self.hooked.context
        async with self.lock:
            try:
                said = await self.thread.within(lambda: _called(hook, context, *about), timeout_s)
            except TimeoutError:
                said = _Said(problem=f"it took longer than {timeout_s:g} s")
        return _Said(said.value, self._without_secrets(said.problem))

    def _without_secrets(self, text: str) -> str:
        for variable, secret in self.hooked.context.secrets.items():
            text = text.replace(secret.get_secret_value(), f"[{variable}]")
        return cut(text, _REASON)


async def _called(hook: Callable[..., Awaitable[Any]], *args: object) -> _Said:
    try:
        return _Said(await hook(*args))
    except ToolError as error:
        return _Said(problem=message_of(error) or "it didn't say why")
    except BaseException as error:  # plugin code may raise anything; sys.exit() ends its hook, not the run
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        return _Said(problem=f"{type(error).__name__}: {message_of(error)}")


class Hearing:
    """Asks and tells the plugins of one run about its calls."""

    def __init__(self, history: History, hooked: Sequence[Hooked]) -> None:
        self.history = history
        self._voices = [Voice(h) for h in hooked]

    @property
    def hears_starts(self) -> bool:
        return any(v.hooked.hooks.pre_call for v in self._voices)

    @property
    def hears_ends(self) -> bool:
        return any(v.hooked.hooks.post_call for v in self._voices)

    async def refusal(self, decided: CallDecided, tool: Tool | None) -> str | None:
        """Why a call must not start, for the model; `None` where no plugin minds.

        It may start then, or be refused: that is what is to be recorded next.
        """
        call = heard(self.history.run_id, decided, tool)
        for voice in self._voices:
            if (hook := voice.hooked.hooks.pre_call) is None:
                continue
            said = await voice.say(hook, TIMEOUT_S, call)
            match said:
                case _Said(problem="", value=None):
                    continue
                case _Said(problem="", value=str(reason)):
                    return f"{_REFUSED}{voice.plugin!r}: {cut(reason, _REASON) or 'it gave no reason'}"
                case _Said(problem=problem, value=value):
                    problem = problem or f"it gave {type(value).__name__}; expected None or a text"
                    self._failed(voice, "pre_call", problem, decided.call)
                    if call.reaches_out:  # closed: what would leave is held back; open: all else goes on
                        who = f"{voice.plugin!r}, which has to hear of calls that reach out"
                        return f"{_REFUSED}{who} and failed: {problem}"
        return None

    async def tell(self, call: HeardCall, outcome: CallOutcome) -> None:
        """How a call ended, which stands in the record."""
        for voice in self._voices:
            if (hook := voice.hooked.hooks.post_call) is not None:
                said = await voice.say(hook, TIMEOUT_S, call, outcome)
                problem = said.problem or (
                    "" if said.value is None else "it returned something; expected None"
                )
                if problem:
                    self._failed(voice, "post_call", problem, call.call_id)

    async def catch_up(self, entries: Sequence[Entry], tools: Mapping[str, Tool]) -> None:
        """Tell of the calls that a former process may not have told of: a lane's last, if it ended so."""
        if self.hears_ends:
            for call, outcome in _untold(self.history.run_id, entries, tools):
                await self.tell(call, outcome)

    def _failed(self, voice: Voice, hook: Literal["pre_call", "post_call"], problem: str, call: str) -> None:
        self.history.record(HookFailed(plugin=voice.plugin, hook=hook, problem=problem, call=call))

    def close(self) -> None:
        """End the threads."""
        for voice in self._voices:
            voice.thread.close()


class LaneHearing:
    """What the plugins hear of one lane's calls, in order; nothing where none has hooks."""

    def __init__(self, ctx: RunContext) -> None:
        self.ctx = ctx
        self._untold: list[tuple[HeardCall, CallOutcome]] = []

    async def refusal(self, decided: CallDecided) -> str | None:
        """Why the call must not start, for the model; `None` where no plugin minds."""
        if self.ctx.hearing is None:
            return None
        return await self.ctx.hearing.refusal(decided, self.ctx.tools.get(decided.tool))

    def note(self, known: CallState, ended: CallEnded) -> None:
        """A call ends in this way: to be told once that is recorded."""
        if self.ctx.hearing is not None:
            call = heard(self.ctx.history.run_id, known.decided, self.ctx.tools.get(known.decided.tool))
            outcome = outcome_of(known.decided, ended, was_started=known.started is not None)
            self._untold.append((call, outcome))

    async def tell(self) -> None:
        """Tell of the calls that have ended."""
        while self._untold and self.ctx.hearing is not None:
            await self.ctx.hearing.tell(*self._untold[0])
            del self._untold[0]


def is_refusal(ended: CallEnded) -> bool:
    """Whether a hook ended the call before it began."""
    return not ended.ok and ended.output.startswith(_REFUSED)


def heard(run_id: str, decided: CallDecided, tool: Tool | None) -> HeardCall:
    """A decided call as hooks see it; they get copies of what could be changed."""
    return HeardCall(
        run_id=run_id,
        call_id=decided.call,
        lane=decided.lane,
        plugin="" if tool is None else tool.plugin,
        tool=decided.tool,
        args=copy.deepcopy(decided.args),
        effect=decided.effect,
        destination=decided.destination,
        files=dict(decided.files),
        key=decided.key,
    )


def outcome_of(decided: CallDecided, ended: CallEnded, *, was_started: bool) -> CallOutcome:
    """How a call ended, as hooks see it."""
    return CallOutcome(
        ok=ended.ok,
        output=ended.output,
        was_started=was_started,
        may_have_happened=decided.effect == "external" and (ended.ok or bool(ended.in_doubt)),
        seconds=ended.seconds,
    )


def _untold(
    run_id: str, entries: Sequence[Entry], tools: Mapping[str, Tool]
) -> Iterator[tuple[HeardCall, CallOutcome]]:
    """Ends after which nothing follows in their lane: a lane goes on only when its hooks have heard."""
    decided: dict[str, CallDecided] = {}
    started: set[str] = set()
    last: dict[str, CallEnded] = {}
    for entry in entries:
        match entry.event:
            case CallEnded(lane=lane) as ended:
                last[lane] = ended
            case event:
                last.pop(getattr(event, "lane", ""), None)
                if isinstance(event, CallDecided):
                    decided[event.call] = event
                elif isinstance(event, CallStarted):
                    started.add(event.call)
    for ended in last.values():
        call = decided[ended.call]
        is_tool = call.tool in tools or call.tool == SCRIPT  # else a control, such as `finish`
        if is_tool and call.decision != "deny":
            was_started = call.call in started
            yield heard(run_id, call, tools.get(call.tool)), outcome_of(call, ended, was_started=was_started)
