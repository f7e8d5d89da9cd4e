"""What the screens say, as lines. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from autoagent import events as e
from autoagent.console.arguments import arguments
from autoagent.console.events import told
from autoagent.console.figures import clock, local, money, several
from autoagent.console.line import (
    Line,
    Part,
    Tone,
    block,
    columns_of,
    dotted,
    fitting,
    having_room,
    line,
    short,
)
from autoagent.console.verdicts import verdict_rows
from autoagent.events import Entry
from autoagent.goal import SubTask
from autoagent.outcome import results
from autoagent.state import RunState
from autoagent.tui.pace import Pace

_SUB_TASKS: dict[str, tuple[str, Tone]] = {
    "done": ("✓", "plain"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
    "running": ("▸", "accent"),
    "to come": ("-", "plain"),
}
_GAUGE = 8
_WIDEST_FRAME = 25
_LONGEST_OUTPUT = 20_000
"""Characters of an observation that are unfolded; `autoagent export` has the whole."""


@dataclass(frozen=True)
class Row:
    """A line of a list, and what it stands for."""

    line: Line
    key: str = ""


# --- one run ------------------------------------------------------------------------------------------------


def plan_lines(state: RunState, paces: Mapping[str, Pace], width: int) -> list[Line]:
    """The plan as it stands with what each part took, then the criteria with their evidence so far."""
    if state.plan is None:
        lines = [line(Part("no plan yet", "dim"))]
    else:
        lines = [_sub_task(state, each, paces.get(each.id), width) for each in state.plan.sub_tasks]
    proved = sum(v.verdict == "proved" for v in state.verdicts.values())
    heading = f"done when · {proved} of {len(state.criteria)} proved"
    return [*lines, line(""), line(Part(heading, "dim")), *_proof(state)]


def _proof(state: RunState) -> Iterator[Line]:
    """Each criterion with its verdict, and beneath it the evidence."""
    for row, result in zip(verdict_rows(results(state)), results(state), strict=True):
        mark, *_ = row.parts
        yield line(mark, "  ", result.criterion)
        if result.verdict != "unchecked":
            by = f" ({result.by})" if result.by else ""
            yield line(Part("    │ ", "dim"), Part(f"{result.evidence}{by}", "dim", 300))


def plan_summary(state: RunState) -> str:
    """Title of the plan's pane."""
    if state.plan is None:
        return "Plan"
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(each.id) == "done" for each in tasks)
    return f"Plan v{state.plan.version} · {done} of {len(tasks)}"


def _sub_task(state: RunState, sub_task: SubTask, pace: Pace | None, width: int) -> Line:
    outcome = state.outcome(sub_task.id)
    mark, tone = _SUB_TASKS[outcome]
    took: list[str] = []
    if pace is not None:
        took = [f"{money(pace.usd)} "] if pace.usd else []
        took.append(clock(pace.seconds(state.seconds)))
    elif sub_task.depends_on:
        took.append(f"after {', '.join(sub_task.depends_on)}")
    left = line(Part(f"{mark} ", tone), f"{sub_task.id} ", sub_task.title)
    return spread(left, line(Part("".join(took), "dim", 30)), width)


def spread(left: Line, right: Line, width: int) -> Line:
    """Both on one line of `width` columns, the right one at its end and whole; of the left what has room."""
    room = max(width - columns_of(right) - 2, 8)
    parts: list[Part] = []
    for part in left.parts:
        if (cells := columns_of(line(part))) > room:
            parts.append(Part(fitting(part.shown, room), part.tone))
            room = 0
            break
        parts.append(part)
        room -= cells
    return Line((*parts, Part(" " * (room + 2)), *right.parts))


def gauges(state: RunState, active_s: float) -> Line:
    """Money with what it will likely come to, steps, time, tokens against their limits."""
    limits, held = state.limits, sum((h.usd for h in state.held.values()), Decimal(0))
    more = f" + {money(held)} held" if held else ""
    likely = f", likely {money(found)}" if (found := _likely(state)) else ""
    share = float(state.usd / limits.usd) if limits.usd else 1.0
    filled = min(round(_GAUGE * share), _GAUGE)
    return dotted(
        f" $ {'▰' * filled}{'▱' * (_GAUGE - filled)} {money(state.usd)}{more} of {limits.usd:.2f}{likely}",
        f"steps {state.steps}/{limits.steps}",
        f"time {clock(active_s)}/{clock(limits.minutes * 60)}",
        f"tokens {_thousands(state.tokens)}/{_thousands(limits.tokens)}",
        *(Part(label.upper(), "outside") for label in state.labels),
    )


def _likely(state: RunState) -> Decimal | None:
    """What the whole will cost, if the sub-tasks to come cost what those that are done did."""
    if state.plan is None or state.ended is not None or not state.usd:
        return None
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(each.id) in ("done", "failed", "skipped") for each in tasks)
    return state.usd / done * len(tasks) if 0 < done < len(tasks) else None


def _thousands(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count / 1_000_000:g}M"


def activity(before: RunState, entry: Entry, after: RunState) -> Iterator[Row]:
    """What an entry says, as a row that can be unfolded."""
    for each in told(before, entry.event, after):
        yield Row(line(Part(f"{local(entry.at)}  ", "dim")) + each, str(entry.seq))


def unfolded(entry: Entry, before: Sequence[Entry]) -> list[Line]:
    """Everything that an entry holds and its row leaves out. `before`: the run's entries up to it."""
    event = entry.event
    match event:
        case e.CallEnded(call=id):
            decided = next((x.event for x in reversed(before) if _decides(x.event, id)), None)
            args = decided.args if isinstance(decided, e.CallDecided) else {}
            why = decided.why if isinstance(decided, e.CallDecided) else ""
            shown = event.output[:_LONGEST_OUTPUT]
            left = len(event.output) - len(shown)
            more = [line(Part(f"│ … {left} more characters", "dim"))] if left else []
            said = [line(Part(f"allowed: {why}", "dim"))] if why and event.ok else []
            return [*arguments(args), *said, line(Part("it came to", "dim")), *block(shown), *more]
        case e.CallDecided(args=args, why=why):
            return [*arguments(args), line(Part(why, "dim"))]
        case e.ModelReplied(reply=reply):
            words = list(block(reply.text)) if reply.text.strip() else []
            calls = [
                line(Part("calls ", "dim"), call.name, " ", short(call.arguments, 2_000))
                for call in reply.calls
            ]
            return [*words, *calls]
        case _:
            fields = event.model_dump_json(exclude={"kind"}, exclude_defaults=True, indent=1)
            return list(block(fields[:_LONGEST_OUTPUT]))


def _decides(event: e.Event, call: str) -> bool:
    return isinstance(event, e.CallDecided) and event.call == call


def file_rows(changed: Sequence[tuple[str, str]]) -> list[Row]:
    """A row a path that differs from the start."""
    if not changed:
        return [Row(line(Part("nothing is changed yet", "dim")))]
    signs: dict[str, Tone] = {"+": "good", "~": "accent", "-": "bad", ">": "accent"}
    heading = Row(
        line(Part(several(len(changed), "path") + " differ from the start; enter shows the lines", "dim"))
    )
    return [heading, *(Row(line(Part(f"{sign} ", signs[sign]), path), path) for sign, path in changed)]


def wrapped(found: Line, width: int) -> list[Line]:
    """A line in pieces of at most `width` columns, so that nothing of it is off the screen.

    What follows is set off, so that no text can begin a line of its own: under the bar of a framed text.
    """
    before = _frame(found)
    pieces: list[Line] = []
    parts: list[Part] = []
    room = width
    for part in found.parts:
        text = part.shown
        while text:
            if room <= 0:
                pieces.append(Line(tuple(parts)))
                parts, room = [before], max(width - len(before.text), 1)
            taken = _piece(text, room, is_fresh=len(parts) <= 1)
            text = text[len(taken) :]
            parts.append(Part(taken, part.tone))
            room = room - columns_of(line(taken)) if not text else 0
    return [*pieces, Line(tuple(parts))]


def _frame(found: Line) -> Part:
    """What stands before each further piece of a line."""
    first = ""
    for part in found.parts[:2]:
        first += part.shown
        if part.tone == "dim" and first.endswith("│ ") and len(first) <= _WIDEST_FRAME:
            return Part(f"{' ' * (len(first) - 2)}│ ", "dim")
    return Part("  ")


def _piece(text: str, room: int, *, is_fresh: bool) -> str:
    """As much of a text as has room, whole words where one ends late enough; no character is lost."""
    count = having_room(text, room)
    if count == len(text):
        return text
    end = text.rfind(" ", 0, count) + 1
    return text[: end if end > count // 2 or (end and not is_fresh) else count]


# --- the past -----------------------------------------------------------------------------------------------

_SIGNS: Mapping[str, Tone] = {"✗": "bad", "✓": "good", "!": "attention", "⊘": "bad", "↺": "dim", "s": "plain"}
"""Marks of the slider, the more telling first."""


def marks(event: e.Event) -> str:
    """The sign of an entry that a person would stop at; empty for all others."""
    match event:
        case e.RunEnded(ending=ending):
            return "✓" if ending == "proved" else "✗"
        case e.QuestionAsked():
            return "!"
        case e.CallDecided(decision="deny"):
            return "⊘"
        case e.LaneReset() | e.LadderClimbed() | e.Undone():
            return "↺"
        case e.CallEnded(tree=tree) if tree is not None:
            return "s"
        case _:
            return ""


def slider(entries: Sequence[Entry], at: int, width: int) -> tuple[Line, Line]:
    """Marks over a track as wide as the screen: s snapshot, ! question, ⊘ denied, ↺ tried again, ✓ ✗ end."""
    last = max(len(entries) - 1, 1)
    columns_of: dict[int, set[str]] = {}
    for entry in entries:
        if sign := marks(entry.event):
            columns_of.setdefault((entry.seq - 1) * (width - 1) // last, set()).add(sign)
    shown = [
        next((Part(sign, tone) for sign, tone in _SIGNS.items() if sign in columns_of.get(n, ())), Part(" "))
        for n in range(width)
    ]
    here = (at - 1) * (width - 1) // last
    track = line(Part("─" * here, "dim"), Part("●", "accent"), Part("─" * (width - here - 1), "dim"))
    return Line(tuple(shown)), track
