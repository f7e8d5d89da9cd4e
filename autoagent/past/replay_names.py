"""Names that are random: a question's id in the record and in the replay, each in place of the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from autoagent.events import Event

_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass
class Names:
    """Pairs of ids."""

    here: dict[str, str] = field(default_factory=dict)
    """In the record -> in the replay."""
    there: dict[str, str] = field(default_factory=dict)

    def bind(self, recorded: str, replayed: str) -> None:
        self.here[recorded], self.there[replayed] = replayed, recorded

    def in_record(self, event: Event) -> Event:
        """The event with the record's names."""
        return _renamed(event, self.there)

    def in_replay(self, event: Event) -> Event:
        """The event with the replay's names."""
        return _renamed(event, self.here)


def _renamed(event: Event, names: Mapping[str, str]) -> Event:
    if not names or event.kind not in _WITH_NAMES:
        return event
    # json, not pydantic, which refuses lone surrogates: a model's words may hold them
    text = json.dumps(event.model_dump(mode="json"))
    for old, new in names.items():
        text = text.replace(old, new)
    return _EVENTS.validate_python(json.loads(text))


_WITH_NAMES = frozenset({"question_asked", "question_answered", "question_voided", "run_parked", "run_ended"})
