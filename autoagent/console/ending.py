"""How a run ended, as both terminals and logs show it: verdicts, the sum, what to do next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from autoagent.console.figures import clock, money, several
from autoagent.console.line import Line, Part, Tone, block, dotted, line, short
from autoagent.console.verdicts import verdict_rows
from autoagent.outcome import Outcome, following, is_ending_past
from autoagent.state import RunState


def ending(outcome: Outcome, state: RunState, *, is_shown: bool = False) -> Iterator[Line]:
    """The last block of a run; with `is_shown` it is a part of what `show` prints."""
    yield from verdict_rows(outcome.criteria)
    yield from _explained(outcome, state)
    yield _sum(outcome, state)
    commands = [*following(outcome, state.limits), *(_past(outcome, state) if is_shown else _show(outcome))]
    if commands:
        yield dotted(line(Part("next: ", "dim"), commands[0]), *commands[1:])


def _explained(outcome: Outcome, state: RunState) -> Iterator[Line]:
    """The reason where the verdicts don't say it already, and that they are about other files by now."""
    said = outcome.ending == "proved" or (outcome.ending == "unproved" and outcome.criteria)
    if outcome.reason and not said:
        yield from block(outcome.reason)
    if state.undone is not None and outcome.criteria and (said or state.ended is None):
        entry = state.undone.to
        yield line(
            Part(f"undone to entry {entry} since: the evidence is about what it was before", "attention")
        )
    yield from unsettled(state)


def unsettled(state: RunState) -> Iterator[Line]:
    """Of a run that was ended while it asked whose version of a file stays: what became of the two."""
    if state.ended is None or state.ended.ending == "limit":
        return
    for asked in state.waiting:
        subject = asked.question.subject
        paths = subject.args.get("paths") if isinstance(subject.args, Mapping) else None
        if subject.kind == "folder" and isinstance(paths, list):
            yield line("your version stays in the folder: ", short(", ".join(map(str, paths)), 100))
            shown, made = f"autoagent diff {state.run_id}", f"autoagent fork {state.run_id} --at N"
            yield line(
                f"the agent's is in the record: '{shown}' shows it, '{made}' (N before the end) makes it"
            )


def _sum(outcome: Outcome, state: RunState) -> Line:
    limits = state.limits
    proved = f": {outcome.proved} of {len(outcome.criteria)}" if outcome.criteria else ""
    is_past = is_ending_past(state)
    tone: Tone = "good" if outcome.ending == "proved" and not is_past else "plain"
    since = ", then taken back" if is_past else ""
    return dotted(
        line(outcome.run, " ", Part(outcome.ending, tone), since, proved),
        f"{money(outcome.usd)} of {money(limits.usd)}",
        several(outcome.steps, "step"),
        clock(outcome.seconds),
        line(", ".join([f"{several(len(outcome.files), 'file')} changed", *_left(state)])),
        None if outcome.ending == "running" else f"exit {outcome.exit_code}",
    )


def tally(state: RunState) -> Iterator[tuple[str, str]]:
    """What an end would leave behind besides files, by name: what it cost, what was sent, what went wrong."""
    took = (several(state.steps, "step"), clock(state.seconds), f"{state.tokens:,} tokens")
    yield "cost", " · ".join((f"{money(state.usd)} of {money(state.limits.usd)}", *took))
    yield "sent", ", ".join(_left(state)) or "nothing"
    tasks = state.plan.sub_tasks if state.plan is not None else ()
    undone = [
        f"{each.id} {how}" for each in tasks if (how := state.outcome(each.id)) in ("failed", "skipped")
    ]
    if undone:
        yield "not done", ", ".join(undone)


def _left(state: RunState) -> Iterator[str]:
    """What left the house, by tool."""
    on_word = Counter(sent.partition(" ")[0] for sent in state.on_word)
    for tool, count in (Counter(sent.partition(" ")[0] for sent in state.sent) - on_word).items():
        yield f"{count} × {tool}"
    for tool, count in on_word.items():
        yield f"{count} × {tool}, as you said"
    for tool, count in Counter(sent.partition(" ")[0] for sent in state.unsure).items():
        yield f"perhaps {count} × {tool}"
    for tool, count in Counter(_denied(state)).items():
        yield f"{count} × {tool} denied"


def _denied(state: RunState) -> Iterator[str]:
    """The tools of the calls that a person, or their absence, said no to."""
    for asked in state.questions.values():
        is_no = asked.answer is not None and asked.answer.verdict == "no" and asked.voided is None
        if is_no and asked.question.subject.kind == "call":
            yield asked.question.subject.tool or "?"


def _show(outcome: Outcome) -> list[str]:
    return [f"autoagent show {outcome.run}"]


def _past(outcome: Outcome, state: RunState) -> list[str]:
    """Commands that look back, for a run that has ended and whose files are as it left them."""
    if state.ended is None or state.undone is not None or not outcome.files:
        return []
    path = f"'{outcome.files[0]}'" if " " in outcome.files[0] else outcome.files[0]
    return [f"autoagent {command}" for command in (f"diff {outcome.run}", f"why {outcome.run} {path}")] + [
        f"autoagent undo {outcome.run}"
    ]
