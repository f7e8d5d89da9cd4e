"""What the list of all runs says, as lines, and each run's title. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import PurePath

from autoagent.console.asked import Page, in_full
from autoagent.console.figures import age, money
from autoagent.console.line import Line, Part, Tone, columns, dotted, line, short
from autoagent.console.question import head as question_head
from autoagent.console.verdicts import verdict_rows
from autoagent.outcome import is_ending_past, proved_now, results
from autoagent.state import RunState
from autoagent.tui.drawing.view import Row, spread
from autoagent.tui.run.pace import Pulse

Key = Callable[[str], str]
"""Of an action, such as `runs.resume`, the key that sentences name."""
UNREAD = "being read"
"""The name of a run of which no more is known yet than that it is there."""
_PLAIN: tuple[str, Tone] = ("-", "plain")
_ASKING: tuple[str, Tone] = ("!", "attention")
_MARKS: dict[str, tuple[str, Tone]] = {
    "proved": ("✓", "good"),
    "unproved": ("✗", "bad"),
    "damaged": ("✗", "bad"),
    "newer": ("✗", "bad"),
    "running": ("▸", "accent"),
    "parked": ("=", "dim"),
    "limit": ("=", "dim"),
    "interrupted": ("=", "dim"),
    "stopped": ("=", "dim"),
    "unavailable": ("=", "dim"),
    "finished": ("?", "dim"),
    "cancelled": ("⊘", "dim"),
}
"""Standing -> its sign; `=` is what can go on."""
_TAKEN_BACK: tuple[str, Tone] = ("↺", "dim")
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
_WIDE = 110
"""Columns from which folder, plan and limit have room."""
_LONGEST_REASON = 2000
_FIRST_LINES = 2
"""Of what is asked about, below the list."""


@dataclass(frozen=True)
class Seen:
    """A run as the watch last saw it."""

    id: str
    state: RunState | None
    """`None`: its journal can't be read."""
    name: str
    """An ending, `parked`, `running`, `stopped`, `damaged`, `newer`, or `UNREAD`."""
    holder: str | None
    last_at: datetime
    waiting: tuple[str, ...] = ()
    """Open questions that nobody has answered, oldest first."""
    problem: str = ""
    pulse: Pulse = field(default_factory=Pulse)
    """What its sub-tasks have taken so far, and what is under way."""

    @property
    def goal(self) -> str:
        text = self.problem if self.state is None else self.state.goal.goal
        return text.strip().partition("\n")[0]

    @property
    def name_in_full(self) -> str:
        """The goal, behind the run that this one was forked from."""
        forked = None if self.state is None else self.state.forked
        return self.goal if forked is None else f"fork of {forked.source} · {self.goal}"

    def only_waits(self, now: datetime) -> bool:
        """Parked with questions, all of them open: a process that took it would only park it again.

        One that has expired would be asked anew, so such a run can go on.
        """
        if self.state is None or self.name != "parked":
            return False
        questions = [self.state.questions[id].question for id in self.waiting]
        is_expired = any(each.expires_at is not None and each.expires_at <= now for each in questions)
        return bool(questions) and len(questions) == len(self.state.waiting) and not is_expired

    @property
    def folder(self) -> str:
        """The name of the folder that it works in; empty where that isn't known."""
        return "" if self.state is None else PurePath(self.state.workspace).name


# --- rows ---------------------------------------------------------------------------------------------------


def run_table(runs: Sequence[Seen], now: datetime, width: int) -> tuple[Line, list[Row]]:
    """What stands above the columns, and a row a run, at most `width` columns.

    On a narrow screen there is no folder, plan or limit, and nothing above.
    """
    is_wide = width >= _WIDE - 4
    longest = width // 4
    standing = [_standing(run, now, longest) for run in runs]
    states = max((len(part.shown) for part in standing), default=0)
    folders = [short(run.folder, max(width // 8, 10), "dim") for run in runs]
    for_folders = 2 + max((len(each.shown) for each in folders), default=0) if is_wide else 0
    taken = 1 + 8 + for_folders + states + 7 + (9 + 13 if is_wide else 6) + 2 * (6 if is_wide else 5)
    room = max(width - taken, 12)
    table = []
    for run, folder, state in zip(runs, folders, standing, strict=True):
        mark, tone = _mark(run)
        goal = Part(f"{short(run.name_in_full, min(room, 100)).shown:<{min(room, 60)}}")
        named = (Part(mark, tone), Part(run.id), goal, *((folder,) if is_wide else ()))
        table.append((*named, state, *_figures(run, is_wide), _last(run, now)))
    heads = tuple(Part(word, "dim") for word in _HEADS)
    heading, *lines = columns([heads, *table] if is_wide else [(), *table])
    return heading, [Row(each, run.id) for each, run in zip(lines, runs, strict=True)]


_HEADS = ("", "run", "goal", "folder", "state", "plan", "spent / limit", "  last")


def _mark(run: Seen) -> tuple[str, Tone]:
    if run.waiting:
        return _ASKING
    if _is_paused(run):
        return _MARKS["parked"]
    return _TAKEN_BACK if _is_taken_back(run) else _MARKS.get(run.name, _PLAIN)


def _is_taken_back(run: Seen) -> bool:
    """It came to something once, and an undo has changed the files since."""
    return run.state is not None and is_ending_past(run.state)


def _is_paused(run: Seen) -> bool:
    """A person holds it still; the process that carries it stands by."""
    return run.state is not None and run.state.paused and run.holder is not None


def _figures(run: Seen, is_wide: bool) -> tuple[Part, ...]:
    if run.state is None:
        return (Part(""), Part("")) if is_wide else (Part(""),)
    if not is_wide:
        return (Part(f"{money(run.state.usd):>6}"),)
    return Part(_plan_gauge(run.state)), Part(f"{money(run.state.usd):>6} / {run.state.limits.usd:.2f}")


def _last(run: Seen, now: datetime) -> Part:
    return Part(f"{age(run.last_at, now):>6}", "dim")


def _standing(run: Seen, now: datetime, longest: int) -> Part:
    if run.waiting:
        return short(_asks(run), longest, "attention")
    if run.state is None:
        return short(run.name, longest)
    if _is_paused(run):
        return Part("paused by you", "attention")
    if run.name == "running":
        return short(doing(run, now) or "running", longest)
    return short(_came_to(run, run.state), longest)


def _asks(run: Seen) -> str:
    assert run.state is not None
    subject = run.state.questions[run.waiting[0]].question.subject
    if subject.kind == "call":
        return f"asks: {subject.tool} {subject.destination or ''}".strip()
    return f"asks: {_KINDS.get(subject.kind, subject.kind)}"


def _came_to(run: Seen, state: RunState) -> str:
    """The ending, with what was proved of it."""
    if run.name == "parked":
        return "parked: answered" if state.parked else "parked"
    if is_ending_past(state):
        return f"{run.name}, taken back"
    verdicts = [verdict.verdict for verdict in state.verdicts.values()]
    proved, refuted, of = verdicts.count("proved"), verdicts.count("refuted"), len(state.criteria)
    if run.name == "unproved" and refuted:
        return f"unproved: {refuted} of {of} refuted"
    return f"{run.name} {proved} of {of}" if of else run.name


def doing(run: Seen, now: datetime) -> str:
    """What a run is at, and since when: `sub-task 2 · web_read · 9 s`. Empty where that isn't known."""
    state = run.state
    if state is None:
        return ""
    started = [call.decided for call in state.calls.values() if call.started is not None]
    tool = started[-1].tool if started else "the model" if state.held else ""
    lane = started[-1].lane if started else next((held.lane for held in state.held.values()), "")
    found = state.lanes.get(lane)
    place = f"sub-task {found.sub_task}" if found is not None else ""
    since = _since(run, started[-1].call if started else None)
    return " · ".join(word for word in (place, tool, age(since, now) if tool else "") if word)


def _since(run: Seen, call: str | None) -> datetime:
    """When a call, or of the requests under way the first, was begun."""
    if call is not None:
        return run.pulse.calls.get(call, run.last_at)
    return min((request.at for request in run.pulse.requests.values()), default=run.last_at)


def _plan_gauge(state: RunState) -> str:
    if state.plan is None:
        return ""
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(s.id) == "done" for s in tasks)
    filled = round(5 * done / max(len(tasks), 1))
    return f"{'▰' * filled}{'▱' * (5 - filled)} {done}/{len(tasks)}"


# --- above and below the list -------------------------------------------------------------------------------


def top(runs: Sequence[Seen], now: datetime, width: int) -> Line:
    """What waits, what runs, what today cost, and the time."""
    waiting = sum(len(run.waiting) for run in runs)
    running = sum(run.name == "running" for run in runs)
    today = sum(
        (r.state.usd for r in runs if r.state is not None and _day(r.last_at) == _day(now)), Decimal(0)
    )
    sums = dotted(
        Part(f"{waiting} wait{'' if waiting != 1 else 's'} for you", "attention") if waiting else None,
        f"{running} running" if running else None,
        f"{money(today)} today",
        f"{now.astimezone():%H:%M}",
    )
    return spread(line(" autoagent · Runs"), sums, width)


def _day(at: datetime) -> date:
    return at.astimezone().date()


def preview(run: Seen, now: datetime, key: Key) -> list[Line]:
    """The lower pane of the list: what the run under the cursor waits for, or how it stands.

    `key`: of an action, as sentences name it.
    """
    if run.state is None:
        return [line(Part(run.problem, "bad") if run.problem else Part("its journal is being read …", "dim"))]
    if run.waiting:
        asked = run.state.questions[run.waiting[0]]
        until = asked.question.expires_at
        since = dotted(
            f"asked {since_then(asked.asked_at, now)}",
            f"expires in {span(until - now)}, then asked anew" if until is not None else None,
            "closing this screen loses nothing",
            line(Part(key("app.answer"), "accent"), " answers"),
        )
        shown = islice(in_full(asked.question, run.state, Page()), _FIRST_LINES)
        return [*question_head(asked.question, run.state), *shown, since]
    return [*_how_it_stands(run, run.state, now, key), *verdict_rows(results(run.state))]


def since_then(then: datetime, now: datetime) -> str:
    """`just now`, `4 min ago`."""
    said = age(then, now)
    return "just now" if said == "now" else f"{said} ago"


def span(left: timedelta) -> str:
    """`23 h 56 min`, `5 min`; nothing below 0."""
    minutes = max(int(left.total_seconds()) // 60, 0)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _how_it_stands(run: Seen, state: RunState, now: datetime, key: Key) -> list[Line]:
    """What is so, and which key does something about it."""
    resume = key("runs.resume")
    goes_on = f"{resume} goes on from step {state.steps}; nothing is repeated."
    reason = state.ended.reason if state.ended is not None else ""
    match run.name:
        case "limit":
            keys = f"{key('lines.open')}, {key('run.limit')}"
            raise_it = f"Raise it in the run ({keys}), and {resume} goes on from here; nothing is repeated."
            said = short(f"Stopped at a limit: {reason}.", _LONGEST_REASON)
            return [line(said), line(f"{_proved(state)}{raise_it}")]
        case "unavailable":
            safe = f"The run is safe at step {state.steps}; {resume} tries again from there."
            return [line(Part(f"Stopped: {state.unavailable}", "attention", _LONGEST_REASON)), line(safe)]
        case "parked":
            return [line(f"Parked: it asked and nobody was there; it has been answered since. {goes_on}")]
        case "interrupted":
            return [line(f"Interrupted at step {state.steps}. {goes_on}")]
        case "stopped":
            return [line(f"No process carries it any more: it was ended, or crashed. {goes_on}")]
        case "running":
            return _at_work(run, state, now, key)
        case _:
            since = f"; then you took files back to entry {state.undone.to}" if state.undone else ""
            return [line(short(reason + since, _LONGEST_REASON))]


def _proved(state: RunState) -> str:
    return f"{proved_now(state)} of {len(state.criteria)} proved. " if state.criteria else ""


def _at_work(run: Seen, state: RunState, now: datetime, key: Key) -> list[Line]:
    """Another process carries it: this one only looks."""
    if state.paused:
        goes_on = f" {key('runs.pause')} lets it go on; its time stands still."
        return [line(Part("Paused by you.", "attention"), goes_on)]
    by = f" ({run.holder})" if run.holder else ""
    said = f"Another process{by} is carrying this run. You are watching; answers and steering reach it."
    return [line(short(said, _LONGEST_REASON)), line(Part(doing(run, now), "dim"))]


def title(run: Seen, now: datetime, width: int, key: Key, trying: str = "") -> Line:
    """Goal left, standing and time right, on one line that loses nothing of the right side.

    `trying`: that its model doesn't answer, and how often it was asked.
    """
    mark, tone = _TAKEN_BACK if _is_taken_back(run) else _MARKS.get(run.name, _PLAIN)
    since = ", then taken back" if _is_taken_back(run) else ""
    standing: Line = line(Part(f"{mark} {run.name}{since}", tone))
    if _is_paused(run):
        standing = line(Part(f"= paused by you · {key('run.pause')} goes on", "attention"))
    elif run.waiting:
        standing = line(Part("paused for you" if run.name == "running" else "! waits for you", "attention"))
    elif run.name == "running" and (what := doing(run, now)):
        standing = dotted(line(Part(f"▸ {what}", "accent")), Part(trying, "bad") if trying else None)
    model = run.state.model if run.state is not None and width >= _WIDE else ""
    right = dotted(standing, short(model, 30, "dim") if model else None, f"{now.astimezone():%H:%M:%S}")
    return spread(dotted(line(Part(f" {run.id}", "accent")), line(Part(run.goal))), right, width)
