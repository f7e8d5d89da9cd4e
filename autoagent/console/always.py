"""*Always*, before it is given: the literal rule, and what it would have answered in past runs.

Who offers it shows these lines and has them confirmed a second time; then it is given here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from autoagent.console.figures import age, several
from autoagent.console.line import Line, Part, columns, dotted, line, short
from autoagent.console.question import other_letters
from autoagent.errors import NewerVersion, StoreUnavailable, UsageError
from autoagent.events import Entry
from autoagent.grants import Grant, Rule, left_out, words
from autoagent.grants_file import GrantsFile
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.hindsight import KINDS, Hindsight, Instance, Use, hindsight
from autoagent.questions import Question

MOST_RUNS = 100
"""The newest so many are looked at: a home may hold thousands."""
_MOST_INSTANCES = 8
Entries = tuple[tuple[str, Sequence[Entry]], ...]


@dataclass(frozen=True)
class Always:
    """What can be given as an *always*, with the runs that it is held against."""

    journal: SqliteJournal
    file: GrantsFile

    @classmethod
    def here(cls, journal: SqliteJournal, folder: Path | None = None) -> Always:
        """Of this home."""
        return cls(journal, GrantsFile(folder or home()))

    def preview(self, question: Question, now: datetime, days: int | None = None) -> tuple[Line, ...]:
        """The rule, what it leaves out, what it would have answered.

        Raises `UsageError` where the question takes none, and what makes the grants unreadable: before
        anything is answered.
        """
        rule = offered(question)
        self.file.read()
        runs, left_out = newest(self.journal)
        found = hindsight(rule, runs, left_out, without=question.id)
        return (*literal(rule, _expiry(now, days)), *looked_back(found, now))

    def give(self, question: Question, now: datetime, days: int | None = None) -> Grant:
        """Raises as `preview`; then nothing was given."""
        return self.file.add(question, offered(question), now, _expiry(now, days))


def offered(question: Question) -> Rule:
    """What an *always* to the question would cover. Raises `UsageError` where there is none."""
    rule = question.explained.always
    if rule is None or question.subject.kind != "call":
        raise UsageError(
            f"question {question.id} takes no 'always': it is for calls that reach somebody who can be named "
            "whole, by a tool that is as it was; answer this one by itself"
        )
    return rule


def _expiry(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def newest(journal: SqliteJournal) -> tuple[Entries, int]:
    """The questions and answers of the newest runs, and how many runs were left out."""
    heads = [head for head in journal.runs() if head.entries]
    found = []
    for head in heads[:MOST_RUNS]:
        try:
            found.append((head.id, journal.read_kinds(head.id, *KINDS)))
        except (StoreUnavailable, NewerVersion):
            continue  # 'autoagent verify' tells of it; here it counts as not looked at
    return tuple(found), len(heads) - len(found)


# --- drawn --------------------------------------------------------------------------------------------------


def literal(rule: Rule, expires_at: datetime | None) -> Iterator[Line]:
    """Exactly what is granted, and what isn't."""
    yield line(Part("always ", "dim"), Part(words(rule, expires_at), "attention"))
    yield from (line(Part(f"  {said}", "bad")) for said in other_letters(rule.destination))
    yield line(Part("asked all the same ", "dim"), "; ".join(left_out(rule)))
    yield line(
        Part("what the goal doesn't allow stays denied; limits and recoveries stay as they are", "dim")
    )


def looked_back(found: Hindsight, now: datetime) -> Iterator[Line]:
    """What it would have answered besides; first what the person said no to."""
    runs = several(found.runs, "run")
    where = f"your newest {runs}" if found.left_out else f"your {runs}"
    covered, refused = len(found.covered), len(found.refused)
    if not found.questions:
        yield line(f"no other call was asked about in {where}")
        return
    yield line(_answered(covered, found.questions), f" about calls in {where}")
    if not covered:
        return
    yield line(
        Part(f"you said no to {refused} of these {covered}", "bad")
        if refused
        else "you said no to none of these"
    )
    others = [each for each in found.covered if each not in found.refused]
    shown = [*found.refused, *others][:_MOST_INSTANCES]
    yield from columns(_row(each, now) for each in shown)
    if len(shown) < covered:
        yield line(Part(f"… {covered - len(shown)} more", "dim"))


def _answered(covered: int, questions: int) -> str:
    if questions == 1:
        return f"it would {'' if covered else 'not '}have answered the one other question"
    return f"it would have answered {covered or 'none'} of the {questions} other questions"


def _row(each: Instance, now: datetime) -> tuple[Part, ...]:
    is_refused = each.is_a_persons and each.said == "no"
    said = "no answer yet" if each.said == "nothing" else each.said
    by = "" if each.is_a_persons or each.said == "nothing" else f" by {each.by}"
    return (
        Part(f"  {said}{by}", "bad" if is_refused else "plain"),
        Part(f"run {each.run}"),
        Part(each.question, "dim"),
        Part(_ago(each.at, now), "dim"),
        short(each.why, 60),
    )


def _ago(then: datetime, now: datetime) -> str:
    passed = age(then, now)
    return "just now" if passed == "now" else f"{passed} ago"


def rows(grants: Sequence[Grant], used: Mapping[str, Use], now: datetime) -> Iterator[Line]:
    """Each grant: its rule, then since when, how often it was used, and whether it still holds."""
    if not grants:
        yield line("No always has been given. 'autoagent approve QUESTION --always' gives one.")
    for each in grants:
        yield from row(each, used.get(each.id, Use()), now)


def row(each: Grant, use: Use, now: datetime) -> tuple[Line, Line]:
    """The rule, and beneath it since when, how often it was used, and whether it still holds."""
    holds = each.holds(now)
    rule = line(
        Part(f"{each.id} ", "accent" if holds else "dim"), Part(each.said, "plain" if holds else "dim")
    )
    last = f", last {_ago(use.last, now)}" if use.last is not None else ""
    below = dotted(
        f"  since {each.at.astimezone():%Y-%m-%d %H:%M}",
        f"run {each.run}",
        f"question {each.question}",
        f"used {several(use.times, 'time')}{last}" if use.times else "not used yet",
        None if holds else Part(_over(each), "attention"),
    )
    return rule, below


def _over(grant: Grant) -> str:
    if grant.ended_at is None:
        return "expired"
    return f"ended {grant.ended_at.astimezone():%Y-%m-%d %H:%M}: {grant.ended}"
