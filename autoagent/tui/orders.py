"""What a person orders from the cockpit: answers and commands by the journal, processes that carry runs.

Each says what to tell the person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from autoagent.commands import Command, GoOn, Pause
from autoagent.console.always import Always
from autoagent.console.replying import Reply, objection, send
from autoagent.errors import AutoagentError, UsageError
from autoagent.journal.sqlite import SqliteJournal
from autoagent.tui.background import Carrier
from autoagent.tui.runs.overview import Seen


class Orders:
    """Carried out at once; what becomes of them the watch tells."""

    def __init__(
        self,
        home: Path,
        journal: SqliteJournal,
        carrier: Carrier,
        seen: Callable[[], Mapping[str, Seen]],
        now: Callable[[], datetime],
        look: Callable[[], None],
        key: Callable[[str], str],
    ) -> None:
        """`look` has the watch look at once; `key` is the key of an action, for sentences."""
        self._home, self._journal, self._carrier = home, journal, carrier
        self._seen, self._now, self._look, self._key = seen, now, look, key

    def reply(self, run_id: str, question: str, command: Reply, *, always: bool = False) -> str:
        """Send an answer, with `always` once that is given; what to tell the person.

        Raises `UsageError` where it doesn't fit, and what makes the grants unreadable: nothing is sent then.
        """
        state = self._seen()[run_id].state
        assert state is not None
        asked, now = state.questions[question].question, self._now()
        given = ""
        if always:
            if why := objection(self._journal, state, asked, command, now):
                raise UsageError(why)
            given = f", and always: {Always.here(self._journal, self._home).give(asked, now).id}"
        send(self._journal, state, asked, command, now, by="terminal")
        if self._journal.holder(run_id) is not None:
            return f"{question} answered{given}; run {run_id} takes it"
        self._carrier.resume(run_id)
        return f"{question} answered{given}; run {run_id} goes on in the background"

    def send(self, run_id: str, command: Command) -> str:
        """Send a command to a run; what to tell the person."""
        try:
            self._journal.send(run_id, command, by="terminal")
        except AutoagentError as error:
            return str(error)
        self._look()
        return (
            "sent"
            if self._journal.holder(run_id) is not None
            else f"kept; {self._key('run.resume')} goes on with the run"
        )

    def start(self, folder: Path, recorded: Path | None = None) -> str:
        """Begin a run in a folder; what to tell the person. Raises `StoreUnavailable`."""
        self._carrier.start(folder, recorded)
        return f"a run in {folder.name}/ is starting, in a process of its own; it opens by itself"

    def resume(self, run_id: str) -> str:
        """Have a process go on with a run."""
        if (run := self._seen().get(run_id)) is None:
            return f"{run_id} isn't there any more"
        if run.holder is not None:
            return f"{run_id} is being carried already, by {run.holder}"
        if run.only_waits(self._now()):
            return f"{run_id} waits for you: {self._key('app.answer')} answers, and it goes on"
        try:
            log = self._carrier.resume(run_id)
        except AutoagentError as error:
            return str(error)
        return f"{run_id} goes on in the background; log: {log}"

    def pause(self, run_id: str) -> str:
        """Hold a run still before its next step, or let it go on."""
        run = self._seen().get(run_id)
        if run is None or run.state is None or run.holder is None:
            return f"no process carries it; {self._key('runs.resume')} goes on with it"
        return self.send(run_id, GoOn() if run.state.paused else Pause())

    def cancel(self, run_id: str) -> str:
        """End a run for good; asked for twice by the screens."""
        from autoagent.wiring import cancel as cancel_run

        try:
            cancel_run(self._journal, run_id, "by you", by="terminal")
        except AutoagentError as error:
            return str(error)
        self._look()
        return f"{run_id} was ended"
