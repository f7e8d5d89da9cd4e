"""What is said of a question that takes no answer any more, over the record of its run."""

from __future__ import annotations

import pytest
from states import AT, folded

from autoagent.events import Event, QuestionAnswered, QuestionAsked, QuestionVoided
from autoagent.questions import Question, Subject
from autoagent.state import RunState
from autoagent.tui.questions.choices import over
from autoagent.tui.runs.overview import Seen

FIRST = Question(id="q1", subject=Subject(run="r", kind="call", call="c", tool="x", args={"n": 1}), why="w")
SECOND = Question(id="q2", subject=FIRST.subject.model_copy(update={"args": {"n": 2}}), why="w")
ASKED = QuestionAsked(question=FIRST, asked_at=AT)
VOIDED = QuestionVoided(question="q1", why="n 1 -> 2")
AGAIN = QuestionAsked(question=SECOND, asked_at=AT)


def said(*events: Event) -> str | None:
    state: RunState = folded(ASKED, *events)
    waiting = tuple(each.question.id for each in state.waiting)
    return over(Seen("r", state, "parked", None, AT, waiting), state.questions["q1"])


def answered(verdict: str, by: str) -> QuestionAnswered:
    made = {"question": "q1", "digest": FIRST.digest, "verdict": verdict, "by": by}
    return QuestionAnswered.model_validate(made)


def test_what_waits_takes_answers() -> None:
    """Nothing is said."""
    assert said() is None


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ((answered("yes", "command"),), "Allowed by a command. Nothing left to do here."),
        ((answered("no", "nobody"),), "Denied as the goal says for when nobody answers. Nothing left"),
        ((VOIDED,), "It no longer stands: n 1 -> 2. Where it still matters it is asked anew."),
        ((VOIDED, AGAIN), "It no longer stands: n 1 -> 2. ] leads to it, asked anew."),
    ],
)
def test_what_became_of_it_is_said(events: tuple[Event, ...], text: str) -> None:
    """By whom, what has changed, and where the new one is."""
    assert (said(*events) or "").startswith(text)
