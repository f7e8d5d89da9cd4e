"""Journals that were written once and must be readable for ever.

`golden/NAME.jsonl` holds rows as a journal stores them, `golden/NAME.json` the facts that their fold gave.
Neither is ever changed: where a test on one fails, the program has to learn to read it (an upcaster), not
the file. To add two new ones, a real run and one that holds every kind of event:

    python tests/goldens.py v2
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from autoagent.events import Entry
from autoagent.journal.codec import EVENTS, Stored
from autoagent.state import RunState, fold

GOLDEN = Path(__file__).parent / "golden"


def entries_of(name: str) -> list[Entry]:
    """The entries of a stored journal, as today's program reads them."""
    rows = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]
    return [
        Entry(
            seq=row["seq"],
            at=datetime.fromisoformat(row["at"]),
            epoch=row["epoch"],
            event=EVENTS.decode(Stored(row["kind"], row["version"], row["body"]), "golden", row["seq"]),
        )
        for row in rows
    ]


def kinds_of(name: str) -> set[str]:
    return {json.loads(line)["kind"] for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()}


def stored_facts(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return found


def facts_of(state: RunState) -> dict[str, Any]:
    """What a state says, in words that outlive its classes; nothing that is only a matter of taste.

    So no texts of ours, and no counts that say when a lane is stuck.
    """
    return {
        "seq": state.seq,
        "epoch": state.epoch,
        "started_at": state.started_at.isoformat() if state.started_at else None,
        "goal": state.goal.goal,
        "criteria": [str(c) for c in state.criteria],
        "main": state.main,
        "before_main": state.before_main,
        "plan": None if state.plan is None else [state.plan.version, *(s.id for s in state.plan.sub_tasks)],
        "replans": state.replans,
        "spent": [str(state.usd), state.tokens, state.steps, round(state.seconds, 3)],
        "limits": json.loads(state.limits.model_dump_json()),
        "commands": state.commands,
        "labels": list(state.labels),
        "urls": sorted(state.urls),
        "sent": list(state.sent),
        "verdicts": {str(n): v.verdict for n, v in state.verdicts.items()},
        "ended": None if state.ended is None else [state.ended.ending, state.ended.reason],
        "parked": state.parked is not None,
        "interrupted": state.interrupted,
        "questions": {
            id: [q.question.subject.kind, q.answer and [q.answer.verdict, q.answer.by], q.voided]
            for id, q in state.questions.items()
        },
        "standing": [[s.tool, s.destination, s.left] for s in state.standing],
        "open_calls": sorted(state.calls),
        "held": sorted(state.held),
        "remembered": sorted(state.remembered),
        "lanes": {
            name: {
                "sub_task": lane.sub_task,
                "tree": lane.tree,
                "base": lane.base,
                "ended": lane.ended,
                "result": lane.result,
                "turns": [[t.kind, t.call_id, t.ok, t.kind != "note" and len(t.text)] for t in lane.turns],
                "pending": [c.id for c in lane.pending],
                "counts": [lane.replies, lane.refuted, lane.conflicts, lane.compacted],
                "rungs": list(lane.rungs),
            }
            for name, lane in state.lanes.items()
        },
    }


def store(name: str, entries: Sequence[Entry]) -> None:
    """Add a golden journal. Raises `FileExistsError` rather than change one."""
    GOLDEN.mkdir(exist_ok=True)
    with (GOLDEN / f"{name}.jsonl").open("x") as file:
        for entry in entries:
            stored = EVENTS.encode(entry.event)
            row = {"seq": entry.seq, "at": entry.at.isoformat(), "epoch": entry.epoch}
            row |= {"kind": stored.kind, "version": stored.version, "body": stored.body}
            file.write(json.dumps(row) + "\n")
    with (GOLDEN / f"{name}.json").open("x") as file:
        json.dump(facts_of(fold("golden", entries_of(name))), file, indent=1)
        file.write("\n")


def every_kind() -> list[Entry]:
    """A history that never ran, with every kind of event."""
    from histories import drawn
    from states import entries

    kinds = len(EVENTS.models)
    tries = (drawn(Random(seed), 400) for seed in count())
    return entries(next(events for events in tries if len({x.kind for x in events}) == kinds))


if __name__ == "__main__":
    from eventful import eventful_run

    store(f"run-{sys.argv[1]}", asyncio.run(eventful_run()))
    store(f"kinds-{sys.argv[1]}", every_kind())
