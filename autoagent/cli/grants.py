"""What the person always allows, from the command line: listed, given with an answer, taken back."""

from __future__ import annotations

import sys

import typer
from pydantic import JsonValue

from autoagent.cli.answers import answered
from autoagent.cli.output import note, out, out_json
from autoagent.clock import SystemClock
from autoagent.commands import Approve
from autoagent.console.always import MOST_RUNS, Always, newest, rows
from autoagent.console.finding import find_question, opened
from autoagent.console.line import Part, line
from autoagent.console.replying import objection
from autoagent.errors import UsageError
from autoagent.grants import Grant
from autoagent.grants_file import GrantsFile
from autoagent.journal.home import home
from autoagent.past.hindsight import Use, uses


def list_grants(*, as_json: bool, show_all: bool) -> None:
    """Print them, oldest first. Raises what makes the file unreadable."""
    now = SystemClock().now()
    found = [each for each in GrantsFile(home()).read() if show_all or each.holds(now)]
    with opened() as journal:
        runs, left_out = newest(journal) if found else ((), 0)
    used = uses(runs)
    if as_json:
        out_json([_record(each, used.get(each.id, Use()), each.holds(now)) for each in found])
        return
    out(*rows(found, used, now))
    if left_out:
        note(f"uses are counted in the newest {MOST_RUNS} runs")


def _record(grant: Grant, use: Use, holds: bool) -> dict[str, JsonValue]:
    """The exact keys of `grants --json`."""
    fields: dict[str, JsonValue] = grant.model_dump(mode="json")
    rule: dict[str, JsonValue] = grant.rule.model_dump(mode="json")
    return {
        "id": grant.id,
        "rule": grant.said,
        "holds": holds,
        **rule,
        "given_at": fields["at"],
        "run": grant.run,
        "question": grant.question,
        "expires_at": fields["expires_at"],
        "ended_at": fields["ended_at"],
        "ended": grant.ended,
        "used": use.times,
        "last_used_at": None if use.last is None else use.last.isoformat(),
    }


def revoke(prefix: str) -> None:
    """Raises `UsageError` where there is no such grant."""
    grant = GrantsFile(home()).revoke(prefix, SystemClock().now())
    out(f"taken back: {grant.said}")


def approve_always(prefix: str, days: int | None, *, yes: bool, resume: bool) -> int:
    """Show the literal rule, have it confirmed, give it, and send the yes; the exit status.

    Raises `UsageError` where the question takes no such answer, or nobody can be asked: nothing is given.
    """
    now = SystemClock().now()
    with opened() as journal:
        state, asked = find_question(journal, prefix, note)
        question = asked.question
        if why := objection(
            journal, state, question, Approve(question=question.id, digest=question.digest), now
        ):
            raise UsageError(why)
        always = Always.here(journal)
        out(*always.preview(question, now, days))
        if not yes and not _confirmed():
            out("nothing was answered")
            return 0
        grant = always.give(question, now, days)
    out(
        line(
            f"given as {grant.id}; ", Part(f"autoagent grants revoke {grant.id}", "accent"), " takes it back"
        )
    )
    return answered(question.id, lambda q: Approve(question=q.id, digest=question.digest), resume)


def _confirmed() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("nobody can be asked here whether that is meant; add --yes")
    return typer.confirm("always allow exactly this?")
