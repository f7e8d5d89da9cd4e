"""Checkpoints and limits: where a run stops, and how it goes on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from loops import Stage, Together, finish, no, plan, worker_prompts, write, yes
from worlds import World

from autoagent.commands import Answer, Approve, Deny, RaiseLimits
from autoagent.console.question import whole
from autoagent.errors import UsageError
from autoagent.events import CommandRefused, LimitsRaised, ModelReplied, QuestionAsked, SubTaskEnded
from autoagent.messages import Reply, Usage
from autoagent.ports import ModelRequest, Price
from autoagent.questions import Question
from autoagent.state import RunState
from autoagent.testing.clock import FakeClock
from autoagent.testing.model import ScriptedModel, call
from autoagent.wiring import Choices

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
DONE = [write("a.txt", "x"), finish()]


def kinds(stage: Stage) -> list[str]:
    return [e.question.subject.kind for e in stage.events(QuestionAsked)]


# --- checkpoints --------------------------------------------------------------------------------------------


async def test_every_sub_task_is_asked_about(tmp_path: Path) -> None:
    """`task`: a no skips the sub-task and what waits for it, and the rest goes on."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a", "b", c="b")], worker={"a": DONE})

    async def person(question: Question, state: RunState) -> Approve | Deny:
        args = question.subject.args
        assert isinstance(args, dict)
        if args["id"] == "b":
            return Deny(question=question.id, digest=question.digest, why="not b")
        return Approve(question=question.id, digest=question.digest)

    outcome = await stage.start(GOAL + "ask: [task]\n", model, approver=person)

    assert outcome.ending == "proved"
    ended = {e.sub_task: (e.outcome, e.result) for e in stage.events(SubTaskEnded)}
    assert ended["b"] == ("skipped", "not started: not b")
    assert ended["c"][0] == "skipped"
    assert kinds(stage) == ["task", "task"]


async def test_sends_are_asked_about_even_to_named_ones(tmp_path: Path) -> None:
    """`send`: the destination stands in the goal, and the person is asked all the same."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    text = GOAL.replace("[files]", "[files, post]") + "allow: {send: {post: [anna]}}\nask: [send]\n"
    model = ScriptedModel(planner=[plan("a")], worker=[call("post_send", to="anna", text="hi"), *DONE])

    await stage.start(text, model, approver=no())

    assert (world.sent, kinds(stage)) == ([], ["call"])


async def test_end_waits_for_a_yes(tmp_path: Path) -> None:
    """`finish`: proved and parked; the yes ends it with 0, and it is asked once."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=DONE)

    parked = await stage.start(GOAL + "ask: [finish]\n", model)
    stage.approve()
    outcome = await stage.resume(model)

    assert (parked.ending, outcome.ending) == ("parked", "proved")
    assert kinds(stage) == ["finish"]


async def test_the_last_question_shows_evidence_and_work(tmp_path: Path) -> None:
    """Who says that the run may end sees each verdict and each path that it has changed."""
    stage = Stage.at(tmp_path)
    await stage.start(GOAL + "ask: [finish]\n", ScriptedModel(planner=[plan("a")], worker=DONE))
    (asked,) = stage.state.waiting

    shown = [str(each) for each in whole(asked.question, stage.state, stage.journal.objects)]

    assert any(each.startswith("✓ proved  a.txt") for each in shown)
    assert "added  a.txt" in shown


async def test_an_end_that_nobody_can_want_any_more_is_no_question(tmp_path: Path) -> None:
    """The result is deleted while the question waits: it is void, and nobody is asked about nothing."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a"), plan("b")], worker=[*DONE, finish(), *[call("give_up", reason="no")] * 3]
    )
    await stage.start(GOAL + "ask: [finish]\n", model)
    (first,) = stage.state.waiting
    (stage.folder / "a.txt").unlink()

    outcome = await stage.resume(model)

    assert outcome.ending == "unproved"
    assert kinds(stage) == ["finish"]
    assert stage.state.questions[first.question.id].voided is not None


async def test_no_at_the_end_sends_the_worker_back(tmp_path: Path) -> None:
    """The person's words are what the worker reads; after a change they are asked again."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[*DONE, write("b.txt", "more"), finish()])
    answers = iter([no("write b.txt too"), yes()])

    async def person(question: Question, state: RunState) -> Approve | Deny | Answer | None:
        return await next(answers)(question, state)

    outcome = await stage.start(GOAL + "ask: [finish]\n", model, approver=person)

    assert outcome.ending == "proved"
    assert "The person says it isn't done: write b.txt too" in worker_prompts(model)[2].last.text


async def test_person_who_says_no_is_not_overruled_by_the_evidence(tmp_path: Path) -> None:
    """All criteria are proved, but the person wanted the last word: exit 1, and the reason says so."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a"), plan("b")], worker=[*DONE, finish(), finish(), *[finish()] * 3])

    outcome = await stage.start(GOAL + "ask: [finish]\n", model, approver=no("ugly"))

    assert (outcome.ending, outcome.exit_code) == ("unproved", 1)
    assert "you said that it isn't done: ugly" in outcome.reason
    assert kinds(stage) == ["finish"]


async def test_every_so_many_steps(tmp_path: Path) -> None:
    """`every:2` asks after two and after four steps; a no ends the run."""
    stage = Stage.at(tmp_path)
    many = [write(f"{n}.txt", "x") for n in range(9)]
    model = ScriptedModel(planner=[plan("a")], worker=many)
    answers = iter([yes(), no("enough")])

    async def person(question: Question, state: RunState) -> Approve | Deny | Answer | None:
        return await next(answers)(question, state)

    outcome = await stage.start(GOAL + 'ask: ["every:2"]\n', model, approver=person)

    assert (outcome.ending, outcome.steps) == ("cancelled", 4)
    assert outcome.reason == "stopped at the checkpoint every:2: enough"


async def test_share_of_the_money(tmp_path: Path) -> None:
    """`spend:50%` asks once, when half of the money is gone."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[priced(0.4, write("b.txt", "x")), priced(0.2, write("c.txt", "x")), *DONE],
        price=Price(Decimal(1), Decimal(1)),
    )

    parked = await stage.start(GOAL + 'ask: ["spend:50%"]\nlimits: {usd: 1}\n', model)

    assert (parked.ending, parked.steps, kinds(stage)) == ("parked", 2, ["spend"])
    assert stage.question().why == "$0.60 of $1.00 is spent, 60 % (checkpoint spend:50%); go on?"
    stage.approve()
    assert (await stage.resume(model)).ending == "proved"


async def test_the_reason_names_what_was_reached(tmp_path: Path) -> None:
    """Tokens where a model costs nothing, and steps in the right number."""
    homes = [tmp_path / name for name in "ab"]
    for home in homes:
        home.mkdir()
    tokens, steps = map(Stage.at, homes)
    for stage, mark in ((tokens, "spend:1%"), (steps, "every:1")):
        worker = [priced(0.01, write("b.txt", "x")), *DONE]
        model = ScriptedModel(planner=[plan("a")], worker=worker, price=Price(Decimal(0), Decimal(0)))
        await stage.start(GOAL + f'ask: ["{mark}"]\nlimits: {{usd: 1, tokens: 100000}}\n', model)

    spent = f"{tokens.state.tokens:,} of 100,000 tokens are spent, {tokens.state.tokens / 1000:.0f} %"
    assert tokens.question().why == f"{spent} (checkpoint spend:1%); go on?"
    assert steps.question().why == "1 step is done (checkpoint every:1); go on?"


def priced(usd: float, reply: Reply) -> Reply:
    """A reply that costs so much at 1 USD a million tokens."""
    return reply.model_copy(
        update={"usage": Usage(prompt_tokens=int(usd * 1_000_000) - 10, completion_tokens=10)}
    )


# --- limits -------------------------------------------------------------------------------------------------


async def test_limit_ends_the_run_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    """Steps: exit 4 with what was done in place; `--steps` on resume goes on, to the proof."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "x"), *DONE], by_number=True)

    first = await stage.start(GOAL + "limits: {steps: 1}\n", model)

    assert (first.ending, first.exit_code, first.steps) == ("limit", 4, 1)
    assert "the limit of 1 steps is reached" in first.reason
    assert await stage.resume(model) == first
    outcome = await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=9)))
    assert (outcome.ending, outcome.steps) == ("proved", 3)


async def test_limit_raised_by_command_goes_on(tmp_path: Path) -> None:
    """Another terminal raises the limit; the next resume finds it."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "x"), *DONE], by_number=True)
    await stage.start(GOAL + "limits: {steps: 1}\n", model)
    stage.send(RaiseLimits(steps=5))

    assert (await stage.resume(model)).ending == "proved"
    assert stage.events(LimitsRaised)[0].limits.steps == 5


async def test_limit_that_can_not_be_is_refused(tmp_path: Path) -> None:
    """By command: recorded as refused, and the run goes on. On resume: a usage error."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[call("ask_human", question="?"), *DONE])
    await stage.start(GOAL, model)
    stage.send(RaiseLimits(steps=-1))
    stage.answer("go")

    with pytest.raises(UsageError, match="steps"):
        await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=-2)))
    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert "steps" in stage.events(CommandRefused)[0].why


async def test_limit_that_is_used_up_is_refused(tmp_path: Path) -> None:
    """It would stop the run at once; one between what is used and what was allowed is taken."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "x"), *DONE], by_number=True)
    await stage.start(GOAL + "limits: {steps: 1}\n", model)

    with pytest.raises(UsageError, match="has used steps 1 of 1; with a limit of 1 it would stop at once"):
        await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=1)))

    assert (await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=3)))).ending == "proved"
    assert stage.state.limits.steps == 3


async def test_limit_that_can_not_be_leaves_an_ended_run_ended(tmp_path: Path) -> None:
    """A refused resume changes nothing."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("b.txt", "x")])
    first = await stage.start(GOAL + "limits: {steps: 1}\n", model)

    with pytest.raises(UsageError, match="steps"):
        await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=-2)))

    assert await stage.resume(model) == first


async def test_limit_reached_with_all_proved_is_0(tmp_path: Path) -> None:
    """Evidence outranks the reason why the run stopped."""
    stage = Stage.at(tmp_path)

    outcome = await stage.start(
        GOAL + "limits: {steps: 1}\n", ScriptedModel(planner=[plan("a")], worker=DONE)
    )

    assert (outcome.ending, outcome.exit_code) == ("proved", 0)


async def test_minutes_count_active_time(tmp_path: Path) -> None:
    """Thinking for 40 s twice is over a minute: the third request isn't made."""
    clock = FakeClock()
    stage = Stage.at(tmp_path, clock=clock)

    def slow(request: object) -> Reply:
        clock.pass_time(40)
        return write("b.txt", str(clock.monotonic()))

    model = ScriptedModel(planner=[plan("a")], worker=[slow] * 5)

    outcome = await stage.start(GOAL + "limits: {minutes: 1}\n", model)

    assert (outcome.ending, outcome.steps, outcome.seconds) == ("limit", 2, 80)


async def test_tokens_end_the_run(tmp_path: Path) -> None:
    """The next request doesn't fit any more: the run ends before it is made."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[priced(0.02, write("b.txt", "x")), *DONE])

    outcome = await stage.start(GOAL + "limits: {tokens: 20000}\n", model)

    assert (outcome.ending, outcome.steps) == ("limit", 1)
    assert "tokens" in outcome.reason


async def test_money_ends_the_run(tmp_path: Path) -> None:
    """The completion is capped by what is left, and what doesn't fit isn't sent."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[priced(0.99, write("b.txt", "x")), *DONE],
        price=Price(Decimal(1), Decimal(10)),
    )

    outcome = await stage.start(GOAL + "limits: {usd: 1}\n", model)

    assert outcome.ending == "limit"
    assert outcome.usd <= 1


async def test_missing_usage_is_charged_as_reserved(tmp_path: Path) -> None:
    """A server that counts nothing can't make a run free."""
    stage = Stage.at(tmp_path)

    class Silent(ScriptedModel):
        async def reply(self, request: ModelRequest, listener: object = None) -> Reply:
            reply = await super().reply(request)
            return reply.model_copy(update={"usage": Usage()})

    outcome = await stage.start(GOAL, Silent(planner=[plan("a")], worker=DONE))

    assert outcome.ending == "proved"
    assert all(e.tokens >= 4096 for e in stage.events(ModelReplied))
    assert outcome.tokens > 3 * 4096


async def test_lanes_beside_each_other_never_overspend(tmp_path: Path) -> None:
    """What others hold counts as spent: the second lane waits for the first to settle, or stops."""
    stage = Stage.at(tmp_path)
    limit = 40_000
    most = []

    class Watched(Together):
        async def before(self, request: ModelRequest) -> None:
            state = stage.state
            most.append(state.tokens + sum(h.tokens for h in state.held.values()))

        group = frozenset[str]()

    lanes = {id: [write(f"{id}{n}.txt", "x") for n in range(50)] for id in "abcd"}
    model = Watched(planner=[plan(*"abcd")], worker=lanes)

    outcome = await stage.start(GOAL + f"parallel: 4\nlimits: {{tokens: {limit}}}\n", model)

    assert outcome.ending == "limit"
    assert max(most) <= limit
    assert outcome.tokens <= limit


async def test_limit_lets_a_send_under_way_end(tmp_path: Path) -> None:
    """One lane hits the limit while another's letter is on its way: it ends, and is on record as sent."""
    world = World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    text = GOAL.replace("[files]", "[files, post]") + "allow: {send: {post: [anna]}}\nparallel: 2\n"

    def wait_for_the_limit() -> None:
        import time

        for _ in range(500):
            if stage.state.steps >= 4:
                time.sleep(0.05)
                return
            time.sleep(0.01)

    world.before_send = wait_for_the_limit
    model = Together(
        planner=[plan("a", "b")],
        worker={
            "a": [call("post_send", to="anna", text="hi"), *DONE],
            "b": [write("1.txt", "x"), write("2.txt", "x"), write("3.txt", "x"), write("4.txt", "x")],
        },
    )

    outcome = await stage.start(text + "limits: {steps: 4}\n", model)

    assert (outcome.ending, world.sent) == ("limit", ["anna: hi"])
    assert list(stage.state.sent) == ["post_send anna"]
