"""`why`: what led to something in a run."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from autoagent.cli.output import out, out_json
from autoagent.console.figures import several
from autoagent.console.finding import find_run, opened, state_of
from autoagent.console.line import Part, line
from autoagent.console.reasons import reasons
from autoagent.past.ledger import Ledger
from autoagent.past.step import Step
from autoagent.past.why import earlier, why


@dataclass(frozen=True)
class Reasons:
    """What led to something, each time or the last time."""

    run: str
    what: str
    steps: tuple[Step, ...]
    earlier: int = 0
    """Times before the last, that were left out."""

    def record(self) -> dict[str, JsonValue]:
        """For programs, uncut."""
        return {
            "run": self.run,
            "what": self.what,
            "steps": [step.model_dump(mode="json") for step in self.steps],
            "earlier": self.earlier,
        }


def explain(prefix: str, what: str, *, every: bool, as_json: bool) -> None:
    """Print it. Raises `UsageError` for an unknown run, and for what isn't in it."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        state_of(journal, run_id)
        ledger = Ledger(run_id, journal.read(run_id))
        steps = why(ledger, what, journal.objects, every)
        left_out = 0 if every else earlier(ledger, what, journal.objects)
        found = Reasons(run_id, what, steps, left_out)
    if as_json:
        out_json(found.record())
    else:
        out(*reasons(found.steps))
        if found.earlier:
            out(line(Part(f"{several(found.earlier, 'earlier time')}: --all shows each", "dim")))
