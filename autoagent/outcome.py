"""What a run came to: the final record, its ending and its exit code. Pure, read off the state."""

from __future__ import annotations

from decimal import Decimal
from shlex import quote
from typing import Literal

from autoagent.goal import Criterion, FileCriterion, Limits, RunCriterion
from autoagent.messages import Frozen
from autoagent.state import RunState
from autoagent.trees import Tree, diff

EndingName = Literal[
    "proved",
    "finished",
    "unproved",
    "limit",
    "cancelled",
    "parked",
    "interrupted",
    "stopped",
    "running",
    "unavailable",
]

EXIT_CODES: dict[str, int] = {
    "proved": 0,
    "parked": 3,
    "limit": 4,
    "interrupted": 130,
    "stopped": 130,
    "unavailable": 5,
}
"""All other endings are 1: ended unproved."""


class CriterionResult(Frozen):
    """A criterion with its verdict and the evidence for it."""

    criterion: str
    verdict: Literal["proved", "refuted", "unchecked"]
    evidence: str
    by: str = ""


class Outcome(Frozen):
    """The final record of a run, as `run --json` prints it."""

    run: str
    ending: EndingName
    reason: str
    exit_code: int
    result: str
    criteria: tuple[CriterionResult, ...]
    waiting: tuple[str, ...]
    """Ids of open questions."""
    files: tuple[str, ...]
    """Paths that differ from the start."""
    usd: Decimal
    tokens: int
    steps: int
    seconds: float
    journal_head: str
    """Link of the journal's last entry, hex: stands for all entries up to it."""

    @property
    def proved(self) -> int:
        return sum(c.verdict == "proved" for c in self.criteria)


def outcome(
    state: RunState,
    start: Tree,
    main: Tree,
    *,
    journal_head: str,
    problem: str | None = None,
    is_carried: bool = True,
) -> Outcome:
    """The record of the run as it stands; `problem` is what made it stop without an ending."""
    ending, reason = _ending(state, problem, is_carried)
    return Outcome(
        run=state.run_id,
        ending=ending,
        reason=reason,
        exit_code=EXIT_CODES.get(ending, 1),
        result=_result(state),
        criteria=results(state),
        waiting=tuple(q.question.id for q in state.waiting) if state.ended is None else (),
        files=diff(start, main).paths,
        usd=state.usd,
        tokens=state.tokens,
        steps=state.steps,
        seconds=round(state.seconds, 1),
        journal_head=journal_head,
    )


def ending_of(state: RunState, is_carried: bool = True) -> EndingName:
    """The run's ending as the journal has it; where it has none, `running` while a process carries it."""
    return _ending(state, None, is_carried)[0]


def _ending(state: RunState, problem: str | None, is_carried: bool) -> tuple[EndingName, str]:
    if state.ended is not None:
        since = "" if state.undone is None else f"; undone to entry {state.undone.to} since"
        return state.ended.ending, state.ended.reason + since
    if problem is not None:
        return "unavailable", problem
    if state.unavailable:
        return "unavailable", state.unavailable
    if state.interrupted:
        return "interrupted", "stopped; 'resume' goes on from here"
    if state.parked is not None:
        return "parked", "it waits for a person"
    return ("running", "") if is_carried else ("stopped", "no process carries it; 'resume' goes on from here")


def following(outcome: Outcome, limits: Limits) -> list[str]:
    """The commands that make sense after it: what waits, how to go on; none where it is over."""
    match outcome.ending:
        case "running":
            return [f"autoagent tail {outcome.run} --follow"]
        case "parked":
            ask = ["autoagent approvals"] if outcome.waiting else []
            return [*ask, f"autoagent resume {outcome.run}"]
        case "interrupted" | "stopped" | "unavailable":
            return [f"autoagent resume {outcome.run}"]
        case "limit":
            return [f"autoagent resume {outcome.run} {_raised(outcome, limits)}"]
        case _:
            return []


def _raised(outcome: Outcome, limits: Limits) -> str:
    """The option that raises the limit which was reached, to twice its value."""
    if outcome.steps >= limits.steps:
        return f"--steps {max(2 * limits.steps, 10)}"
    if outcome.seconds >= limits.minutes * 60:
        return f"--minutes {max(2 * limits.minutes, 10):g}"
    if "USD" in outcome.reason and outcome.tokens < limits.tokens:
        return f"--usd {max(2 * limits.usd, 1)}"
    return f"--tokens {max(2 * limits.tokens, 100_000)}"


def _result(state: RunState) -> str:
    """In the worker's words: what the last finished sub-task reported."""
    if state.ended is not None and state.ended.result:
        return state.ended.result
    done = [x.result for x in state.lanes.values() if x.ended == "done" and x.result]
    return done[-1] if done else ""


def results(state: RunState) -> tuple[CriterionResult, ...]:
    """The goal's criteria, each with its last verdict; one about files that were taken back since is none."""
    return tuple(_criterion(state, number, each) for number, each in enumerate(state.criteria))


def _criterion(state: RunState, number: int, criterion: Criterion) -> CriterionResult:
    checked = state.verdicts.get(number)
    if checked is None:
        return CriterionResult(criterion=str(criterion), verdict="unchecked", evidence="not checked yet")
    if state.undone is not None and is_taken_back(state, number):
        since = (
            f"then you took files back to entry {state.undone.to}: not {checked.verdict} of what is there now"
        )
        was = f"it was {checked.verdict} ({checked.evidence.text})"
        return CriterionResult(criterion=str(criterion), verdict="unchecked", evidence=f"{was}, {since}")
    return CriterionResult(
        criterion=str(criterion),
        verdict=checked.verdict,
        evidence=checked.evidence.text,
        by=checked.evidence.by,
    )


def is_taken_back(state: RunState, number: int) -> bool:
    """Whether a verdict was given, and then an undo made the files others than those that it is about."""
    checked = state.verdicts.get(number)
    if state.undone is None or checked is None or checked.verdict == "unchecked":
        return False
    return checked.tree != state.undone.tree


def is_ending_past(state: RunState) -> bool:
    """Whether the run ended and an undo came after it: what its ending was about is no longer there."""
    return state.ended is not None and any(is_taken_back(state, number) for number in state.verdicts)


def proved_now(state: RunState) -> int:
    """How many criteria are proved of the files as they are."""
    return sum(result.verdict == "proved" for result in results(state))


def again(criterion: Criterion) -> str:
    """The command that checks it again, in the workspace; empty where only a person or a model can say."""
    match criterion:
        case RunCriterion(run=command):
            return command
        case FileCriterion(file=path, contains=texts):
            return (
                " && ".join(f"grep -nF -- {quote(t)} {quote(path)}" for t in texts) or f"ls -l {quote(path)}"
            )
        case _:
            return ""
