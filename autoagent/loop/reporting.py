"""Reports of a run to the plugins that want them: a question that waits, an end. Beside the run's work.

What a plugin was told is recorded, so that a restart doesn't tell it again; a crash before that does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from autoagent.door.hooks import Report, ReportKind
from autoagent.events import Entry, HookFailed, OwnerChanged, QuestionAnswered, Reported
from autoagent.loop.hearing import Hooked, Voice
from autoagent.loop.history import History
from autoagent.outcome import Outcome, following
from autoagent.questions import Question, answering
from autoagent.state import RunState

TIMEOUT_S = 30.0
_KINDS: dict[str, ReportKind] = {
    "limit": "limit",
    "parked": "parked",
    "interrupted": "interrupted",
    "unavailable": "unavailable",
}
"""Ending -> what is reported; each other one is an end."""


class Reporter:
    """Tells the plugins of one run, as long as this process carries it."""

    def __init__(
        self, history: History, hooked: Sequence[Hooked], patience_s: float, *, attended: bool
    ) -> None:
        self.history = history
        self._voices = [Voice(h) for h in hooked if h.hooks.report is not None]
        self._patience_s = patience_s
        """How long a person at the run's terminal is left to answer a question."""
        self._attended = attended
        self._telling: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._patient: set[asyncio.Task[None]] = set()
        """Those that wait for the person at the terminal."""
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Watch for questions from now on."""
        if self._voices:
            self._watching = asyncio.create_task(self._watch())

    async def finish(self, outcome: Outcome) -> None:
        """Tell how the run ended or stopped, once every plugin has heard of the questions that wait.

        A question that stood at a terminal whose person left it for later isn't told: they know.
        """
        self._start(self.history.state)
        await asyncio.sleep(0)  # those that were just begun find out whether they have to be patient
        await self._stop(self._patient)
        if self._voices and outcome.ending not in ("running", "stopped"):
            await asyncio.gather(*(self._tell(v, "", self._of_end(outcome)) for v in self._voices))
            await self.history.durable()
        self.close()

    async def abandon(self) -> None:
        """Another process has the run: nothing more is told from here."""
        await self._stop(self._telling.values())
        self.close()

    def close(self) -> None:
        for voice in self._voices:
            voice.thread.close()

    async def _stop(self, idle: Iterable[asyncio.Task[None]]) -> None:
        """End the watch and these; wait for all others."""
        if self._watching is not None:
            self._watching.cancel()
        for task in tuple(idle):
            task.cancel()
        tasks = [t for t in (self._watching, *self._telling.values()) if t is not None]
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    # --- questions ----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        await self.history.until(self._start)

    def _start(self, state: RunState) -> bool:
        """Begin to tell of the open questions that weren't told. Never true: it is asked at each entry."""
        for asked in state.waiting:
            for voice in self._voices:
                key = (voice.plugin, asked.question.id)
                if key not in state.reported and key not in self._telling:
                    self._telling[key] = asyncio.create_task(self._ask(voice, asked.question))
        return False

    async def _ask(self, voice: Voice, question: Question) -> None:
        """Tell of a question, unless the person at the terminal answers it in good time."""
        if not self._attended or await self._stays_open(question):
            await self._tell(voice, question.id, self._of_question(question))

    async def _stays_open(self, question: Question) -> bool:
        """Whether the person at the terminal lets it wait for longer than they are left."""
        task = asyncio.current_task()
        assert task is not None
        self._patient.add(task)
        try:
            async with asyncio.timeout(self._patience_s):
                await self.history.until(lambda s: not s.questions[question.id].is_open)
        except TimeoutError:
            return True
        finally:
            self._patient.discard(task)
        return False

    async def _tell(self, voice: Voice, about: str, report: Report) -> None:
        if (voice.plugin, about) in self.history.state.reported:
            return
        hook = voice.hooked.hooks.report
        assert hook is not None
        said = await voice.say(hook, TIMEOUT_S, report)
        problem = said.problem or ("" if said.value is None else "it returned something; expected None")
        failed = (HookFailed(plugin=voice.plugin, hook="report", problem=problem),) if problem else ()
        self.history.record(*failed, Reported(plugin=voice.plugin, about=about))

    # --- what is told -------------------------------------------------------------------------------------

    def _of_question(self, question: Question) -> Report:
        state = self.history.state
        return Report(
            kind="question",
            run_id=state.run_id,
            goal=state.goal.goal,
            workspace=state.workspace,
            at=state.questions[question.id].asked_at,
            is_seen=False,
            commands=tuple(f"{command} --resume" for command in answering(question)),
            question=question,
            reason=question.why,
            waiting=tuple(q.question.id for q in state.waiting),
        )

    def _of_end(self, outcome: Outcome) -> Report:
        state, now = self.history.state, self.history.clock.now()
        entries = self.history.journal.read(state.run_id) if self._attended else []
        return Report(
            kind=_KINDS.get(outcome.ending, "end"),
            run_id=state.run_id,
            goal=state.goal.goal,
            workspace=state.workspace,
            at=now,
            is_seen=self._attended
            and (
                outcome.ending == "interrupted"
                or any(now - e.at < timedelta(seconds=self._patience_s) for e in _signs(entries))
            ),
            commands=(*following(outcome, state.limits), f"autoagent show {outcome.run}"),
            ending=outcome.ending,
            reason=outcome.reason,
            exit_code=outcome.exit_code,
            waiting=outcome.waiting,
        )


def _signs(entries: Sequence[Entry]) -> list[Entry]:
    """Signs of a person at the terminal of the process that carries the run: its start, and their answers."""
    first = next((i for i in reversed(range(len(entries))) if isinstance(entries[i].event, OwnerChanged)), 0)
    return [
        e
        for e in entries[first:]
        if isinstance(e.event, OwnerChanged)
        or (isinstance(e.event, QuestionAnswered) and e.event.by == "terminal")
    ]
