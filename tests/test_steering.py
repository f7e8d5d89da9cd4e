"""Steering a run that is at work: words for the agent, and holding it still."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loops import Stage, finish, plan, worker_prompts, write

from autoagent.commands import GoOn, Pause, Tell
from autoagent.events import CommandTaken, Observed, PauseSet, PersonSaid, RunStarted
from autoagent.messages import Reply
from autoagent.ports import ModelRequest
from autoagent.testing.model import ScriptedModel, call

GOAL = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"


class Interrupted(ScriptedModel):
    """Sends a command in the middle of its first reply of a worker."""

    def __init__(self, stage: Stage, command: Tell | Pause, **turns: object) -> None:
        super().__init__(**turns)  # type: ignore[arg-type]
        self.stage, self.command, self.is_sent = stage, command, False

    async def reply(self, request: ModelRequest, listener: object = None) -> Reply:
        found = await super().reply(request)
        if request.role == "worker" and not self.is_sent:
            self.is_sent = True
            self.stage.journal.send(self.stage.run, self.command, by="test")
            await self.stage.until(lambda s: s.events(CommandTaken))
        return found


async def test_the_agent_reads_it_before_its_next_step(tmp_path: Path) -> None:
    """After the result of the step that was under way, once."""
    stage = Stage.at(tmp_path)
    worker = [write("b.txt", "x"), write("a.txt", "x"), finish()]
    model = Interrupted(stage, Tell(text="use the word killed"), planner=[plan("a")], worker=worker)

    outcome = await stage.start(GOAL, model)

    first, second, third = worker_prompts(model)
    assert outcome.ending == "proved"
    assert "killed" not in first.text
    assert second.last.text.endswith("The person says: use the word killed")
    assert third.text.count("use the word killed") == 1


async def test_later_sub_tasks_read_it_too(tmp_path: Path) -> None:
    """What a person wants doesn't end with the sub-task that was at work."""
    stage = Stage.at(tmp_path)
    worker = {"a": [write("b.txt", "x"), finish()], "b": [write("a.txt", "x"), finish()]}
    model = Interrupted(stage, Tell(text="be brief"), planner=[plan("a", b="a")], worker=worker)

    await stage.start(GOAL, model)

    heard = [x.lane for x in stage.events(Observed) if x.source == "steer"]
    assert heard == ["a", "b"]
    assert [x.text for x in stage.events(PersonSaid)] == ["be brief"]


async def test_what_was_told_to_a_parked_run_is_read_when_it_goes_on(tmp_path: Path) -> None:
    """The command waits in the journal."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(
        planner=[plan("a")], worker=[call("ask_human", question="?"), write("a.txt", "x"), finish()]
    )
    await stage.start(GOAL, model)
    stage.journal.send(stage.run, Tell(text="be brief"), by="test")
    stage.answer("yes")

    await stage.resume(model)

    assert "be brief" in worker_prompts(model)[1].text


async def test_a_paused_run_begins_no_step(tmp_path: Path) -> None:
    """It waits before the next request, without spending time, and goes on when it is told to."""
    stage = Stage.at(tmp_path)
    worker = [write("b.txt", "x"), write("a.txt", "x"), finish()]
    model = Interrupted(stage, Pause(), planner=[plan("a")], worker=worker)

    running = asyncio.ensure_future(stage.start(GOAL, model))
    await stage.until(lambda s: s.run and s.events(PauseSet))
    for _ in range(20):
        await asyncio.sleep(0.01)
    asked = len(worker_prompts(model))
    stage.journal.send(stage.run, GoOn(), by="test")
    outcome = await running

    assert asked == 1
    assert outcome.ending == "proved"
    assert [x.paused for x in stage.events(PauseSet)] == [True, False]


async def test_a_resume_ends_a_pause(tmp_path: Path) -> None:
    """Whoever carries on a run wants it to go on."""
    stage = Stage.at(tmp_path)
    worker = [write("b.txt", "x"), write("a.txt", "x"), finish()]
    model = Interrupted(stage, Pause(), planner=[plan("a")], worker=worker)
    running = asyncio.ensure_future(stage.start(GOAL, model))
    await stage.until(lambda s: s.run and s.events(PauseSet))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    outcome = await stage.resume(model)

    assert outcome.ending == "proved"
    assert stage.events(RunStarted)
