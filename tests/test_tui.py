"""The cockpit, driven by keys over real journals: what it shows, and that no slip answers anything."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from loops import finish, write
from rich.cells import cell_len
from seats import LONG, POST, PROVED, UNSET, Carried, HeardCockpit, Seat, commands, parked, ran, seated
from textual.containers import Vertical
from textual.widgets import Input, TextArea

from autoagent.commands import Answer, Approve, Deny, RaiseLimits, Tell
from autoagent.console.finding import opened
from autoagent.console.line import Part, columns_of, line, wrapped
from autoagent.errors import UsageError
from autoagent.events import Forked
from autoagent.journal.home import home
from autoagent.testing.model import call
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.keys import keymap
from autoagent.tui.pages.reading import ReadScreen
from autoagent.tui.past.screen import PastScreen
from autoagent.tui.questions.exact import Exact
from autoagent.tui.questions.screen import QuestionScreen
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.screen import RunsScreen

# --- all runs -----------------------------------------------------------------------------------------------


async def test_what_waits_stands_first(tmp_path: Path) -> None:
    """With what it wants to do, and to whom, below."""
    waits = await parked(tmp_path)
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated() as seat:
        first, second = seat.text("#runs").splitlines()
        assert first.startswith(f"!  {waits.run}  Tell bob")
        assert "asks: post_send bob" in first
        assert second.startswith(f"✓  {done.run}  Write a.txt  ")
        assert "proved 1 of 1" in second
        assert "TO     bob" in seat.text("#preview")
        assert "1 waits for you" in seat.text("#top")


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 6), ((120, 36), 8)])
async def test_no_column_of_the_list_is_cut_off(tmp_path: Path, size: tuple[int, int], columns: int) -> None:
    """The goal and the state are shortened; what was spent and the age are whole."""
    goal = PROVED.replace("Write a.txt", f"Write a.txt {'and so on ' * 20}")
    await ran(tmp_path, goal, write("a.txt", "x"), finish())

    async with seated(size) as seat:
        row = next(text for text in seat.screen() if "Write a.txt" in text).strip("│ ")

        assert len(re.split(r"  +", row)) == columns
        assert re.search(r"\$0\.00.*  (now|\d+ s)$", row)
        assert re.search(r"\$0\.00 today · \d\d:\d\d$", seat.screen()[0].rstrip())


async def test_the_footer_leads_to_every_key_on_a_narrow_screen() -> None:
    """Others go first."""
    async with seated((50, 24)) as seat:
        assert seat.screen()[-1].rstrip().endswith("? help  ^p commands")


async def test_the_cursor_stands_on_what_is_needed_first_until_it_is_moved(tmp_path: Path) -> None:
    """Then it stays on its run, wherever that goes in the list."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated() as seat:
        first = await parked(tmp_path)
        await seat.until(lambda: first.run in seat.text("#runs").splitlines()[0])
        assert isinstance(seat.app.screen, RunsScreen)
        assert seat.app.screen.chosen == first.run
        await seat.press("G")
        second = await parked(tmp_path)
        await seat.until(lambda: second.run in seat.text("#runs"))
        assert seat.app.screen.chosen == done.run


async def test_the_terminal_is_told_once_of_what_comes_to_wait(tmp_path: Path) -> None:
    """A bell, and the number in the title; none for what waited before it was opened."""
    await parked(tmp_path)

    async with seated() as seat:
        assert (seat.app.bells, seat.app.titles) == (0, ["1 waits for you"])
        await parked(tmp_path)
        await seat.until(lambda: "2 wait for you" in seat.app.titles)
        await seat.pilot.pause(0.3)
        assert seat.app.bells == 1


async def test_a_limit_says_what_goes_on(tmp_path: Path) -> None:
    """With what is proved, and the keys."""
    await ran(tmp_path, PROVED + "limits: {steps: 1}\n", call("files_list"), finish())

    async with seated() as seat:
        said = seat.text("#preview")
        assert said.startswith("Stopped at a limit: ")
        assert "0 of 1 proved. Raise it in the run (⏎, l), and r goes on" in said


async def test_a_filter_that_nothing_fits_says_how_it_ends(tmp_path: Path) -> None:
    """With a key, which brings all runs back."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.press("slash", *"zzz", "enter")
        assert "No run has all of 'zzz' in it. esc shows all." in seat.text("#preview")
        await seat.press("escape")
        assert waits.run in seat.text("#runs")


async def test_the_list_is_filtered_by_words(tmp_path: Path) -> None:
    """Of goal, state and id."""
    waits = await parked(tmp_path)
    await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated() as seat:
        await seat.press("slash", *"parked", "enter")

        assert [line.split()[1] for line in seat.text("#runs").splitlines()] == [waits.run]


async def test_a_journal_that_makes_no_sense_is_a_row(tmp_path: Path) -> None:
    """It hides no other run."""
    good, bad = await parked(tmp_path), await ran(tmp_path, PROVED, write("a.txt", "x"), finish())
    with closing(sqlite3.connect(home() / "journal.db")) as db, db:
        db.execute(
            "UPDATE entries SET body = '{' WHERE seq = 5 AND run = (SELECT number FROM runs WHERE id = ?)",
            (bad.run,),
        )

    async with seated() as seat:
        rows = {line.split()[1]: line for line in seat.text("#runs").splitlines()}

        assert "damaged" in rows[bad.run]
        assert "asks:" in rows[good.run]


async def test_cancelling_takes_two_keys(tmp_path: Path) -> None:
    """The first says which run it is; any other key takes it back."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.press("c", "down", "c")
        assert f"c once more ends run {waits.run}" in seat.text("#news")
        assert commands(waits.run) == []

        await seat.press("c")
        await seat.until(lambda: seat.app.seen[waits.run].name == "cancelled")


async def test_resuming_is_left_to_a_process_of_its_own(tmp_path: Path) -> None:
    """The cockpit carries nothing."""
    stopped = await ran(tmp_path, PROVED + "limits: {steps: 1}\n", call("files_list"), finish())

    async with seated() as seat:
        await seat.press("r")
        assert seat.carrier.resumed == [stopped.run]
        assert "goes on in the background; log: a.log" in seat.text("#news")

        await seat.press("j")  # what was said passes with the next key
        assert seat.text("#news") == ""


async def test_a_run_that_only_waits_for_an_answer_isn_t_resumed(tmp_path: Path) -> None:
    """It would park again at once; the key that helps is said."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.press("r")

        assert seat.carrier.resumed == []
        assert f"{waits.run} waits for you: a answers, and it goes on" in seat.text("#news")


async def test_a_run_that_is_removed_while_it_is_open_takes_no_key(tmp_path: Path) -> None:
    """Neither on its screen nor in its past; both say that it has gone."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated(run=done.run) as seat:
        await past_of(seat)
        with opened() as journal:
            journal.remove(done.run)
        await seat.until(lambda: not seat.app.seen)
        await seat.press("f", "d", "left")
        assert f"no run {done.run!r}" in seat.text("#news")
        await seat.press("escape", "r")

        assert f"{done.run} isn't there any more" in seat.text("#news")
    assert seat.carrier.resumed == []


async def test_an_entry_that_has_gone_is_said(tmp_path: Path) -> None:
    """It was shown, and the journal has lost it since."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated(run=done.run) as seat:
        screen = await past_of(seat)
        with closing(sqlite3.connect(home() / "journal.db")) as database, database:
            database.execute("DELETE FROM entries WHERE seq > 2")
        await seat.press("f", "enter")

        await seat.until(lambda: f"entry {screen.at} isn't there any more" in seat.text("#news"))


# --- questions ----------------------------------------------------------------------------------------------


async def test_a_yes_is_bound_to_what_was_shown(tmp_path: Path) -> None:
    """The command carries the digest, and the run goes on elsewhere."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        digest = screen.question.digest
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert commands(waits.run) == [Approve(question=waits.waiting[0], digest=digest)]
    assert seat.carrier.resumed == [waits.run]


async def test_a_burst_of_keys_answers_nothing(tmp_path: Path) -> None:
    """Whatever is typed before the question was seen for a while, and without a pause, isn't an answer."""
    waits = await parked(tmp_path)

    async with seated(dead_s=60) as seat:  # however slowly the keys come in
        await seat.press("a", *(["y", "enter"] * 20))
        assert isinstance(seat.app.screen, QuestionScreen)

        assert commands(waits.run) == []


async def test_enter_takes_no_until_the_cursor_is_moved(tmp_path: Path) -> None:
    """Nothing that a person does without looking lets anything out."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [type(each) for each in commands(waits.run)] == [Deny]


async def test_a_yes_pages_on_while_lines_are_unseen(tmp_path: Path) -> None:
    """What was authorised was shown; foreign text is spelled out, and is no markup."""
    waits = await parked(tmp_path, LONG)

    async with seated((80, 24)) as seat:
        await seat.asked()
        assert "line 59 \\x1b[31mred [bold]not bold[/bold] \\u202eevil" in seat.text("#exactly")
        assert "not seen yet" in str(seat.app.screen.query_one("#exactly").border_title)
        pages = 0
        while isinstance(seat.app.screen, QuestionScreen):
            assert commands(waits.run) == []
            await seat.looked_at()
            await seat.press("y")
            pages += 1

    assert pages > 3
    assert len(commands(waits.run)) == 1


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_head_and_answers_are_always_in_view(tmp_path: Path, size: tuple[int, int]) -> None:
    """However long the record and its receiver are."""
    goal = POST.replace("post: []", "post: []")
    await ran(tmp_path, goal, call("post_send", to="b" * 3_000, text=LONG))

    async with seated(size) as seat:
        screen = await seat.asked()
        whole = screen.region
        for part in ("#head", "#answers", "#exactly"):
            region = screen.query_one(part).region
            assert whole.contains_region(region)
            assert region.height >= 2


async def test_a_yes_pages_on_while_the_head_is_unseen(tmp_path: Path) -> None:
    """A receiver of any length can't keep it out of view why it is asked."""
    waits = await ran(tmp_path, POST, call("post_send", to="b" * 900, text="hi"))

    async with seated((80, 24)) as seat:
        await seat.asked()
        assert not any("ASKED" in row for row in seat.screen())
        while not any("ASKED" in row for row in seat.screen()):
            await seat.looked_at()
            await seat.press("y")
        assert commands(waits.run) == []
        while isinstance(seat.app.screen, QuestionScreen):
            await seat.looked_at()
            await seat.press("y")

    assert len(commands(waits.run)) == 1


async def test_why_it_is_asked_is_in_view_however_narrow(tmp_path: Path) -> None:
    """All lines of a head that is broken at the screen's width, also of one that has become narrower."""
    await ran(tmp_path, POST, call("post_send", to="https://example.org/" + "b" * 45, text="hi"))

    async with seated((100, 24)) as seat:
        await seat.asked()
        head = seat.app.screen.query_one("#head", Lines)
        assert (len(head.rows), head.unseen) == (4, 0)
        await seat.pilot.resize_terminal(60, 24)

        await seat.until(lambda: len(head.rows) > 4 and head.unseen == 0)


async def test_no_yes_passes_a_head_that_has_no_room(tmp_path: Path) -> None:
    """However long the receiver is: why it is asked comes into view before a yes counts."""
    waits = await ran(tmp_path, POST, call("post_send", to="b" * 700, text="hi"))

    async with seated((80, 24)) as seat:
        await seat.asked()
        seen = list[str]()
        while isinstance(seat.app.screen, QuestionScreen):
            assert commands(waits.run) == []
            await seat.looked_at()
            seen += seat.screen()
            await seat.press("y")

    assert any("ASKED  because bbb" in row for row in seen)
    assert len(commands(waits.run)) == 1


async def test_what_a_tiny_screen_has_no_room_for_is_unseen(tmp_path: Path) -> None:
    """No yes counts there; on a larger one it does, once all was in view."""
    waits = await parked(tmp_path)

    async with seated((20, 5)) as seat:
        screen = await seat.asked()
        await seat.press("y")
        await seat.looked_at()
        await seat.press("y")
        assert commands(waits.run) == []
        await seat.pilot.resize_terminal(120, 36)
        exact = screen.query_one(Exact)
        await seat.until(lambda: not exact.unseen)
        await seat.looked_at()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert len(commands(waits.run)) == 1


async def test_every_question_is_reached_from_any_other(tmp_path: Path) -> None:
    """Their order and number stay as one goes through those of several runs."""
    for _ in range(3):
        await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        places: list[tuple[str, str]] = []
        for _ in range(4):
            title = str(screen.query_one(Vertical).border_title)
            places.append((screen.run_id, title.partition(" waiting")[0]))
            await seat.press("right_square_bracket")
            await seat.looked_at()

    assert [title for _, title in places] == [f"{n} of 3" for n in (1, 2, 3, 1)]
    assert len({run for run, _ in places}) == 3


async def test_leaving_is_no_answer(tmp_path: Path) -> None:
    """The question waits on."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("escape")
        assert isinstance(seat.app.screen, RunsScreen)

    assert commands(waits.run) == []


async def test_a_no_takes_its_reason_along(tmp_path: Path) -> None:
    """Letters that are keys elsewhere are text in the field."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("f", *"any", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    (sent,) = commands(waits.run)
    assert isinstance(sent, Deny)
    assert sent.why == "any"


async def test_a_yes_to_more_says_what_it_covers(tmp_path: Path) -> None:
    """And takes a number only."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("Y", *"many", "enter")
        assert "a number from 1 to 1000" in seat.text("#said")
        seat.app.screen.query_one("#field", Input).value = "3"
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    (sent,) = commands(waits.run)
    assert isinstance(sent, Approve)
    assert sent.covers == 3


async def test_edited_arguments_are_asked_about_again(tmp_path: Path) -> None:
    """Saving answers nothing; what doesn't fit is said; the yes after it sends the edit."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("e")
        editor = screen.query_one("#editor", TextArea)
        editor.text = '{"to": "bob"}'
        await seat.press("ctrl+s")
        assert "'text' is missing" in seat.text("#said")

        editor.text = '{"to": "bob", "text": "other"}'
        await seat.press("ctrl+s")
        assert commands(waits.run) == []
        assert "as you edited it; y allows this" in str(seat.app.screen.query_one("#exactly").border_title)
        await seat.looked_at()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    (sent,) = commands(waits.run)
    assert isinstance(sent, Approve)
    assert sent.edit == {"to": "bob", "text": "other"}


async def test_what_was_answered_elsewhere_takes_no_key(tmp_path: Path) -> None:
    """The dialog stays, says so, and only closes."""
    waits = await parked(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        with opened() as journal:
            journal.send(
                waits.run, Deny(question=waits.waiting[0], digest=screen.question.digest), by="other"
            )
        await seat.until(lambda: not seat.app.seen[waits.run].waiting)
        await seat.press("y")

        assert isinstance(seat.app.screen, QuestionScreen)
        said = r"Answered at \d\d:\d\d from elsewhere; the run takes it as soon as it goes on\."
        assert re.match(said, seat.text("#said"))
        await seat.press("escape")
        assert isinstance(seat.app.screen, RunsScreen)
    assert len(commands(waits.run)) == 1


async def test_a_question_of_a_run_that_is_ended_takes_no_key(tmp_path: Path) -> None:
    """It says so, and only closes."""
    from autoagent.wiring import cancel

    waits = await parked(tmp_path)

    async with seated() as seat:
        await seat.asked()
        with opened() as journal:
            cancel(journal, waits.run, "enough")
        await seat.until(lambda: "esc closes" in seat.text("#said"))
        await seat.press("y")

        assert "has ended (cancelled). Nothing left to do here." in seat.text("#said")
    assert not [sent for sent in commands(waits.run) if isinstance(sent, Approve)]


@pytest.mark.parametrize("text", ["漢字" * 200, "word " * 150, "x" * 700, "a\u0301" * 300, "䷀ 𝌆" * 99])
def test_a_wrapped_line_shows_every_character(text: str) -> None:
    """However wide its letters are; and no further piece looks like the beginning of a line."""
    pieces = wrapped(line(Part("body │ ", "dim"), text), 40)

    assert all(columns_of(each) <= 40 and cell_len(str(each)) <= 40 for each in pieces)
    assert all(str(each).startswith("     │ ") for each in pieces[1:])
    assert "".join(str(each)[7:] for each in pieces) == text


async def test_a_long_row_ends_in_an_ellipsis(tmp_path: Path) -> None:
    """What is cut off can be unfolded."""
    done = await ran(tmp_path, PROVED, write(f"{'folder/' * 30}a.txt", "x"), write("a.txt", "x"), finish())

    async with seated((80, 24), run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        assert [row for row in seat.screen() if re.search("folder/.*… +changed", row)]


async def test_a_title_is_no_markup(tmp_path: Path) -> None:
    """Neither a path's nor a goal's."""
    goal = 'goal: "[red]Write[/nothing]"\ndone_when: [{file: a.txt}]\nask: [finish]\nplugins: [files]\n'
    done = await ran(tmp_path, goal, write("[/b] a.txt", "x"), write("a.txt", "x"), finish())

    async with seated() as seat:
        await seat.asked()
        assert "[red]Write[/nothing]" in seat.screen()[0]
        await seat.press("escape")
        seat.app.open_run(done.run)
        await seat.press("3")
        await seat.until(lambda: "[/b] a.txt" in seat.text("#files"))
        await seat.press("down", "enter")
        assert "[/b] a.txt" in seat.screen()[0]


async def test_a_text_is_written_and_sent(tmp_path: Path) -> None:
    """A question of the agent's own."""
    waits = await ran(tmp_path, PROVED, call("ask_human", question="Which colour?"))

    async with seated() as seat:
        await seat.asked()
        assert "Which colour?" in seat.text("#exactly")
        await seat.press("enter", *"blue", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    (sent,) = commands(waits.run)
    assert isinstance(sent, Answer)
    assert sent.text == "blue"


# --- one run ------------------------------------------------------------------------------------------------


async def test_a_run_shows_plan_proof_and_activity(tmp_path: Path) -> None:
    """Each call a row; enter unfolds it in place, and folds it again."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text"), finish())

    async with seated(run=done.run) as seat:
        assert isinstance(seat.app.screen, RunScreen)
        await seat.until(lambda: "proved" in seat.text("#activity"))
        assert "✓ tell do tell" in seat.text("#plan")
        assert "✓ proved  a.txt" in seat.text("#plan")
        await seat.on_row("files_write")
        before = seat.text("#activity")
        await seat.press("enter")
        assert "content    │ the text" in seat.text("#activity")
        await seat.press("enter")
        assert seat.text("#activity") == before
        await seat.press("o")
        assert isinstance(seat.app.screen, ReadScreen)
        assert "│ the text" in seat.text("#text")


async def test_words_are_found_in_what_is_folded(tmp_path: Path) -> None:
    """What they stand in is unfolded, and folded again for the next one; the count is told, `esc` ends it."""
    text = "\n".join(f"line {n}" for n in range(50))
    reads = [call("files_read", path="a.txt")] * 2
    done = await ran(tmp_path, PROVED, write("a.txt", text), *reads, finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        folded = seat.text("#activity")
        pane = seat.app.screen.query_one("#activity", Lines)
        await seat.press("g", "slash", *"LINE 37", "enter")
        await seat.until(lambda: "'LINE 37': 1 of 2" in seat.text("#news"))
        assert "line 37" in str(pane.rows[pane.cursor].line)
        unfolded = len(pane.rows)
        await seat.press("n")
        assert "2 of 2" in seat.text("#news")
        assert len(pane.rows) == unfolded
        await seat.press("n", "N", "escape")
        assert seat.text("#activity") == folded
        assert isinstance(seat.app.screen, RunScreen)
        assert pane.marked == ""


async def test_a_letter_leads_to_each_pane(tmp_path: Path) -> None:
    """`^o` shows them; `f10` gives the pane the whole screen, and takes it back."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        await seat.press("ctrl+o")
        assert "[ a ]" in "".join(seat.screen())
        await seat.press("a")
        await seat.until(lambda: seat.app.focused is seat.app.screen.query_one("#plan"))
        await seat.press("f10")
        assert seat.app.screen.query_one("#plan").region.width == seat.app.size.width
        await seat.press("escape")
        assert seat.app.screen.query_one("#plan").region.width < seat.app.size.width
        assert isinstance(seat.app.screen, RunScreen)


async def test_changed_files_are_shown_with_their_lines(tmp_path: Path) -> None:
    """`3` lists them over the whole width of the pane, enter and `d` show what differs."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: done.run in seat.app.seen)
        await seat.press("3")
        await seat.until(lambda: "+ a.txt" in seat.text("#files"))
        assert re.search(r"^\+ a\.txt {30,}\+1 −0$", seat.text("#files"), re.MULTILINE)
        await seat.press("down", "enter")

        assert "+the text" in seat.text("#text")


async def test_proof_and_plan_lead_to_their_entries(tmp_path: Path) -> None:
    """`4` shows the evidence; enter on a verdict or a sub-task opens what the journal holds of it."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        await seat.press("4")
        assert "check it again: ls -l a.txt" in seat.text("#evidence")
        await seat.press("down", "enter")
        assert re.search(r"^verdict +│ proved$", seat.text("#text"), re.MULTILINE)
        await seat.press("escape", "1", "enter")
        assert re.search(r"^sub task +│ tell$", seat.text("#text"), re.MULTILINE)


async def test_why_leads_back_from_a_line(tmp_path: Path) -> None:
    """To the reply that asked for it."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        await seat.on_row("files_write")
        await seat.press("w")
        await seat.until(lambda: isinstance(seat.app.screen, ReadScreen))

        assert "asked for by" in seat.text("#text")


async def test_a_run_that_goes_on_elsewhere_is_followed(tmp_path: Path) -> None:
    """What another process writes appears by itself."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        await seat.until(lambda: "a answers" in seat.text("#activity"))
        from autoagent.wiring import cancel

        with opened() as journal:
            cancel(journal, waits.run, "enough")
        await seat.until(lambda: "enough" in seat.text("#activity"))


async def test_words_for_the_agent_are_sent(tmp_path: Path) -> None:
    """Letters that are keys elsewhere are text; esc takes back what isn't sent."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        await seat.press("s", *"qa", "escape")
        assert isinstance(seat.app.screen, RunScreen)
        await seat.press("s", *"brief", "enter")

        assert commands(waits.run) == [Tell(text="brief")]


async def test_a_limit_is_raised(tmp_path: Path) -> None:
    """What is no limit is said, and sends nothing."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        await seat.press("l", *"cake", "enter")
        assert "write usd, steps" in seat.text("#news")
        seat.app.screen.query_one("#field", Input).value = "steps 80"
        await seat.press("enter")

        assert commands(waits.run) == [RaiseLimits(steps=80)]


async def test_leaving_says_how_to_come_back(tmp_path: Path) -> None:
    """From a run to the list, from the list to the shell."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        await seat.press("escape")
        assert isinstance(seat.app.screen, RunsScreen)
        assert seat.app.left_at == "1 waits for you · autoagent tui comes back"


async def test_leaving_while_it_reads_ends_the_reading(tmp_path: Path) -> None:
    """Nobody waits for the other: neither the screen for the watch, nor the watch for the screen."""
    waits = await parked(tmp_path)
    app = HeardCockpit(waits.run, Carried(), UNSET, 0)

    async with app.run_test():
        app._watch.look()

    assert "autoagent-watch" not in [thread.name for thread in threading.enumerate()]


# --- the past, memory, plugins ------------------------------------------------------------------------------


async def past_of(seat: Seat) -> PastScreen:
    """The slider over the run on screen, once it has read it."""
    await seat.press("p")
    screen = seat.app.screen
    assert isinstance(screen, PastScreen)
    await seat.until(lambda: screen.at > 1)
    return screen


async def test_the_past_is_stepped_through(tmp_path: Path) -> None:
    """It opens on the end; plan and proof are as they were; what has changed since is a key away."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        screen = await past_of(seat)
        assert [row for row in seat.screen() if "run ended" in row]
        assert "✓ proved  a.txt" in seat.text("#plan")
        await seat.press("home")
        assert screen.at == 1
        assert "▌PAST▐" in seat.text("#title")
        assert "✓ proved" not in seat.text("#plan")
        await seat.press("L")
        assert "│ the text" in seat.text("#entry")
        await seat.press("home", "d")
        assert "+the text" in seat.text("#text")


async def test_a_fork_is_made_from_the_past(tmp_path: Path) -> None:
    """In a folder of its own, once the person has seen what that means; it is in the list."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await past_of(seat)
        await seat.press("home", "L", "f")
        said = seat.text("#about")
        assert "works in a new folder,\n/" in said
        assert "-fork-…" in said
        assert [*seat.app.seen] == [done.run]

        await seat.press("enter")
        await seat.until(lambda: len(seat.app.seen) == 2)
        assert "it is in the list" in seat.text("#news")


async def test_the_past_opens_at_the_row_under_the_cursor(tmp_path: Path) -> None:
    """While the list isn't followed; else at the end."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await seat.until(lambda: "proved" in seat.text("#activity"))
        await seat.on_row("files_write")
        pane = seat.app.screen.query_one("#activity", Lines)
        number = int(pane.key)
        assert (await past_of(seat)).at == number


async def test_a_fork_goes_on_with_another_model(tmp_path: Path) -> None:
    """One of config.toml, chosen from a list; `esc` forks nothing."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())
    (home() / "config.toml").write_text('[models.small]\nmodel = "s-1"\n[models.large]\nmodel = "l-1"\n')

    async with seated(run=done.run) as seat:
        await past_of(seat)
        await seat.press("home", "L", "f")
        assert "large · l-1" in seat.text("#choices")
        await seat.press("escape", "f", "G", "enter")
        await seat.until(lambda: len(seat.app.seen) == 2)

    (fork,) = {*seat.app.seen} - {done.run}
    with opened() as journal:
        made = [each.event for each in journal.read(fork) if isinstance(each.event, Forked)]
    assert [each.model for each in made] == ["large"]


async def test_the_past_plays_until_a_key(tmp_path: Path) -> None:
    """And answers nothing."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        screen = await past_of(seat)
        await seat.press("home", "space")
        await seat.until(lambda: screen.at > 1)
        await seat.press("space")
        held = screen.at
        await seat.press("a")
        assert "Nothing is answered from the past" in seat.text("#news")
        assert (seat.app.screen, screen.at) == (screen, held)


async def test_an_undo_is_the_console_s(tmp_path: Path) -> None:
    """Where the screen can't be left, the command is named."""
    done = await ran(tmp_path, PROVED, write("a.txt", "the text\n"), finish())

    async with seated(run=done.run) as seat:
        await past_of(seat)
        await seat.press("home", "u")

        assert f"type: autoagent undo {done.run} --to 1" in seat.text("#news")


# --- starting, help, colours --------------------------------------------------------------------------------


async def test_help_lists_every_key_of_the_screen(tmp_path: Path) -> None:
    """In words, with what they do; the screen's own before those that move about in it."""
    async with seated() as seat:
        await seat.press("question_mark")

        said = seat.text("#keys")
        assert "answer" in said
        assert said.index("Start a goal") < said.index("page up")
        assert "End it for good; asks" in said
        own = {id for id in seat.app.actions if id.startswith(("runs.", "app.", "lines."))}
        assert own <= set(said.split())


async def test_keys_of_one_s_own_take_the_place_of_the_usual_ones(tmp_path: Path) -> None:
    """On screen too."""
    waits = await parked(tmp_path)

    async with seated(keys={"runs": {"resume": "R,f6"}, "question": {"yes": "z"}}) as seat:
        await seat.press("r")
        assert seat.text("#news") == ""
        await seat.press("f6")
        assert "waits for you" in seat.text("#news")
        assert " t try  R resume  space pause" in seat.screen()[-1]
        await seat.asked()
        assert "z yes, once" in seat.text("#answers")
        await seat.press("z")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [type(each) for each in commands(waits.run)] == [Approve]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"runs": {"resme": "R"}},
            "[keys] has no action 'runs.resme'; did you mean 'runs.resume' or 'run.resume'? Without it",
        ),
        (
            {"runs": {"resume": "wurst"}},
            "[keys] runs.resume is 'wurst', which is no key; expected a character",
        ),
        ({"runs": {"resume": ""}}, "[keys] runs.resume is '', which is no key"),
        ({"runs": {"resume": "x,c"}}, "[keys] runs.resume = 'c' is the key of runs.cancel too"),
        ({"question": {"yes": "enter"}}, "[keys] question.yes = 'enter' is the key of"),
        ({"app": {"leave": "?"}}, "[keys] app.leave = 'question_mark' is the key of app.help too"),
    ],
)
def test_keys_that_can_t_be_used_are_named(keys: Mapping[str, Mapping[str, str]], said: str) -> None:
    """With what was expected, before anything is drawn."""
    with pytest.raises(UsageError, match=re.escape(said)):
        keymap(keys)


def test_two_keys_may_be_exchanged() -> None:
    """What counts is how they are in the end."""
    assert keymap({"runs": {"resume": "c", "cancel": "r"}}) == {"runs.resume": "c", "runs.cancel": "r"}


@pytest.mark.parametrize("theme", ["autoagent", "autoagent-light", "autoagent-contrast"])
async def test_every_theme_draws_every_tone(tmp_path: Path, theme: str) -> None:
    """A theme without a colour would fail here."""
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated(run=done.run) as seat:
        seat.app.theme = theme
        await seat.until(lambda: "proved" in seat.text("#activity"))

        assert "proved" in seat.app.export_screenshot()
