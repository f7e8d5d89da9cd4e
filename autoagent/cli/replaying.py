"""`replay`: a run's record against the program as it is now; nothing is written and nothing is reached."""

from __future__ import annotations

import os
from collections.abc import Iterator

from autoagent.cli.output import out, out_json
from autoagent.console.finding import find_run, opened
from autoagent.journal.home import home
from autoagent.past.replay import Replayed, replay
from autoagent.past.replay_findings import LaneReplayed
from autoagent.settings import load

_DIFFERS = 1


def replayed(prefix: str, *, as_json: bool) -> int:
    """Print what a replay found; the exit status. Raises `UsageError` for an unknown run."""
    with opened() as journal:
        run, settings = find_run(journal, prefix), load(home(), os.environ)
        found = replay(journal, run, settings=settings, environment=os.environ)
    if as_json:
        out_json(found.model_dump(mode="json"))
    else:
        out(*lines(found))
    return 0 if found.same else _DIFFERS


def lines(found: Replayed) -> Iterator[str]:
    """What was found, for people."""
    yield f"run {found.run}: recorded by autoagent {found.recorded_by}, replayed by {found.replayed_by}"
    for lane in found.lanes:
        yield from _of_lane(lane)
    if found.prompts_unknown:
        yield (
            f"{found.prompts_unknown} requests were recorded by a version that kept no prompts: "
            "these weren't compared"
        )
    if found.plugins_changed:
        yield f"plugins whose code isn't what the run began with: {', '.join(found.plugins_changed)}"
    yield _in_all(found)


def _of_lane(lane: LaneReplayed) -> Iterator[str]:
    if lane.differs_at is None:
        end = "" if lane.not_compared_from is None else f", not compared from entry {lane.not_compared_from}"
        yield f"{lane.lane}: {lane.compared} of {lane.entries} entries the same{end}"
        return
    first, *rest = lane.difference.split("\n")
    yield f"{lane.lane}: differs at entry {lane.differs_at}: {first}"
    yield from (f"  {text}" for text in rest)
    if lane.not_compared_from is not None:
        yield f"  not compared from entry {lane.not_compared_from}"


def _in_all(found: Replayed) -> str:
    if not found.same:
        wrong = [lane.lane for lane in found.lanes if lane.differs_at is not None]
        return f"it differs: {', '.join(wrong)}"
    prompts = f"{found.entries} entries and {found.prompts} prompts"
    return f"the same: {prompts}" if found.is_whole else "the same, as far as it was compared"
