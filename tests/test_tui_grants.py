"""*Always* in the cockpit: shown and confirmed before it is given, listed, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from loops import finish, write
from seats import LONG, POST, commands, parked, ran, seated
from textual.widgets import TextArea

from autoagent.commands import Approve
from autoagent.grants_file import GrantsFile
from autoagent.journal.home import home
from autoagent.testing.model import call
from autoagent.tui.question import QuestionScreen
from autoagent.tui.runs import RunsScreen

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


@pytest.mark.parametrize("key", ["n", "escape", "enter"])
async def test_back_from_always_leads_to_the_question(tmp_path: Path, key: str) -> None:
    """Enter too: the cursor stands on it. Nothing was given or answered."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("A")
        await seat.until(lambda: RULE in seat.text("#exactly"))
        await seat.looked_at()
        await seat.press(key)
        assert seat.app.screen is screen
        assert "▌n no▐" in seat.text("#answers")
        assert RULE not in seat.text("#exactly")

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
        for _ in range(20):
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


async def test_an_edited_call_takes_no_always(tmp_path: Path) -> None:
    """It is for the call as it stands."""
    await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("e")
        screen.query_one("#editor", TextArea).text = '{"to": "ben", "text": "other"}'
        await seat.press("ctrl+s")
        await seat.looked_at()
        await seat.press("A")
        assert isinstance(seat.app.screen, QuestionScreen)
        assert "always" not in seat.text("#answers")
        assert "as you edited it; y allows this" in str(screen.query_one("#exactly").border_title)


async def test_a_question_about_no_call_takes_none(tmp_path: Path) -> None:
    """Neither a plan nor anything else."""
    await ran(tmp_path, f"{POST}ask: [plan]\n", call("post_send", to="bob", text="hi"))

    async with seated() as seat:
        await seat.asked()
        assert "always" not in seat.text("#answers")


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
