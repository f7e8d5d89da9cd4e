"""How fast a run's state is folded on this machine; run by hand: `python tests/bench/bench_fold.py`.

With `--smoke` the journals are small, and only that everything works is shown.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

from autoagent import events as e
from autoagent.goal import Goal
from autoagent.messages import Reply, RequestedCall, Usage
from autoagent.state import fold

AT = datetime(2026, 11, 22, tzinfo=UTC)
CALLS = (RequestedCall(id="0", name="files_write", arguments='{"path": "a", "content": "b"}'),)


def journal(size: int, lanes: int) -> list[e.Entry]:
    """About `size` entries: steps of one write each, in so many lanes."""
    started = e.RunStarted(
        goal=Goal(goal="g"),
        workspace="/w",
        tree="t",
        goal_digest="d",
        model="m",
        sandbox="monty",
        version="0",
    )
    events: list[e.Event] = [started]
    for lane in (f"l{n}" for n in range(lanes)):
        events.append(e.SubTaskStarted(sub_task=lane, lane=lane, tree="t", listing="", style="tools"))
        for number in range(size // lanes // 5):
            events += step(lane, number)
        events.append(e.SubTaskEnded(sub_task=lane, lane=lane, outcome="done"))
    return [e.Entry(seq=seq, at=AT, epoch=1, event=event) for seq, event in enumerate(events, 1)]


def step(lane: str, number: int) -> list[e.Event]:
    model_call, call = f"{lane}.{number}", f"{lane}.{number}.1"
    reply = Reply(calls=CALLS, usage=Usage(prompt_tokens=100, completion_tokens=10))
    return [
        e.ModelCalled(call=model_call, lane=lane, role="worker", model="m", number=number),
        e.ModelReplied(call=model_call, lane=lane, reply=reply, tokens=110, cost_usd=Decimal("0.001")),
        e.CallDecided(
            call=call,
            lane=lane,
            tool="files_write",
            args={"path": "a"},
            effect="write",
            decision="allow",
            why="w",
        ),
        e.CallStarted(call=call, lane=lane, tree="t"),
        e.CallEnded(call=call, lane=lane, ok=True, output="x" * 500, tree=call, urls=(f"http://a/{call}",)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small journals, for CI")
    full = 1_000 if parser.parse_args().smoke else 100_000
    for lanes in (1, 50, 500):
        entries = journal(full, min(lanes, full // 10))
        began = time.process_time()
        fold("r", entries)
        took = time.process_time() - began
        each = took / len(entries) * 1_000_000
        sys.stdout.write(
            f"{len(entries):>8,} entries in {lanes:>3} lanes {took:>8.2f} s {each:>8.1f} µs each\n"
        )


if __name__ == "__main__":
    main()
