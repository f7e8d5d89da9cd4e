"""What plugins said of calls, as the record has it: a replay calls no hook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoagent.door.hooks import CallOutcome, HeardCall
from autoagent.door.tools import Tool
from autoagent.events import CallDecided, CallEnded, CallStarted, Entry
from autoagent.loop.hearing import is_refusal
from autoagent.past.replay_turns import Turns


class HearingFromRecord:
    """Implements `loop.context.Hearers`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    async def refusal(self, decided: CallDecided, tool: Tool | None) -> str | None:
        """Waits where the call was decided once more, because another lane had read more meanwhile."""
        for event in self._turns.undone():
            match event:
                case CallDecided(call=decided.call):
                    await self._turns.pass_by()
                    return None
                case CallStarted(call=decided.call):
                    return None
                case CallEnded(call=decided.call) if is_refusal(event):
                    return event.output
                case _:
                    continue
        return None

    async def tell(self, call: HeardCall, outcome: CallOutcome) -> None:
        """They heard it then."""

    async def catch_up(self, entries: Sequence[Entry], tools: Mapping[str, Tool]) -> None:
        """They heard it then."""
