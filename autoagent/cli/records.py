"""Records for programs: the exact keys of the command line's JSON."""

from __future__ import annotations

import json

from autoagent.outcome import Outcome
from autoagent.wiring import Launch


def as_record(record: Launch | Outcome) -> str:
    """One line of ASCII JSON; money is a number."""
    fields = record.model_dump(mode="json")
    if isinstance(record, Outcome):
        fields["usd"] = float(record.usd)
    return json.dumps(fields, allow_nan=False)
