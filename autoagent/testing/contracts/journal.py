"""What every journal promises, as tests.

Derive from `JournalContract`, override its `journal` fixture, `acquired_by_the_dead` and `rewritten`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal

import pytest

from autoagent.commands import Answer, Approve, Cancel, Command, Deny, RaiseLimits
from autoagent.errors import LeaseLost, RunOwned, UsageError
from autoagent.events import Entry
from autoagent.ports import Journal
from autoagent.testing.contracts.journal_chain import BlankContract, ChainContract, ForkContract
from autoagent.testing.contracts.journal_entries import EntriesContract, RunsContract, entries, entry, owned


async def take(follower: AsyncIterator[Entry], count: int) -> list[Entry]:
    """The next entries of a follower, which is closed afterwards."""
    found: list[Entry] = []
    async with asyncio.timeout(30), aclosing(follower) as stream:  # type: ignore[type-var]
        async for each in stream:
            found.append(each)
            if len(found) == count:
                break
    return found


class LeaseContract:
    """One writer: of the run, and of its folder."""

    def test_epochs_count_up(self, journal: Journal) -> None:
        """Every owner has the next epoch."""
        journal.create("r", "/tmp/w")
        epochs = []
        for _ in range(3):
            lease = journal.acquire("r", "here:1")
            epochs.append(lease.epoch)
            journal.release(lease)

        assert epochs == [1, 2, 3]
        assert (lease.run_id, lease.workspace, lease.holder) == ("r", "/tmp/w", "here:1")

    def test_a_living_holders_run_is_refused(self, journal: Journal) -> None:
        """A run that is worked on can't be acquired, not even by its own process."""
        lease = owned(journal)

        with pytest.raises(RunOwned, match="run 'r' is being worked on by"):
            journal.acquire("r", "here:1")
        journal.renew(lease)

    def test_two_runs_in_one_folder_are_refused(self, journal: Journal) -> None:
        """A folder has one run at a time; when it is released the next may have it."""
        lease = owned(journal, "one")
        journal.create("two", "/tmp/w")

        with pytest.raises(RunOwned, match=r"folder '.*' \(run 'one'\) is being worked on by"):
            journal.acquire("two", "here:1")
        journal.release(lease)
        assert journal.acquire("two", "here:1").epoch == 1

    def test_a_dead_holders_run_is_taken_over(self, journal: Journal) -> None:
        """A dead process's lease passes to who asks, with the next epoch."""
        journal.create("r", "/tmp/w")
        journal = self.acquired_by_the_dead(journal, "r")
        lease = journal.acquire("r", "here:1")

        assert lease.epoch == 2
        journal.append(lease, [entry(1, epoch=lease.epoch)])

    def test_a_dead_holders_folder_is_free(self, journal: Journal) -> None:
        """A dead process doesn't keep its folder from another run."""
        journal.create("one", "/tmp/w")
        journal = self.acquired_by_the_dead(journal, "one")
        lease = owned(journal, "two")

        assert lease.epoch == 1

    async def test_a_released_lease_writes_nothing(self, journal: Journal) -> None:
        """After `release` neither `renew` nor `append` is taken."""
        lease = owned(journal)
        journal.append(lease, [entry(1)])
        journal.release(lease)

        with pytest.raises(LeaseLost, match="the lease of epoch 1 is over"):
            journal.append(lease, [entry(2)])
        with pytest.raises(LeaseLost):
            journal.renew(lease)
        await journal.durable()
        assert journal.read("r") == [entry(1)]

    def test_a_lease_holds_until_it_is_released(self, journal: Journal) -> None:
        """`holds` is true from `acquire` to `release`, of the present epoch only."""
        old = owned(journal)

        assert journal.holds(old)
        journal.release(old)
        assert not journal.holds(old)
        new = journal.acquire("r", "here:1")
        assert (journal.holds(old), journal.holds(new)) == (False, True)

    def test_a_removed_run_is_unknown(self, journal: Journal) -> None:
        """Nothing is left of it, its folder is free, and its id may be used again."""
        lease = owned(journal)
        journal.append(lease, [entry(1)])
        journal.send("r", Cancel(), "terminal")
        journal.release(lease)
        journal.remove("r")

        assert list(journal.runs()) == []
        with pytest.raises(UsageError, match="there is no run 'r'"):
            journal.read("r")
        assert not journal.holds(lease)
        again = owned(journal)
        assert (again.epoch, journal.read("r"), journal.commands("r")) == (1, [], [])

    def test_a_run_that_is_worked_on_stays(self, journal: Journal) -> None:
        """`remove` takes nothing away from a living process."""
        lease = owned(journal)
        journal.append(lease, [entry(1)])

        with pytest.raises(RunOwned, match="run 'r' is being worked on by"):
            journal.remove("r")
        assert journal.read("r") == [entry(1)]
        with pytest.raises(UsageError, match="there is no run 'none'"):
            journal.remove("none")

    def test_releasing_an_old_lease_leaves_the_new_one(self, journal: Journal) -> None:
        """`release` gives up that lease only, and may be called twice."""
        old = owned(journal)
        journal.release(old)
        new = journal.acquire("r", "here:1")
        journal.release(old)

        journal.renew(new)
        with pytest.raises(LeaseLost):
            journal.append(old, [entry(1)])

    async def test_the_next_owner_goes_on(self, journal: Journal) -> None:
        """A new lease appends behind the old one's entries, in its own epoch."""
        first = owned(journal)
        journal.append(first, entries(1, 2))
        journal.release(first)
        second = journal.acquire("r", "here:2")
        journal.append(second, entries(3, 4, epoch=2))
        await journal.durable()

        assert journal.read("r") == [*entries(1, 2), *entries(3, 4, epoch=2)]

    def acquired_by_the_dead(self, journal: Journal, run_id: str) -> Journal:
        """Let a process acquire the run and die without a word; the journal as it is found then."""
        raise NotImplementedError("override the method `acquired_by_the_dead`")


class CommandsContract:
    """Commands are numbered, and change nothing by themselves."""

    def test_commands_are_kept_in_order(self, journal: Journal) -> None:
        """Each command has the next number of its run, who sent it and when."""
        sent: list[Command] = [
            Approve(question="q1", digest="d", covers=3, edit={"path": "a", "n": [1, None, 2.5]}),
            Deny(question="q2", digest="d", why="no\udcff"),
            Answer(question="q3", digest="d", text="blue"),
            RaiseLimits(usd=Decimal("2.50"), steps=10),
            Cancel(why="enough"),
        ]
        journal.create("r", "/tmp/w")
        journal.create("other", "/tmp/o")
        answers = [journal.send("r", command, "terminal") for command in sent]
        journal.send("other", Cancel(), "terminal")

        assert [(c.number, c.command, c.by) for c in answers] == [
            (number, command, "terminal") for number, command in enumerate(sent, 1)
        ]
        assert journal.commands("r") == answers
        assert [c.number for c in journal.commands("other")] == [1]

    def test_commands_are_read_after_a_number(self, journal: Journal) -> None:
        """`after` leaves out the commands up to that number."""
        journal.create("r", "/tmp/w")
        sent = [journal.send("r", Cancel(why=str(n)), "terminal") for n in range(4)]

        assert journal.commands("r", after=2) == sent[2:]

    def test_sending_needs_no_lease(self, journal: Journal) -> None:
        """Anyone may send a command to a run that somebody else works on; its entries stay."""
        lease = owned(journal)
        journal.append(lease, [entry(1)])
        journal.send("r", Cancel(), "another terminal")

        assert journal.read("r") == [entry(1)]
        journal.append(lease, [entry(2)])


class FollowContract:
    """A follower sees every entry, once and in order."""

    async def test_following_starts_with_what_is_there(self, journal: Journal) -> None:
        """Entries written before come first."""
        journal.append(owned(journal), entries(1, 3))

        assert await take(journal.follow("r"), 3) == entries(1, 3)

    async def test_following_starts_after_an_entry(self, journal: Journal) -> None:
        """`after` leaves out what the follower has already seen."""
        journal.append(owned(journal), entries(1, 4))

        assert await take(journal.follow("r", after=2), 2) == entries(3, 4)

    async def test_entries_come_as_they_are_written(self, journal: Journal) -> None:
        """A follower that waits gets what is appended later, of its run only."""
        lease, other = owned(journal), owned(journal, "other", "/tmp/o")
        following = asyncio.create_task(take(journal.follow("r"), 6))
        for seq in range(1, 7):
            journal.append(lease, [entry(seq)])
            journal.append(other, [entry(seq)])
            await asyncio.sleep(0)

        assert await following == entries(1, 6)

    async def test_followers_are_independent(self, journal: Journal) -> None:
        """Each follower gets every entry."""
        lease = owned(journal)
        following = [asyncio.create_task(take(journal.follow("r"), 4)) for _ in range(3)]
        await asyncio.sleep(0)
        journal.append(lease, entries(1, 4))

        assert await asyncio.gather(*following) == [entries(1, 4)] * 3

    async def test_a_long_run_is_followed_whole(self, journal: Journal) -> None:
        """However much there is, nothing is left out."""
        journal.append(owned(journal), entries(1, 2_500))

        assert await take(journal.follow("r"), 2_500) == entries(1, 2_500)

    async def test_an_unknown_run_is_an_error(self, journal: Journal) -> None:
        """Following a run that isn't there raises at the first step."""
        with pytest.raises(UsageError, match="there is no run 'none'"):
            await take(journal.follow("none"), 1)


class JournalContract(
    RunsContract,
    EntriesContract,
    LeaseContract,
    CommandsContract,
    FollowContract,
    ChainContract,
    ForkContract,
    BlankContract,
):
    """Append-only entries and commands of runs: one writer a run, many readers."""

    @pytest.fixture
    def journal(self) -> Journal:
        """An empty journal."""
        raise NotImplementedError("override the fixture `journal`")

    async def test_objects_come_with_it(self, journal: Journal) -> None:
        """A journal stores objects; `autoagent.testing.contracts.objects` says what they promise."""
        sha256 = journal.objects.put(b"bytes")
        await journal.durable()

        assert journal.objects.get(sha256) == b"bytes"
