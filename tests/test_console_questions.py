"""Questions as people see them, and what a typed line means."""

from __future__ import annotations

from typing import Any

import pytest
from states import folded

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.person import _prompt, understood
from autoagent.console.question import headline, whole
from autoagent.events import CallDecided
from autoagent.questions import Explained, Question, Subject


def asks(kind: str = "call", choices: tuple[str, ...] | None = None, **subject: Any) -> Question:
    made = Subject.model_validate({"run": "r", "kind": kind, **subject})
    question = Question(id="q7", subject=made, why="the rules want it", sub_task="1")
    return question if choices is None else question.model_copy(update={"choices": choices})


MAIL = asks(
    call="c", tool="mail_send", destination="anna@example.org", args={"to": "anna", "body": "a\nb\x1b[1A"}
)


def page(question: Question) -> list[str]:
    return [str(each) for each in whole(question, folded())]


def test_what_became_of_an_always_stands_in_the_head() -> None:
    """That it has ended, and why, before the person answers again."""
    note = "your always for mail_send to anna@example.org has ended: the mail plugin has changed"
    told = MAIL.model_copy(update={"explained": Explained(note=note)})

    assert any(note in text for text in page(told)[:4])
    assert note not in "".join(page(MAIL))


def test_the_destination_stands_before_the_arguments() -> None:
    """Head, destination, reason, then exactly what is sent, each line framed."""
    decided = CallDecided.model_validate(
        {
            "call": "c",
            "lane": "1",
            "tool": "mail_send",
            "args": {},
            "effect": "external",
            "decision": "ask",
            "why": "x",
        }
    )
    shown = [str(each) for each in whole(MAIL, folded(decided))]

    assert shown == [
        "SEND · mail_send · 11 B · it can't be undone",
        "TO     anna@example.org",
        "ASKED  because the rules want it",
        "FOR    sub-task 1",
        "to         │ anna",
        "body       │ a",
        "           │ b\\x1b[1A",
        f"question q7 · fingerprint {MAIL.digest[:12]} · left $3.00, 100 steps, 60 min",
    ]


def test_a_long_reason_is_shown_to_its_end() -> None:
    """How a tool has changed since it was first opened: a yes allows all of that."""
    why = (
        "far_say is not what it was: its description was 'Say it.' and is now "
        + "'words\x1b[2J " * 80
        + "end'"
    )
    shown = page(MAIL.model_copy(update={"why": why}))

    told = " ".join(text.removeprefix("│ ") for text in shown if text.startswith("│ "))
    assert told == " ".join(why.replace("\x1b", "\\x1b").split())
    assert max(map(len, shown)) < 320


def test_letters_that_look_like_others_are_named() -> None:
    """The first letter of this Anna is not the one on her keyboard."""
    shown = page(asks(tool="x", destination="\u0430nna@example.org", args={}))

    assert shown[1:3] == ["TO     \u0430nna@example.org", "       \u0430 is U+0430, CYRILLIC SMALL LETTER A"]


def test_an_unknown_destination_is_said_to_be_unknown() -> None:
    """An empty destination reaches somebody that nobody can name."""
    assert "TO     somebody unknown" in page(asks(tool="x", destination="", args={}))


def test_labels_of_the_run_stand_in_the_question() -> None:
    """Outside text and private data are named where they matter."""
    shown = page(asks(tool="x", labels=["outside", "private"]))

    assert "       this run has read OUTSIDE text and PRIVATE data" in shown


def test_a_plan_is_shown_with_all_that_is_approved() -> None:
    """Titles, order, instructions, criteria."""
    sub_tasks = [
        {"id": "1", "title": "Read", "instructions": "all of it", "depends_on": [], "done_when": []},
        {
            "id": "2",
            "title": "Write",
            "depends_on": ["1"],
            "done_when": [{"file": "a.txt", "contains": ["x"]}],
        },
    ]
    shown = page(asks("plan", args={"version": 1, "sub_tasks": sub_tasks, "criteria": ["a.txt exists"]}))

    assert shown[3:-1] == [
        "1    Read",
        "     │ all of it",
        "2    Write · after 1",
        "     done when the file a.txt contains x",
        "the goal would count as reached when a.txt exists",
        "may    reads all files · writes all files · runs nothing · no web · sends nothing",
        "yes        it starts, with exactly this plan",
        "no         nothing starts; the agent plans anew, and is told why",
    ]


def test_an_agents_question_is_framed() -> None:
    """The model's words are the subject here; they can't pass for ours."""
    shown = page(asks("question", (), args="Which?\nTO     nobody"))

    assert shown[3:5] == ["│ Which?", "│ TO     nobody"]
    assert shown[0].startswith("THE AGENT ASKS")


@pytest.mark.parametrize(
    ("question", "command"),
    [
        (MAIL, 'autoagent approve q7 | autoagent deny q7 --why "…"'),
        (asks("recovery", ("done", "run again", "skip")), 'autoagent answer q7 done | "run again" | skip'),
        (asks("question", (), args="?"), 'autoagent answer q7 "…"'),
    ],
)
def test_a_question_names_the_commands_that_answer_it(question: Question, command: str) -> None:
    """They can be typed as they stand."""
    assert str(headline(question, folded())).endswith(command)


@pytest.mark.parametrize("typed", ["y", "Y", "yes", " y "])
def test_yes_is_said_in_so_many_words(typed: str) -> None:
    """`y` and `yes`, and nothing that merely begins so."""
    assert understood(MAIL, typed) == Approve(question="q7", digest=MAIL.digest)


@pytest.mark.parametrize("typed", ["", "n", "No"])
def test_enter_alone_is_a_no(typed: str) -> None:
    """The harmless answer is the default."""
    assert understood(MAIL, typed) == Deny(question="q7", digest=MAIL.digest)


@pytest.mark.parametrize("typed", ["yes but not today", "use the other address", "-3", "ye"])
def test_any_other_text_is_a_no_that_the_agent_reads(typed: str) -> None:
    """Free text tells the agent what to do instead."""
    assert understood(MAIL, typed) == Deny(question="q7", digest=MAIL.digest, why=typed)


@pytest.mark.parametrize("typed", ["e", "-", "x", "?", "1"])
def test_what_may_be_a_key_is_asked_about_again(typed: str) -> None:
    """A lone letter is no message to the agent."""
    said = understood(asks("task", args={"id": "1", "title": "t"}), typed)

    assert said == f"{typed!r} isn't offered here; type y, n, or what to do instead"


@pytest.mark.parametrize("typed", ["ok", "Sure"])
def test_a_near_yes_is_asked_about_again(typed: str) -> None:
    """It must not become a no that the agent reads."""
    assert understood(MAIL, typed) == f"{typed!r} is no clear yes; type y, n, or what to do instead"


def test_one_letter_of_another_script_is_a_word() -> None:
    """`否` means no, and says so to the agent."""
    assert understood(MAIL, "否") == Deny(question="q7", digest=MAIL.digest, why="否")


@pytest.mark.parametrize("typed", ["y -3", "y 3", "y-3"])
def test_y_minus_n_covers_n_questions(typed: str) -> None:
    """As AutoGPT's users know it."""
    assert understood(MAIL, typed) == Approve(question="q7", digest=MAIL.digest, covers=3)


@pytest.mark.parametrize("typed", ["y -0", "y -9999"])
def test_y_minus_n_has_bounds(typed: str) -> None:
    """Out of them nothing is answered."""
    assert isinstance(understood(MAIL, typed), str)


def test_y_minus_n_is_for_calls() -> None:
    """A plan has no next N."""
    assert isinstance(understood(asks("plan", args={}), "y -3"), str)


def test_an_edit_goes_with_the_yes() -> None:
    """What was edited is allowed in place of what was asked."""
    assert understood(MAIL, "y", {"to": "bob"}) == Approve(
        question="q7", digest=MAIL.digest, edit={"to": "bob"}
    )


@pytest.mark.parametrize(("typed", "choice"), [("2", "run again"), ("run again", "run again"), ("s", "skip")])
def test_a_choice_is_named_numbered_or_begun(typed: str, choice: str) -> None:
    """One of the choices, and no other text."""
    question = asks("recovery", ("done", "run again", "skip"))

    assert understood(question, typed) == Answer(question="q7", digest=question.digest, text=choice)


@pytest.mark.parametrize("typed", ["", "y", "4", "0"])
def test_no_other_text_is_a_choice(typed: str) -> None:
    """It is asked again."""
    assert isinstance(understood(asks("recovery", ("done", "run again", "skip")), typed), str)


def test_y_minus_n_is_for_somebody_known() -> None:
    """Where nobody can say whom a call reaches, each is asked about: nothing else is offered or taken."""
    unknown = asks(call="c", tool="pay", destination="", args={})

    assert isinstance(understood(unknown, "y -3"), str)
    assert "y -N" not in str(_prompt(unknown))
    assert "y -N" in str(_prompt(MAIL))


def test_a_recovery_is_understood_without_the_manual() -> None:
    """What was about to be sent, that it may have happened, and what each answer brings about."""
    question = asks(
        "recovery",
        ("done", "run again", "skip"),
        call="c",
        tool="mail_send",
        destination="anna@example.org",
        args={"to": ["anna@example.org"]},
        files={"a.pdf": "f" * 64},
    )
    question = question.model_copy(
        update={
            "why": "mail_send was started at 2026-11-22 14:02:00 UTC and never reported back, "
            "so it may have happened; only you can find out",
            "explained": Explained(sizes={"a.pdf": 12_345}),
        }
    )

    assert page(question)[:-1] == [
        "DID THIS HAPPEN? · mail_send · 16 B and 1 file of 12.3 KB",
        "TO     anna@example.org",
        "ASKED  because mail_send was started at 2026-11-22 14:02:00 UTC and never reported back, "
        "so it may have happened; only you can find out",
        "FOR    sub-task 1",
        "known  mail_send was begun, with exactly what stands below",
        "not    whether it came to its end and anna@example.org has it: "
        "the process was gone before it could say",
        "Nothing is sent until you answer, and nothing is sent twice unless you choose 'run again'.",
        "done       it did happen: it isn't done again, and the agent is told so",
        "run again  do it now; if it did happen, it happens twice",
        "skip       leave it: it isn't done again, and the agent is told that it was skipped",
        'to         │ ["anna@example.org"]',
        "file   a.pdf  12.3 KB  sha256 ffffffffffff",
    ]
