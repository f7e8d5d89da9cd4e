"""Carries a run in this process, at a terminal or not: signals, progress, the person, the two records.

^C, SIGTERM and SIGHUP interrupt the run where 'resume' can go on; a second one ends the process at once,
which loses nothing either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from autoagent.cli.attended import attended
from autoagent.cli.logs import noted_logs
from autoagent.console.always import Always
from autoagent.console.ending import ending
from autoagent.console.finding import outcome_of, state_of
from autoagent.console.line import block, line
from autoagent.console.person import Person
from autoagent.console.progress import Progress
from autoagent.console.screen import Screen
from autoagent.errors import AutoagentError, JournalConflict
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
from autoagent.live.serving import served
from autoagent.outcome import Outcome
from autoagent.state import RunState
from autoagent.wiring import Hooks, Launch, Parts

Begin = Callable[[Hooks, Parts], Awaitable[Outcome]]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130
_RESULT_LINES = 12


def carry(
    begin: Begin,
    journal: SqliteJournal,
    *,
    as_json: bool = False,
    wait_s: float = 0,
    run_id: str | None = None,
) -> int:
    """Carry the run that `begin` starts or takes up; the exit status. `run_id` names one that exists."""
    screen, out = Screen.on(sys.stderr), Screen.on(sys.stdout, may_fail=False)
    is_attended = not as_json and sys.stdin.isatty() and sys.stderr.isatty()
    front = _Front(journal, screen, out, as_json, is_attended, run_id)
    with contextlib.redirect_stdout(sys.stderr):  # a plugin that prints must not get between the records
        return asyncio.run(front.carry(begin, wait_s))


@dataclass
class _Front:
    """One run, as this terminal shows it."""

    journal: SqliteJournal
    screen: Screen
    """For progress."""
    out: Screen
    """For verdicts and records."""
    as_json: bool
    is_attended: bool
    """A person is there to answer."""
    run_id: str | None
    launched: Launch | None = None

    def __post_init__(self) -> None:
        self.progress = Progress(self.screen, self.journal.read, is_attended=self.is_attended)
        always = Always.here(self.journal)
        self._attend: Callable[[str], None] = lambda run_id: None
        self.person = Person(self.screen, 0, self._is_open, self.journal.objects, always)

    async def carry(self, begin: Begin, wait_s: float) -> int:
        hooks = Hooks(
            approver=self.person if self.is_attended else None,
            wait_s=wait_s,
            on_launch=self._launch,
            on_entry=self.progress.hear,
            on_note=self.progress.note,
        )
        parts = Parts(journal=self.journal, onlookers=partial(served, home()))
        task = asyncio.ensure_future(begin(hooks, parts))
        beat = asyncio.ensure_future(self.progress.beat())
        try:
            with (
                self._stoppable(task),
                noted_logs(self.progress.note),
                attended(self.progress) as self._attend,
            ):
                result = await self._outcome(task)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            self.screen.live(None)
        if result is None:
            return _INTERRUPTED
        self._finish(result)
        return result.exit_code

    async def _outcome(self, task: asyncio.Future[Outcome]) -> Outcome | None:
        """How it went; `None` where it was stopped before it had begun. Raises what stood in the way."""
        try:
            return await task
        except asyncio.CancelledError:
            return None if self.launched is None else outcome_of(self.journal, self._state())
        except Exception as error:  # whatever it was: a run that has begun gets its final record
            if self.launched is None or (isinstance(error, JournalConflict) and not self.as_json):
                raise  # a run that was taken over is another process's to sum up
            known = isinstance(error, AutoagentError)
            said = str(error) if known else f"this is a bug: {type(error).__name__}: {error}"
            if not known and os.environ.get("AUTOAGENT_DEBUG"):
                raise
            return outcome_of(self.journal, self._state(), said)

    def _launch(self, launch: Launch) -> None:
        self.launched, self.run_id = launch, launch.run
        self.progress.begin(launch.run)
        self._attend(launch.run)
        if self.as_json:
            self._record(launch)

    def _finish(self, outcome: Outcome) -> None:
        """The final record, or the verdicts for people."""
        state = self._state()
        if self.launched is None:  # it was over before: nothing was launched
            assert state.started is not None
            assert state.started_at is not None
            workspace, model = state.workspace, state.started.model
            self._launch(
                Launch(run=outcome.run, workspace=workspace, model=model, started_at=state.started_at)
            )
        if self.as_json:
            self._record(outcome)
            return
        if outcome.result:
            result = block(outcome.result, _RESULT_LINES)
            self.screen.say(line("the agent reports, in its own words:"), *result)
        self.out.say(*ending(outcome, state))

    def _state(self) -> RunState:
        assert self.run_id is not None
        return self.progress.state or state_of(self.journal, self.run_id)

    def _is_open(self, question: str) -> bool:
        state = self.progress.state
        asked = state.questions.get(question) if state is not None else None
        return asked is not None and asked.is_open

    def _record(self, record: Launch | Outcome) -> None:
        from autoagent.cli.records import as_record

        self.out.say_raw(as_record(record))

    # --- signals --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _stoppable(self, task: asyncio.Future[Outcome]) -> Iterator[None]:
        """Signals stop `task`. One that our parent ignores (nohup, a shell's `&`) stays ignored."""
        loop = asyncio.get_running_loop()
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heeded:
            loop.add_signal_handler(number, self._stop, task, number)
        try:
            yield
        finally:
            for number in heeded:
                loop.remove_signal_handler(number)

    def _stop(self, task: asyncio.Future[Outcome], number: signal.Signals) -> None:
        if number is signal.SIGINT and self.person.is_editing:
            return  # ^C belongs to the editor
        if self.progress.is_stopping:
            self.screen.live(None)
            os._exit(_INTERRUPTED)
        self.progress.is_stopping = True
        self.progress.note("stopping; once more stops at once")
        task.cancel()
