"""What the record says of the world at this moment of a replay: for those who stand in for it.

A stand-in often must answer before an entry shows what the answer was: then it looks at those to come.
"""

from __future__ import annotations

from autoagent import events as e
from autoagent.events import Event
from autoagent.loop.toolbox import ToolOutcome
from autoagent.past.replay_turns import Turns
from autoagent.state import RunState


class World:
    """Reads the entries to come; changes nothing."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    @property
    def state(self) -> RunState:
        return self.turns.state

    def was_started(self, call: str) -> bool:
        """Whether this process has begun the call's effect."""
        return any(isinstance(x, e.CallStarted) and x.call == call for x in self.turns.done())

    def probed(self, call: str) -> ToolOutcome:
        """What a look at the world found, judged by what was done then."""
        questions = [q.question for q in self.state.questions.values() if q.voided is None]
        questions += [a.question] if (a := self.turns.ahead(e.QuestionAsked)) is not None else []
        about = [q for q in questions if (q.subject.kind, q.subject.call) == ("recovery", call)]
        if about:
            _, failed, why = about[0].why.partition("looking it up failed: ")
            found = "unknown" if "told nothing" in about[0].why else "ask"
            return ToolOutcome(False, why.rstrip(")")) if failed else ToolOutcome(True, found)
        again = self.turns.ahead(e.CallStarted, lambda x: x.call == call) is not None
        return ToolOutcome(True, "not_done" if again else "done")

    def inner(self, script: str, call: str) -> e.CallDecided | None:
        """The call that a script made next; `None` where it made no more."""
        for event in self.turns.undone():
            if isinstance(event, e.CallStarted | e.CallEnded) and event.call == script:
                break
            if isinstance(event, e.CallDecided) and event.call == call:
                return event
        known = self.state.calls.get(call)
        return None if known is None else known.decided

    def refused(self) -> str | None:
        """Why a command could not be run, as the next verdict says."""
        checked = self.turns.ahead(e.CriterionChecked)
        text = "" if checked is None else checked.evidence.text
        return text.partition("it can't be run here: ")[2] or None

    def found_in_folder(self) -> str | None:
        """The tree that a person left, where that is what comes next."""
        event = next(self.turns.undone(), None)
        return event.tree if isinstance(event, e.FolderChanged) else None

    def clash(self, wanted: str) -> tuple[tuple[str, ...], str] | None:
        """Paths that a person changed as well, and the folder as it is, until that is settled.

        As the question says that comes next; else the last one, unless the folder has been taken in since.
        """
        coming = (x for x in self.turns.undone() if _is_about_folder(x))
        if (found := _clash(next(coming, None), wanted)) is not None:
            return found
        former = (x.event for x in reversed(self.turns.record[: self.turns.at]) if _is_about_folder(x.event))
        return _clash(next(former, None), wanted)

    async def stored(self, sub_task: str) -> str | None:
        """Why memory did not take an outcome; `None` where it did. Waits where the process never heard."""
        await self.turns.pass_by()
        for event in self.turns.undone():
            if isinstance(event, e.MemoryIndexed | e.MemoryDeferred) and event.sub_task == sub_task:
                return event.why if isinstance(event, e.MemoryDeferred) else None
        await self.turns.wait_where_cut()
        return None

    def recalled(self) -> e.MemoryRecalled | None:
        return self.turns.ahead(e.MemoryRecalled)


def _is_about_folder(event: Event) -> bool:
    asked = isinstance(event, e.QuestionAsked) and event.question.subject.kind == "folder"
    return asked or isinstance(event, e.FolderChanged)


def _clash(event: Event | None, wanted: str) -> tuple[tuple[str, ...], str] | None:
    """The paths and the tree that a folder's question names; `None` where it is about another tree."""
    if not isinstance(event, e.QuestionAsked):
        return None
    subject = event.question.subject
    if subject.tree != wanted or not isinstance(subject.args, dict):
        return None
    paths = subject.args["paths"]
    assert isinstance(paths, list)
    return tuple(str(path) for path in paths), str(subject.args["yours"])
