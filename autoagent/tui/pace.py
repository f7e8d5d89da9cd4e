"""What each sub-task has taken: active seconds and money, read off the entries as they are folded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from autoagent import events as e
from autoagent.state import RunState


@dataclass(frozen=True)
class Pace:
    """A sub-task's share of the run; of those side by side each has all of their time."""

    began_s: float
    """Active seconds of the run when it began."""
    usd: Decimal = Decimal(0)
    ended_s: float | None = None

    def seconds(self, now_s: float) -> float:
        """Active seconds that it took, or has taken until `now_s`."""
        return max((self.ended_s if self.ended_s is not None else now_s) - self.began_s, 0)


def paced(paces: Mapping[str, Pace], event: e.Event, after: RunState) -> Mapping[str, Pace]:
    """The sub-tasks' shares after an event that led to `after`."""
    match event:
        case e.SubTaskStarted(sub_task=id):
            spent = paces[id].usd if id in paces else Decimal(0)
            return {**paces, id: Pace(after.seconds, spent)}
        case e.SubTaskEnded(sub_task=id) if id in paces:
            return {**paces, id: replace(paces[id], ended_s=after.seconds)}
        case e.ModelReplied(lane=lane, cost_usd=usd) if usd and lane in after.lanes:
            id = after.lanes[lane].sub_task
            return {**paces, id: replace(paces[id], usd=paces[id].usd + usd)} if id in paces else paces
        case _:
            return paces
