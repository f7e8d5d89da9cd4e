"""A plan under a person's hands: rows that are added, dropped, moved, reworded, and what is wrong with them.

Pure, and without Textual. Editing answers nothing: what comes of it is the edit that a yes takes along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import JsonValue

from autoagent.console.figures import several
from autoagent.errors import ToolError
from autoagent.goal import Criterion, FileCriterion, HumanCriterion, JudgeCriterion, SubTask, described
from autoagent.plan import check_plan, parse_plan, parse_sub_task, problems
from autoagent.redact import visible

Mark = Literal["", "+", "-", "~"]
_LONGEST_ID = 40
_KINDS = ("file", "run", "judge", "human")


@dataclass(frozen=True)
class DraftRow:
    """A sub-task as it stands in the draft."""

    task: SubTask
    was: SubTask | None
    """As it was asked about; `None`: the person added it."""
    is_removed: bool = False
    is_moved: bool = False

    @property
    def mark(self) -> Mark:
        if self.is_removed:
            return "-"
        if self.was is None:
            return "+"
        return "~" if self.is_moved or self.task != self.was else ""


@dataclass(frozen=True)
class Draft:
    """A plan and the person's edits of it. Each edit makes another one; a text says why it can't be made."""

    asked: Mapping[str, JsonValue]
    """What the question is about: the plan's version, its sub-tasks, the criteria it proposes."""
    rows: tuple[DraftRow, ...]
    begun: frozenset[str] = frozenset()
    """Ids of sub-tasks that are done or at work: they stay as they are."""
    proposes: bool = False
    """Whether the goal has no criteria, so that the plan's become its own."""
    before: Draft | None = None

    # --- as it stands ---------------------------------------------------------------------------------------

    @property
    def sub_tasks(self) -> tuple[SubTask, ...]:
        return tuple(row.task for row in self.rows if not row.is_removed)

    @property
    def edits(self) -> int:
        """Rows that are other than they were."""
        return sum(row.mark != "" for row in self.rows)

    @property
    def edit(self) -> JsonValue:
        """What a yes takes along; `None` where the plan is as it was."""
        rows: list[JsonValue] = [task.model_dump(mode="json") for task in self.sub_tasks]
        if rows == self.asked.get("sub_tasks"):
            return None
        criteria = dict.fromkeys(described(c) for task in self.sub_tasks for c in task.done_when)
        return {**self.asked, "sub_tasks": rows, "criteria": [*criteria] if self.proposes else []}

    @property
    def mistakes(self) -> Mapping[int, tuple[str, ...]]:
        """Row -> what is wrong with it: by the check that the run makes of a plan, whoever wrote it."""
        kept = [number for number, row in enumerate(self.rows) if not row.is_removed]
        found: dict[int, tuple[str, ...]] = {}
        for problem in problems(self.sub_tasks, self.begun):
            number = kept[min(problem.index, len(kept) - 1)]
            found[number] = (*found.get(number, ()), problem.text)
        return found

    @property
    def objection(self) -> str | None:
        """Why it can't be accepted as it stands."""
        found = check_plan(self.sub_tasks, self.begun)
        if not found:
            return None
        return found[0] if len(found) == 1 else f"{several(len(found), 'mistake')}: {found[0]}"

    # --- edits ----------------------------------------------------------------------------------------------

    def added(self, after: int, task: SubTask) -> Draft:
        """With a further sub-task behind a row."""
        rows = (*self.rows[: after + 1], DraftRow(task, None), *self.rows[after + 1 :])
        return self._edited(rows)

    def dropped(self, at: int) -> Draft | str:
        """Without a row; those that were asked about stay in sight, as removed."""
        if why := self.fixed(at):
            return why
        row = self.rows[at]
        gone = () if row.was is None else (replace(row, is_removed=True, task=row.was),)
        return self._edited((*self.rows[:at], *gone, *self.rows[at + 1 :]))

    def moved(self, at: int, by: int) -> Draft | str:
        """With a row in its neighbour's place."""
        to = at + by
        if not 0 <= to < len(self.rows):
            return "it stands at the end already" if by > 0 else "it stands first already"
        if why := self.fixed(at) or self._begun(to):
            return why
        rows = [*self.rows]
        rows[to], rows[at] = replace(rows[at], is_moved=True), rows[to]
        return self._edited(tuple(rows))

    def reworded(self, at: int, task: SubTask) -> Draft | str:
        """With a row in other words."""
        if why := self.fixed(at):
            return why
        if task == self.rows[at].task:
            return "nothing was changed"
        return self._edited((*self.rows[:at], replace(self.rows[at], task=task), *self.rows[at + 1 :]))

    def undone(self) -> Draft | str:
        """As it was before the last edit."""
        return self.before if self.before is not None else "nothing is edited"

    def rewritten(self, edit: JsonValue) -> Draft | str:
        """With other sub-tasks, from JSON; rows that are gone stay in sight, as removed."""
        try:
            tasks = parse_plan(edit, known=self.begun)
        except ToolError as error:
            return str(error)
        asked = {row.was.id: row.was for row in self.rows if row.was is not None}
        rows = [DraftRow(task, asked.get(task.id)) for task in tasks]
        for number, (id, was) in enumerate(asked.items()):
            if id not in {task.id for task in tasks}:
                rows.insert(min(number, len(rows)), DraftRow(was, was, is_removed=True))
        return self._edited(tuple(rows)) if tuple(rows) != self.rows else "nothing was changed"

    def _edited(self, rows: tuple[DraftRow, ...]) -> Draft:
        return replace(self, rows=rows, before=self)

    def fixed(self, at: int) -> str | None:
        """Why a row can't be touched."""
        row = self.rows[at]
        if row.is_removed:
            return f"{row.task.id} is removed; u takes that back"
        return self._begun(at)

    def _begun(self, at: int) -> str | None:
        id = self.rows[at].task.id
        return f"{id} is done or at work: it stays as it is" if id in self.begun else None

    def fresh(self, after: int) -> SubTask:
        """An empty sub-task, with an id of its own, to stand behind a row: `2b` behind `2`."""
        taken = {row.task.id for row in self.rows} | self.begun
        before = self.rows[after].task.id if self.rows else ""
        names = (f"{before[: _LONGEST_ID - 3]}{ending}" for ending in _endings(before))
        return SubTask(id=next(name for name in names if name not in taken), title="")


def draft_of(args: JsonValue, begun: Sequence[str] = (), *, proposes: bool = False) -> Draft:
    """The plan that a question is about."""
    asked = args if isinstance(args, dict) else {}
    rows = asked.get("sub_tasks")
    tasks = [SubTask.model_validate(row) for row in rows] if isinstance(rows, list) else []
    return Draft(asked, tuple(DraftRow(task, task) for task in tasks), frozenset(begun), proposes)


def _endings(before: str) -> Iterator[str]:
    """b, c, …, then numbers; numbers alone where nothing stands before."""
    if before:
        yield from "bcdefghijklmnopqrstuvwxyz"
    yield from map(str, range(1, 1000))


# --- a sub-task as it is written in four fields -------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A sub-task in words: what stands in the fields in which it is edited. Nothing that a terminal obeys."""

    title: str
    instructions: str
    after: str
    done_when: str
    """A criterion a line."""


def written(task: SubTask) -> Written:
    criteria = "\n".join(_said(criterion) for criterion in task.done_when)
    return Written(visible(task.title), visible(task.instructions), " ".join(task.depends_on), criteria)


def read(fields: Written, task: SubTask, number: int) -> SubTask | str:
    """The sub-task that the fields say, in the place of `task`; or what is wrong with them."""
    were = written(task)  # what isn't touched stays exact
    known = {_said(criterion): criterion for criterion in task.done_when}
    criteria: list[Criterion | JsonValue] = []
    for text in filter(None, map(str.strip, fields.done_when.split("\n"))):
        if text in known:
            criteria.append(known[text].model_dump(mode="json"))
        elif isinstance(made := _criterion(text), str):
            return made
        else:
            criteria.append(made)
    if not fields.title.strip():
        return "it needs a title: a few words that say what it does"
    row = {
        "id": task.id,
        "title": task.title if fields.title == were.title else " ".join(fields.title.split()),
        "instructions": (
            task.instructions if fields.instructions == were.instructions else fields.instructions
        ),
        "depends_on": re.split(r"[\s,]+", fields.after.strip()) if fields.after.strip() else [],
        "done_when": criteria,
    }
    try:
        return parse_sub_task(row, number)
    except ToolError as error:
        return str(error)


def _said(criterion: Criterion) -> str:
    """A criterion on one line, as `_criterion` reads it."""
    match criterion:
        case FileCriterion(file=file, contains=()):
            return f"file: {_flat(file)}"
        case FileCriterion(file=file, contains=texts):
            is_plain = all(text == text.strip() and not re.search(r'[,\n\[\]"]', text) for text in texts)
            held = _flat(", ".join(texts)) if is_plain else json.dumps([*texts]).replace("\x7f", "\\u007f")
            return f"file: {_flat(file)} contains {held}"
        case JudgeCriterion(judge=text):
            return f"judge: {_flat(text)}"
        case HumanCriterion(human=text):
            return f"human: {_flat(text)}"
        case _:
            return f"run: {_flat(criterion.run)}"


def _flat(text: str) -> str:
    return " ".join(visible(text).split("\n")).strip()


def _criterion(text: str) -> JsonValue:
    """A criterion from its line, as JSON; a text says what is wrong."""
    kind, colon, rest = (part.strip() for part in text.partition(":"))
    if kind not in _KINDS or not colon or not rest:
        return f"{text[:40]!r}: begin each line with file:, run:, judge: (a model checks) or human: (you do)"
    file, contains, texts = rest.partition(" contains ")
    if kind != "file" or not contains:
        return {kind: rest}
    if not texts.strip().startswith("["):
        return {"file": file.strip(), "contains": [each.strip() for each in texts.split(",") if each.strip()]}
    try:
        return {"file": file.strip(), "contains": json.loads(texts)}
    except ValueError as error:
        return f"{text[:40]!r}: the list behind 'contains' is no JSON: {error}"
