"""Everything at once: lanes over one path, questions, interruptions at random moments, answers at any time.

Whatever happens in between, each lane's mark stands once in the shared file and each letter was sent once.
`AUTOAGENT_SEEDS` says how many runs are tried (default 3).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from loops import Stage, finish, plan, write
from worlds import World

from autoagent.commands import Approve
from autoagent.events import Entry, QuestionAsked
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.ports import Listener, ModelRequest
from autoagent.questions import Question
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.trees import load_tree

GOAL = """
goal: every lane leaves its mark
allow: {send: {post: []}}
plugins: [files, post]
parallel: 3
done_when: [{file: shared.txt}]
"""
LANES = "abcdef"


class Marker(ScriptedModel):
    """In each lane: leave a mark in the shared file, bring versions together, send one letter, finish."""

    def __init__(self, stage: Stage, world: World, moments: random.Random) -> None:
        super().__init__(planner=[plan("a", "b", "c", "d", "e", f="a b")], by_number=True)
        self.stage, self.world, self.moments = stage, world, moments

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        if request.role == "planner":
            return await super().reply(request, listener)
        await asyncio.sleep(self.moments.random() * 0.01)
        return self._settled(self.next(request.lane), request)

    def next(self, lane: str) -> Reply:
        tree = load_tree(self.stage.state.lanes[lane].tree, self.stage.journal.objects)
        entry, mark = tree.entries.get("shared.txt"), f"[{lane}]"
        text = "" if entry is None else self.stage.journal.objects.get(entry.sha256).decode()
        kept = [call("files_delete", path=p) for p in tree.entries if p.startswith(f"shared.txt.{lane}")]
        marking = [] if mark in text else [write("shared.txt", text + mark)]
        if kept or marking:
            return calls(*kept, *marking)
        if f"ben: {lane}" not in self.world.sent:
            return call("post_probed", to="ben", text=lane)
        return finish(lane)


class Disturbance:
    """Interrupts after a random entry, and answers some questions while the run waits or is parked."""

    def __init__(self, stage: Stage, moments: random.Random) -> None:
        self.stage, self.moments = stage, moments
        self.task: asyncio.Task[Outcome] | None = None
        self.left = 0

    async def carry(self, run: Callable[..., object]) -> Outcome | None:
        """What it came to; `None` where it was interrupted."""
        self.left = self.moments.randint(1, 80)
        wait_s = self.moments.choice([0, 0.2])
        self.task = asyncio.ensure_future(run(on_entry=self.hear, wait_s=wait_s))  # type: ignore[arg-type]
        (result,) = await asyncio.gather(self.task, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if isinstance(result, asyncio.CancelledError):
            return None
        assert isinstance(result, Outcome), result
        return result

    def hear(self, entry: Entry) -> None:
        self.left -= 1
        if isinstance(entry.event, QuestionAsked) and self.moments.random() < 0.5:
            delay_s = self.moments.random() * 0.05
            asyncio.get_running_loop().call_later(delay_s, self.approve, entry.event.question)
        if self.left == 0 and self.task is not None:
            self.task.cancel()

    def approve(self, question: Question) -> None:
        self.stage.send(Approve(question=question.id, digest=question.digest))

    def approve_some(self) -> None:
        for waiting in self.stage.state.waiting:
            if self.moments.random() < 0.6:
                self.approve(waiting.question)


@pytest.mark.parametrize("seed", range(int(os.environ.get("AUTOAGENT_SEEDS", "3"))))
async def test_disturbed_run_comes_to_its_end(tmp_path: Path, seed: int) -> None:
    """No mark is lost or doubled, no letter is sent twice, and no task is left behind."""
    moments, world = random.Random(seed), World()
    stage = Stage.at(tmp_path, plugins=[world.plugin()])
    model = Marker(stage, world, moments)
    disturbed = Disturbance(stage, moments)
    outcome = None

    for _ in range(100):
        outcome = await disturbed.carry(
            lambda **hooks: stage.resume(model, **hooks) if stage.run else stage.start(GOAL, model, **hooks)
        )
        if outcome is not None and outcome.ending != "parked":
            break
        disturbed.approve_some()

    assert outcome is not None
    assert outcome.ending == "proved"
    (shared,) = stage.files().items()
    assert (shared[0], sorted(shared[1].replace("[", "").replace("]", ""))) == ("shared.txt", list(LANES))
    assert sorted(world.sent) == [f"ben: {lane}" for lane in LANES]
    assert stage.state.waiting == ()
