"""A home with runs that never change, for tests that only look: the same ids, times and files everywhere.

`lay_out(home)` writes it anew, in milliseconds, from `snapshots/home.jsonl`. Its runs were carried once, by
the real loop with a scripted model and a clock of its own. To carry them again, after a change of what a run
records:

    python tests/stories.py
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from loops import Stage, finish, goal, write, yes
from worlds import World

from autoagent.events import CallEnded, CallStarted, Entry, OwnerChanged, QuestionAsked, RunStarted
from autoagent.ids import ALPHABET, memory_id
from autoagent.journal.codec import EVENTS, Stored
from autoagent.journal.sqlite import SqliteJournal
from autoagent.loop.asking import Approver
from autoagent.messages import Reply, Usage
from autoagent.ports import Lease, Listener, MemoryPoint, ModelRequest, Price
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.clock import FakeClock
from autoagent.testing.model import ScriptedModel, call, calls
from autoagent.testing.objects import MemoryObjects

STORED = Path(__file__).parent / "snapshots" / "home.jsonl"
NOW = datetime(2026, 11, 20, 14, 10, 30, tzinfo=UTC)
"""When somebody looks at it."""
MAIL, PLAN, AT_WORK, PROVED, LIMIT = "k3f9wqxd", "8q2czvnr", "m7xbtkg4", "p4r4hmwd", "d9wfsgzk"
"""Waits with a letter; waits with a plan; has begun a call; proved; stopped at a limit."""
UNPROVED = "t6vgsmxk"
"""As `MAIL`, and the letter was sent; one criterion was refuted."""
POINTS = [
    MemoryPoint(
        id=memory_id(PROVED, "1"),
        text="payments is killed when it draws a report; its limit is 512 MB",
        run=PROVED,
        source="outcome",
        at=NOW - timedelta(days=1),
        labels=("outside",),
    ),
    MemoryPoint(
        id=memory_id(LIMIT, "1"),
        text="the branch of the notes on payments is called main",
        run=LIMIT,
        source="outcome",
        at=NOW - timedelta(days=2),
    ),
]
"""What earlier runs have found."""


# --- laying it out ------------------------------------------------------------------------------------------


def lay_out(home: Path, changed: Callable[[list[Entry]], list[Entry]] = lambda entries: entries) -> None:
    """Write the runs into `home`, which has none; each with its entries `changed`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for text in STORED.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        rows.setdefault(row["run"], []).append(row)
    for run, (first, *others) in rows.items():
        entries = changed([_entry(row) for row in others if "kind" in row])
        _write(home, run, first, [row["object"] for row in others if "object" in row], entries)


def _write(home: Path, run: str, first: dict[str, Any], objects: list[str], entries: list[Entry]) -> None:
    begun = datetime.fromisoformat(first["at"])
    journal = SqliteJournal(home, now=lambda: begun)
    try:
        journal.create(run, first["workspace"])
        for data in objects:
            journal.objects.put(base64.b85decode(data))
        append(journal, run, entries)
    finally:
        journal.close()


def append(journal: SqliteJournal, run: str, entries: Sequence[Entry]) -> None:
    """Each stretch of entries under a lease of its own, as they were written."""
    lease: Lease | None = None
    for entry in entries:
        if lease is None or lease.epoch != entry.epoch:
            if lease is not None:
                journal.release(lease)
            lease = journal.acquire(run, "stories")
        journal.append(lease, [entry])
    assert lease is not None
    journal.release(lease)


def _entry(row: dict[str, Any]) -> Entry:
    stored = Stored(row["kind"], row["version"], json.dumps(row["body"]))
    event = EVENTS.decode(stored, "stories", row["seq"])
    return Entry(seq=row["seq"], at=datetime.fromisoformat(row["at"]), epoch=row["epoch"], event=event)


# --- carrying them ------------------------------------------------------------------------------------------

LOG = """2026-11-20 02:14:07 ERROR payments OOMKilled
2026-11-20 02:14:31 INFO payments started
2026-11-20 05:40:12 ERROR payments OOMKilled
2026-11-20 09:30:44 ERROR checkout upstream timeout
2026-11-20 11:02:58 ERROR payments OOMKilled
"""
REPORT = """# Failed services, 20 November

## payments
OOMKilled, 3 times, first at 02:14.
> 2026-11-20 02:14:07 ERROR payments OOMKilled

## checkout
Timed out while payments was down.
> 2026-11-20 09:30:44 ERROR checkout upstream timeout
"""
LETTER = """Two services failed on 20 November.

payments: OOMKilled, 3 times, first at 02:14 (logs/payments.log, line 1)
checkout: timed out while payments was down (logs/payments.log, line 4)

The OOM killer ends a process when memory cannot be reclaimed; the limit of payments is 512 MB, and it
grew beyond that each time a report was drawn. Raising it to 1 GB would do until the leak is found.
"""
PAGE = (
    "The OOM killer ends a process when memory cannot be reclaimed. See https://en.wikipedia.org/wiki/Swap\n"
)
SCRIPT = """
found = {}
for text in open('logs/payments.log'):
    if ' ERROR ' in text:
        words = text.split()
        found.setdefault(words[3], []).append(text.strip())
for name in sorted(found):
    print(name, len(found[name]), found[name][0])
for n in range(60):
    print('minute', n, 'no more errors')
"""
TRIAGE = """
goal: Find which services failed in logs/ on 20 November and why. Mail the summary to Anna.
done_when:
  - file: report.md
    contains: [payments, OOMKilled]
  - human: The report reads well.
  - file: sent.txt
allow: {run: sandbox, web: [en.wikipedia.org], send: {post: [anna@example.org]}}
private: [notes/]
plugins: [files, python, post]
limits: {usd: 2.00, steps: 60, minutes: 30}
"""
TRIAGE_PLAN = [
    {"id": "1", "title": "List the services"},
    {"id": "2", "title": "Find the causes", "depends_on": ["1"]},
    {"id": "3", "title": "Write report.md", "depends_on": ["2"]},
    {"id": "4", "title": "Mail the summary", "depends_on": ["3"]},
]
TRIAGE_TURNS = {
    "1": [call("files_read", path="logs/payments.log"), finish("payments and checkout")],
    "2": [
        calls(call("page_read", url="https://en.wikipedia.org/wiki/OOM"), text="What does OOMKilled mean?"),
        call("page_read", url="https://evil.example/wiki"),
        call("python_run", code=SCRIPT.strip()),
        call("files_read", path="notes/limits.md"),
        call("files_read", path="nothing.log"),
        finish("payments was killed three times; checkout waited for it"),
    ],
    "3": [write("report.md", REPORT), finish("written")],
    "4": [call("post_send", to="anna@example.org", text=LETTER)],
}
_GIVES_UP = [finish("the letter is on its way")] * 9
SENT_TURNS = {
    **TRIAGE_TURNS,
    "4": [*TRIAGE_TURNS["4"], *_GIVES_UP],
    **{f"4-{n}": _GIVES_UP for n in range(2, 5)},
}
INVOICES = """
goal: Tidy the invoices folder, one folder a year, and mail what is unpaid to the accountant.
done_when: [{file: unpaid.csv}, {human: The folders are right.}]
allow: {send: {post: [books@example.org]}}
plugins: [files, post]
ask: [plan]
limits: {usd: 1.00, steps: 40, minutes: 20}
"""
INVOICES_PLAN = [
    {"id": "1", "title": "List the invoices", "instructions": "Date, sum and sender of each."},
    {
        "id": "2",
        "title": "Make a folder a year",
        "instructions": "Copy each into its own.",
        "depends_on": ["1"],
    },
    {"id": "3", "title": "Find what is unpaid", "instructions": "Write unpaid.csv.", "depends_on": ["1"]},
    {"id": "4", "title": "Mail unpaid.csv", "instructions": "To the accountant.", "depends_on": ["2", "3"]},
]
CONVERT = """
goal: Convert the CSV exports to one table.
done_when: [{file: table.md, contains: [Berlin, Paris]}]
plugins: [files]
limits: {usd: 1.00, steps: 40, minutes: 20}
"""
CONVERT_PLAN = [
    {"id": "1", "title": "Read the exports"},
    {"id": "2", "title": "Write the table", "depends_on": ["1"]},
]
TABLE = "| city | sum |\n| --- | --- |\n| Berlin | 12 |\n| Paris | 30 |\n"
CONVERT_TURNS = {
    "1": [call("files_read", path="berlin.csv"), call("files_read", path="paris.csv"), finish("two cities")],
    "2": [write("table.md", TABLE), finish("done")],
}
RENAME = """
goal: Rename the branch in all notes.
done_when: [{file: a.md, contains: [main]}, {file: b.md, contains: [main]}, {file: c.md, contains: [main]}]
plugins: [files]
limits: {usd: 0.40, steps: 3, minutes: 5}
"""


class Timed(ScriptedModel):
    """Takes its time, and says what it used."""

    clock: FakeClock

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        self.clock.pass_time(3.4)
        reply = await super().reply(request, listener)
        usage = Usage(prompt_tokens=2_400 + 700 * request.number, completion_tokens=310)
        return reply.model_copy(update={"usage": usage})


@dataclass
class Story:
    """A run to be carried."""

    id: str
    folder: str
    """The name of its workspace."""
    goal: str
    sub_tasks: Sequence[dict[str, Any]]
    turns: dict[str, list[Reply]]
    begun: datetime
    files: dict[str, str]
    approver: Approver | None = None
    upto: Callable[[Entry], bool] | None = None
    """Ends the record after this entry: the process is in the middle of it."""


def _stories() -> list[Story]:
    triage = {"logs/payments.log": LOG, "notes/limits.md": "payments: 512 MB\n"}
    exports = {"berlin.csv": "sum\n12\n", "paris.csv": "sum\n30\n"}
    notes = {"a.md": "branch master\n", "b.md": "branch master\n"}
    renames = [
        write("a.md", "branch main\n"),
        call("files_read", path="b.md"),
        write("b.md", "branch main\n"),
    ]
    one = [{"id": "1", "title": "Rename it everywhere"}]

    def at_write(entry: Entry) -> bool:
        return isinstance(entry.event, CallStarted) and entry.seq > 20

    return [
        Story(UNPROVED, "last-week", TRIAGE, TRIAGE_PLAN, SENT_TURNS, NOW - timedelta(days=3), triage, yes()),
        Story(LIMIT, "repos", RENAME, one, {"1": renames}, NOW - timedelta(days=2), notes),
        Story(PROVED, "exports", CONVERT, CONVERT_PLAN, CONVERT_TURNS, NOW - timedelta(days=1), exports),
        Story(
            PLAN,
            "invoices",
            INVOICES,
            INVOICES_PLAN,
            {},
            NOW - timedelta(hours=1),
            {"inbox/march.txt": "paid\n"},
        ),
        Story(MAIL, "incident", TRIAGE, TRIAGE_PLAN, TRIAGE_TURNS, NOW - timedelta(minutes=6), triage),
        Story(
            AT_WORK,
            "exports-2",
            CONVERT,
            CONVERT_PLAN,
            CONVERT_TURNS,
            NOW - timedelta(seconds=20),
            exports,
            upto=at_write,
        ),
    ]


async def _carried(story: Story, folder: Path) -> list[dict[str, Any]]:
    """The run as rows of the stored file."""
    clock = FakeClock(story.begun)
    sub_tasks = [{"instructions": "", **each} for each in story.sub_tasks]
    proposed = call("propose_plan", sub_tasks=sub_tasks)
    model = Timed(
        planner=[proposed] * 4,
        worker=story.turns,
        name="small",
        price=Price(Decimal(2), Decimal(10)),
    )
    model.clock = clock
    world = World(seen={"https://en.wikipedia.org/wiki/OOM": PAGE}, before_send=lambda: clock.pass_time(1.2))
    stage = Stage.at(folder, story.files, plugins=[world.plugin()], clock=clock, sandbox=MontySandbox())
    await stage.start(goal(story.goal), model, approver=story.approver)
    return _rows(stage, story)


def _rows(stage: Stage, story: Story) -> list[dict[str, Any]]:
    entries = list(_kept(stage.journal.read(stage.run), story.upto))
    text = json.dumps([_stored(each, story) for each in entries]).replace(stage.run, story.id)
    asked = [each.event.question.id for each in entries if isinstance(each.event, QuestionAsked)]
    for number, id in enumerate(asked):
        text = text.replace(id, f"{story.id[:4]}q{ALPHABET[number]}")
    objects = stage.journal.objects
    assert isinstance(objects, MemoryObjects)
    return [
        {"run": story.id, "workspace": f"/home/you/{story.folder}", "at": story.begun.isoformat()},
        *({"run": story.id, "object": base64.b85encode(x).decode()} for _, x in sorted(objects.data.items())),
        *({"run": story.id, **each} for each in json.loads(text)),
    ]


def _kept(entries: Iterable[Entry], is_last: Callable[[Entry], bool] | None) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        if is_last is not None and is_last(entry):
            return


def _stored(entry: Entry, story: Story) -> dict[str, Any]:
    event = entry.event
    if isinstance(event, RunStarted):
        event = event.model_copy(update={"workspace": f"/home/you/{story.folder}"})
    elif isinstance(event, OwnerChanged):
        event = event.model_copy(update={"holder": "host:1"})
    elif isinstance(event, CallEnded):
        event = event.model_copy(update={"seconds": 0.4})
    stored = EVENTS.encode(event)
    row = {"seq": entry.seq, "at": entry.at.isoformat(), "epoch": entry.epoch}
    return row | {"kind": stored.kind, "version": stored.version, "body": json.loads(stored.body)}


async def _carry_all() -> None:
    STORED.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        rows = []
        for story in _stories():
            (folder := Path(made) / story.id).mkdir()
            rows += await _carried(story, folder)
    STORED.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_carry_all())
