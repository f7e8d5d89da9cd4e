"""The plan's graph: what is wrong with it, what may start next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autoagent.goal import SubTask

MAX_SUB_TASKS = 50


@dataclass(frozen=True)
class PlanProblem:
    """Something that makes a plan unusable."""

    text: str
    index: int
    """The sub-task where it shows, from 0."""


def problems(sub_tasks: Sequence[SubTask]) -> tuple[PlanProblem, ...]:
    """All that is wrong with a plan, in the order of its sub-tasks; a circle only where nothing else is."""
    if len(sub_tasks) > MAX_SUB_TASKS:
        text = f"the plan has {len(sub_tasks)} sub-tasks; at most {MAX_SUB_TASKS} are carried out: merge some"
        return (PlanProblem(text, MAX_SUB_TASKS),)
    found = [problem for index in range(len(sub_tasks)) for problem in _problems_of(sub_tasks, index)]
    if not found and (circle := _circle(sub_tasks)):
        index = next(i for i, sub_task in enumerate(sub_tasks) if sub_task.id == circle[0])
        path = " -> ".join([*circle, circle[0]])
        text = f"sub-tasks wait for each other in a circle: {path}; remove one 'depends_on' of it"
        found.append(PlanProblem(text, index))
    return tuple(found)


def check_plan(sub_tasks: Sequence[SubTask]) -> tuple[str, ...]:
    """All that is wrong with a plan, in words; empty for a plan that can be carried out."""
    if not sub_tasks:
        return ("the plan is empty: name at least one sub-task",)
    return tuple(problem.text for problem in problems(sub_tasks))


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


def order(sub_tasks: Sequence[SubTask]) -> tuple[SubTask, ...]:
    """The sub-tasks one after the other as `ready` would start them. Sub-tasks of a circle are left out."""
    sequence: list[SubTask] = []
    done: set[str] = set()
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


def _problems_of(sub_tasks: Sequence[SubTask], index: int) -> list[PlanProblem]:
    sub_task = sub_tasks[index]
    texts = []
    if any(earlier.id == sub_task.id for earlier in sub_tasks[:index]):
        texts.append(f"two sub-tasks have the id {sub_task.id!r}; give each its own")
    if not sub_task.title.strip():
        texts.append(f"sub-task {sub_task.id!r} has an empty title; say in a few words what it does")
    known = [other.id for other in sub_tasks]
    for needed in dict.fromkeys(sub_task.depends_on):
        if needed == sub_task.id:
            texts.append(f"sub-task {sub_task.id!r} depends on itself; remove that from its 'depends_on'")
        elif needed not in known:
            names = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            texts.append(f"sub-task {sub_task.id!r} depends on {needed!r}, which isn't in the plan ({names})")
    return [PlanProblem(text, index) for text in texts]


def _circle(sub_tasks: Sequence[SubTask]) -> tuple[str, ...]:
    """The ids of one circle, each waiting for the next; empty where there is none."""
    sorted_ids = {sub_task.id for sub_task in order(sub_tasks)}
    stuck = {s.id: s.depends_on for s in sub_tasks if s.id not in sorted_ids}
    if not stuck:
        return ()
    walk = [next(iter(stuck))]
    while (following := next(n for n in stuck[walk[-1]] if n in stuck)) not in walk:
        walk.append(following)
    return tuple(walk[walk.index(following) :])
