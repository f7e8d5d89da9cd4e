"""A plan as it is edited, in rows: the list, what is wrong, what it may do, then every word of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoagent.console.asked import told_of
from autoagent.console.figures import several
from autoagent.console.line import Line, Part, Tone, columns_of, dotted, fitting, line
from autoagent.console.powers import powers
from autoagent.goal import HumanCriterion, SubTask
from autoagent.state import RunState
from autoagent.tui.drawing.view import Row
from autoagent.tui.questions.draft import Draft, DraftRow

_WIDE = 100
"""Columns from which a row has room for what proves it."""
_LONGEST_ID = 12
_MARKS: dict[str, Tone] = {"": "plain", "+": "accent", "-": "bad", "~": "accent"}


def plan_table(draft: Draft, state: RunState, width: int, meanings: Iterable[Line] = ()) -> list[Row]:
    """Rows whose key is the number of the sub-task that they are about. `meanings`: of the answers."""
    table = _Table(draft, state, width)
    rules = [Row(each) for each in (*_rules(draft, state), *meanings)]
    return [*table.rows(), *rules, *_in_full(draft)]


class _Table:
    """One width a column, whatever its rows hold."""

    def __init__(self, draft: Draft, state: RunState, width: int) -> None:
        tasks = [row.task for row in draft.rows]
        self.draft, self.state, self.width = draft, state, width
        self.ids = min(max((columns_of(line(task.id)) for task in tasks), default=0), _LONGEST_ID)
        self.ids = max(self.ids, 2)
        self.asking = any(_asks(task, state) for task in tasks)
        rest = width - len("~ ") - self.ids - 2 * len("  ")
        self.after = min(max((len(" ".join(task.depends_on)) for task in tasks), default=0), rest // 4)
        self.after = max(self.after, len("after"))
        rest -= self.after + len("  ") + (len("  your verdict") if self.asking else 0)
        self.title = rest if width < _WIDE else rest * 55 // 100
        self.proof = rest - self.title

    def rows(self) -> Iterator[Row]:
        asking = "asks you" if self.asking else ""
        yield Row(self._row("", "id", "sub-task", "after", "done when" if self.proof else "", asking, "dim"))
        mistakes = self.draft.mistakes
        for number, row in enumerate(self.draft.rows):
            yield Row(self._of(row), str(number))
            for said in mistakes.get(number, ()):
                yield Row(line(Part(f"  ✗ {said}", "bad")), str(number))

    def _of(self, row: DraftRow) -> Line:
        task = row.task
        if row.is_removed:
            return line(
                Part("- ", "bad"),
                Part(self._cell(task.id, self.ids), "gone"),
                "  ",
                Part(fitting(Part(task.title).shown, self.title), "gone"),
                Part("  removed by you", "dim"),
            )
        proof = " · ".join(map(str, task.done_when))
        done = {"done": "done already", "running": "at work"}.get(self.state.outcome(task.id), "")
        asks = _asks(task, self.state)
        tone: Tone = "dim" if done else "plain"
        return self._row(row.mark, task.id, task.title, " ".join(task.depends_on), done or proof, asks, tone)

    def _row(self, mark: str, id: str, title: str, after: str, proof: str, asks: str, tone: Tone) -> Line:
        cells = [
            Part(f"{mark or ' '} ", _MARKS[mark]),
            Part(self._cell(id, self.ids) + "  ", "accent" if tone == "plain" else tone),
            Part(self._cell(title, self.title) + "  ", tone),
            Part(self._cell(after, self.after) + "  ", "dim"),
        ]
        if self.proof:
            cells.append(Part(self._cell(proof, self.proof), tone))
        if self.asking:
            cells.append(Part(f"  {asks}", "attention" if asks and tone != "dim" else "dim"))
        return line(*cells)

    @staticmethod
    def _cell(text: str, width: int) -> str:
        shown = fitting(Part(text).shown, width)
        return shown + " " * (width - columns_of(line(shown)))


def _asks(task: SubTask, state: RunState) -> str:
    """What of it is known to come to the person: a checkpoint of the goal, a verdict of theirs."""
    if "task" in state.goal.ask:
        return "before it"
    return "your verdict" if any(isinstance(each, HumanCriterion) for each in task.done_when) else ""


def _rules(draft: Draft, state: RunState) -> Iterator[Line]:
    """What the check came to, and what the goal lets any plan do."""
    beside = state.goal.parallel
    found = f"up to {beside} side by side" if beside > 1 else "one after the other"
    if (objection := draft.objection) is None:
        yield dotted(line(Part("checked: ", "dim"), "no circle"), "every name known", found)
    else:
        yield line(Part("✗ can't be accepted: ", "bad"), Part(objection, "bad"))
    yield line(Part("it may   ", "dim"), powers(state.goal))
    limits = state.limits
    yield line(
        Part("at most  ", "dim"),
        f"${limits.usd:.2f}, {limits.steps} steps, {limits.minutes:g} min · once accepted, ",
        "another plan asks you again" if draft.asked else "",
    )


def _in_full(draft: Draft) -> Iterator[Row]:
    """Every word of what would be carried out, with the criteria that the goal would get."""
    yield Row(line(Part(f"in full: {several(len(draft.sub_tasks), 'sub-task')}", "dim")))
    for number, row in enumerate(draft.rows):
        if not row.is_removed:
            task = row.task
            after = f"after {', '.join(task.depends_on)}" if task.depends_on else None
            yield Row(
                dotted(line(Part(f"{Part(task.id).shown:<4} ", "accent"), task.title), after), str(number)
            )
            yield from (Row(each, str(number)) for each in told_of(task))
    edit = draft.edit
    proposed = (edit if isinstance(edit, dict) else draft.asked).get("criteria")
    for text in proposed if isinstance(proposed, list) else ():
        yield Row(line(Part("the goal would count as reached when ", "dim"), str(text)))
