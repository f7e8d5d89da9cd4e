"""The list of runs as lines: marks and words, orders, filters, and what is said of each ending."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from states import AT, folded, goal, running

from autoagent.events import CriterionChecked, Evidence, Forked, RunEnded, Undone
from autoagent.goal import FileCriterion
from autoagent.outcome import EndingName
from autoagent.questions import Question, Subject
from autoagent.state import QuestionState
from autoagent.tui.drawing.news import Said
from autoagent.tui.runs.overview import UNREAD, Seen, preview, run_table, title, top
from autoagent.tui.runs.sorting import ORDERS, after, having, in_order

key = {
    "app.answer": "a",
    "runs.resume": "r",
    "lines.open": "enter",
    "run.limit": "l",
    "runs.pause": "space",
    "run.pause": "space",
}.__getitem__
NAMES = (*get_args(EndingName), "damaged", "newer", UNREAD)


def seen(id: str, name: str, ago_s: float = 0, **facts: Any) -> Seen:
    """A run as the watch tells of it; `damaged` and the like have no state."""
    readable = name in get_args(EndingName)
    holder = "process 7" if name == "running" else None
    waiting = facts.pop("waiting", ())
    of = facts.pop("goal", goal("Sum the numbers"))
    state = running(of, **facts) if readable else None
    return Seen(id, state, name, holder, AT - timedelta(seconds=ago_s), waiting)


def said(run: Seen) -> str:
    return "\n".join(map(str, preview(run, AT, key)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [78, 118, 198])
def test_every_standing_has_a_sign_and_a_word(name: str, width: int) -> None:
    """Without any colour."""
    _, (row,) = run_table([seen("k3f9", name)], AT, width)
    sign, _, rest = str(row.line).partition("  ")

    assert sign.strip()
    assert name in rest
    assert len(str(row.line)) <= width


def test_a_run_that_is_held_still_says_so() -> None:
    """In the list and below it, with the key that lets it go on."""
    paused = seen("k3f9", "running", paused=True)
    _, (row,) = run_table([paused], AT, 118)

    assert str(row.line).startswith("=  k3f9")
    assert "paused by you" in str(row.line)
    assert "space lets it go on" in said(paused)


def test_a_wide_list_says_what_its_columns_are() -> None:
    """Above them; a narrow one has no room."""
    wide, (row,) = run_table([seen("k3f9", "proved")], AT, 118)
    narrow, _ = run_table([seen("k3f9", "proved")], AT, 78)

    assert str(wide).index("state") == str(row.line).index("proved")
    assert str(wide).split() == ["run", "goal", "folder", "state", "plan", "spent", "/", "limit", "last"]
    assert str(narrow) == ""


def test_orders_go_round() -> None:
    """Need first; each puts another run on top."""
    cheap = seen("a", "proved", 10, goal=goal("z"))
    dear = seen("b", "proved", 20, usd=Decimal(2), goal=goal("y"))
    parked = seen("c", "parked", 30, goal=goal("x"))
    first = goal("a")
    asks = seen("d", "parked", 40, waiting=("q",), goal=first)
    runs = [cheap, dear, parked, asks]

    assert [in_order(runs, order)[0].id for order in ORDERS] == ["d", "a", "b", "d"]
    assert [run.id for run in in_order(runs, "need")] == ["d", "c", "a", "b"]
    order = ORDERS[0]
    for _ in ORDERS:
        order = after(order)
    assert order == ORDERS[0]


def test_all_words_of_a_filter_must_fit() -> None:
    """Of id, standing and goal, however they are written."""
    runs = [seen("k3f9", "proved"), seen("m1xa", "parked", waiting=("q",))]

    assert [run.id for run in having(runs, "SUM proved")] == ["k3f9"]
    assert [run.id for run in having(runs, "waits")] == ["m1xa"]
    assert having(runs, "sum nothing") == []
    assert having(runs, "") == runs


def test_a_run_is_told_apart_by_its_folder() -> None:
    """By its name in a wide list, and for the filter in any."""
    places = ("/home/you/letters", "/home/you/notes")
    runs = [seen(id, "proved", workspace=place) for id, place in zip("ab", places, strict=True)]
    _, (wide, _) = run_table(runs, AT, 118)
    _, (narrow, _) = run_table(runs, AT, 78)

    assert "letters" in str(wide.line)
    assert "letters" not in str(narrow.line)
    assert [run.id for run in having(runs, "letter")] == ["a"]


def test_a_fork_says_what_it_was_forked_from() -> None:
    """Before its goal, which is the same."""
    fork = seen("b", "stopped", forked=Forked(source="k3f9", at=7, workspace="/w"))
    _, (row,) = run_table([fork], AT, 118)

    assert "fork of k3f9 · Sum" in str(row.line)
    assert having([fork], "fork") == [fork]


def test_a_question_that_has_expired_can_be_asked_anew() -> None:
    """So its run does more than to wait for an answer."""
    asked = Question(id="q", subject=Subject(run="a", kind="call"), why="w")
    expiring = asked.model_copy(update={"expires_at": AT + timedelta(hours=1)})
    waits, expires = (
        seen("a", "parked", waiting=("q",), questions={"q": QuestionState(each, AT)})
        for each in (asked, expiring)
    )

    assert waits.only_waits(AT)
    assert expires.only_waits(AT)
    assert not expires.only_waits(AT + timedelta(hours=1))
    assert not seen("a", "limit").only_waits(AT)


def test_news_passes_with_time_and_with_what_it_is_about() -> None:
    """At once with the next key; what nobody asked for can be read first."""
    asked = Said("k3f9 goes on", AT, standings={"k3f9": "parked"})
    unasked = Said("k3f9 has begun", AT, is_unasked=True)
    at_once, soon, late = (AT + timedelta(seconds=s) for s in (0, 5, 20))

    assert not asked.is_over(soon, {"k3f9": "parked"})
    assert not asked.is_over(at_once, {"k3f9": "running"})
    assert asked.is_over(soon, {"k3f9": "running"})
    assert asked.is_over(late, {"k3f9": "parked"})
    assert asked.passes_with_a_key(at_once)
    assert not unasked.passes_with_a_key(at_once)
    assert unasked.passes_with_a_key(soon)


def test_the_top_says_what_waits_runs_and_costs() -> None:
    """Of today's runs only."""
    runs = [
        seen("a", "running", usd=Decimal("0.40")),
        seen("b", "parked", waiting=("q",), usd=Decimal("0.01")),
        seen("c", "proved", 3 * 86_400, usd=Decimal(9)),
    ]

    assert "1 waits for you · 1 running · $0.41 today" in str(top(runs, AT, 120))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            seen(
                "a",
                "limit",
                ended=RunEnded(ending="limit", reason="2.00 USD are spent"),
                goal=goal("g", done_when=(FileCriterion(file="a.txt"),)),
            ),
            "Stopped at a limit: 2.00 USD are spent.\n0 of 1 proved. Raise it in the run (enter, l), and r",
        ),
        (
            seen("a", "unavailable", unavailable="small at http://h/v1 doesn't answer (3 tries)", steps=16),
            "Stopped: small at http://h/v1 doesn't answer (3 tries)\nThe run is safe at step 16; r tries",
        ),
        (
            seen("a", "parked", steps=22),
            "Parked: it asked and nobody was there; it has been answered since. r goes",
        ),
        (
            seen("a", "interrupted", steps=3),
            "Interrupted at step 3. r goes on from step 3; nothing is repeated.",
        ),
        (seen("a", "stopped"), "No process carries it any more"),
        (seen("a", "running"), "You are watching; answers and steering reach it."),
        (seen("a", UNREAD), "its journal is being read"),
    ],
)
def test_what_is_so_is_said_with_the_key_that_does_something_about_it(run: Seen, words: str) -> None:
    """Below the list, for the run under the cursor."""
    assert words in said(run)


def test_a_proof_that_was_taken_back_is_not_ticked() -> None:
    """Neither in the row nor below it nor in the run's title; a run that still stands is."""
    of = goal("Sum the numbers", done_when=[FileCriterion(file="sum.md")])
    proved = CriterionChecked(
        number=0, verdict="proved", evidence=Evidence(text="is there", by="file check"), tree="t1"
    )
    ended = RunEnded(ending="proved", reason="all criteria are proved")
    stands = folded(proved, ended, goal=of)
    back = folded(proved, ended, Undone(to=1, tree="t0", paths=("sum.md",)), goal=of)

    signs = []
    for state in (stands, back):
        run = Seen("k3f9", state, "proved", None, AT)
        _, (row,) = run_table([run], AT, 118)
        signs.append(
            (
                str(row.line)[:1],
                "taken back" in str(row.line),
                "taken back" in str(title(run, AT, 118, key)),
            )
        )

    assert signs == [("✓", False, False), ("↺", True, True)]
    assert "✓ proved" not in said(Seen("k3f9", back, "proved", None, AT))
    assert "not proved of what is there now" in said(Seen("k3f9", back, "proved", None, AT))
