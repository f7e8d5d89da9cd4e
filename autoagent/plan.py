"""The plan: what is wrong with its graph, what may start next, and how a model's proposal is read. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from autoagent.errors import ToolError
from autoagent.goal import Criterion, FileCriterion, HumanCriterion, JudgeCriterion, RunCriterion, SubTask

MAX_SUB_TASKS = 50


@dataclass(frozen=True)
class PlanProblem:
    """Something that makes a plan unusable."""

    text: str
    index: int
    """The sub-task where it shows, from 0."""


def problems(sub_tasks: Sequence[SubTask], known: Collection[str] = ()) -> tuple[PlanProblem, ...]:
    """All that is wrong with a plan, in the order of its sub-tasks; a circle only where nothing else is.

    `known`: ids of sub-tasks that are done already, which a new plan may depend on.
    """
    if len(sub_tasks) > MAX_SUB_TASKS:
        text = f"the plan has {len(sub_tasks)} sub-tasks; at most {MAX_SUB_TASKS} are carried out: merge some"
        return (PlanProblem(text, MAX_SUB_TASKS),)
    found = [problem for index in range(len(sub_tasks)) for problem in _problems_of(sub_tasks, index, known)]
    if not found and (circle := _circle(sub_tasks, known)):
        index = next(i for i, sub_task in enumerate(sub_tasks) if sub_task.id == circle[0])
        path = " -> ".join([*circle, circle[0]])
        text = f"sub-tasks wait for each other in a circle: {path}; remove one 'depends_on' of it"
        found.append(PlanProblem(text, index))
    return tuple(found)


def check_plan(sub_tasks: Sequence[SubTask], known: Collection[str] = ()) -> tuple[str, ...]:
    """All that is wrong with a plan, in words; empty for a plan that can be carried out. `known` as above."""
    if not sub_tasks:
        return ("the plan is empty: name at least one sub-task",)
    return tuple(problem.text for problem in problems(sub_tasks, known))


def ready(
    sub_tasks: Sequence[SubTask], done: Collection[str], running: Collection[str]
) -> tuple[SubTask, ...]:
    """The sub-tasks that may start now, in plan order: all that they wait for is done."""
    return tuple(
        sub_task
        for sub_task in sub_tasks
        if sub_task.id not in done
        and sub_task.id not in running
        and all(needed in done for needed in sub_task.depends_on)
    )


def order(sub_tasks: Sequence[SubTask], known: Collection[str] = ()) -> tuple[SubTask, ...]:
    """The sub-tasks one after the other as `ready` would start them. Sub-tasks of a circle are left out."""
    sequence: list[SubTask] = []
    done = set(known) - {sub_task.id for sub_task in sub_tasks}
    while upcoming := ready(sub_tasks, done, ()):
        sequence.append(upcoming[0])
        done.add(upcoming[0].id)
    return tuple(sequence)


def dependants(sub_tasks: Sequence[SubTask], failed: str) -> tuple[str, ...]:
    """The ids of all sub-tasks that wait for `failed`, directly or through others, in plan order."""
    reached = {failed}
    while grown := {s.id for s in sub_tasks if s.id not in reached and reached.intersection(s.depends_on)}:
        reached |= grown
    return tuple(s.id for s in sub_tasks if s.id in reached and s.id != failed)


def _problems_of(sub_tasks: Sequence[SubTask], index: int, known: Collection[str]) -> list[PlanProblem]:
    sub_task = sub_tasks[index]
    texts = []
    if any(earlier.id == sub_task.id for earlier in sub_tasks[:index]):
        texts.append(f"two sub-tasks have the id {sub_task.id!r}; give each its own")
    if not sub_task.title.strip():
        texts.append(f"sub-task {sub_task.id!r} has an empty title; say in a few words what it does")
    there = [*known, *(other.id for other in sub_tasks)]
    for needed in dict.fromkeys(sub_task.depends_on):
        if needed == sub_task.id:
            texts.append(f"sub-task {sub_task.id!r} depends on itself; remove that from its 'depends_on'")
        elif needed not in there:
            names = ", ".join(there[:12]) + (", …" if len(there) > 12 else "")
            texts.append(f"sub-task {sub_task.id!r} depends on {needed!r}, which isn't in the plan ({names})")
    return [PlanProblem(text, index) for text in texts]


def _circle(sub_tasks: Sequence[SubTask], known: Collection[str]) -> tuple[str, ...]:
    """The ids of one circle, each waiting for the next; empty where there is none."""
    sorted_ids = {sub_task.id for sub_task in order(sub_tasks, known)}
    stuck = {s.id: s.depends_on for s in sub_tasks if s.id not in sorted_ids}
    if not stuck:
        return ()
    walk = [next(iter(stuck))]
    while (following := next(n for n in stuck[walk[-1]] if n in stuck)) not in walk:
        walk.append(following)
    return tuple(walk[walk.index(following) :])


# --- what a model proposes ---------------------------------------------------------------------------------

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
PLAN_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "sub_tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "Short and unique, for example 1"},
                    "title": {"type": "string", "description": "A few words"},
                    "instructions": {"type": "string", "description": "All that a worker must know to do it"},
                    "depends_on": {**_TEXTS, "description": "Ids of sub-tasks whose results it needs"},
                    "done_when": {
                        "type": "array",
                        "description": "How to check it; one of file, run, judge an item",
                        "items": {
                            "type": "object",
                            "properties": {
                                "file": {"type": "string", "description": "A file that must exist"},
                                "contains": {**_TEXTS, "description": "Texts that the file must hold"},
                                "run": {"type": "string", "description": "A command that must exit with 0"},
                                "judge": {"type": "string", "description": "A statement that must be true"},
                            },
                        },
                    },
                },
                "required": ["id", "title", "instructions"],
            },
        }
    },
    "required": ["sub_tasks"],
}
"""The parameters of `propose_plan`."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def parse_plan(proposal: object, known: Collection[str] = ()) -> tuple[SubTask, ...]:
    """The checked plan that a model proposes, from its JSON.

    Lenient where the meaning is certain: numbers as ids, one value where a list belongs, a text as a sub-task
    or as a criterion for the judge. Sub-tasks may depend on each other and on `known` ones, which are done.
    Raises `ToolError` with what to change.
    """
    rows = _json(proposal)
    if isinstance(rows, dict):
        rows = _json(rows.get("sub_tasks"))
    if not isinstance(rows, list):
        raise ToolError("`sub_tasks` must be a list of objects with `id`, `title` and `instructions`")
    plan = tuple(parse_sub_task(row, number) for number, row in enumerate(rows[: MAX_SUB_TASKS + 1], 1))
    if wrong := check_plan(plan, known):
        raise ToolError("the plan can't be carried out:\n" + "\n".join(f"- {text}" for text in wrong))
    return plan


def parse_sub_task(row: object, number: int) -> SubTask:
    """One sub-task of a proposal, its `number`-th. Raises `ToolError` with what to change."""
    if isinstance(row, str):
        row = {"title": row}
    if not isinstance(row, dict):
        raise ToolError(f"sub-task {number} must be an object with `id`, `title` and `instructions`")
    instructions = _text(row.get("instructions"))
    title = _text(row.get("title")) or instructions.partition("\n")[0][:80]
    if not title:
        raise ToolError(f"sub-task {number} needs a `title`: a few words that say what it does")
    return SubTask(
        id=_id(row.get("id"), number),
        title=title,
        instructions=instructions,
        depends_on=tuple(_needed(value, number) for value in _list(row.get("depends_on"))),
        done_when=tuple(_criterion(value, number) for value in _list(row.get("done_when"))),
    )


def _id(value: object, number: int) -> str:
    found = _text(value) or str(number)
    if not _ID.fullmatch(found):
        raise ToolError(
            f"sub-task {number} has the id {found[:60]!r}; use up to 40 letters, digits, '.', '_' and '-'"
        )
    return found


def _needed(value: object, number: int) -> str:
    if not (found := _text(value)):
        raise ToolError(f"`depends_on` of sub-task {number} must be a list of ids of other sub-tasks")
    return found


def _criterion(value: object, number: int) -> Criterion:
    if isinstance(value, str):
        kind, _, rest = value.partition(":")
        has_kind = kind.strip() in ("file", "run", "judge") and rest.strip()
        value = {kind.strip(): rest.strip()} if has_kind else {"judge": value}
    row = value if isinstance(value, dict) else {}
    fields = {kind: _text(row.get(kind)) for kind in ("file", "run", "judge", "human")}
    given = [kind for kind, text in fields.items() if text]
    if len(given) != 1:
        raise ToolError(f"each item of `done_when` of sub-task {number} needs one of `file`, `run`, `judge`")
    match given[0]:
        case "file":
            contains = tuple(filter(None, (_text(text) for text in _list(row.get("contains")))))
            return FileCriterion(file=_file(fields["file"], number), contains=contains)
        case "run":
            return RunCriterion(run=fields["run"])
        case "judge":
            return JudgeCriterion(judge=fields["judge"])
        case _:
            return HumanCriterion(human=fields["human"])


def _file(value: str, number: int) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\0" in value:
        raise ToolError(
            f"`file` of sub-task {number} must be a path inside the workspace, not {value[:60]!r}"
        )
    return str(path)


def _text(value: object) -> str:
    """A text or a whole number of a sane size, stripped; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000:
        return str(value)
    if not isinstance(value, str):
        return ""
    return value.encode(errors="replace").decode().strip()


def _list(value: object) -> list[object]:
    value = _json(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def _json(value: object) -> object:
    """What stands in a text of JSON; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found
