"""*Always* in the cockpit: shown and confirmed before it is given, listed, taken back."""

from __future__ import annotations

from pathlib import Path

from loops import finish, write
from seats import LONG, POST, commands, parked, ran, seated

from autoagent.commands import Approve
from autoagent.console.line import columns_of
from autoagent.grants import Rule
from autoagent.grants_file import GrantsFile
from autoagent.journal.home import home
from autoagent.questions import Explained, Question, Subject
from autoagent.testing.model import call
from autoagent.tui.questions.choices import choice_row, offered
from autoagent.tui.questions.screen import QuestionScreen
from autoagent.tui.runs.screen import RunsScreen

RULE = "post_send to bob, in every run, whatever the text and files, until the post plugin changes"


def granted() -> list[str]:
    return [each.rule.destination for each in GrantsFile(home()).read()]


async def test_always_is_shown_and_takes_a_second_yes(tmp_path: Path) -> None:
    """The literal rule, and what it would have answered; nothing else is an answer meanwhile."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        assert "A always to bob…" in seat.text("#answers")
        await seat.press("A")
        await seat.until(lambda: f"always {RULE}" in seat.text("#exactly"))
        assert "no other call was asked about in your 1 run" in seat.text("#exactly")
        assert "▌n back, no always▐ y always exactly this " in seat.text("#answers")
        await seat.looked_at()
        await seat.press("Y", "e", "f", "A", "1")
        assert (seat.app.screen, granted(), commands(waits.run)) == (screen, [], [])
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))
        assert f"answered, and always: {GrantsFile(home()).read()[0].id}; run {waits.run}" in seat.text(
            "#news"
        )

    (sent,) = commands(waits.run)
    assert isinstance(sent, Approve)
    assert (sent.covers, sent.edit, granted()) == (1, None, ["bob"])


async def test_back_from_always_leads_to_the_question(tmp_path: Path) -> None:
    """Enter too: the cursor stands on it. Nothing was given or answered."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        for key in ("n", "escape", "enter"):
            await seat.press("A")
            await seat.until(lambda: RULE in seat.text("#exactly"))
            await seat.looked_at()
            await seat.press(key)
            assert seat.app.screen is screen
            assert "▌n no▐" in seat.text("#answers")
            assert RULE not in seat.text("#exactly")
            await seat.looked_at()

    assert (granted(), commands(waits.run)) == ([], [])


async def test_a_burst_of_keys_gives_nothing(tmp_path: Path) -> None:
    """Keys are dead until the rule was in view for a while."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        seat.app.dead_s = 60
        await seat.press("A", *("y", "enter") * 10)
        await seat.until(lambda: RULE in seat.text("#exactly"))
        await seat.press(*("y", "enter") * 10)
        assert seat.app.screen is screen

    assert (granted(), commands(waits.run)) == ([], [])


async def test_the_call_itself_is_paged_through_first(tmp_path: Path) -> None:
    """The second yes allows it too."""
    await parked(tmp_path, LONG)

    async with seated((80, 24)) as seat:
        await seat.asked()
        await seat.press("A")
        assert "always exactly this" not in seat.text("#answers")
        for _ in range(10):
            await seat.press("A")
        await seat.until(lambda: "always post_send to bob" in seat.text("#exactly"))


async def test_the_rule_is_paged_through_before_it_is_given(tmp_path: Path) -> None:
    """What is granted was in view."""
    await parked(tmp_path)

    async with seated((60, 14)) as seat:
        screen = await seat.asked()
        await seat.press("A")
        await seat.until(lambda: "always post_send" in seat.text("#exactly"))
        await seat.looked_at()
        await seat.press("y")
        assert (seat.app.screen, granted()) == (screen, [])
        while isinstance(seat.app.screen, QuestionScreen):
            await seat.looked_at()
            await seat.press("y")

    assert granted() == ["bob"]


async def test_grants_that_can_not_be_read_are_said(tmp_path: Path) -> None:
    """With file and line; the question stands as it was."""
    waits = await parked(tmp_path)
    path = GrantsFile(home()).path
    path.write_text("{}\n")
    path.chmod(0o600)

    async with seated() as seat:
        await seat.asked()
        await seat.press("A")
        await seat.until(lambda: f"{path}:1: expected" in seat.text("#said"))
        assert "▌n no▐" in seat.text("#answers")
        await seat.looked_at()

    assert commands(waits.run) == []


def test_only_a_call_as_it_stands_takes_an_always() -> None:
    """Not one that was edited, nor one that reaches nobody who can be named, nor a plan."""
    rule = Rule(plugin="post", plugin_hash="h", tool="post_send", effect="external", destination="b" * 40)
    subject = Subject(run="r", kind="call", destination=rule.destination)
    asked = Question(id="q", subject=subject, why="w", explained=Explained(always=rule))
    plain = asked.model_copy(update={"explained": Explained()})
    plan = asked.model_copy(update={"subject": Subject(run="r", kind="plan"), "explained": Explained()})

    def always(question: Question, is_edited: bool = False) -> list[str]:
        return [x.said for x in offered(question, is_edited=is_edited) if x.action == "always"]

    assert always(asked) == [f"always to {'b' * 23}…"]
    assert [always(asked, is_edited=True), always(plain), always(plan)] == [[], [], []]


def test_the_answers_are_brief_where_they_have_no_room() -> None:
    """On one line at 78 columns, with every key."""
    rule = Rule(plugin="post", plugin_hash="h", tool="post_send", effect="external", destination="b" * 40)
    subject = Subject(run="r", kind="call", destination=rule.destination)
    choices = offered(Question(id="q", subject=subject, why="w", explained=Explained(always=rule)))

    wide, narrow = (choice_row(choices, 0, lambda id: id[9:10], width) for width in (120, 78))

    assert "yes to the next N…" in str(wide)
    assert columns_of(narrow) <= 78
    assert [
        word in str(narrow) for word in ("no", "yes, once", "next N…", "edit", "because", "always…", "later")
    ] == [True] * 7


async def test_what_was_given_is_listed_and_taken_back(tmp_path: Path) -> None:
    """`x` twice; moving away between the two keeps it."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.press("A")
        await seat.until(lambda: "No always has been given." in seat.text("#grants"))
        await seat.press("escape")
        question = (await seat.asked()).question
        assert question.explained.always is not None
        grant = GrantsFile(home()).add(question, question.explained.always, seat.app.now())
        await ran(tmp_path, POST, call("post_send", to="bob", text="2"), write("a.txt", "x"), finish())
        await seat.press("escape", "A")
        await seat.until(lambda: f"{grant.id} {RULE}" in seat.text("#grants"))
        assert f"run {waits.run} · question {question.id} · used 1 time, last" in seat.text("#grants")
        await seat.press("x", "down", "x")
        assert "x once more takes" in seat.text("#news")
        await seat.press("x")
        await seat.until(lambda: "No always has been given." in seat.text("#grants"))

    assert [each.ended for each in GrantsFile(home()).read()] == ["you took it back"]
