"""The activity of a run as rows: one a call, output below it, folded and unfolded; without a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from states import AT, started

from autoagent import events as e
from autoagent.console.line import columns_of, line
from autoagent.events import Entry
from autoagent.messages import Reply
from autoagent.questions import Question, Subject
from autoagent.state import RunState, advance
from autoagent.tui.drawing.view import Row
from autoagent.tui.run.activity import Item, activity
from autoagent.tui.run.item_lines import Columns, item_line
from autoagent.tui.run.kept import Kept
from autoagent.tui.run.stream import Stream


def begun() -> list[e.Event]:
    """A run with two sub-tasks side by side."""
    lanes = [
        e.SubTaskStarted(sub_task=x, lane=x, tree="t", listing="", style="tools", on_main=False) for x in "ab"
    ]
    return [started(), *lanes]


def decided(call: str, lane: str = "a", tool: str = "files_read", **more: object) -> e.CallDecided:
    fields = {"args": {"path": f"{call}.txt"}, "effect": "read", "decision": "allow", "why": "w", **more}
    return e.CallDecided.model_validate({"call": call, "lane": lane, "tool": tool, **fields})


def mailed(call: str) -> e.CallDecided:
    return decided(call, tool="post_letter", effect="external", destination="ben@x.org", decision="ask")


def asks(call: str) -> e.QuestionAsked:
    subject = Subject(run="r", kind="call", call=call, tool="post_letter", destination="ben@x.org", args={})
    return e.QuestionAsked(question=Question(id=f"q-{call}", subject=subject, why="w"), asked_at=AT)


def ended(call: str, output: str, lane: str = "a", **more: object) -> e.CallEnded:
    return e.CallEnded.model_validate({"call": call, "lane": lane, "ok": True, "output": output, **more})


def items(*events: e.Event) -> list[Item]:
    return [item for found in each(*events) for item in found]


def each(*events: e.Event) -> Iterator[list[Item]]:
    """What each entry of a run adds, a second apart."""
    state = RunState("r")
    for seq, event in enumerate([*begun(), *events], 1):
        entry = Entry(seq=seq, at=AT + timedelta(seconds=seq), epoch=1, event=event)
        before, state = state, advance(state, entry)
        yield list(activity(before, entry, state))


def stream(found: Sequence[Item], whole: Sequence[str] = ()) -> Stream:
    made = Stream(lambda seq: whole)
    made.add(found)
    return made


def texts(found: Stream, words: str = "") -> list[str]:
    return [str(row.line) for row in found if words in str(row.line)]


def test_a_call_that_began_and_ended_is_one_row() -> None:
    """Also where another lane's stand between its beginning and its end; it stays where it began."""
    first, second = decided("x"), decided("y", "b")
    rows = stream(items(first, second, ended("y", "one"), ended("x", "two")))

    found = texts(rows, "files_read")
    assert [("x.txt" in row, "y.txt" in row) for row in found] == [(True, False), (False, True)]
    assert list(rows.pending) == []


def test_a_call_under_way_says_for_how_long() -> None:
    """As long as somebody carries the run."""
    rows = stream(items(decided("x")))
    assert "not ended" in texts(rows, "x.txt")[0]

    rows.now_s = AT.timestamp() + 4 + 9.1
    assert texts(rows, "x.txt")[0].endswith("9 s")


def test_three_lines_of_output_are_shown_and_the_rest_is_counted() -> None:
    """Framed, so that no line can be taken for one of ours."""
    output = [f"line {n} \x1b[31m[red]" for n in range(61)]
    rows = stream(items(decided("x"), ended("x", "\n".join(output))), output)

    at = next(n for n, row in enumerate(rows) if "x.txt" in str(row.line))
    shown = [str(row.line) for row in rows[at + 1 :]]
    assert shown == [
        *(f"     │ line {n} \\x1b[31m[red]" for n in range(3)),
        "     │ … 58 more lines · enter unfolds",
    ]
    assert "61 lines" in str(rows[at].line)


def test_all_outputs_are_unfolded_and_folded_with_one_key() -> None:
    """Those of a call are read when they are looked at."""
    output = [f"line {n}" for n in range(61)]
    rows = stream(items(decided("x"), ended("x", "\n".join(output))), output)
    folded = texts(rows)

    rows.fold_all()
    assert texts(rows)[-1] == "     │ line 60"
    rows.fold_all()
    assert texts(rows) == folded


def test_what_is_unfolded_in_place_is_folded_first() -> None:
    """One key brings back what one began with."""
    rows = stream(items(decided("x"), ended("x", "out"), decided("y"), ended("y", "out")))
    folded = texts(rows)

    rows.open(3, [line("all of it")] * 5)
    assert len(rows) == len(folded) + 4
    rows.fold_all()
    assert texts(rows) == folded


@pytest.mark.parametrize("row", range(8))
def test_a_row_and_its_place_are_each_other_s_inverse(row: int) -> None:
    """However many rows the items before it have."""
    rows = stream(items(decided("x"), ended("x", "1\n2\n3\n4\n5\n6"), decided("y"), ended("y", "out")))
    rows.tail = [Row(line("under way"))]

    assert rows.row(*rows.place(row)) == row


def test_a_denied_call_says_why_below() -> None:
    """The reason may hold words from outside."""
    no = decided("x", decision="deny", why="not before review")
    rows = stream(items(no, ended("x", "denied: not before review", ok=False)))

    row, why = texts(rows)[-2:]
    assert row.endswith("⊘ denied")
    assert why == "     │ denied: not before review"


def test_a_write_s_receipt_is_left_out() -> None:
    """That it was done is what its row says."""
    rows = stream(items(decided("x", effect="write"), ended("x", "Wrote x.txt", tree="t2")))

    assert texts(rows)[-1].endswith("changed")


def test_thoughts_are_told_from_what_came_out() -> None:
    """The words of a model stand beside `says`, without the script that is shown as its call."""
    asked = e.ModelCalled(call="m", lane="a", role="worker", model="m", number=1)
    reply = Reply(text="I look first.\n\n```python\nprint(1)\n```\nThen I write.")
    said = e.ModelReplied(call="m", lane="a", reply=reply, tokens=1, cost_usd=Decimal(0))
    rows = texts(stream(items(asked, said)))

    assert "says          │ I look first." in rows[-4]
    assert rows[-1].lstrip() == "│ Then I write."
    assert not [row for row in rows if "print" in row]


def test_a_key_takes_the_place_of_what_would_be_typed() -> None:
    """The commands are for a shell."""
    rows = texts(stream(items(mailed("x"), asks("x"), e.RunInterrupted())))

    assert not [row for row in rows if "autoagent" in row]
    assert [row for row in rows if row.endswith("SEND post_letter TO ben@x.org · a answers")]
    assert rows[-1].endswith("stopped at step 0 · $0.00 · r goes on")


PARKED = (e.RunParked(waiting=("q-x",)), e.OwnerChanged(epoch=2, holder="h:2"))


@pytest.mark.parametrize(
    ("verdict", "by", "said"),
    [
        ("yes", "terminal", "✓ SEND post_letter TO ben@x.org · yes, by you"),
        ("no", "command", "⊘ SEND post_letter TO ben@x.org · no, by you: not him"),
        ("yes", "nobody", "✓ SEND post_letter TO ben@x.org · yes, since nobody answered"),
    ],
)
def test_an_answer_stands_in_the_row_of_its_question(verdict: str, by: str, said: str) -> None:
    """Parking and going on for it have no rows of their own."""
    text = "not him" if verdict == "no" else ""
    answer = e.QuestionAnswered.model_validate(
        {"question": "q-x", "digest": "d", "verdict": verdict, "text": text, "by": by}
    )
    before = stream(items(mailed("x"), asks("x")))
    rows = stream(items(mailed("x"), asks("x"), *PARKED, answer))

    assert len(rows) == len(before)
    assert texts(rows)[-1].endswith(said)
    assert not [at for at in rows.pending if rows.items[at].call == "question q-x"]


def test_a_call_that_was_asked_about_is_under_way_once_it_is_started() -> None:
    """It says so in its own row, for as long as since then."""
    answer = e.QuestionAnswered(question="q-x", digest="d", verdict="yes", by="terminal")
    events: list[e.Event] = [mailed("x"), asks("x"), answer, e.CallStarted(call="x", lane="a", tree="t")]
    states = [
        next(text for text in texts(rows, " post_letter  ") if "TO" not in text).split()[-1]
        for rows in (stream(items(*events[:count])) for count in (1, 3))
    ]
    rows = stream(items(*events))
    rows.now_s = AT.timestamp() + 3 + 4 + 9.1

    assert states == ["asks", "yes"]
    assert next(text for text in texts(rows, " post_letter  ") if "TO" not in text).endswith("9 s")


def test_a_process_that_died_is_told_of_with_what_it_had_begun() -> None:
    """A parked run that goes on isn't."""
    begun = e.CallStarted(call="x", lane="a", tree="t")
    again = e.OwnerChanged(epoch=2, holder="h:2")

    (said,) = texts(stream(items(mailed("x"), begun, again)), "its process ended")
    assert "post_letter ben@x.org may have happened" in said
    assert not texts(stream(items(mailed("x"), asks("x"), *PARKED)), "goes on")


def test_a_call_that_will_never_end_says_so() -> None:
    """After a new start of its sub-task."""
    rows = stream(items(decided("x"), e.LaneReset(lane="a", tree="t", why="stuck")))

    assert texts(rows, "x.txt")[0].endswith("↺ dropped")
    assert list(rows.pending) == []


@pytest.mark.parametrize("width", [48, 62, 78, 120, 200])
def test_a_row_takes_no_more_than_its_columns(width: int) -> None:
    """However long a path and wide its letters are; the result is always there."""
    found = items(
        decided("x", args={"path": "漢字" * 200}), ended("x", "1\n2", labels=["outside", "private"])
    )

    (row,) = (item_line(item, Columns(width, 30)) for item in found[-1:])
    assert columns_of(row) == width
    assert "OUT+PRIV    2 lines" in str(row)


def test_a_million_items_take_little_memory() -> None:
    """Full blocks are packed; any of them is found again, and another can take its place."""
    kept = Kept(Item(n, n, 0.0, "ended", name="files_read", target=f"{n}.txt") for n in range(5_000))
    kept.put(700, kept[700]._replace(target="other"))

    assert [kept[n].target for n in (0, 700, 4_999, -1)] == ["0.txt", "other", "4999.txt", "4999.txt"]
    assert sum(len(block) for _, block in kept.blocks()) == len(kept)
