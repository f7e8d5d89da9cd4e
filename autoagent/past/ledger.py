"""A run's entries, to be looked up by what they are about. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from autoagent import events as e
from autoagent.events import Entry
from autoagent.goal import Goal
from autoagent.past.heads import Head, heads
from autoagent.state import QuestionState

E = TypeVar("E", bound=e.Event)


@dataclass(frozen=True)
class At:
    """What stands of one call, as far as it came."""

    decided: tuple[Entry, ...] = ()
    """A second time where a person edited it."""
    started: tuple[Entry, ...] = ()
    ended: Entry | None = None

    @property
    def decision(self) -> e.CallDecided:
        event = self.decided[-1].event
        assert isinstance(event, e.CallDecided)
        return event

    @property
    def result(self) -> e.CallEnded | None:
        event = None if self.ended is None else self.ended.event
        return event if isinstance(event, e.CallEnded) else None

    @property
    def last(self) -> Entry:
        return self.ended or (*self.decided, *self.started)[-1]


@dataclass(frozen=True)
class Asked:
    """A question, and what became of it."""

    asked: Entry
    answered: Entry | None = None
    voided: Entry | None = None

    @property
    def question(self) -> e.QuestionAsked:
        assert isinstance(self.asked.event, e.QuestionAsked)
        return self.asked.event

    @property
    def state(self) -> QuestionState:
        """As the run's state has it."""
        answer = None if self.answered is None else self.answered.event
        voided = None if self.voided is None else self.voided.event
        return QuestionState(
            self.question.question,
            self.question.asked_at,
            answer=answer if isinstance(answer, e.QuestionAnswered) else None,
            voided=voided.why if isinstance(voided, e.QuestionVoided) else None,
        )


class Ledger:
    """The entries of one run."""

    def __init__(self, run_id: str, entries: Sequence[Entry]) -> None:
        self.run_id = run_id
        self.entries = tuple(entries)

    @property
    def goal(self) -> Goal:
        started = self.entries[0].event
        assert isinstance(started, e.RunStarted)
        return started.goal

    @cached_property
    def moves(self) -> tuple[Head, ...]:
        return heads(self.run_id, self.entries)

    @cached_property
    def calls(self) -> dict[str, At]:
        """By id, in the order in which they were decided."""
        found: dict[str, At] = {}
        for entry in self.entries:
            match entry.event:
                case e.CallDecided(call=id):
                    known = found.get(id, At())
                    found[id] = At((*known.decided, entry), known.started, known.ended)
                case e.CallStarted(call=id) if id in found:
                    known = found[id]
                    found[id] = At(known.decided, (*known.started, entry), known.ended)
                case e.CallEnded(call=id) if id in found:
                    found[id] = At(found[id].decided, found[id].started, entry)
                case _:
                    pass
        return found

    @cached_property
    def queued(self) -> dict[str, str]:
        """Call -> the script that put it off until its end."""
        ended = (x.event for x in self.entries if isinstance(x.event, e.CallEnded))
        return {call.id: script.call for script in ended for call in script.queued}

    @cached_property
    def questions(self) -> dict[str, Asked]:
        found: dict[str, Asked] = {}
        for entry in self.entries:
            match entry.event:
                case e.QuestionAsked(question=question):
                    found[question.id] = Asked(entry)
                case e.QuestionAnswered(question=id) if id in found:
                    found[id] = Asked(found[id].asked, entry, found[id].voided)
                case e.QuestionVoided(question=id) if id in found:
                    found[id] = Asked(found[id].asked, found[id].answered, entry)
                case _:
                    pass
        return found

    @cached_property
    def questions_of_call(self) -> dict[str, list[Asked]]:
        found: dict[str, list[Asked]] = defaultdict(list)
        for asked in self.questions.values():
            if (call := asked.question.question.subject.call) is not None:
                found[call].append(asked)
        return found

    def is_on_word(self, call: str) -> bool:
        """As `RunState.is_on_word`."""
        return any(q.state.is_word_on(call) for q in self.questions_of_call.get(call, ()))

    def denied_by(self, call: str) -> str:
        """As `RunState.denied_by`."""
        found = (q.state.denier_of(call) for q in self.questions_of_call.get(call, ()))
        return next((by for by in found if by), "")

    @cached_property
    def replies(self) -> dict[str, Entry]:
        """By the id of the request."""
        return {x.event.call: x for x in self.entries if isinstance(x.event, e.ModelReplied)}

    @cached_property
    def requests(self) -> dict[str, Entry]:
        return {x.event.call: x for x in self.entries if isinstance(x.event, e.ModelCalled)}

    def last(self, kind: type[E], before: int, **fields: object) -> tuple[Entry, E] | None:
        """The last event of a kind before an entry, with these values."""
        for entry in reversed(self.entries[: max(before - 1, 0)]):
            event = entry.event
            if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                return entry, event
        return None

    def entry(self, seq: int) -> Entry:
        return self.entries[seq - 1]


def fields_of(event: e.Event) -> str:
    """An event's own fields that say something, as JSON for people."""
    fields = event.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    # json, not pydantic, which knows no half letters: names of files and models' words may hold such
    return json.dumps(fields, ensure_ascii=False, indent=1)
