"""Questions: asked once, durable, answered by whoever is first, about exactly what was shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from loops import Stage, Together, finish, no, plan, worker_prompts, write, yes
from test_report import made
from worlds import World

from autoagent.commands import Answer, Approve, Deny
from autoagent.console.events import told
from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.events import (
    CallEnded,
    CommandRefused,
    Entry,
    QuestionAnswered,
    QuestionAsked,
    QuestionVoided,
    RunParked,
    TimeSpent,
)
from autoagent.ports import ModelRequest
from autoagent.questions import Question
from autoagent.state import RunState, fold
from autoagent.testing.clock import FakeClock
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.tui.run.activity import activity

POST = """
goal: send letters
allow: {send: {post: [anna]}}
plugins: [files, post]
done_when: [{file: done.txt}]
"""
ASKED = POST.replace("[anna]", "[]")
DONE = [write("done.txt", "x"), finish()]


def send(to: str = "ben", text: str = "hello") -> object:
    return call("post_send", to=to, text=text)


def stage_with(tmp_path: Path, world: World) -> Stage:
    return Stage.at(tmp_path, plugins=[world.plugin()])


async def test_named_destination_is_not_asked_about(tmp_path: Path) -> None:
    """The goal names anna: the letter goes out without a question."""
    world = World()
    model = ScriptedModel(planner=[plan("a")], worker=[send("anna"), *DONE])

    outcome = await stage_with(tmp_path, world).start(POST, model)

    assert (outcome.ending, world.sent) == ("proved", ["anna: hello"])


async def test_undeclared_power_is_denied_without_a_question(tmp_path: Path) -> None:
    """A goal that lets nothing be sent gets no prompt, and the model reads why."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send("anna"), *DONE])

    await stage.start(POST.replace("allow: {send: {post: [anna]}}\n", ""), model)

    assert (world.sent, stage.events(QuestionAsked)) == ([], [])
    assert "allow: send" in worker_prompts(model)[1].last.text


async def test_question_parks_the_run_and_an_answer_lets_it_go_on(tmp_path: Path) -> None:
    """Exit 3 with the question's id; after `approve` and `resume` the very call is carried out, once."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    parked = await stage.start(ASKED, model)

    assert (parked.ending, parked.exit_code, world.sent) == ("parked", 3, [])
    assert parked.waiting == (stage.question().id,)
    assert stage.question().subject.args == {"to": "ben", "text": "hello"}

    stage.approve()
    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert len(stage.events(QuestionAsked)) == 1


async def test_resume_without_an_answer_parks_again(tmp_path: Path) -> None:
    """Nothing is asked twice and no model is called."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    first = await stage.start(ASKED, model)

    again = await stage.resume(ScriptedModel())

    assert (again.ending, again.waiting) == ("parked", first.waiting)
    assert len(stage.events(RunParked)) == 2


async def test_no_reaches_the_model_with_its_reason(tmp_path: Path) -> None:
    """Feedback is what the worker reads in place of a result."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    outcome = await stage.start(ASKED, model, approver=no("ask anna first"))

    assert (outcome.ending, world.sent) == ("proved", [])
    assert worker_prompts(model)[1].last.text == "Denied by the person: ask anna first"


async def test_a_persons_no_is_no_failure(tmp_path: Path) -> None:
    """Live and in the activity it is denied, by whom and why."""
    stage = stage_with(tmp_path, World())
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    await stage.start(ASKED, model, approver=no("ask anna first"))
    entries = stage.journal.read(stage.run)
    ended = next(x for x in entries if isinstance(x.event, CallEnded) and not x.event.ok)
    before, after = fold(stage.run, entries[: ended.seq - 1]), fold(stage.run, entries[: ended.seq])

    (row,) = told(before, ended.event, after)
    assert "⊘ denied by you post_send ben · ask anna first" in str(row)
    (item,) = activity(before, ended, after)
    assert (item.state, item.result) == ("denied", "your no")
    report = made(stage)
    assert [(each.what, each.said) for each in report.denials] == [
        ("post_send ben, by you", "ask anna first")
    ]
    assert report.mishaps == ()


async def test_covering_yes_answers_the_next_ones_of_the_same_kind(tmp_path: Path) -> None:
    """`y -3` covers three letters to ben; the fourth, and one to carl, are asked about."""
    world = World()
    stage = stage_with(tmp_path, world)
    letters = [send(text=str(n)) for n in range(4)]
    model = ScriptedModel(planner=[plan("a")], worker=[calls(*letters, send("carl")), *DONE])
    asked: list[str] = []

    async def approver(question: Question, state: RunState) -> Approve | Deny | None:
        asked.append(str(question.subject.args))
        if len(asked) > 1:
            return Deny(question=question.id, digest=question.digest)
        return Approve(question=question.id, digest=question.digest, covers=3)

    await stage.start(ASKED, model, approver=approver)

    assert world.sent == ["ben: 0", "ben: 1", "ben: 2"]
    assert asked == [
        "{'to': 'ben', 'text': '0'}",
        "{'to': 'ben', 'text': '3'}",
        "{'to': 'carl', 'text': 'hello'}",
    ]
    assert [a.by for a in stage.events(QuestionAnswered)] == [
        "terminal",
        "rule",
        "rule",
        "terminal",
        "terminal",
    ]
    ruled = [a.text for a in stage.events(QuestionAnswered) if a.by == "rule"]
    first = stage.events(QuestionAsked)[0].question.id
    assert ruled == [f"covered by your yes to question {first}, which was for 3 of post_send to ben"] * 2


@pytest.mark.parametrize(
    "goal",
    [ASKED, POST.replace("[anna]", "[ben]") + "ask: [send]\n"],
    ids=["unnamed", "named, and asked before each"],
)
async def test_covering_yes_ends_where_the_run_reads_private_data(tmp_path: Path, goal: str) -> None:
    """Who let three letters pass didn't know that the run would know a stranger's words and a secret."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("notes/key", "hunter2")
    worker = [send(text="1"), send(text="2"), call("files_read", path="notes/key"), send(text="3"), *DONE]
    model = ScriptedModel(planner=[plan("a")], worker=worker)
    await stage.start(goal + "private: [notes/]\n", model, approver=yes(covers=3))

    assert [a.by for a in stage.events(QuestionAnswered)] == ["terminal", "rule", "terminal"]
    why = stage.events(QuestionAsked)[-1].question.why
    assert why.endswith("; this run has read outside text and private data")


async def test_edited_arguments_are_carried_out(tmp_path: Path) -> None:
    """The person's words go out instead of the model's."""
    world = World()
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    edit = {"to": "ben", "text": "good day"}

    await stage_with(tmp_path, world).start(ASKED, model, approver=yes(edit=edit))

    assert world.sent == ["ben: good day"]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"to": "ben"}, "'text' is missing"),
        ({"to": "ben", "text": "x", "extra": 1}, "there is no parameter 'extra'"),
        ("hello", "edited arguments are a JSON object"),
    ],
)
async def test_edit_that_cannot_be_used_ends_the_call(tmp_path: Path, edit: object, why: str) -> None:
    """A wrong edit sends nothing; the model reads what was wrong with it."""
    world = World()
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    await stage_with(tmp_path, world).start(ASKED, model, approver=yes(edit=edit))

    assert world.sent == []
    assert why in worker_prompts(model)[1].last.text


async def test_edit_can_not_exceed_the_goals_powers(tmp_path: Path) -> None:
    """A path outside the goal's roots is refused also when a person writes it."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("open/a.txt", "a")
    stage.write("shut/b.txt", "b")
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_file", to="ben", file="open/a.txt"), *DONE])
    text = ASKED.replace("{send: {post: []}}", "{read: [open], write: [done.txt], send: {post: []}}")

    await stage.start(text, model, approver=yes(edit={"to": "ben", "file": "shut/b.txt"}))

    assert world.sent == []
    assert "'shut/b.txt' is no file of the question" in worker_prompts(model)[1].last.text


async def test_answer_from_another_terminal_while_the_run_waits(tmp_path: Path) -> None:
    """With `wait_s` the run stays; the command of another process lets it go on."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    def hear(entry: Entry) -> None:
        if entry.event.kind == "question_asked":
            asyncio.get_running_loop().call_soon(stage.approve)

    outcome = await stage.start(ASKED, model, wait_s=30, on_entry=hear)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert [a.by for a in stage.events(QuestionAnswered)] == ["command"]


async def test_answer_from_elsewhere_takes_the_question_off_the_screen(tmp_path: Path) -> None:
    """The first answer wins: the approver is cancelled when another terminal was quicker."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    left = []

    async def approver(question: Question, state: RunState) -> None:
        stage.approve()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(question.id)

    outcome = await stage.start(ASKED, model, approver=approver)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert left == [a.question for a in stage.events(QuestionAnswered)]


async def test_answers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A wrong digest, a wrong kind, an unknown question, a second answer: each is refused with the reason."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    await stage.start(ASKED, model)
    asked = stage.question()
    stage.send(Approve(question=asked.id, digest="0" * 64))
    stage.send(Answer(question=asked.id, digest=asked.digest, text="yes"))
    stage.send(Deny(question="zzz", digest=asked.digest))
    stage.deny("no")
    stage.approve()

    await stage.resume(model)

    assert world.sent == []
    whys = [e.why for e in stage.events(CommandRefused)]
    wanted = ["has changed since it was shown", "is a yes or no", "no question 'zzz'", "was answered already"]
    assert [want in why for want, why in zip(wanted, whys, strict=True)] == [True] * 4


async def test_question_left_for_later_parks(tmp_path: Path) -> None:
    """An approver that returns nothing leaves the question open, and the run parks."""
    stage = stage_with(tmp_path, World())
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    async def later(question: Question, state: RunState) -> None:
        return None

    outcome = await stage.start(ASKED, model, approver=later)

    assert outcome.ending == "parked"


async def test_approver_whose_answer_can_not_be_taken_stops_the_run(tmp_path: Path) -> None:
    """A wrong answer of a front end is an error for its author, not an answer."""
    stage = stage_with(tmp_path, World())
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    async def wrong(question: Question, state: RunState) -> Answer:
        return Answer(question=question.id, digest=question.digest, text="maybe")

    outcome = await stage.start(ASKED, model, approver=wrong)

    assert outcome.exit_code == 5
    assert "the approver's answer can't be taken" in outcome.reason


@pytest.mark.parametrize(
    ("absence", "ending"), [("skip", "proved"), ("stop", "unproved"), ("park", "parked")]
)
@pytest.mark.parametrize("wait_s", [0, 0.01])
async def test_nobody_answers(tmp_path: Path, absence: str, ending: str, wait_s: float) -> None:
    """`skip` counts as a no, `stop` ends the run, `park` waits; at once, or after the time to wait."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])

    outcome = await stage.start(f"{ASKED}if_nobody_answers: {absence}\n", model, wait_s=wait_s)

    assert (outcome.ending, world.sent) == (ending, [])
    if absence == "skip":
        assert worker_prompts(model)[1].last.text.startswith("Denied by nobody being there")


async def test_labels_that_change_while_it_waits_void_the_question(tmp_path: Path) -> None:
    """Another lane reads private data: the open question is void, and asked anew with the difference."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("notes/secret.txt", "s")
    asked: list[Question] = []

    async def approver(question: Question, state: RunState) -> Approve | None:
        asked.append(question)
        if len(asked) == 1:
            await asyncio.Event().wait()
        return Approve(question=question.id, digest=question.digest)

    def reads(request: object) -> object:
        assert asked, "the letter is asked about before the other lane reads"
        return call("files_read", path="notes/secret.txt")

    model = ScriptedModel(
        planner=[plan("a", "b")],
        worker={"a": [send(), finish()], "b": [call("files_list", path="."), reads, *DONE]},
    )
    text = f"{ASKED}private: [notes/]\nparallel: 2\n"

    outcome = await stage.start(text, model, approver=approver)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert len(asked) >= 2
    assert "private" in stage.events(QuestionVoided)[-1].why
    assert "asked again, since it has changed: labels" in asked[-1].why


async def test_answer_is_bound_to_the_labels_it_was_given_for(tmp_path: Path) -> None:
    """A yes that was given before private data was read doesn't count after it: asked anew on resume."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("notes/secret.txt", "s")
    model = ScriptedModel(
        planner=[plan("a", "b")],
        worker={
            "a": [send(), finish()],
            "b": [write("x.txt", "x"), call("files_read", path="notes/secret.txt"), *DONE],
        },
    )
    await stage.start(f"{ASKED}private: [notes/]\nparallel: 2\n", model)
    first = next(e.question for e in stage.events(QuestionAsked))
    stage.send(Approve(question=first.id, digest=first.digest))

    again = await stage.resume(model)

    assert (again.ending, world.sent) == ("parked", [])
    assert stage.question().subject.labels == ("outside", "private")


async def test_file_is_sent_as_it_was_shown(tmp_path: Path) -> None:
    """The bytes come from the store: an edit while the question waits changes nothing."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("a.txt", "as shown")
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_file", to="ben", file="a.txt"), *DONE])
    await stage.start(ASKED, model)
    assert list(stage.question().subject.files) == ["a.txt"]
    stage.approve()
    stage.write("a.txt", "changed")

    await stage.resume(model)

    assert world.sent == ["ben: as shown"]


async def test_edit_sends_the_file_as_it_was_shown(tmp_path: Path) -> None:
    """Other words to somebody else, but the very bytes of the question."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("a.txt", "as shown")
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_file", to="ben", file="a.txt"), *DONE])
    await stage.start(ASKED, model)
    stage.approve(edit={"to": "benjamin", "file": "a.txt"})
    stage.write("a.txt", "changed")

    await stage.resume(model)

    assert world.sent == ["benjamin: as shown"]


async def test_edit_that_names_another_file_sends_nothing(tmp_path: Path) -> None:
    """Nobody has seen its bytes: it must be asked about."""
    world = World()
    stage = stage_with(tmp_path, world)
    stage.write("a.txt", "as shown")
    stage.write("b.txt", "never shown")
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_file", to="ben", file="a.txt"), *DONE])

    await stage.start(ASKED, model, approver=yes(edit={"to": "ben", "file": "b.txt"}))

    assert world.sent == []
    assert "its bytes were never shown: deny the call instead" in worker_prompts(model)[1].last.text


@pytest.mark.parametrize(
    ("name", "covers", "edit", "why"),
    [
        ("post_pay", 3, None, "nobody can say whom this reaches"),
        (
            "post_send",
            3,
            {"to": "ben", "text": "x"},
            "a yes with edited arguments counts for this call alone",
        ),
    ],
)
async def test_yes_to_many_is_for_exactly_the_same_to_somebody_known(
    tmp_path: Path, name: str, covers: int, edit: object, why: str
) -> None:
    """Otherwise it is refused with the reason, and the question still waits."""

    @tool()
    async def post_pay(ctx: ToolContext, to: str, text: str) -> str:
        """Pay."""
        return "paid"

    world = World()
    plugin = world.plugin()
    stage = Stage.at(tmp_path, plugins=[Plugin("post", [*plugin.tools, post_pay])])
    model = ScriptedModel(planner=[plan("a")], worker=[call(name, to="ben", text="hello"), *DONE])
    await stage.start(ASKED, model)
    stage.approve(covers=covers, edit=edit)

    again = await stage.resume(model)

    assert (again.ending, world.sent, stage.state.standing) == ("parked", [], ())
    assert why in stage.events(CommandRefused)[0].why


async def test_question_of_the_agent_is_answered_in_words(tmp_path: Path) -> None:
    """`ask_human` parks, and the answer is the call's result."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="which colour?"), *DONE])
    text = "goal: x\nplugins: [files]\ndone_when: [{file: done.txt}]"
    assert (await stage.start(text, model)).ending == "parked"
    stage.answer("blue")

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert worker_prompts(model)[1].last.text == "blue"


async def test_waiting_for_a_person_is_not_active_time(tmp_path: Path) -> None:
    """An hour in front of the question costs the run none of its minutes."""
    clock = FakeClock()
    stage = Stage.at(tmp_path, plugins=[World().plugin()], clock=clock)
    model = ScriptedModel(planner=[plan("a")], worker=[send(), *DONE])
    answer = yes()

    async def slow(question: Question, state: RunState) -> object:
        clock.pass_time(3600)
        return await answer(question, state)

    def think(request: object) -> object:
        clock.pass_time(7)
        return send()

    model = ScriptedModel(planner=[plan("a")], worker=[think, *DONE])
    outcome = await stage.start(f"{ASKED}limits: {{minutes: 30}}\n", model, approver=slow)

    assert outcome.ending == "proved"
    assert sum(e.seconds for e in stage.events(TimeSpent)) == 7


async def test_two_lanes_ask_and_both_wait(tmp_path: Path) -> None:
    """A question blocks only its lane; when all wait the run parks; each answer frees one."""
    world = World()
    stage = stage_with(tmp_path, world)
    model = ScriptedModel(
        planner=[plan("a", "b")],
        worker={"a": [send("ben"), write("a.txt", "a"), finish()], "b": [send("carl"), *DONE]},
    )
    parked = await stage.start(f"{ASKED}parallel: 2\n", model)
    assert len(parked.waiting) == 2
    first = stage.state.waiting[0].question
    stage.send(Approve(question=first.id, digest=first.digest))

    half = await stage.resume(model)

    assert (half.ending, len(half.waiting), len(world.sent)) == ("parked", 1, 1)
    stage.deny("not carl")
    outcome = await stage.resume(model)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert stage.files() == {"a.txt": "a", "done.txt": "x"}


async def test_answer_for_a_parked_lane_comes_while_another_runs(tmp_path: Path) -> None:
    """The parked lane is taken up again at once; the run never parks."""
    world = World()
    stage = stage_with(tmp_path, world)

    class Slow(Together):
        async def before(self, request: ModelRequest) -> None:
            if request.lane == "b" and request.number == 1:
                await stage.until(lambda s: s.state.waiting)
                stage.approve()
                await stage.until(lambda s: s.events(QuestionAnswered))

    model = Slow(planner=[plan("a", "b")], worker={"a": [send(), finish()], "b": DONE})

    outcome = await stage.start(f"{ASKED}parallel: 2\n", model)

    assert (outcome.ending, world.sent) == ("proved", ["ben: hello"])
    assert stage.events(RunParked) == []


async def test_failed_send_warns_that_it_may_have_happened(tmp_path: Path) -> None:
    """An external call that fails half-way is not simply repeated."""
    world = World()
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_broken", to="anna"), *DONE])

    await stage_with(tmp_path, world).start(POST, model)

    assert "It may have happened all the same" in worker_prompts(model)[1].last.text
