"""What the screens say, as lines. Pure, and without Textual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from autoagent import events as e
from autoagent.console.arguments import arguments, as_json
from autoagent.console.figures import clock, money
from autoagent.console.line import (
    Line,
    Part,
    Tone,
    block,
    columns_of,
    dotted,
    fitting,
    line,
    short,
)
from autoagent.console.verdicts import verdict_rows
from autoagent.events import Entry
from autoagent.goal import SubTask
from autoagent.outcome import is_taken_back, proved_now, results
from autoagent.state import RunState
from autoagent.tui.run.pace import Pace, Pulse

_SUB_TASKS: dict[str, tuple[str, Tone]] = {
    "done": ("✓", "plain"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
    "running": ("▸", "accent"),
    "to come": ("-", "plain"),
}
_GAUGE = 8
_WIDEST_GAUGE = 12
_WIDE = 100
"""Columns from which the gauges have room."""
_LONGEST_OUTPUT = 20_000
"""Characters of an observation that are unfolded; `autoagent export` has the whole."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list, and what it stands for."""

    line: Line
    key: str = ""


# --- one run ------------------------------------------------------------------------------------------------


def plan_rows(
    state: RunState,
    paces: Mapping[str, Pace],
    width: int,
    active_s: float,
    begun: Mapping[str, int] = {},
    checked: Mapping[int, int] = {},
    *,
    is_carried: bool = True,
) -> list[Row]:
    """The plan as it stands with what each part took, then the criteria with their evidence so far.

    `is_carried`: whether a process is at work on it. `begun`, `checked`: the entries that rows of sub-tasks
    (of none: of the plan) and criteria stand for.
    """
    made = begun.get("", "")
    if state.plan is None:
        rows = [Row(line(Part("no plan yet", "dim")))]
    else:
        tasks = state.plan.sub_tasks
        rows = [
            Row(
                _sub_task(state, each, paces.get(each.id), width, active_s, is_carried=is_carried),
                str(begun.get(each.id, made)),
            )
            for each in tasks
        ]
    proved = proved_now(state)
    heading = f"done when · {proved} of {len(state.criteria)} proved"
    return [*rows, Row(line("")), Row(line(Part(heading, "dim"))), *_proof(state, checked)]


def _proof(state: RunState, checked: Mapping[int, int]) -> Iterator[Row]:
    """Each criterion with its verdict, and beneath it the evidence."""
    found = results(state)
    for number, (row, result) in enumerate(zip(verdict_rows(found), found, strict=True)):
        mark, *_ = row.parts
        key = str(checked.get(number, ""))
        yield Row(line(mark, "  ", result.criterion), key)
        if result.verdict != "unchecked" or is_taken_back(state, number):
            by = f" ({result.by})" if result.by else ""
            yield Row(line(Part("    │ ", "dim"), Part(f"{result.evidence}{by}", "dim", 300)), key)


def plan_in_short(
    state: RunState, pulse: Pulse, active_s: float, width: int, *, is_carried: bool = True
) -> Line:
    """The plan on one line: what is at work and for how long, what comes next, what is proved."""
    if state.plan is None:
        return line(Part(" no plan yet", "dim"))
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(each.id) in ("done", "failed", "skipped") for each in tasks)
    at_work = [each for each in tasks if state.outcome(each.id) == "running"]
    coming = [each for each in tasks if state.outcome(each.id) == "to come"]
    proved = proved_now(state)
    gauge = line(f" {'▰' * done}{'▱' * (len(tasks) - done)}"[:_WIDEST_GAUGE] + " ")
    beside = f"{len(at_work) - 1} beside" if len(at_work) > 1 else None
    last = dotted("", beside, f"{proved} of {len(state.criteria)} proved")
    count = len(at_work[:1]) + len(coming[:1])
    room = max((width - columns_of(gauge) - columns_of(last) - 4) // max(count, 1), 20)
    now = [
        line(
            Part(*_mark("running", is_carried=is_carried)),
            " ",
            short(f"{x.id} {x.title}", room - 10),
            f" {_taken(pulse, x.id, active_s)}",
        )
        for x in at_work[:1]
    ]
    following = [line("next ", short(f"{x.id} {x.title}", room - 8)) for x in coming[:1]]
    return gauge + dotted(*now, *following, last)


def _taken(pulse: Pulse, id: str, active_s: float) -> str:
    return clock(pulse.paces[id].seconds(active_s) if id in pulse.paces else 0)


def plan_summary(state: RunState) -> str:
    """Title of the plan's pane."""
    if state.plan is None:
        return "Plan"
    tasks = state.plan.sub_tasks
    done = sum(state.outcome(each.id) == "done" for each in tasks)
    return f"Plan v{state.plan.version} · {done} of {len(tasks)}"


def _mark(outcome: str, *, is_carried: bool) -> tuple[str, Tone]:
    """The sign of a sub-task; nothing is at work where nobody carries the run."""
    return _SUB_TASKS[outcome] if is_carried or outcome != "running" else ("=", "dim")


def _sub_task(
    state: RunState, sub_task: SubTask, pace: Pace | None, width: int, active_s: float, *, is_carried: bool
) -> Line:
    mark, tone = _mark(state.outcome(sub_task.id), is_carried=is_carried)
    took: list[str] = []
    if pace is not None:
        took = [f"{money(pace.usd)} "] if pace.usd else []
        took.append(clock(pace.seconds(active_s)))
    elif sub_task.depends_on:
        took.append(f"after {', '.join(sub_task.depends_on)}")
    left = line(Part(f"{mark} ", tone), f"{sub_task.id} ", Part(sub_task.title, limit=max(width, 1)))
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


def gauges(state: RunState, pulse: Pulse, active_s: float, width: int) -> Line:
    """Money with what it will likely come to, steps, time, tokens against their limits; in fixed columns."""
    if width < _WIDE:
        return _narrow_gauges(state, pulse, active_s)
    return _wide_gauges(state, pulse, active_s, width)


def _wide_gauges(state: RunState, pulse: Pulse, active_s: float, width: int) -> Line:
    """What has no room is left out: first the tokens, then what it will come to."""
    limits, held = state.limits, sum((h.usd for h in state.held.values()), Decimal(0))
    more = f" + {_amount(held)} held" if held else ""
    likely = f", likely {_amount(found)}" if (found := _likely(state)) else ""
    share = float(state.usd / limits.usd) if limits.usd else 1.0
    filled = min(round(_GAUGE * share), _GAUGE)
    spent = f" $ {'▰' * filled}{'▱' * (_GAUGE - filled)} {_amount(state.usd)}{more} of {limits.usd:.2f}"
    counts = [
        f"steps {_of(str(state.steps), str(limits.steps))}",
        f"time {_of(clock(active_s), clock(limits.minutes * 60))}",
        f"tokens {_of(_thousands(state.tokens), _thousands(limits.tokens))}",
        _context(state, pulse),
        *(Part(label.upper(), "outside") for label in state.labels),
    ]
    for made in ((spent + likely, *counts), (spent + likely, *counts[:2], *counts[3:])):
        if columns_of(shown := _apart(made)) <= width:
            return shown
    return _apart((spent, *counts[:2], *counts[3:]))


def _narrow_gauges(state: RunState, pulse: Pulse, active_s: float) -> Line:
    limits, held = state.limits, sum((h.usd for h in state.held.values()), Decimal(0))
    more = f"+{held:.2f}" if held else ""
    return _apart(
        (
            f" $ {state.usd:.2f}{more}/{limits.usd:.2f}",
            f"steps {_of(str(state.steps), str(limits.steps))}",
            _of(clock(active_s), clock(limits.minutes * 60)),
            _context(state, pulse),
            *(Part(label.upper(), "outside") for label in state.labels),
        )
    )


def _apart(parts: Iterable[Part | str | None]) -> Line:
    """Side by side, without a sign between them that would look like a number's."""
    made = [Part(part) if isinstance(part, str) else part for part in parts if part is not None]
    return Line(
        tuple(piece for n, part in enumerate(made) for piece in ((Part("   "), part) if n else (part,)))
    )


def _amount(usd: Decimal) -> str:
    return money(usd).removeprefix("$")


def _of(value: str, limit: str) -> str:
    """A value against its limit, which takes the same columns however the value grows."""
    return f"{value:>{len(limit)}}/{limit}"


def _context(state: RunState, pulse: Pulse) -> str | None:
    """How full the fullest context of those at work is."""
    used = [lane.prompt_tokens for lane in state.lanes.values() if lane.ended is None]
    if not pulse.context_tokens or not any(used):
        return None
    return f"context {max(used) * 100 // pulse.context_tokens:>2} %"


def active_seconds(state: RunState, pulse: Pulse, now: datetime, is_carried: bool) -> float:
    """The run's active seconds until now: what is counted, and what isn't yet while somebody carries it."""
    at_work = bool(pulse.requests) or any(call.started is not None for call in state.calls.values())
    # what was begun before a pause goes on, and so does the time
    is_still = (state.paused and not at_work) or state.parked is not None or state.ended is not None
    if not is_carried or is_still or pulse.counted_at is None:
        return state.seconds
    waits = bool(state.waiting) and not at_work
    return state.seconds if waits else state.seconds + max((now - pulse.counted_at).total_seconds(), 0)


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


def unfolded(entry: Entry, decided: e.CallDecided | None = None) -> list[Line]:
    """Everything that an entry holds and its row leaves out. `decided`: of a call's end, how it began."""
    event = entry.event
    match event:
        case e.CallEnded():
            args, why = ({}, "") if decided is None else (decided.args, decided.why)
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
        case e.QuestionAsked(question=question):
            subject = question.subject.model_dump(mode="json", exclude_defaults=True)
            return [
                *_fields({"why": question.why, **subject}),
                line(Part(f"digest {question.digest}", "dim")),
            ]
        case _:
            return [*_fields(event.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True))]


def _fields(found: Mapping[str, JsonValue]) -> Iterator[Line]:
    """What an entry holds, a field each; of a long one its beginning."""
    cut: dict[str, JsonValue] = {}
    for name, value in found.items():
        text = value if isinstance(value, str) else as_json(value)
        left = len(text) - _LONGEST_OUTPUT
        cut[name.replace("_", " ")] = (
            value if left <= 0 else f"{text[:_LONGEST_OUTPUT]}\n… {left} more characters"
        )
    yield from arguments(cut)
