"""One lane as those see it who work in it: its state now, its questions, its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoagent.events import QuestionAnswered, SubTaskEnded
from autoagent.loop.context import RunContext
from autoagent.questions import YES_NO, Subject
from autoagent.state import LaneState, RunState


@dataclass(frozen=True)
class LaneView:
    """A lane by name; what it shows is always of this moment."""

    ctx: RunContext
    name: str

    @property
    def state(self) -> RunState:
        return self.ctx.history.state

    @property
    def me(self) -> LaneState:
        return self.state.lanes[self.name]

    @property
    def is_open(self) -> bool:
        return self.me.ended is None and self.state.ended is None

    async def ask(self, subject: Subject, why: str, choices: tuple[str, ...] = YES_NO) -> QuestionAnswered:
        """Raises `Parked`."""
        return await self.ctx.asking.ask(
            subject, why, choices=choices, lane=self.name, sub_task=self.me.sub_task
        )

    def over(self, outcome: Literal["done", "failed", "skipped"], result: str) -> SubTaskEnded:
        """The fact that its sub-task has ended."""
        return SubTaskEnded(sub_task=self.me.sub_task, lane=self.name, outcome=outcome, result=result)
