"""What a call may do: one pure function over the state, five rows in a fixed order.

It looks at the exact bytes that would be carried out. It never reads the model's words about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoagent.budget import over_limit
from autoagent.events import Effect
from autoagent.goal import Goal
from autoagent.hosts import allowed, named_exactly
from autoagent.paths import is_beneath
from autoagent.state import RunState
from autoagent.tools import Power


@dataclass(frozen=True)
class ProposedCall:
    """The facts of a call that policy decides on."""

    tool: str
    plugin: str
    power: Power
    effect: Effect
    destination: str | None = None
    """Whom it reaches: a URL for the web, an address for a send; empty where that is unknown."""
    paths: tuple[str, ...] = ()
    """Workspace paths among its arguments, normalised."""


@dataclass(frozen=True)
class Allow:
    why: str


@dataclass(frozen=True)
class Ask:
    why: str


@dataclass(frozen=True)
class Deny:
    """No, and no prompt; the model reads why."""

    why: str


@dataclass(frozen=True)
class Stop:
    """A limit is reached."""

    why: str


Decision = Allow | Ask | Deny | Stop

SEARCH = "search:"
"""Prefix of the destination of a search at the user's own provider."""


def decide(state: RunState, call: ProposedCall) -> Decision:
    """The first row that speaks."""
    goal = state.goal
    if why := undeclared(state, call):
        return Deny(why)
    if why := over_limit(state):
        return Stop(why)
    if call.effect == "external" and "send" in goal.ask:
        return Ask("you wanted to be asked before anything is sent")
    if why := _harmless(state, call):
        return Allow(why)
    if _named(goal, call):
        if state.outside and state.private:
            return Ask("this run has read outside text and private data")
        return Allow("its destination is named in your goal")
    return Ask(_unnamed(call))


def undeclared(state: RunState, call: ProposedCall) -> str | None:
    """Row 1: a power, root, host or tool that the goal doesn't give. `None` where it gives them."""
    goal = state.goal
    if call.tool in goal.never:
        return f"the goal lists {call.tool!r} under 'never'"
    match call.power:
        case "run" if goal.allow.run == "none":
            return "the goal lets nothing run (allow: run: none)"
        case "web" if not (call.destination or "").startswith(SEARCH):
            if not allowed(call.destination or "", goal.allow.web):
                return f"{call.destination!r} is no host that the goal's 'allow: web' names"
        case "web" if not goal.allow.web:
            return "the goal allows no network (allow: web)"
        case "send" if call.plugin not in goal.allow.send:
            return f"the goal's 'allow: send' doesn't name {call.plugin!r}"
        case _:
            pass
    return path_problem(state, call.paths, writes=call.effect == "write" and call.power == "write")


def path_problem(state: RunState, paths: Sequence[str], *, writes: bool) -> str | None:
    """Why one of `paths` may not be read, or written; `None` where all may."""
    assert state.started is not None
    goal, protected = state.goal, state.started.protected
    roots = goal.allow.write if writes else (*goal.allow.read, *goal.allow.write)
    for path in paths:
        if writes and is_beneath(path, protected):
            return f"{path!r} is protected: it can be read but never written"
        if not is_beneath(path, roots) and not (path in ("", ".") and not writes):
            verb = "written" if writes else "read"
            return f"{path!r} may not be {verb}; the goal allows: {', '.join(roots) or 'nothing'}"
    return None


def _harmless(state: RunState, call: ProposedCall) -> str | None:
    """Row 3: nothing leaves, or only what is known already."""
    match call.power:
        case "read" | "write":
            return "inside the workspace"
        case "run":
            return "inside the sandbox, without network"
        case "web" if (call.destination or "").startswith(SEARCH):
            return None if state.private else "a search at your provider"
        case "web" if call.effect == "read" and _seen(state, call.destination or ""):
            return "this URL stands in the goal or in what was read"
        case _:
            return None


def _seen(state: RunState, url: str) -> bool:
    return url in state.urls or url in state.goal.goal.split()


def _named(goal: Goal, call: ProposedCall) -> bool:
    """Row 4: the user named this very destination."""
    if not call.destination:
        return False
    if call.power == "web":
        return named_exactly(call.destination, goal.allow.web)
    return call.destination in goal.allow.send.get(call.plugin, ())


def _unnamed(call: ProposedCall) -> str:
    if not call.destination:
        return "nobody can say whom this reaches"
    return f"{call.destination} is not named in your goal"
