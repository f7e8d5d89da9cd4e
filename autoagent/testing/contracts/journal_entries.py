"""What every journal promises of runs and their entries; part of `JournalContract`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from autoagent.commands import Cancel
from autoagent.errors import JournalConflict, UsageError
from autoagent.events import CallDecided, Entry, Event, FolderChanged, Observed, RunInterrupted, TimeSpent
from autoagent.ports import Journal, Lease, RunHead

NOON = datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)


def entry(seq: int, event: Event | None = None, *, epoch: int = 1, at: datetime = NOON) -> Entry:
    """An entry of a run; its event counts too, so that entries differ."""
    return Entry(seq=seq, at=at, epoch=epoch, event=event or TimeSpent(seconds=seq))


def entries(first: int, last: int, *, epoch: int = 1) -> list[Entry]:
    return [entry(seq, epoch=epoch) for seq in range(first, last + 1)]


def owned(journal: Journal, run_id: str = "r", workspace: str = "/tmp/w") -> Lease:
    """A new run and its lease."""
    journal.create(run_id, workspace)
    return journal.acquire(run_id, "here:1")


async def append_and_wait(journal: Journal, lease: Lease, new: list[Entry]) -> None:
    """Raises what `append` or `durable` raises: a journal may find a conflict at either."""
    journal.append(lease, new)
    await journal.durable()


class RunsContract:
    """Runs are created once, listed and looked up."""

    def test_a_new_run_is_empty(self, journal: Journal) -> None:
        """A created run has no entries and no commands."""
        journal.create("r", "/tmp/w")
        head = journal.head("r")

        assert (head.id, head.workspace, head.entries) == ("r", "/tmp/w", 0)
        assert (head.last_at, head.last_kind) == (None, None)
        assert head.created_at.tzinfo is not None
        assert (journal.read("r"), journal.commands("r")) == ([], [])

    def test_a_taken_id_is_refused(self, journal: Journal) -> None:
        """Two runs never share an id, and the first one stays as it is."""
        journal.create("r", "/tmp/one")

        with pytest.raises(UsageError, match="already a run 'r'"):
            journal.create("r", "/tmp/two")
        assert journal.head("r").workspace == "/tmp/one"

    @pytest.mark.parametrize("run_id", ["", "a\nb", "\x1b[2J", "\udcff"])
    def test_an_id_must_be_printable(self, journal: Journal, run_id: str) -> None:
        """An id that a terminal could obey, or that is no text, can't be made and isn't found."""
        with pytest.raises(UsageError, match="can't name a run"):
            journal.create(run_id, "/tmp/w")
        with pytest.raises(UsageError, match="no run"):
            journal.head(run_id)

    @pytest.mark.parametrize(
        "ask",
        [
            lambda journal: journal.head("none"),
            lambda journal: journal.read("none"),
            lambda journal: journal.commands("none"),
            lambda journal: journal.acquire("none", "here:1"),
            lambda journal: journal.send("none", Cancel(), "terminal"),
        ],
        ids=["head", "read", "commands", "acquire", "send"],
    )
    def test_an_unknown_run_is_named(self, journal: Journal, ask: Callable[[Journal], object]) -> None:
        """Asking for a run that isn't there is the caller's mistake."""
        with pytest.raises(UsageError, match="there is no run 'none'"):
            ask(journal)

    def test_runs_are_listed_newest_first(self, journal: Journal) -> None:
        """`runs` lists every run as `head` shows it, the newest at the top."""
        for run_id in ("a", "c", "b"):
            journal.create(run_id, f"/tmp/{run_id}")

        assert [run.id for run in journal.runs()] == ["b", "c", "a"]
        assert list(journal.runs()) == [journal.head(run_id) for run_id in ("b", "c", "a")]

    def test_a_workspace_may_have_any_name(self, journal: Journal) -> None:
        """A folder whose name is no UTF-8 keeps its name."""
        odd = "/tmp/caf\udce9/文件"
        lease = owned(journal, workspace=odd)

        assert (journal.head("r").workspace, lease.workspace) == (odd, odd)
        assert journal.runs()[0].workspace == odd


class EntriesContract:
    """Entries are appended in order and never change."""

    def test_what_is_appended_is_read_at_once(self, journal: Journal) -> None:
        """This object's reads see every entry that it appended."""
        lease = owned(journal)
        for seq in range(1, 21):
            journal.append(lease, [entry(seq)])
            assert journal.read("r")[-1] == entry(seq)

        assert journal.read("r") == entries(1, 20)

    async def test_what_is_durable_is_read(self, journal: Journal) -> None:
        """After `durable` the entries are what was appended, to the microsecond."""
        lease = owned(journal)
        journal.append(lease, entries(1, 3), sync=True)
        journal.append(lease, entries(4, 4))
        await journal.durable()

        assert journal.read("r") == entries(1, 4)

    def test_reading_starts_after_an_entry(self, journal: Journal) -> None:
        """`after` leaves out that entry and the ones before it."""
        journal.append(owned(journal), entries(1, 5))

        assert journal.read("r", after=3) == entries(4, 5)
        assert journal.read("r", after=5) == []

    async def test_the_head_shows_the_last_entry(self, journal: Journal) -> None:
        """Number, time and kind of the last entry stand in the head, before and after `durable`."""
        lease = owned(journal)
        journal.append(lease, [*entries(1, 2), entry(3, RunInterrupted(), at=NOON + timedelta(hours=1))])
        expected = (3, NOON + timedelta(hours=1), "run_interrupted")

        def shown(head: RunHead) -> tuple[int, datetime | None, str | None]:
            return head.entries, head.last_at, head.last_kind

        assert shown(journal.head("r")) == shown(journal.runs()[0]) == expected
        await journal.durable()
        assert shown(journal.head("r")) == shown(journal.runs()[0]) == expected

    def test_appending_nothing_does_nothing(self, journal: Journal) -> None:
        """An empty append is no entry."""
        lease = owned(journal)
        journal.append(lease, [])

        assert journal.head("r").entries == 0

    async def test_the_callers_list_may_change_later(self, journal: Journal) -> None:
        """What is written is what the list held when `append` was called."""
        lease, buffer = owned(journal), entries(1, 2)
        journal.append(lease, buffer)
        buffer.clear()
        await journal.durable()

        assert journal.read("r") == entries(1, 2)

    async def test_runs_do_not_mix(self, journal: Journal) -> None:
        """Two runs, written in turns, keep their own entries."""
        one, two = owned(journal, "one", "/tmp/one"), owned(journal, "two", "/tmp/two")
        for seq in range(1, 6):
            journal.append(one, [entry(seq)])
            journal.append(two, [entry(seq, Observed(lane="main", text=str(seq), source="nudge"))])
        await journal.durable()

        assert journal.read("one") == entries(1, 5)
        assert [e.event.kind for e in journal.read("two")] == ["observed"] * 5

    @pytest.mark.parametrize("first", [1, 2, 4, 5])
    async def test_another_number_than_the_next_is_a_conflict(self, journal: Journal, first: int) -> None:
        """After two entries only the third can follow; the run stays as it was."""
        lease = owned(journal)
        journal.append(lease, entries(1, 2))

        with pytest.raises(JournalConflict, match=f"expected to write entry {first}, but 2 are"):
            await append_and_wait(journal, lease, entries(first, first + 1))
        assert journal.read("r") == entries(1, 2)

    @pytest.mark.parametrize(
        "wrong",
        [[entry(1), entry(3)], [entry(1), entry(1)], [entry(1), entry(2, epoch=2)], [entry(1, epoch=2)]],
        ids=["gap", "twice", "two epochs", "other epoch"],
    )
    async def test_entries_must_fit_their_lease(self, journal: Journal, wrong: list[Entry]) -> None:
        """Entries that don't count up, or carry another epoch than the lease's, are refused whole."""
        lease = owned(journal)

        with pytest.raises(ValueError, match="must count up from 1 in epoch 1"):
            journal.append(lease, wrong)
        await journal.durable()
        assert journal.read("r") == []

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    async def test_a_number_that_json_lacks_is_refused(self, journal: Journal, number: float) -> None:
        """NaN and infinities are never stored, wherever they stand; the run goes on without them."""
        lease = owned(journal)
        nested = CallDecided(
            call="c",
            lane="main",
            tool="t",
            args={"x": [{"y": number}]},
            effect="read",
            decision="allow",
            why="",
        )

        with pytest.raises(ValueError, match=r"call_decided holds a number that JSON can't hold"):
            journal.append(lease, [entry(1), entry(2, nested)])
        journal.append(lease, [entry(1)])
        await journal.durable()
        assert journal.read("r") == [entry(1)]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\x00\x01\x7f",
            "文件 🙂 e\u0301",
            "\u2028\u2029\ufeff",
            "\\u0000 \\ud800 \\",
            "half \ud83d",
            "\udcff\udc80",
        ],
    )
    async def test_any_text_survives(self, journal: Journal, text: str) -> None:
        """Text comes back as it went in: controls, half characters, bytes of odd file names."""
        written = entry(1, FolderChanged(tree="t", paths=(text, text + "x")))
        journal.append(owned(journal), [written])
        await journal.durable()

        assert journal.read("r") == [written]

    async def test_a_long_text_survives(self, journal: Journal) -> None:
        """An entry of a megabyte is an entry."""
        written = entry(1, Observed(lane="main", text="0123456789äöü" * 80_000, source="reply"))
        journal.append(owned(journal), [written])
        await journal.durable()

        assert journal.read("r") == [written]

    async def test_time_zones_mean_the_same_instant(self, journal: Journal) -> None:
        """A time of another zone comes back as the same instant, aware."""
        at = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
        journal.append(owned(journal), [entry(1, at=at)])
        await journal.durable()

        assert journal.read("r")[0].at == journal.head("r").last_at == NOON
        assert journal.read("r")[0].at.utcoffset() == timedelta(0)

    def test_a_time_without_a_zone_is_refused(self, journal: Journal) -> None:
        """A time that means no instant is the caller's mistake."""
        lease = owned(journal)

        with pytest.raises(ValueError, match="must say its time zone"):
            journal.append(lease, [entry(1, at=NOON.replace(tzinfo=None))])
        assert journal.read("r") == []
