"""A goal said back in plain English, before anything runs: what it wants, may do, can't do and will ask.

All text of the goal is made visible: a goal file from somebody else may hold signs that hide a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from autoagent.goal import (
    Criterion,
    FileCriterion,
    Goal,
    HumanCriterion,
    JudgeCriterion,
    Limits,
    RunCriterion,
)
from autoagent.goal.file import GIT, protected
from autoagent.redact import one_line, visible


def explain(goal: Goal) -> str:
    """The goal in sections of short lines, without a final line break."""
    sections = {
        "Goal": visible(goal.goal).split("\n"),
        "Proved when": [*_proof(goal)],
        "Plan": [*_plan(goal)],
        "It may": [*_powers(goal)],
        "It can't": [*_refusals(goal)],
        "It asks you": [*_questions(goal)] or ["nothing, unless it is stuck"],
        "If nobody answers": [_ABSENCE[goal.if_nobody_answers]],
        "It stops at": [_limits(goal.limits)],
        "Worth knowing": [f"- {fact}" for fact in _surprises(goal)],
    }
    return "\n\n".join("\n".join([title, *_indented(lines)]) for title, lines in sections.items() if lines)


_ABSENCE = {
    "park": "the run parks; answer when you can, and 'autoagent resume' goes on",
    "skip": "that counts as a no, and it goes on without",
    "stop": "the run ends, unproved",
}


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return ("  " + line if line else "" for line in lines)


def _numbered(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        first, *rest = visible(text).split("\n")
        yield f"{number}. {first}"
        yield from ("   " + line for line in rest)


def _listed(texts: Sequence[str], last: str = "and") -> str:
    shown = [one_line(text) for text in texts]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" {last} {shown[-1]}"


# --- proof and plan ----------------------------------------------------------------------------------------


def _proof(goal: Goal) -> Iterator[str]:
    if goal.done_when:
        yield from _numbered(_criterion(criterion) for criterion in goal.done_when)
        return
    yield "you haven't said. It can finish, but it can't end as proved, and the exit code is 1."
    if "plan" in goal.ask:
        yield "It will propose criteria with its plan; those that you accept count."
    else:
        yield "It will propose criteria for 'done_when' at the end; with 'ask: [plan]', before it starts."


def _criterion(criterion: Criterion) -> str:
    match criterion:
        case FileCriterion(file=file, contains=()):
            return f"{file} exists"
        case FileCriterion(file=file, contains=contains):
            return f"{file} holds " + _listed([f'"{text}"' for text in contains])
        case RunCriterion(run=run):
            return f"this command exits with 0, in a clean sandbox, on a copy: {run}"
        case JudgeCriterion(judge=judge):
            return f"a model judges, and quotes the files: {judge}"
        case HumanCriterion(human=human):
            return f"you say so: {human}"


def _plan(goal: Goal) -> Iterator[str]:
    if goal.plan:
        yield "yours, as it stands; no model plans:"
        for sub_task in goal.plan:
            after = f", after {_listed(sub_task.depends_on)}" if sub_task.depends_on else ""
            proof = f", {len(sub_task.done_when)} criteria of its own" if sub_task.done_when else ""
            yield f"- {one_line(sub_task.id)}: {one_line(sub_task.title)}{after}{proof}"
    if goal.parallel > 1:
        yield f"up to {goal.parallel} sub-tasks side by side, each on a copy of the folder"


# --- powers ------------------------------------------------------------------------------------------------


def _powers(goal: Goal) -> Iterator[str]:
    allow = goal.allow
    if allow.read:
        yield f"read   {_places(allow.read)}"
    if allow.write:
        yield f"write  {_places(allow.write)}, except {_listed(_protected(goal))}"
    if allow.run == "sandbox":
        yield "run    code, in a sandbox without network"
    if allow.web:
        yield f"fetch  pages from {'any host' if '*' in allow.web else _listed(allow.web)}"
    for plugin, destinations in allow.send.items():
        yield f"send   with {one_line(plugin)}" + (
            f" to {_listed(destinations)}" if destinations else ", each time after your yes"
        )
    for secret, host in allow.secrets.items():
        yield f"use    the secret {one_line(secret)}, at {one_line(host)} alone"
    yield (
        f"use    the plugins {_listed(goal.enabled_plugins)}" if goal.enabled_plugins else "use    no plugin"
    )


def _places(paths: Sequence[str]) -> str:
    return "all files of its folder" if "." in paths else _listed(paths)


def _refusals(goal: Goal) -> Iterator[str]:
    allow = goal.allow
    if not allow.read:
        yield "read any file"
    if not allow.write:
        yield "change any file"
    if allow.run == "none":
        yield "run any code"
    if not allow.web:
        yield "reach the network"
    if not allow.send:
        yield "send anything to anybody"
    if goal.never:
        yield f"call {_listed(goal.never, 'or')}"
    yield "do anything else that isn't listed above: it is denied without asking"


# --- questions and limits ----------------------------------------------------------------------------------


def _questions(goal: Goal) -> Iterator[str]:
    yield from (_checkpoint(checkpoint) for checkpoint in dict.fromkeys(goal.ask))
    for plugin, destinations in goal.allow.send.items():
        if destinations:
            yield f"before {one_line(plugin)} sends to anybody else than {_listed(destinations, 'or')}"
        else:
            yield f"before each destination that {one_line(plugin)} sends to, because you name none"
    wide = [host for host in goal.allow.web if host.startswith("*")]
    if wide:
        where = "" if "*" in wide else f" at {_listed(wide, 'or')}"
        yield f"before it fetches an address{where} that stands neither in the goal nor in what it read"
    if goal.private and (goal.allow.web or goal.allow.send):
        yield f"before anything leaves, once it has read text from outside and {_listed(goal.private, 'or')}"
        yield "before a file of these leaves, once it has read text from outside"
    if any(isinstance(criterion, HumanCriterion) for criterion in goal.done_when):
        yield "for your verdict on the criteria that are yours"


def _checkpoint(checkpoint: str) -> str:
    kind, _, amount = checkpoint.partition(":")
    match kind:
        case "plan":
            return "for your yes to the plan, before it starts"
        case "task":
            return "before each sub-task"
        case "send":
            return "before each sending, also to those whom you named"
        case "finish":
            return "before it ends"
        case "spend":
            return f"when {one_line(amount)} of the money or of the tokens is spent"
        case "every":
            return f"every {one_line(amount)} steps"
        case _:
            return f"at {one_line(checkpoint)}"


def _limits(limits: Limits) -> str:
    return (
        f"{limits.usd} USD, {limits.steps:,} steps, {limits.minutes:g} minutes of work (waiting for you "
        f"doesn't count) or {limits.tokens:,} tokens, whichever comes first"
    )


# --- what a reader may not expect --------------------------------------------------------------------------


def _surprises(goal: Goal) -> Iterator[str]:
    yield from _proof_surprises(goal)
    yield from _power_surprises(goal)
    yield from _limit_surprises(goal.limits)


def _proof_surprises(goal: Goal) -> Iterator[str]:
    kinds = {type(criterion) for criterion in goal.done_when}
    if JudgeCriterion in kinds:
        yield "each check by a model costs a model call, and counts towards the limits"
    if RunCriterion in kinds:
        yield "checks by a command need a sandbox; 'autoagent doctor' says whether there is one"
    for criterion in goal.done_when:
        if isinstance(criterion, RunCriterion) and len(_protected(_only(goal, criterion))) == 1:
            command = one_line(criterion.run, 60)
            yield f"'{command}' names no file that could be protected; put what it relies on under 'protect'"
        if isinstance(criterion, FileCriterion) and (why := _unwritable(goal, criterion.file)):
            yield f"{one_line(criterion.file)} must be there in the end, but {why}: this run can't make it"


def _only(goal: Goal, criterion: RunCriterion) -> Goal:
    return goal.model_copy(update={"done_when": (criterion,), "plan": (), "protect": ()})


def _unwritable(goal: Goal, file: str) -> str:
    if _is_under(file, protected(goal)):
        return "it is protected"
    return "" if _is_under(file, goal.allow.write) else "it isn't under 'allow.write'"


def _is_under(file: str, roots: Iterable[str]) -> bool:
    path = PurePosixPath(file)
    return any(path.is_relative_to(root) for root in roots)


def _power_surprises(goal: Goal) -> Iterator[str]:
    allow = goal.allow
    if "*" in allow.web:
        yield "with '*' under 'allow.web', it may follow any link that it reads to any public host, unasked"
    if goal.private and not (allow.web or allow.send):
        yield "'private' changes nothing: this goal lets nothing leave"
    for secret, host in allow.secrets.items():
        reached = (*allow.web, *(one for named in allow.send.values() for one in named))
        if not any(host.partition(":")[0] in one or "*" in one for one in reached):
            yield f"nothing here may reach {one_line(host)}, so the secret {one_line(secret)} changes nothing"
        else:
            yield f"what it reads at {one_line(host)} with the secret {one_line(secret)} counts as private"
    if "." in goal.yours:
        yield "with '.' under 'yours', orders hidden in any file here are trusted as if they were your own"
    if allow.run == "sandbox" and "python" not in goal.enabled_plugins:
        yield "it may run code, but has no plugin 'python' to do it with"


def _limit_surprises(limits: Limits) -> Iterator[str]:
    if limits.usd == 0:
        yield "0 USD means that only models that cost nothing can be asked"
    for name, amount in (("steps", limits.steps), ("minutes", limits.minutes), ("tokens", limits.tokens)):
        if amount == 0:
            yield f"0 {name} means none at all: it stops before it starts"


def _protected(goal: Goal) -> tuple[str, ...]:
    """What is protected, without what always is and concerns few."""
    return tuple(path for path in protected(goal) if path not in GIT)
