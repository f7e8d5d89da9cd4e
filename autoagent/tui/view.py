"""What the screens say, as lines. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from autoagent import events as e
from autoagent.console.arguments import arguments
from autoagent.console.events import told
from autoagent.console.figures import age, clock, local, money, several
from autoagent.console.line import Line, Part, Tone, block, columns, dotted, line, short
from autoagent.console.question import head as question_head
from autoagent.console.verdicts import verdict_rows
from autoagent.events import Entry
from autoagent.outcome import results
from autoagent.state import RunState

_PLAIN: tuple[str, Tone] = ("-", "plain")
MARKS: dict[str, tuple[str, Tone]] = {
    "proved": ("✓", "good"),
    "unproved": ("✗", "bad"),
    "damaged": ("✗", "bad"),
    "newer": ("✗", "bad"),
    "running": ("▸", "accent"),
    "parked": ("=", "dim"),
}
_ORDER = ("running", "parked", "interrupted", "stopped", "unavailable")
_SUB_TASKS: dict[str, tuple[str, Tone]] = {
    "done": ("✓", "plain"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
    "running": ("▸", "accent"),
    "to come": ("-", "plain"),
}
_GAUGE = 8
_LONGEST_OUTPUT = 20_000
"""Characters of an observation that are unfolded; `autoagent export` has the whole."""


UNREAD = "being read"
"""The name of a run of which no more is known yet than that it is there."""


@dataclass(frozen=True)
class Seen:
    """A run as the watch last saw it."""

    id: str
    state: RunState | None
    """`None`: its journal can't be read."""
    name: str
    """An ending, `parked`, `running`, `stopped`, `damaged`, `newer`."""
    holder: str | None
    last_at: datetime
    waiting: tuple[str, ...] = ()
    """Open questions that nobody has answered, oldest first."""
    problem: str = ""

    @property
    def goal(self) -> str:
        text = self.problem if self.state is None else self.state.goal.goal
        return text.strip().partition("\n")[0]


@dataclass(frozen=True)
class Row:
    """A line of a list, and what it stands for."""

    line: Line
    key: str = ""


# --- all runs -----------------------------------------------------------------------------------------------


def by_need(runs: Iterable[Seen]) -> list[Seen]:
    """Those that ask first, then the running ones, then what can go on, then the ended; newest first."""

    def need(run: Seen) -> tuple[int, float]:
        rank = _ORDER.index(run.name) + 1 if run.name in _ORDER else len(_ORDER) + 1
        return (0 if run.waiting else rank), -run.last_at.timestamp()

    return sorted(runs, key=need)


def run_rows(runs: Sequence[Seen], now: datetime, wide: bool) -> list[Row]:
    """A row a run; on a narrow screen without plan and limit."""
    table = []
    for run in runs:
        mark, tone = ("!", "attention") if run.waiting else MARKS.get(run.name, _PLAIN)
        parts = [Part(mark, tone), Part(run.id), short(run.goal, 44 if wide else 30)]  # type: ignore[arg-type]
        parts.append(Part(_asks(run) or _standing(run), "attention" if run.waiting else "plain"))
        if run.state is not None:
            if wide:
                parts.append(Part(_plan_gauge(run.state)))
            of = f" / {run.state.limits.usd:.2f}" if wide else ""
            parts.append(Part(f"{money(run.state.usd)}{of}"))
        parts.append(Part(age(run.last_at, now), "dim"))
        table.append(tuple(parts))
    return [Row(each, run.id) for each, run in zip(columns(table), runs, strict=True)]


def sums(runs: Sequence[Seen], now: datetime) -> Line:
    """What waits, what runs, what today cost."""
    waiting = sum(len(run.waiting) for run in runs)
    running = sum(run.name == "running" for run in runs)
    today = sum(
        (r.state.usd for r in runs if r.state is not None and r.last_at.date() == now.date()), Decimal(0)
    )
    return dotted(
        Part(f"{waiting} wait for you" if waiting != 1 else "1 waits for you", "attention")
        if waiting
        else None,
        f"{running} running" if running else None,
        f"{money(today)} today",
    )


def _asks(run: Seen) -> str:
    if run.state is None or not run.waiting:
        return ""
    subject = run.state.questions[run.waiting[0]].question.subject
    if subject.kind == "call":
        return f"asks: {subject.tool} {subject.destination or ''}".strip()[:40]
    return f"asks: {_KINDS.get(subject.kind, subject.kind)}"


_KINDS = {
    "plan": "the plan",
    "task": "a sub-task",
    "finish": "may it end",
    "spend": "go on spending",
    "criterion": "your verdict",
    "question": "a question",
    "recovery": "did it happen",
    "folder": "your files or its",
}


def _standing(run: Seen) -> str:
    if run.state is None:
        return run.name
    of = run.state.criteria
    proved = sum(v.verdict == "proved" for v in run.state.verdicts.values())
    return f"{run.name} {proved} of {len(of)}" if of else run.name


def _plan_gauge(state: RunState) -> str:
    if state.plan is None:
        return ""
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(s.id) == "done" for s in tasks)
    filled = round(5 * done / max(len(tasks), 1))
    return f"{'▰' * filled}{'▱' * (5 - filled)} {done}/{len(tasks)}"


def preview(run: Seen | None, now: datetime) -> list[Line]:
    """The lower pane of the list: what the run under the cursor waits for, or how it stands."""
    if run is None:
        return [
            line("Nothing has run yet. ", Part("n", "accent"), " starts one from a folder with a goal.yaml.")
        ]
    if run.state is None:
        return [line(Part(run.problem, "bad") if run.problem else Part("its journal is being read …", "dim"))]
    if run.waiting:
        asked = run.state.questions[run.waiting[0]]
        since = f"asked {age(asked.asked_at, now)} ago · closing this screen loses nothing"
        return [*question_head(asked.question, run.state), line(Part(since, "dim"))]
    reason = run.state.ended.reason if run.state.ended is not None else _WHY.get(run.name, "")
    return [line(short(reason, 300)), *verdict_rows(results(run.state))]


_WHY = {
    "parked": "Parked: it asked and nobody was there. Answer with a; r goes on, nothing is repeated.",
    "interrupted": "Interrupted. r goes on from here.",
    "stopped": "No process carries it. r goes on from here; nothing is repeated.",
    "running": "At work. enter opens it.",
}


# --- one run ------------------------------------------------------------------------------------------------


def title(run: Seen) -> Line:
    """Goal and standing, on one line."""
    mark, tone = MARKS.get(run.name, _PLAIN)
    watching = None if run.holder is None else f"carried by {run.holder}"
    if run.state is not None and run.state.paused and run.holder is not None:
        mark, tone, watching = "=", "attention", "paused by you · space goes on"
    return dotted(
        line(Part(run.id, "accent")),
        line(short(run.goal, 90)),
        line(Part(f"{mark} {run.name}", tone)),
        Part(watching or "", "dim"),
    )


def plan_lines(state: RunState) -> list[Line]:
    """The plan as it stands, then the criteria with their evidence so far."""
    lines: list[Line] = []
    if state.plan is None:
        lines.append(line(Part("no plan yet", "dim")))
    else:
        for sub_task in state.plan.sub_tasks:
            outcome = state.outcome(sub_task.id)
            mark, tone = _SUB_TASKS[outcome]
            after = (
                f"  after {', '.join(sub_task.depends_on)}"
                if outcome == "to come" and sub_task.depends_on
                else ""
            )
            lines.append(
                line(Part(f"{mark} ", tone), f"{sub_task.id} ", short(sub_task.title, 60), Part(after, "dim"))
            )
    proved = sum(v.verdict == "proved" for v in state.verdicts.values())
    lines.append(line(""))
    lines.append(line(Part(f"done when · {proved} of {len(state.criteria)} proved", "dim")))
    lines += verdict_rows(results(state))
    return lines


def gauges(state: RunState, active_s: float) -> Line:
    """Money, steps, time, tokens against their limits."""
    limits, held = state.limits, sum((h.usd for h in state.held.values()), Decimal(0))
    more = f" + {money(held)} held" if held else ""
    share = float(state.usd / limits.usd) if limits.usd else 1.0
    filled = min(round(_GAUGE * share), _GAUGE)
    return dotted(
        f"$ {'▰' * filled}{'▱' * (_GAUGE - filled)} {money(state.usd)}{more} of {money(limits.usd)}",
        f"steps {state.steps}/{limits.steps}",
        f"time {clock(active_s)}/{clock(limits.minutes * 60)}",
        f"tokens {_thousands(state.tokens)}/{_thousands(limits.tokens)}",
        *(Part(label.upper(), "outside") for label in state.labels),
    )


def _thousands(count: int) -> str:
    return str(count) if count < 10_000 else f"{count // 1000}k"


def activity(before: RunState, entry: Entry, after: RunState) -> Iterator[Row]:
    """What an entry says, as a row that can be unfolded."""
    for each in told(before, entry.event, after):
        yield Row(line(Part(f"{entry.seq:>5} {local(entry.at)}  ", "dim")) + each, str(entry.seq))


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
    """A line in pieces of at most `width` characters, so that nothing of it is off the screen."""
    pieces: list[Line] = []
    parts: list[Part] = []
    room = width
    for part in found.parts:
        text = part.shown
        while text:
            taken, text = text[:room], text[room:]
            parts.append(Part(taken, part.tone))
            room -= len(taken)
            if room == 0:
                pieces.append(Line(tuple(parts)))
                parts, room = [], width
    if parts or not pieces:
        pieces.append(Line(tuple(parts)))
    return pieces


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
