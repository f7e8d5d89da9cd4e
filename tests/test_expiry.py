"""Questions that can be answered only for so long, on a clock that a test moves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from loops import Stage, finish, plan, worker_prompts, write
from worlds import World

from autoagent.commands import Answer, Approve, Deny
from autoagent.events import CallStarted, CommandRefused, QuestionAnswered, QuestionAsked, QuestionVoided
from autoagent.questions import Question
from autoagent.state import RunState
from autoagent.testing.clock import START, FakeClock
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.model import ScriptedModel, call

ASKED = """
goal: send letters
allow: {send: {post: []}}
plugins: [files, post]
done_when: [{file: done.txt}]
"""
DONE = [write("done.txt", "x"), finish()]
HOUR_S = 3600


def stage_of(tmp_path: Path, world: World, clock: FakeClock, hours: float = 2) -> Stage:
    """Questions here expire after `hours`."""
    journal = MemoryJournal(clock)
    stage = Stage.at(tmp_path, plugins=[world.plugin()], clock=clock, journal=journal)
    stage.home.mkdir()
    (stage.home / "config.toml").write_text(f"[questions]\nexpire_hours = {hours}\n")
    return stage


def model_of() -> ScriptedModel:
    letter = call("post_send", to="ben", text="hello")
    return ScriptedModel(planner=[plan("a")], worker=[letter, *DONE], by_number=True)


async def test_question_says_until_when_and_its_digest_covers_it(tmp_path: Path) -> None:
    """Two hours after it was asked."""
    stage = stage_of(tmp_path, World(), FakeClock())
    await stage.start(ASKED, model_of())

    asked = stage.question()
    assert asked.expires_at == START + timedelta(hours=2)
    assert asked.digest != asked.model_copy(update={"expires_at": None}).digest


async def test_without_the_setting_a_question_waits_for_ever(tmp_path: Path) -> None:
    """0 hours are no hours' limit."""
    stage = stage_of(tmp_path, World(), FakeClock(), hours=0)
    await stage.start(ASKED, model_of())

    assert stage.question().expires_at is None


async def test_late_answer_is_refused_and_resume_asks_again(tmp_path: Path) -> None:
    """Nothing is sent on a yes that came too late; the new question has a time of its own."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)
    await stage.start(ASKED, model_of())
    first = stage.question()
    clock.pass_time(2 * HOUR_S)
    stage.approve()

    again = await stage.resume(model_of())

    assert (again.ending, world.sent) == ("parked", [])
    assert f"question {first.id} expired at 2026-01-01 02:00 UTC" in stage.events(CommandRefused)[0].why
    assert stage.question().expires_at == START + timedelta(hours=4)
    assert len(stage.events(QuestionVoided)) == 1
    stage.approve()
    assert (await stage.resume(model_of())).ending == "proved"
    assert world.sent == ["ben: hello"]


async def test_answer_in_time_counts_when_the_run_goes_on_later(tmp_path: Path) -> None:
    """What was said in time was said; the run may take days to hear it."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)
    await stage.start(ASKED, model_of())
    clock.pass_time(HOUR_S)
    stage.approve()
    clock.pass_time(100 * HOUR_S)

    outcome = await stage.resume(model_of())

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])


@pytest.mark.parametrize(("absence", "ending"), [("skip", "proved"), ("stop", "unproved")])
async def test_nobody_answers_in_time(tmp_path: Path, absence: str, ending: str) -> None:
    """`skip` is a no, `stop` ends the run: also while a terminal waits far longer."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)

    def hear(entry: object) -> None:
        if entry.event.kind == "question_asked":  # type: ignore[attr-defined]
            clock.pass_time(3 * HOUR_S)

    model = model_of()
    goal = f"{ASKED}if_nobody_answers: {absence}\nlimits: {{minutes: 1000}}\n"
    outcome = await stage.start(goal, model, wait_s=1_000_000, on_entry=hear)

    assert (outcome.ending, world.sent) == (ending, [])
    assert [a.by for a in stage.events(QuestionAnswered)] == ["nobody"]
    assert "expired at" in stage.events(QuestionAnswered)[0].text
    if absence == "skip":
        assert "expired at" in worker_prompts(model)[1].last.text


async def test_waiting_ends_with_the_question(tmp_path: Path) -> None:
    """With `park` a run that waits for an answer that may no longer come parks."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)

    def hear(entry: object) -> None:
        if entry.event.kind == "question_asked":  # type: ignore[attr-defined]
            clock.pass_time(3 * HOUR_S)

    outcome = await stage.start(ASKED, model_of(), wait_s=1_000_000, on_entry=hear)

    assert (outcome.ending, len(stage.events(QuestionAsked))) == ("parked", 1)


async def test_person_at_the_terminal_is_asked_anew(tmp_path: Path) -> None:
    """A late yes sends nothing; the same person is asked again, and that answer counts."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)
    asked: list[str] = []

    async def approver(question: Question, state: RunState) -> Approve | Deny | Answer:
        asked.append(question.id)
        if len(asked) == 1:
            clock.pass_time(3 * HOUR_S)
        return Approve(question=question.id, digest=question.digest)

    outcome = await stage.start(ASKED, model_of(), approver=approver)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert [v.question for v in stage.events(QuestionVoided)] == asked[:1]
    assert len(set(asked)) == 2


@pytest.mark.parametrize(("absence", "ending"), [("skip", "proved"), ("stop", "unproved")])
async def test_question_left_for_later_expires_between_two_processes(
    tmp_path: Path, absence: str, ending: str
) -> None:
    """The next process does what the goal says before anything else, and asks nobody."""
    world, clock = World(), FakeClock()
    stage = stage_of(tmp_path, world, clock)

    async def later(question: Question, state: RunState) -> None:
        return None

    parked = await stage.start(f"{ASKED}if_nobody_answers: {absence}\n", model_of(), approver=later)
    clock.pass_time(3 * HOUR_S)

    outcome = await stage.resume(model_of())

    assert (parked.ending, outcome.ending, world.sent) == ("parked", ending, [])
    assert len(stage.events(QuestionAsked)) == 1


async def test_recovery_is_asked_anew_and_never_given_up(tmp_path: Path) -> None:
    """What became of a letter is not settled by a question's running out."""
    world, clock = World(), FakeClock()
    stage = Stage.at(tmp_path, plugins=[world.plugin()], clock=clock)
    stage.home.mkdir()
    (stage.home / "config.toml").write_text("[questions]\nexpire_hours = 2\n")
    goal = f"{ASKED.replace('[]', '[ben]')}if_nobody_answers: skip\n"
    await stage.start(goal, model_of())
    stage.kill(next(e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted)))
    await stage.resume(model_of())
    first = stage.question()
    clock.pass_time(3 * HOUR_S)

    outcome = await stage.resume(model_of())

    assert (outcome.ending, world.sent) == ("parked", ["ben: hello"])
    assert stage.question().subject == first.subject
    assert stage.question().id != first.id
