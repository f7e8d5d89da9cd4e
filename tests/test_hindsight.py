"""What an *always* would have answered, and how often one did: pure functions over past journals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from states import AT, entries, started

from autoagent import events as e
from autoagent.console.always import literal, looked_back, rows
from autoagent.events import Entry
from autoagent.grants import Grant, Rule
from autoagent.past.hindsight import Hindsight, Use, hindsight, uses
from autoagent.questions import Explained, Question, Subject

RULE = Rule(plugin="mail", plugin_hash="new", tool="mail_send", effect="external", destination="anna")


def asked(id: str, rule: Rule | None = RULE, run: str = "r1", kind: Any = "call") -> e.QuestionAsked:
    question = Question(id=id, subject=Subject(run=run, kind=kind), why="w", explained=Explained(always=rule))
    return e.QuestionAsked(question=question, asked_at=AT)


def said(id: str, verdict: Any = "yes", by: str = "terminal", **fields: Any) -> e.QuestionAnswered:
    return e.QuestionAnswered(question=id, digest="d", verdict=verdict, by=by, **fields)


def run(*events: e.Event) -> tuple[str, list[Entry]]:
    return "r1", entries([started(), *events])


def test_each_question_that_it_would_have_answered_is_named_with_the_answer() -> None:
    """Those to somebody else, and those about no call, are counted only where they are about calls."""
    other = RULE.model_copy(update={"destination": "ben"})
    found = hindsight(
        RULE,
        [
            run(
                asked("a"),
                said("a"),
                asked("b"),
                said("b", "no", text="later"),
                asked("c", other),
                asked("p", None, kind="plan"),
                asked("d"),
            )
        ],
    )

    assert (found.runs, found.questions) == (1, 4)
    assert {(each.question, each.said, each.why) for each in found.covered} == {
        ("a", "yes", ""),
        ("b", "no", "later"),
        ("d", "nothing", ""),
    }
    assert [each.question for each in found.refused] == ["b"]


def test_another_version_of_the_plugin_counts() -> None:
    """The question was the same; only the future is bound to the version."""
    old = RULE.model_copy(update={"plugin_hash": "old"})

    assert len(hindsight(RULE, [run(asked("a", old), said("a"))]).covered) == 1


def test_a_question_that_was_void_is_none() -> None:
    """It was asked anew."""
    found = hindsight(RULE, [run(asked("a"), e.QuestionVoided(question="a", why="w"), asked("b"), said("b"))])

    assert [each.question for each in found.covered] == ["b"]


def test_what_a_fork_shares_counts_once() -> None:
    """And stands under the run that asked it."""
    shared = [started(), asked("a"), said("a")]

    found = hindsight(RULE, [("fork", entries(shared)), ("r1", entries(shared))], 3)

    assert (found.runs, found.left_out, found.questions) == (2, 3, 1)
    assert [each.run for each in found.covered] == ["r1"]


def test_the_question_itself_is_left_out() -> None:
    """It is no past."""
    assert hindsight(RULE, [run(asked("a"))], without="a").questions == 0


def test_a_no_that_nobody_gave_is_no_refusal() -> None:
    """Nobody was there, or an earlier yes answered: a person has said nothing."""
    found = hindsight(RULE, [run(asked("a"), said("a", "no", "nobody"), asked("b"), said("b", by="rule"))])

    assert found.refused == ()
    assert [each.is_a_persons for each in found.covered] == [False, False]


def test_uses_are_counted_once() -> None:
    """In a fork too; the last is the latest."""
    answers = [
        started(),
        asked("a"),
        said("a", by="grant", grant="g1"),
        asked("b"),
        said("b", by="grant", grant="g1"),
    ]

    assert uses([("fork", entries(answers)), ("r1", entries(answers))]) == {"g1": Use(2, AT)}


def test_what_it_says_begins_with_what_the_person_refused() -> None:
    """However many there are, and only so many are shown."""
    many = [event for n in range(12) for event in (asked(f"q{n}"), said(f"q{n}", "no" if n == 5 else "yes"))]

    lines = [str(each) for each in looked_back(hindsight(RULE, [run(*many)], 7), AT + timedelta(days=3))]

    assert lines[:3] == [
        "it would have answered 12 of the 12 other questions about calls in your newest 1 run",
        "you said no to 1 of these 12",
        "  no   run r1  q5  3 d ago  ",
    ]
    assert (len(lines), lines[-1]) == (11, "… 4 more")


def test_nothing_to_look_back_at_is_said() -> None:
    """Without figures of zero."""
    none = [str(each) for each in looked_back(Hindsight(2, 0, 0, ()), AT)]
    other = [str(each) for each in looked_back(Hindsight(2, 0, 3, ()), AT)]

    assert none == ["no other call was asked about in your 2 runs"]
    assert other == ["it would have answered none of the 3 other questions about calls in your 2 runs"]


def test_letters_that_look_like_others_are_named() -> None:
    """Before the rule is confirmed."""
    rule = RULE.model_copy(update={"destination": "\u0430nna@example.org"})

    assert str([*literal(rule, None)][1]) == "  \u0430 is U+0430, CYRILLIC SMALL LETTER A"


def test_a_grant_says_whether_it_still_holds() -> None:
    """Expired, or ended before its time and why."""
    grant = Grant(id="g1", rule=RULE, at=AT, run="r1", question="q1", expires_at=AT + timedelta(days=1))
    ended = grant.model_copy(update={"ended_at": AT, "ended": "you took it back"})

    lines = [str(each) for each in rows([grant, ended], {}, AT + timedelta(days=2))]

    assert lines[1].endswith(" · not used yet · expired")
    assert lines[3].endswith(": you took it back")
