"""What a replay has found, lane by lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoagent import events as e
from autoagent.messages import Frozen
from autoagent.past.replay_record import Noted


class LaneReplayed(Frozen):
    """One lane, or what is nobody's: the plan, the proof, the run."""

    lane: str
    entries: int
    """Of the record; those that came from outside aren't counted."""
    compared: int
    differs_at: int | None = None
    """The first entry that differs."""
    difference: str = ""
    """In words; a prompt's as a unified diff."""
    not_compared_from: int | None = None
    """From this entry on the lane was not compared: it went, or would go, another way."""


@dataclass
class Findings:
    """Filled while a replay goes on."""

    known: dict[str, str]
    """Request or question -> its lane."""
    _compared: dict[str, int] = field(default_factory=dict)
    _differs: dict[str, tuple[int, str]] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Sequence[Noted]) -> Findings:
        known: dict[str, str] = {}
        for one in record:
            if isinstance(one.event, e.ModelCalled):
                known[one.event.call] = one.lane
            elif isinstance(one.event, e.QuestionAsked):
                known[one.event.question.id] = one.lane
        return cls(known)

    def compared(self, lane: str) -> None:
        self._compared[lane] = self._compared.get(lane, 0) + 1

    def differs(self, lane: str, seq: int, text: str) -> None:
        """Only the first difference of a lane counts."""
        self._differs.setdefault(lane, (seq, text))

    def not_compared(self, lane: str, seq: int) -> None:
        self._left.setdefault(lane, seq)

    def lanes(self, record: Sequence[Noted]) -> tuple[LaneReplayed, ...]:
        """Every lane of the record, in the order in which they begin."""
        counts: dict[str, int] = {}
        for one in record:
            if not one.is_given:
                counts[one.lane] = counts.get(one.lane, 0) + 1
        for lane in self._differs:
            counts.setdefault(lane, 0)
        return tuple(self._lane(lane, count) for lane, count in counts.items())

    def _lane(self, lane: str, entries: int) -> LaneReplayed:
        at, text = self._differs.get(lane, (None, ""))
        return LaneReplayed(
            lane=lane,
            entries=entries,
            compared=self._compared.get(lane, 0),
            differs_at=at,
            difference=text,
            not_compared_from=self._left.get(lane),
        )
