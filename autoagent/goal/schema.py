"""What a goal file may hold, key by key: nodes in, a `Goal` out. Strict: what isn't understood is an error.

The tables of readers below are the schema; defaults and types stand in `autoagent.goal`. Touches no disk.
"""

from __future__ import annotations

import re
from typing import cast

from autoagent.goal import (
    Allow,
    Criterion,
    FileCriterion,
    Goal,
    HumanCriterion,
    JudgeCriterion,
    Limits,
    RoleModels,
    RunCriterion,
    SubTask,
)
from autoagent.goal.values import (
    choice,
    decimal,
    each,
    exact_text,
    fail,
    host,
    host_patterns,
    line_of_text,
    names,
    pairs,
    paths,
    record,
    relative,
    text,
    whole,
)
from autoagent.goal.yaml import Fields, Items, Node, Text
from autoagent.plan import problems
from autoagent.redact import one_line

MAX_GOAL_CHARACTERS = 50_000
"""What a prompt can bear; longer material belongs into files of the workspace."""
MAX_COMMAND_CHARACTERS = 4_000

_CRITERION_KINDS = ("file", "run", "judge", "human")
_SUB_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_NAMED_ADDRESS = re.compile(r".*<([^<>\s]+@[^<>\s]+)>")
_COUNTED = re.compile(r"(spend):([1-9][0-9]?)%|(every):[1-9][0-9]{0,5}")


def read_goal(document: Fields) -> Goal:
    """The goal that a document describes. Raises `GoalError`, without a path."""
    return Goal.model_validate(record(document, "", _GOAL, required=("goal",), what="the goal file"))


def said_goal(node: Node, where: str) -> str:
    """The text of the goal itself."""
    found = text(node, where)
    if found in ("~", "null") and isinstance(node, Text) and node.is_plain:
        fail(node.line, f"{where} is empty; say in a sentence or two what shall be true at the end")
    if len(found) > MAX_GOAL_CHARACTERS:
        fail(
            node.line,
            f"{where} has {len(found)} characters, and {MAX_GOAL_CHARACTERS} is the most; "
            "put the rest into a file of the workspace",
        )
    return found


# --- powers, checkpoints, limits, models -------------------------------------------------------------------


def _allow(node: Node, where: str) -> Allow:
    return Allow.model_validate(record(node, where, _ALLOW))


def _running(node: Node, where: str) -> str:
    return choice(node, where, ("none", "sandbox"))


def _destinations(node: Node, where: str) -> dict[str, tuple[str, ...]]:
    return pairs(node, where, lambda n, w: each(n, w, _destination), "{mail: [anna@example.org]}")


def _destination(node: Node, where: str) -> str:
    found = line_of_text(node, where)
    if named := _NAMED_ADDRESS.fullmatch(found):
        bare = one_line(named[1], 80)
        fail(node.line, f"{where} holds {one_line(found, 80)!r}; write the bare address, {bare}")
    return found


def _secrets(node: Node, where: str) -> dict[str, str]:
    return pairs(node, where, host, "{SMTP_PASSWORD: mail.example.org}")


def _checkpoint(node: Node, where: str) -> str:
    if isinstance(node, Fields) and {*node.fields} <= {"spend", "every"}:
        fail(
            node.line, f"{where} holds a checkpoint with a space after its colon; write spend:50% or every:10"
        )
    found = line_of_text(node, where)
    if found not in ("plan", "task", "send", "finish") and not _COUNTED.fullmatch(found):
        fail(
            node.line,
            f"{where} holds {one_line(found)!r}; expected plan, task, send, finish, "
            "spend:N% (1 to 99) or every:N (a number of steps)",
        )
    return found


def _checkpoints(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, _checkpoint)


def _absence(node: Node, where: str) -> str:
    return choice(node, where, ("park", "skip", "stop"))


def _limits(node: Node, where: str) -> Limits:
    return Limits.model_validate(record(node, where, _LIMITS))


def _models(node: Node, where: str) -> RoleModels:
    if isinstance(node, Text) and node.text:
        model = one_line(node.text, 40)
        fail(
            node.line,
            f"{where} is {model!r}; expected a model for each role, for example {{worker: {model}}}",
        )
    return RoleModels.model_validate(record(node, where, _MODELS))


# --- criteria and plan -------------------------------------------------------------------------------------


def _criteria(node: Node, where: str) -> tuple[Criterion, ...]:
    return each(node, where, _criterion)


def _criterion(node: Node, where: str) -> Criterion:
    if isinstance(node, Text) and node.text:
        words = one_line(node.text, 50)
        fail(
            node.line,
            f"an item of {where} is a text; say who checks it: "
            f"'judge: {words}' (a model) or 'human: {words}' (you)",
        )
    fields = record(node, where, _CRITERION, what=f"an item of {where}")
    kinds = [kind for kind in _CRITERION_KINDS if kind in fields]
    if len(kinds) != 1:
        has = f"both {kinds[0]!r} and {kinds[1]!r}" if kinds else "neither file, run, judge nor human"
        fail(node.line, f"an item of {where} has {has}; each criterion is an item ('- ') of one kind")
    if "contains" in fields and kinds[0] != "file":
        line = cast(Fields, node).lines["contains"]
        fail(line, f"'contains' belongs to a 'file' criterion, and this one is {kinds[0]!r}; remove it")
    return _CRITERION_CLASSES[kinds[0]].model_validate(fields)


def _command(node: Node, where: str) -> str:
    found = text(node, where)
    if "\0" in found:
        fail(node.line, f"{where} holds a NUL character, which no command line can; remove it")
    if len(found) > MAX_COMMAND_CHARACTERS:
        fail(
            node.line,
            f"{where} has {len(found)} characters, and {MAX_COMMAND_CHARACTERS} is the most; "
            "put it into a script, and run that",
        )
    return found


def _contained(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, exact_text)


def _plan(node: Node, where: str) -> tuple[SubTask, ...]:
    sub_tasks = each(node, where, _sub_task)
    for problem in problems(sub_tasks):
        fail(cast(Items, node).items[problem.index].line, problem.text)
    return sub_tasks


def _sub_task(node: Node, where: str) -> SubTask:
    what = f"an item of {where}"
    return SubTask.model_validate(record(node, where, _SUB_TASK, required=("id", "title"), what=what))


def _sub_task_id(node: Node, where: str) -> str:
    found = line_of_text(node, where)
    if not _SUB_TASK_ID.fullmatch(found):
        fail(
            node.line,
            f"{where} is {one_line(found)!r}; expected up to 40 letters, digits, '.', '_' and '-', "
            "for example 2 or write-report",
        )
    return found


def _sub_task_ids(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, _sub_task_id)


# --- the schema --------------------------------------------------------------------------------------------

_ALLOW = {
    "read": paths,
    "write": paths,
    "run": _running,
    "web": host_patterns,
    "send": _destinations,
    "secrets": _secrets,
}
_LIMITS = {
    "usd": decimal(1_000_000, "2.50"),
    "steps": whole(0, 1_000_000, 60),
    "minutes": decimal(1_000_000, "30"),
    "tokens": whole(0, 10_000_000_000, 400_000),
}
_MODELS = {"planner": line_of_text, "worker": line_of_text, "judge": line_of_text}
_CRITERION = {"file": relative, "contains": _contained, "run": _command, "judge": text, "human": text}
_CRITERION_CLASSES: dict[str, type[Criterion]] = {
    "file": FileCriterion,
    "run": RunCriterion,
    "judge": JudgeCriterion,
    "human": HumanCriterion,
}
_SUB_TASK = {
    "id": _sub_task_id,
    "title": text,
    "instructions": text,
    "depends_on": _sub_task_ids,
    "done_when": _criteria,
}
_GOAL = {
    "goal": said_goal,
    "done_when": _criteria,
    "allow": _allow,
    "private": paths,
    "yours": paths,
    "protect": paths,
    "ask": _checkpoints,
    "never": names,
    "limits": _limits,
    "if_nobody_answers": _absence,
    "plugins": names,
    "parallel": whole(1, 16, 4),
    "model": _models,
    "plan": _plan,
}
