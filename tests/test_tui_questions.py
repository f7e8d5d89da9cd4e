"""Questions of every kind on the screen, over runs that really asked them; plans that are edited there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest
from loops import finish, plan, write
from seats import LONG, POST, Seat, commands, ran, seated
from textual.events import Key
from textual.widgets import Input, TextArea
from worlds import World

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.finding import opened, state_of
from autoagent.events import CallEnded, Entry
from autoagent.faults import FaultPoint
from autoagent.goal.file import understand
from autoagent.loop.context import Models
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.testing.model import ScriptedModel, call
from autoagent.tui.pages.helping import HelpScreen
from autoagent.tui.questions.attention import Attention, Typing
from autoagent.tui.questions.exact import Exact
from autoagent.tui.questions.rewording import RewordScreen
from autoagent.tui.questions.screen import QuestionScreen
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.screen import RunsScreen
from autoagent.wiring import Hooks, Parts, resume, start

PLANNED = "goal: Write a.txt\nask: [plan]\nplugins: [files]\n"
PLAN = call(
    "propose_plan",
    sub_tasks=[
        {"id": "1", "title": "Look", "instructions": "Look around."},
        {"id": "2", "title": "Search", "instructions": "", "depends_on": ["1"]},
        {"id": "3", "title": "Write", "instructions": "", "depends_on": ["2"], "done_when": ["file: a.txt"]},
    ],
)


async def planned(folder: Path, proposal: Reply = PLAN) -> tuple[Outcome, Path]:
    """A run that waits for a yes to its plan, and its folder."""
    workspace = Path(mkdtemp(dir=folder))
    model = ScriptedModel(planner=[proposal])
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model))
        return await start(understand(PLANNED)[0], workspace, parts=parts), workspace


def title(seat: Seat) -> str:
    return str(seat.app.screen.query_one(Exact).border_title)


# --- a plan is edited ---------------------------------------------------------------------------------------


async def test_an_edited_plan_is_the_one_that_is_carried_out(tmp_path: Path) -> None:
    """Dropped, reworded, added, moved; nothing is sent until the yes, and the run begins with that plan."""
    waits, workspace = await planned(tmp_path)

    async with seated((100, 36)) as seat:
        await seat.asked()
        await seat.press("j", "j", "x")
        assert "2   Search  removed by you" in seat.text("#exactly")
        assert "sub-task '3' depends on '2', which isn't in the plan (1, 3)" in seat.text("#exactly")
        await seat.looked_at()
        await seat.press("y")
        assert "isn't in the plan" in seat.text("#said")
        assert commands(waits.run) == []

        await seat.press("j", "e")
        seat.app.screen.query_one("#after", Input).value = "1"
        seat.app.screen.query_one("#title", Input).value = "Write it down"
        await seat.press("ctrl+s")
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        assert "~ 3   Write it down" in seat.text("#exactly")
        await seat.press("o")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        await seat.press(*"Read")
        seat.app.screen.query_one("#done_when", TextArea).text = "file: b.txt"
        await seat.press("ctrl+s")
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        assert "+ 3b  Read" in seat.text("#exactly")
        await seat.press("K")
        assert "the plan, with 3 edits of yours" in title(seat)
        assert commands(waits.run) == []

        await seat.looked_at()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    (sent,) = commands(waits.run)
    assert isinstance(sent, Approve)
    model = ScriptedModel(worker=[finish(), write("b.txt", "x"), finish(), write("a.txt", "x"), finish()])
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model))
        outcome = await resume(waits.run, parts=parts)
        carried_out = state_of(journal, waits.run).plan

    assert outcome.ending == "proved"
    assert carried_out is not None
    assert [(s.id, s.title, s.depends_on) for s in carried_out.sub_tasks] == [
        ("1", "Look", ()),
        ("3b", "Read", ()),
        ("3", "Write it down", ("1",)),
    ]
    assert (workspace / "a.txt").read_text() == "x"


async def test_after_an_edit_a_key_answers_nothing_at_once(tmp_path: Path) -> None:
    """What was pressed before the edited plan was looked at isn't meant for it; edits go on meanwhile."""
    waits, _ = await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        seat.app.dead_s = 60  # however slowly the keys come in
        await seat.press("j", "x", "x", "y", "y", "enter")
        assert isinstance(seat.app.screen, QuestionScreen)
        await seat.press("u", "y")

    assert commands(waits.run) == []


async def test_no_row_is_edited_that_the_cursor_is_not_on(tmp_path: Path) -> None:
    """The first such key only shows the cursor, wherever the list stands."""
    await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        for key in ("x", "J"):
            await seat.press(key)
            assert "this row, or which one? j and k move" in seat.text("#said")
            await seat.press("G")  # down to what is no row of the plan
        assert isinstance(seat.app.screen, QuestionScreen)

        assert "exactly this plan" in title(seat)


async def test_the_first_edit_key_rewords_the_first_row(tmp_path: Path) -> None:
    """The cursor's row has a sign, which needs no colour."""
    await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        assert not any(" ▌1 " in row for row in seat.screen())
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        assert seat.app.screen.query_one("#title", Input).value == "Look"
        await seat.press("escape")
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        assert any(" ▌1 " in row for row in seat.screen())


async def test_edits_are_taken_back_to_what_was_asked(tmp_path: Path) -> None:
    """Then a yes says yes to that."""
    waits, _ = await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("j", "J", "u")
        assert "it is as it was asked about" in seat.text("#said")
        await seat.press("u")
        assert "nothing is edited" in seat.text("#said")
        await seat.looked_at()
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.edit for each in commands(waits.run) if isinstance(each, Approve)] == [None]


async def test_enter_among_the_rows_rewords_and_denies_nothing(tmp_path: Path) -> None:
    """What can't be read stays in the fields; esc drops it, the next one leaves the rows for the answers."""
    waits, _ = await planned(tmp_path)

    async with seated((80, 24)) as seat:
        await seat.asked()
        assert "▌n no▐" in seat.text("#answers")
        await seat.press("j", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        seat.app.screen.query_one("#done_when", TextArea).text = "it reads well"
        await seat.press("ctrl+s")
        assert "begin each line with file:, run:, judge:" in seat.text("#said")
        await seat.press("escape", "escape")
        assert "▌n no▐" not in seat.text("#answers")
        await seat.press("escape")
        assert "▌n no▐" in seat.text("#answers")

    assert commands(waits.run) == []


async def test_words_that_would_be_lost_are_asked_about_once(tmp_path: Path) -> None:
    """In the fields of a plan's row; untouched ones close at once."""
    await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("j", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        await seat.press("x", "escape")
        assert "what you wrote isn't taken yet" in seat.text("#said")
        await seat.press("y", "escape")
        assert isinstance(seat.app.screen, RewordScreen)  # there is more of it now
        await seat.press("escape")
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        assert "exactly this plan" in title(seat)


async def test_keys_of_one_burst_reach_the_fields_they_are_meant_for(tmp_path: Path) -> None:
    """However late the fields take them in: tab, enter and ^s keep their place among the letters."""
    await planned(tmp_path)

    async with seated() as seat:
        await seat.asked()
        await seat.press("j", "o")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        keys = [*"Read", "enter", *"it", "enter", *"all", "tab", "tab", *"b", "ctrl+s"]
        for key in keys:
            await seat.app.on_event(Key(key, key if len(key) == 1 else None))
        screen = seat.app.screen
        assert screen.query_one("#title", Input).value == "Read"
        assert screen.query_one("#instructions", TextArea).text == "it\nall"
        assert screen.query_one("#done_when", TextArea).text == "b"
        assert "begin each line with file:" in seat.text("#said")


async def test_a_field_gives_the_terminal_nothing_to_obey(tmp_path: Path) -> None:
    """Whatever stands in it: of a model's title, of a paste."""
    row = {"id": "1", "title": "Look \x1b[2J\u202e!", "instructions": "a\x1b[1A"}
    evil = call("propose_plan", sub_tasks=[row])
    await planned(tmp_path, evil)

    async with seated() as seat:
        await seat.asked()
        await seat.press("j", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, RewordScreen))
        assert seat.app.screen.query_one("#title", Input).value == "Look \\x1b[2J\\u202e!"
        seat.app.screen.query_one("#after", Input).value = "\x1b[31m\u202e"
        await seat.pilot.pause()

        assert all(char.isprintable() for row in seat.screen() for char in row)


async def test_a_plan_is_edited_as_json_where_no_editor_can_have_the_screen(tmp_path: Path) -> None:
    """It says so; what the JSON leaves out is shown as removed."""
    await planned(tmp_path)

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("ctrl+o")
        assert "no other program can have this screen" in seat.text("#said")
        editor = screen.query_one("#editor", TextArea)
        editor.text = '{"sub_tasks": [{"id": "1", "title": "All of it"}]}'
        await seat.press("ctrl+s")

        assert "~ 1   All of it" in seat.text("#exactly")
        assert "- 2   Search  removed by you" in seat.text("#exactly")


async def test_a_yes_to_a_plan_shows_every_word_of_it_first(tmp_path: Path) -> None:
    """Also what only its worker would read; going to the end skips nothing."""
    words = "\n".join(f"word {n}" for n in range(60))
    long = call("propose_plan", sub_tasks=[{"id": "1", "title": "Look", "instructions": words}])
    waits, _ = await planned(tmp_path, long)

    async with seated((80, 24)) as seat:
        screen = await seat.asked()
        screen.query_one(Exact).action_to(-1)
        await seat.pilot.pause()
        assert "not seen yet" in title(seat)
        pages = 0
        while isinstance(seat.app.screen, QuestionScreen):
            assert commands(waits.run) == []
            await seat.looked_at()
            await seat.press("y")
            pages += 1

    assert pages > 3


# --- the other kinds ----------------------------------------------------------------------------------------


async def test_a_verdict_of_the_person_s(tmp_path: Path) -> None:
    """The words to judge, what has changed, what each answer means; the no takes its reason along."""
    goal = "goal: g\ndone_when: [{human: It reads well.}]\nplugins: [files]\n"
    waits = await ran(tmp_path, goal, write("report.md", "words"), finish())

    async with seated((80, 24)) as seat:
        await seat.asked()
        shown = seat.text("#exactly")
        assert shown.startswith("│ It reads well.\nyes ")
        assert "added  report.md\n│ +words" in shown  # what is to be judged stands there
        assert "no         it counts as refuted" in shown
        await seat.press("f", *"dull")
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.why for each in commands(waits.run) if isinstance(each, Deny)] == ["dull"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        ("finish", "yes        the run ends, with this proof"),
        ("every:1", "no         the run ends here; what it has made stays"),
        ("task", "no         it is skipped; the agent is told why"),
    ],
)
async def test_a_checkpoint_says_what_each_answer_does(tmp_path: Path, ask: str, said: str) -> None:
    """And what there still is of the limits."""
    goal = f"goal: g\ndone_when: [{{file: a.txt}}]\nplugins: [files]\nask: ['{ask}']\n"
    waits = await ran(tmp_path, goal, write("a.txt", "x"), finish())

    async with seated((80, 24)) as seat:
        await seat.asked()
        assert said in seat.text("#exactly")
        assert "left $3.00, " in seat.screen()[-1]
        await seat.press("y")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [type(each) for each in commands(waits.run)] == [Approve]


SENT = call("post_send", to="bob", text="hi")


class Died(BaseException):
    """The process is gone."""


class GoneAtSend:
    """Ends the process as the last thing before it sends."""

    def reached(self, point: FaultPoint) -> None:
        if point == "about to send":
            raise Died


async def test_an_answer_from_elsewhere_is_told_with_its_time(tmp_path: Path) -> None:
    """Also once the run has taken it; no key answers any more."""
    waits = await ran(tmp_path, POST, call("ask_human", question="Which colour?"))

    async with seated() as seat:
        screen = await seat.asked()
        question = screen.question
        with opened() as journal:
            answer = Answer(question=question.id, digest=question.digest, text="red")
            journal.send(waits.run, answer, by="command")
            parts = Parts(
                journal=journal, models=models(write("a.txt", "x"), finish()), plugins=[World().plugin()]
            )
            await resume(waits.run, parts=parts)
        await seat.until(lambda: "Answered 'red' at " in seat.text("#said"))
        other = await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))
        await seat.until(lambda: bool(seat.app.questions()))
        assert re.search(r"at \d\d:\d\d by a command\. Nothing left to do here\.", seat.text("#said"))
        await seat.press("right_square_bracket")
        await seat.looked_at()
        assert screen.run_id == other.run
        await seat.press("escape")

    assert (len(commands(waits.run)), commands(other.run)) == (1, [])


def models(*replies: Reply) -> Models:
    model = ScriptedModel(planner=[plan("tell")], worker=replies)
    return Models(model, model, model)


async def test_a_call_that_may_have_happened(tmp_path: Path) -> None:
    """What is known, what isn't, that nothing is sent by itself; the cursor starts on later."""
    goal, model = understand(POST.replace("post: []", "post: [bob]"))[0], models(SENT)
    with opened() as journal:
        parts = Parts(journal=journal, models=model, plugins=[World().plugin()])
        with pytest.raises(Died):
            await start(goal, tmp_path, parts=replace(parts, faults=GoneAtSend()))
        run = journal.runs()[0].id
        await resume(run, parts=parts)

    async with seated((80, 24)) as seat:
        await seat.asked()
        shown = seat.text("#exactly")
        assert "known  post_send was begun at " in shown
        assert "Nothing is sent until you answer, and nothing is sent twice" in shown
        assert seat.text("#answers").startswith("▌esc later▐ 1 done  2 run again  3 skip")
        await seat.press("1")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.text for each in commands(run) if isinstance(each, Answer)] == ["done"]


@pytest.mark.parametrize(("columns", "shown"), [(100, "│ +theirs"), (130, "-mine")])
async def test_two_versions_of_a_file(tmp_path: Path, columns: int, shown: str) -> None:
    """Whose lines are whose; beside each other where there is room."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.txt").write_text("same\nold\n")
    edits = [b"same\nmine\n"]

    def meddle(entry: Entry) -> None:
        if isinstance(entry.event, CallEnded) and entry.event.tree is not None and edits:
            (work / "a.txt").write_bytes(edits.pop())

    model = ScriptedModel(planner=[plan("1")], worker=[write("a.txt", "same\ntheirs\n"), finish()])
    with opened() as journal:
        parts = Parts(journal=journal, models=Models(model, model, model))
        goal = understand("goal: g\ndone_when: [{file: a.txt}]\nplugins: [files]\n")[0]
        waits = await start(goal, work, parts=parts, hooks=Hooks(on_entry=meddle))

    async with seated((columns, 36)) as seat:
        await seat.asked()
        said = seat.text("#exactly")
        assert "Nothing was overwritten: your folder" in said
        assert "mine       yours stays; the agent's version is dropped" in said
        (row,) = [each for each in said.split("\n") if shown in each]
        assert ("+theirs" in row, "-mine" in row) == (True, columns > 110)
        await seat.press("3")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.text for each in commands(waits.run) if isinstance(each, Answer)] == ["both"]


async def test_a_file_that_would_leave_is_read_before_the_yes(tmp_path: Path) -> None:
    """All of its lines stand there, as they would be sent, and y pages through them first."""
    letter = "\n".join(f"line {n} of the letter" for n in range(40))
    goal = "goal: Tell bob\nallow: {send: {post: []}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"
    waits = await ran(
        tmp_path, goal, write("letter.md", letter), call("post_file", to="bob", file="letter.md")
    )

    async with seated((80, 24)) as seat:
        await seat.asked()
        assert "│ line 0 of the letter" in seat.text("#exactly")
        assert "│ line 39 of the letter" in seat.text("#exactly")
        assert "not seen yet" in title(seat)
        await seat.press("y")
        assert commands(waits.run) == []
        while isinstance(seat.app.screen, QuestionScreen):
            await seat.looked_at()
            await seat.press("y")

    assert [type(each) for each in commands(waits.run)] == [Approve]


async def test_an_edit_that_reaches_somebody_else_says_so(tmp_path: Path) -> None:
    """The head goes on naming whom was asked about."""
    await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("e")
        editor = screen.query_one("#editor", TextArea)
        editor.text = editor.text.replace("bob", "ben")
        await seat.press("ctrl+s")

        assert seat.text("#exactly").startswith("to is other than asked about: this no longer reaches bob")
        assert "edited by you; asked as" in seat.screen()[-1]


async def test_help_of_a_question_names_what_it_offers(tmp_path: Path) -> None:
    """By its usual key, which the question names; no choices and no rows that it doesn't have."""
    await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated() as seat:
        await seat.asked()
        assert "? help" in seat.text("#answers")
        await seat.press("question_mark")
        await seat.until(lambda: isinstance(seat.app.screen, HelpScreen))
        named = seat.text("#keys")
        assert "question.many" in named
        assert "question.choice_1" not in named
        assert "question.lower" not in named


async def test_the_age_of_a_question_grows_while_it_is_looked_at(tmp_path: Path) -> None:
    """Without a key."""
    await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated() as seat:
        await seat.asked()
        before = seat.text("#answers")
        await seat.until(lambda: seat.text("#answers") != before)
        assert re.search(r"asked \d+ s ago|asked just now", seat.text("#answers"))


async def test_a_key_that_is_held_down_pages_once(tmp_path: Path) -> None:
    """It goes through nothing that nobody can have read."""
    waits = await ran(tmp_path, POST, call("post_send", to="bob", text=LONG))

    async with seated((80, 24)) as seat:
        await seat.asked()
        seat.app.dead_s = 60
        await seat.press(*"yyyyyyyyyy")
        assert "lines 15–28 of 61" in title(seat)

    assert commands(waits.run) == []


async def test_keys_of_one_read_answer_nothing(tmp_path: Path) -> None:
    """Pasted, though the terminal doesn't say so; also over what was seen to its end."""
    waits = await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated() as seat:
        screen = await seat.asked()
        seat.app.dead_s = 60
        for _ in range(2):
            seat.app.typing.heard()
        screen.action_yes()
        await seat.press("y", "n", "enter")
        assert seat.app.screen is screen

    assert commands(waits.run) == []


async def test_a_text_in_one_burst_with_enter_is_not_sent(tmp_path: Path) -> None:
    """It came as a paste does; enter by itself sends it."""
    waits = await ran(tmp_path, POST, call("ask_human", question="Which colour?"))

    async with seated() as seat:
        screen = await seat.asked()
        await seat.press("enter", *"blue")
        for _ in range(2):  # as one read of the terminal gives them
            seat.app.typing.heard()
        await screen.action_take()
        assert "in one burst, as a paste" in seat.text("#said")
        assert commands(waits.run) == []
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.text for each in commands(waits.run) if isinstance(each, Answer)] == ["blue"]


async def test_where_words_are_the_answer_they_are_just_typed(tmp_path: Path) -> None:
    """From the first letter on, whatever that does elsewhere; nothing is sent before enter."""
    waits = await ran(tmp_path, POST, call("ask_human", question="Which colour?"))

    async with seated() as seat:
        screen = await seat.asked()
        for key in "jade, n":
            await seat.app.on_event(Key(key, key))
        assert screen.query_one("#field", Input).value == ""
        await seat.pilot.pause()
        assert screen.query_one("#field", Input).value == "jade, n"
        await seat.press("escape")
        assert "what you wrote isn't taken yet" in seat.text("#said")
        assert commands(waits.run) == []
        seat.app.typing = Typing(iter(range(1000)).__next__)
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert [each.text for each in commands(waits.run) if isinstance(each, Answer)] == ["jade, n"]


async def test_words_typed_before_a_question_was_seen_open_nothing(tmp_path: Path) -> None:
    """Each puts the moment off."""
    await ran(tmp_path, POST, call("ask_human", question="Which colour?"))

    async with seated() as seat:
        screen = await seat.asked()
        seat.app.dead_s = 60
        screen._attention.wake()
        await seat.press(*"blue")

        assert not screen.query_one("#field", Input).display


# --- a question opens by itself -----------------------------------------------------------------------------


async def test_a_question_of_the_run_on_screen_opens_by_itself(tmp_path: Path) -> None:
    """Once: left for later it comes back by a key alone."""
    waits = await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated(run=waits.run, quiet_s=0.3) as seat:
        await seat.until(lambda: isinstance(seat.app.screen, QuestionScreen))
        await seat.looked_at()
        await seat.press("escape")
        await seat.pilot.pause(0.8)

        assert isinstance(seat.app.screen, RunScreen)
    assert commands(waits.run) == []


async def test_no_question_opens_over_a_half_written_line(tmp_path: Path) -> None:
    """Nor over the list of all runs."""
    waits = await ran(tmp_path, POST, call("post_send", to="bob", text="hi"))

    async with seated(quiet_s=0) as seat:
        await seat.pilot.pause(0.6)
        assert isinstance(seat.app.screen, RunsScreen)
        seat.app._opened.update(seat.app.questions())
        seat.app.open_run(waits.run)
        await seat.until(lambda: bool(seat.app.screen.query("#field")))
        await seat.press("s", "x")
        seat.app._opened.clear()
        await seat.pilot.pause(0.6)

        assert isinstance(seat.app.screen, RunScreen)


def test_a_key_before_it_was_seen_puts_the_moment_off() -> None:
    """However long the burst is; what answers nothing needs the first moment only."""
    now = [0.0]
    attention = Attention(lambda: 0.5, lambda: now[0])
    assert attention.is_early()
    attention.wake()
    for _ in range(10):
        now[0] += 0.4
        assert attention.is_early()

    assert (attention.is_awake, attention.is_open) == (False, True)
    now[0] += 0.5
    assert not attention.is_early()


def test_keys_of_one_read_are_a_burst() -> None:
    """Fingers are slower."""
    now = [0.0]
    typing = Typing(lambda: now[0])
    typing.heard()
    now[0] += 0.001
    typing.heard()
    assert typing.is_burst
    now[0] += 0.05
    typing.heard()

    assert not typing.is_burst
