"""An entry of every kind can be looked at: in the activity, in the past, in the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldens import GOLDEN, entries_of, kinds_of
from hostile import FORBIDDEN, poisoned
from screens import SMALL, Eye, StillCockpit, surroundings
from stories import append

from autoagent.events import Entry
from autoagent.journal.codec import EVENTS
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import outcome
from autoagent.ports import Verification
from autoagent.report import gathered, page
from autoagent.state import fold
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.past.screen import PastScreen
from autoagent.tui.run.screen import RunScreen

NEWEST = max(GOLDEN.glob("kinds-v*.jsonl"), key=lambda file: int(file.stem.partition("-v")[2])).stem
RUN = "k7ndsvvv"


def history() -> list[Entry]:
    """An entry of every kind, each with texts of an enemy."""
    return poisoned(entries_of(NEWEST))


def test_the_newest_golden_journal_has_every_kind() -> None:
    """Whoever adds a kind of event adds a journal: `python tests/goldens.py` says how."""
    assert kinds_of(NEWEST) == set(EVENTS.models)


async def test_every_kind_is_shown_in_the_cockpit(tmp_path: Path) -> None:
    """Its line in the activity, and all of it in the past; with nothing that a terminal obeys."""
    entries = history()
    journal = SqliteJournal(tmp_path)
    journal.create(RUN, "/home/you")
    append(journal, RUN, entries)
    journal.close()

    with surroundings(tmp_path, SMALL):
        app = StillCockpit(tmp_path, RUN)
        async with app.run_test(size=(120, 40)) as pilot:
            eye = Eye(pilot, app)
            await eye.on(RunScreen)
            await eye.until(eye.has("#activity"))
            activity = [str(row.line) for row in app.screen.query_one("#activity", Lines).rows]
            await eye.press("p")
            await eye.on(PastScreen)
            said = await each_kind(eye, entries)

    assert len(activity) > len(EVENTS.models)
    assert said.keys() == set(EVENTS.models)
    assert all(said.values()), [kind for kind, lines in said.items() if not lines]
    shown = "\n".join([*activity, *(line for lines in said.values() for line in lines)])
    assert not [char for char in FORBIDDEN if char in shown]


async def each_kind(eye: Eye, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """What the past says of the last entry of each kind."""
    screen = eye.app.screen
    assert isinstance(screen, PastScreen)
    await eye.until(lambda: screen.at == len(entries))
    last = {entry.event.kind: entry.seq for entry in entries}
    said = {}
    for kind, seq in last.items():
        screen.action_to(seq)
        said[kind] = [str(row.line) for row in screen.query_one("#entry", Lines).rows]
    return said


def test_every_kind_is_reported() -> None:
    """Where the stored files are gone, too."""
    entries = history()
    state = fold("r", entries)
    record = outcome(state, EMPTY, EMPTY, journal_head="", is_carried=False)
    chain = Verification(run="r", entries=len(entries), head="")

    html = page(gathered(entries, state, record, chain, MemoryObjects(), holder=None, now=entries[-1].at))

    assert not [char for char in FORBIDDEN if char in html]
    assert "<script" not in html
