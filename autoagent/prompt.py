"""State -> messages. Pure: the same state gives the same bytes, and a step only adds to those before it.

The head (rules, goal, sub-task, listing) is fixed when the sub-task starts; then come the lane's turns. The
texts stand in `prompts/`, one file each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from string import Template

from autoagent.controls import ALWAYS, ASK_HUMAN, GIVE_UP, READ_AGAIN
from autoagent.goal import Criterion, FileCriterion, Goal, HumanCriterion, RunCriterion, SubTask
from autoagent.messages import Message, system, user
from autoagent.ports import Abilities, ToolSchema
from autoagent.state import LaneState, RunState
from autoagent.tools import Tool
from autoagent.turns import messages_of

_FOLDER = Path(__file__).parent / "prompts"


@lru_cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.md").read_text(encoding="utf-8").strip())


def fill(name: str, **texts: str) -> str:
    """The prompt `name` with its places filled in one pass: a text that looks like a place stays text."""
    return _template(name).substitute(texts)


def offered(state: RunState, lane: LaneState, tools: Mapping[str, Tool]) -> tuple[ToolSchema, ...]:
    """The tools of a lane in a fixed order; shortened results bring the tool that reopens them."""
    own = tuple(tools[name].schema for name in lane.tools if name in tools)
    return (*own, *ALWAYS, READ_AGAIN) if lane.compacted else (*own, *ALWAYS)


def worker_messages(
    state: RunState, lane: LaneState, tools: Mapping[str, Tool], abilities: Abilities | None
) -> tuple[Message, ...]:
    """The whole conversation of a lane."""
    head = _head(state, lane, tools, abilities)
    shortened = tuple(t.shortened for t in lane.turns[: lane.compacted])
    return (*head, *messages_of(shortened), *messages_of(lane.turns[lane.compacted :]))


def _head(
    state: RunState, lane: LaneState, tools: Mapping[str, Tool], abilities: Abilities | None
) -> tuple[Message, ...]:
    """Cached by what it is made of: a head is the same object, and so the same bytes, at every step."""
    functions = script_functions(lane, tools) if lane.style == "code" else ""
    about = sub_task_of(state, lane.sub_task)
    results = tuple((d, x.result) for d in about.depends_on if (x := state.lane_of(d)) is not None)
    return _worker_head(
        lane.style, lane.listing, about.title, about.instructions, results, about.done_when,
        _is_last(state, about), state.run_id, _Texts(state), functions, _said(abilities, lane),
    )  # fmt: skip


class _Texts:
    """The goal's fixed texts, hashable by run: what a head needs of the state beyond the lane."""

    def __init__(self, state: RunState) -> None:
        self.goal = state.goal.goal.strip()
        self.criteria = state.criteria
        self.recalled = state.recalled or ()
        self.rules = rules(state.goal)
        self._key = (state.run_id, self.goal, str(self.criteria), self.recalled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Texts) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=64)
def _worker_head(
    style: str,
    listing: str,
    title: str,
    instructions: str,
    results: tuple[tuple[str, str], ...],
    done_when: tuple[Criterion, ...],
    is_last: bool,
    run_id: str,
    texts: _Texts,
    functions: str,
    abilities: str,
) -> tuple[Message, ...]:
    if style == "code":
        rules_text = fill("worker_code", abilities=abilities, functions=functions)
    else:
        rules_text = fill("worker_tools", abilities=abilities)
    criteria = (*done_when, *(texts.criteria if is_last else ()))
    is_whole = title in " ".join(texts.goal.split())
    task = fill(
        "task",
        listing=listing or "(none)",
        recalled=_section("\nFrom earlier runs (may be out of date):", texts.recalled),
        results=_section("Results of the sub-tasks before yours:", [f"{k}: {v}" for k, v in results]),
        goal="" if is_whole else f"\nThe whole goal, of which your task is one part: {texts.goal}\n",
        rules=texts.rules,
        title=texts.goal if is_whole else title,
        instructions=f"{instructions.strip()}\n" if instructions.strip() else "",
        criteria=_section("It counts as done when:", [say(c) for c in dict.fromkeys(criteria)]),
    )
    return (system(rules_text), user(task))


def _is_last(state: RunState, about: SubTask) -> bool:
    """Whether the goal's own criteria are this sub-task's too: nothing in the plan builds on it."""
    plan = state.plan
    return plan is not None and not any(about.id in s.depends_on for s in plan.sub_tasks)


def sub_task_of(state: RunState, id: str) -> SubTask:
    assert state.plan is not None
    found = next((s for s in state.plan.sub_tasks if s.id == id), None)
    return found or SubTask(id=id, title=state.goal.goal)


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"- {line}" for line in lines)
    return f"\n{title}\n{body}\n" if body else ""


def say(criterion: Criterion) -> str:
    """A criterion as a model reads it."""
    match criterion:
        case FileCriterion(file=file, contains=contains):
            texts = " and ".join(repr(t) for t in contains)
            return f"the file {file} exists" + (f" and contains {texts}" if texts else "")
        case RunCriterion(run=run):
            return f"`{run}` exits with status 0"
        case HumanCriterion(human=text):
            return f"a person agrees: {text}"
        case _:
            return criterion.judge


def rules(goal: Goal) -> str:
    """What the goal forbids, where it forbids more than usual."""
    lines = []
    if "." not in goal.allow.write:
        lines.append(f"You may write only: {', '.join(goal.allow.write) or 'nothing'}.")
    if "." not in goal.allow.read:
        lines.append(f"You may read only: {', '.join(goal.allow.read) or 'nothing'}.")
    if goal.protect:
        lines.append(f"Never change: {', '.join(goal.protect)}.")
    return "\n".join(["", *lines, ""]) if lines else ""


def script_functions(lane: LaneState, tools: Mapping[str, Tool]) -> str:
    """The tools as functions, for `code` style. Files need none: a script opens them."""
    named = (tools[name] for name in lane.tools if name in tools)
    extra = [t.schema for t in named if not t.paths]
    lines = [f"- {_signature(s)}: {s.description.splitlines()[0]}" for s in (*extra, GIVE_UP, ASK_HUMAN)]
    return "These functions are defined too:\n" + "\n".join(lines) + "\n"


def _signature(schema: ToolSchema) -> str:
    properties = schema.parameters.get("properties", {})
    assert isinstance(properties, Mapping)
    parts = [
        f"{name}={about['default']!r}" if isinstance(about, Mapping) and "default" in about else str(name)
        for name, about in properties.items()
    ]
    return f"{schema.name}({', '.join(parts)})"


def _said(abilities: Abilities | None, lane: LaneState) -> str:
    if abilities is None:
        return "Nothing can be run here."
    if lane.style == "tools" and not {"python_run", "shell_run"} & set(lane.tools):
        return ""
    return describe(abilities)


def describe(abilities: Abilities) -> str:
    """The sandbox in a sentence or two."""
    packages = f" Importable besides the standard library: {', '.join(abilities.packages)}."
    return (
        f"Code runs in a sandbox without network.{packages if abilities.packages else ''} {abilities.notes}"
    ).strip()
