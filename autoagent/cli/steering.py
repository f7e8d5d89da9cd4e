"""`tell`, `pause`, `unpause`: words for a run that is at work, and holding it still."""

from __future__ import annotations

from autoagent.cli.output import out
from autoagent.commands import GoOn, Pause, Tell
from autoagent.console.finding import find_run, opened, state_of
from autoagent.errors import UsageError

_NEXT = {
    Tell: "the agent reads it before its next step",
    Pause: "it holds still before its next step; 'autoagent unpause {run}' ends that",
    GoOn: "it goes on",
}


def steer(prefix: str, command: Tell | Pause | GoOn) -> None:
    """Raises `UsageError` for an unknown run, one that has ended, and a pause of one that nobody carries."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        state, holder = state_of(journal, run_id), journal.holder(run_id)
        if state.ended is not None:
            raise UsageError(f"run {run_id} has ended: {state.ended.reason}")
        if holder is None and not isinstance(command, Tell):
            raise UsageError(f"no process carries run {run_id}; 'autoagent resume {run_id}' goes on with it")
        journal.send(run_id, command, by="command")
    later = "" if holder is not None else f"; 'autoagent resume {run_id}' goes on with it"
    out(f"run {run_id}: {_NEXT[type(command)].format(run=run_id)}{later}")
