"""What a call may do: one pure function over the state, five rows in a fixed order.

1. what the goal doesn't give: deny, no prompt; 2. over a limit: stop; then a tool that has changed since the
run first had it: ask, and show how; 3. nothing leaves, or only what is
known: allow; 4. the user named the destination: allow, unless outside text was read, and private data was
read or would leave; 5. ask.

It looks at the exact bytes that would be carried out. It never reads the model's words about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoagent.budget import over_limit
from autoagent.door.tools import SEARCH as SEARCH
from autoagent.door.tools import Power
from autoagent.events import Effect
from autoagent.goal import Goal
from autoagent.grants import Circumstance, Rule
from autoagent.hosts import allowed, host_of, named_exactly
from autoagent.hosts import names as covers_host
from autoagent.paths import ROOT, is_beneath
from autoagent.questions import Subject
from autoagent.reach import Reach, reach_of_urls
from autoagent.state import RunState
from autoagent.taint import urls_of_goal, without_fragment


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
    sends: tuple[str, ...] = ()
    """Files that would leave with it."""
    names: tuple[str, ...] = ()
    """What else the tool may be called: the one that is behind it."""
    kind: str = ""
    """What the call is among others of its tool and destination: `DELETE`."""


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


def decide(state: RunState, call: ProposedCall) -> Decision:
    """The first row that speaks; a question says which kind of call it is about."""
    decision = _spoken(state, call)
    return Ask(f"{call.kind}: {decision.why}") if call.kind and isinstance(decision, Ask) else decision


def _spoken(state: RunState, call: ProposedCall) -> Decision:
    """What the rows say; the checkpoint `send` stands before what would be let through."""
    if why := undeclared(state, call):
        return Deny(why)
    if why := over_limit(state):
        return Stop(why)
    if why := changed(state, call.tool):
        return Ask(why)
    if why := _harmless(state, call):
        return Allow(why)
    # all of them: a yes to several calls covers only those that are asked about for the same reasons
    reasons = [*_wanted(state, call), *_not_named(state, call), *_would_leave(state, call)]
    return Ask("; ".join(reasons)) if reasons else Allow("its destination is named in your goal")


def reach(state: RunState, effect: Effect, destination: str | None) -> Reach:
    """Where the client of a call may go that was let through."""
    match effect:
        case "external" if destination:
            return reach_of_urls(destination.split(", "), "the call's destination")
        case "read" if destination and destination.startswith(SEARCH):
            providers = destination.removeprefix(SEARCH).split(", ")
            return reach_of_urls(providers, "the search provider's address")
        case "read" | "write" if destination:
            return Reach(state.goal.allow.web, _onward(state, destination))
        case _:
            return Reach()


def _onward(state: RunState, url: str) -> tuple[str, ...] | None:
    """Where redirects of a page may lead: to any allowed host, where the agent can't have made its URL up.

    Else as far as row 4 would let a new URL through.
    """
    if is_known(state, url):
        return None
    if state.outside and state.private:
        return ()
    return tuple(pattern for pattern in state.goal.allow.web if "*" not in pattern)


def changed(state: RunState, tool: str) -> str | None:
    """How a tool has changed that nobody has allowed since, in words; `None` where it hasn't."""
    how = state.changed.get(tool)
    return None if how is None else f"{tool} is not what it was when this run first had it: {how}"


def always(
    state: RunState, subject: Subject, *, plugin: str, effect: Effect, names: tuple[str, ...], kind: str
) -> Rule | None:
    """What an *always* would cover that is the answer to a question about a call.

    `None` where none can be given: it isn't known whom the call reaches, or whether its plugin changes; its
    tool has changed in this run, or what it reaches can't be seen whole, which a person looks at each time.
    """
    if subject.tool is None or not subject.destination or not subject.plugin_hash:
        return None
    if changed(state, subject.tool) or not "".join((subject.destination, kind, *names)).isprintable():
        return None
    return Rule(
        plugin=plugin,
        plugin_hash=subject.plugin_hash,
        tool=subject.tool,
        names=names,
        kind=kind,
        effect=effect,
        destination=subject.destination,
        under=tuple(sorted(_circumstances(state.goal, subject, effect))),
        secrets=tuple(sorted(_secrets(state.goal, subject.destination))),
    )


def _circumstances(goal: Goal, subject: Subject, effect: Effect) -> set[Circumstance]:
    found: set[Circumstance] = {"outside"} if "outside" in subject.labels else set()
    if "private" in subject.labels or any(is_beneath(path, goal.private) for path in subject.files):
        found.add("private")
    if effect == "external" and "send" in goal.ask:
        found.add("asked")
    return found


def _secrets(goal: Goal, destination: str) -> set[str]:
    """Those that may go along: of URLs the ones bound to their hosts, else all, since nobody can say."""
    places = [place for url in destination.split(", ") if (place := host_of(url)) is not None]
    if len(places) < len(destination.split(", ")):
        return set(goal.allow.secrets)
    bound = goal.allow.secrets.items()
    return {name for name, host in bound for place in places if covers_host(host, *place)}


# --- row 1: what the goal doesn't give ----------------------------------------------------------------------


def undeclared(state: RunState, call: ProposedCall) -> str | None:
    """Why no answer could allow the call: a power, root, host or tool that isn't given; else `None`."""
    goal = state.goal
    for name in (call.tool, *call.names):
        if name in goal.never:
            return f"the goal lists {name!r} under 'never'"
    match call.power:
        case "run" if goal.allow.run == "none":
            return "the goal lets nothing run (allow: run: none)"
        case "web" | "fetch" if why := _closed(goal, call.destination or ""):
            return why
        case "send" if call.plugin not in goal.allow.send:
            return f"the goal's 'allow: send' doesn't name {call.plugin!r}"
        case _:
            return path_problem(state, call.paths, writes=call.power in ("write", "fetch"))


def _closed(goal: Goal, destination: str) -> str | None:
    """Why the network isn't open for a destination; `None` where it is."""
    if not goal.allow.web:
        return "the goal allows no network (allow: web)"
    if destination.startswith(SEARCH) or allowed(destination, goal.allow.web):
        return None
    if host_of(destination) is None:
        return f"{destination[:200]!r} is no plain http or https URL; write it out, percent-encoded"
    return f"the goal's 'allow: web' names {', '.join(goal.allow.web)}, not the host of {destination[:200]!r}"


def path_problem(state: RunState, paths: Sequence[str], *, writes: bool) -> str | None:
    """Why one of `paths` may not be read, or written; `None` where all may."""
    allow, protected = state.goal.allow, state.protected
    roots = allow.write if writes else (*allow.read, *allow.write)
    for path in paths:
        if writes and is_beneath(path, protected):
            return f"{path!r} is protected: it can be read but never written"
        is_seen = path == ROOT and not writes  # the workspace's own folder shows only what may be read
        if not is_seen and not is_beneath(path, roots):
            verb = "written" if writes else "read"
            return f"{path!r} may not be {verb}; the goal allows: {', '.join(roots) or 'nothing'}"
    return None


# --- rows 3 and 4: what needs no person ---------------------------------------------------------------------


def _harmless(state: RunState, call: ProposedCall) -> str | None:
    """Row 3: nothing leaves, or only what is known already."""
    destination = call.destination or ""
    match call.power:
        case "read" | "write":
            return "inside the workspace"
        case "run":
            return "inside the sandbox, without network"
        case "web" if destination.startswith(SEARCH):
            return None if state.private else "a search at your provider"
        case "web" | "fetch" if is_known(state, destination):
            return "this URL stands in the goal or in what was read"
        case _:
            return None


def is_known(state: RunState, url: str) -> bool:
    """Whether the URL stands verbatim in the goal or in what the run has read."""
    url = without_fragment(url)
    return url in state.urls or url in urls_of_goal(state.goal)


def _is_named(goal: Goal, call: ProposedCall) -> bool:
    """Row 4: the user named this very destination (of a URL, its exact host); of several, each."""
    if not call.destination:
        return False
    if call.power in ("web", "fetch"):
        return named_exactly(call.destination, goal.allow.web)
    named = goal.allow.send.get(call.plugin, ())
    if call.destination in named or named_exactly(call.destination, named):
        return True
    return all(one in named for one in call.destination.split(", "))


def _wanted(state: RunState, call: ProposedCall) -> Iterator[str]:
    if call.effect == "external" and "send" in state.goal.ask:
        yield "you wanted to be asked before anything is sent"


def _not_named(state: RunState, call: ProposedCall) -> Iterator[str]:
    if not _is_named(state.goal, call):
        yield _unnamed(state.goal, call)


def _would_leave(state: RunState, call: ProposedCall) -> Iterator[str]:
    """Why what was read is a reason to ask, whoever is reached."""
    private = [repr(path) for path in call.sends if is_beneath(path, state.goal.private)]
    if state.outside and state.private:
        yield "this run has read outside text and private data"
    elif state.outside and private:
        yield f"this run has read outside text, and {', '.join(private)} would leave: private"


def _unnamed(goal: Goal, call: ProposedCall) -> str:
    if not call.destination:
        return "nobody can say whom this reaches"
    if call.destination.startswith(SEARCH):
        return "this run has read private data, and a search tells its provider what is looked for"
    if call.power in ("web", "fetch"):
        return f"{call.destination} is not named in your goal"
    named = goal.allow.send.get(call.plugin, ())
    unnamed = [one for one in call.destination.split(", ") if one not in named]
    return f"{', '.join(unnamed)} {'is' if len(unnamed) == 1 else 'are'} not named in your goal"
