"""What every journal promises of the chain, of forks and of blanking; part of `JournalContract`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote

import pytest

from autoagent.commands import Cancel
from autoagent.errors import ObjectBlanked, RunOwned, StoreDamaged, UsageError
from autoagent.events import CallDecided, Entry, Forked, Observed, TimeSpent
from autoagent.journal.chain import StoredEntry
from autoagent.journal.masking import MASK
from autoagent.ports import Journal
from autoagent.testing.contracts.journal_entries import entries, entry, owned

Rows = list[StoredEntry]
Change = Callable[[Rows], Rows]


def _forked(at: int, source: str = "r", workspace: str = "/tmp/fork") -> Forked:
    return Forked(source=source, at=at, workspace=workspace)


def _edited(rows: Rows) -> Rows:
    return [r._replace(body=b'{"kind":"time_spent","seconds":99.0}') if r.seq == 5 else r for r in rows]


def _as_another_kind(rows: Rows) -> Rows:
    return [r._replace(kind="run_interrupted") if r.seq == 5 else r for r in rows]


def _moved_in_time(rows: Rows) -> Rows:
    return [r._replace(at_us=r.at_us - 1) if r.seq == 5 else r for r in rows]


def _of_another_owner(rows: Rows) -> Rows:
    return [r._replace(epoch=2) if r.seq == 5 else r for r in rows]


def _in_another_order(rows: Rows) -> Rows:
    return [*rows[:4], rows[5]._replace(seq=5), rows[4]._replace(seq=6), *rows[6:]]


def _without_one(rows: Rows) -> Rows:
    return [*rows[:4], *rows[5:]]


def _without_one_and_closed_up(rows: Rows) -> Rows:
    return [*rows[:4], *(row._replace(seq=row.seq - 1) for row in rows[5:])]


def _with_one_put_in(rows: Rows) -> Rows:
    return [*rows[:4], rows[0]._replace(seq=5), *(row._replace(seq=row.seq + 1) for row in rows[4:])]


def _without_its_digest(rows: Rows) -> Rows:
    return [r._replace(digest=None, link=None) if r.seq == 5 else r for r in rows]


def _without_the_last(rows: Rows) -> Rows:
    return rows[:-1]


def _with_one_behind(rows: Rows) -> Rows:
    return [*rows, rows[-1]._replace(seq=rows[-1].seq + 1)]


BREAKS: list[tuple[Change, int, str]] = [
    (_edited, 5, "what it says was changed"),
    (_as_another_kind, 5, "what it says was changed"),
    (_moved_in_time, 5, "its time, number or owner was changed"),
    (_of_another_owner, 5, "its time, number or owner was changed"),
    (_in_another_order, 5, "entries were moved"),
    (_without_one, 5, "it is missing"),
    (_without_one_and_closed_up, 5, "taken out or put in"),
    (_with_one_put_in, 5, "taken out or put in"),
    (_without_its_digest, 5, "it has no digest"),
    (_without_the_last, 9, "it is missing"),
    (_with_one_behind, 10, "it was put in behind"),
]


class TamperedContract:
    """What a journal that somebody wrote to behind its back says."""

    def rewritten(self, journal: Journal, run_id: str, change: Change) -> None:
        """Put the run's own rows in the store as `change` makes them, past the journal."""
        raise NotImplementedError("override the method `rewritten`")

    @pytest.mark.parametrize(("change", "bad", "why"), BREAKS, ids=[b[0].__name__ for b in BREAKS])
    async def test_what_was_changed_is_found(
        self, journal: Journal, change: Change, bad: int, why: str
    ) -> None:
        """An edit, a removal, another order and an entry put in are found, and the first one is named."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        self.rewritten(journal, "r", change)
        found = journal.verify("r")

        assert (found.first_bad, found.entries) == (bad, bad - 1)
        assert why in found.why

    def test_a_run_with_forks_stays(self, journal: Journal) -> None:
        """A fork reads its first entries where they are, so they are removed after it."""
        lease = owned(journal)
        journal.append(lease, entries(1, 5))
        journal.release(lease)
        journal.fork("r", 4, "f", _forked(4))

        with pytest.raises(UsageError, match="run 'f' was forked from it"):
            journal.remove("r")
        journal.remove("f")
        journal.remove("r")
        assert list(journal.runs()) == []

    async def test_the_prefix_of_a_broken_run_is_whole(self, journal: Journal) -> None:
        """What stands before the first bad entry can be checked, and forked, by itself."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        self.rewritten(journal, "r", _edited)
        journal.fork("r", 4, "f", _forked(4))

        assert journal.verify("r", upto=4).first_bad is None
        assert journal.verify("f").first_bad is None
        with pytest.raises(StoreDamaged, match="run 'r': entry 5 is broken: what it says was changed"):
            journal.fork("r", 5, "g", _forked(5))

    async def test_a_fork_of_what_was_changed_later_is_broken_too(self, journal: Journal) -> None:
        """The entries that it shares are a part of its chain."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        journal.fork("r", 7, "f", _forked(7))
        self.rewritten(journal, "r", _edited)

        assert journal.verify("f").first_bad == 5

    async def test_a_bad_entry_is_named_with_its_kind_and_time(self, journal: Journal) -> None:
        """So that a person can tell what it was."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        self.rewritten(journal, "r", _edited)
        found = journal.verify("r")

        assert (found.kind, found.at) == ("time_spent", entry(5).at)


class ChainContract(TamperedContract):
    """Entries are linked by hashes."""

    def test_an_empty_run_is_whole(self, journal: Journal) -> None:
        """Nothing was written, so nothing is wrong."""
        journal.create("r", "/tmp/w")
        found = journal.verify("r")

        assert (found.first_bad, found.entries, found.head, journal.link("r")) == (None, 0, "", "")

    async def test_what_was_written_is_whole(self, journal: Journal) -> None:
        """All entries are counted, and the head is the last one's link."""
        lease = owned(journal)
        journal.append(lease, entries(1, 3))
        journal.append(lease, entries(4, 9))
        await journal.durable()
        found = journal.verify("r")

        assert (found.first_bad, found.entries, found.unchained, found.blanked) == (None, 9, 0, ())
        assert found.head == journal.link("r")
        assert len(bytes.fromhex(found.head)) == 32

    async def test_the_head_stands_for_all_entries(self, journal: Journal) -> None:
        """Two runs with the same entries have different heads; each entry gives a new one."""
        one, two = owned(journal, "one", "/tmp/one"), owned(journal, "two", "/tmp/two")
        heads = set()
        for seq in range(1, 4):
            journal.append(one, [entry(seq)])
            journal.append(two, [entry(seq)])
            await journal.durable()
            heads |= {journal.link("one"), journal.link("two")}

        assert len(heads) == 6
        assert journal.verify("one", upto=2).head in heads

    def test_an_unknown_run_can_not_be_verified(self, journal: Journal) -> None:
        """It is the caller's mistake."""
        with pytest.raises(UsageError, match="there is no run 'none'"):
            journal.verify("none")


class ForkContract:
    """A fork begins with the entries of another run."""

    async def test_a_fork_has_the_entries_up_to_there(self, journal: Journal) -> None:
        """Then its own: `Forked`, and what it appends, in numbers that go on."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        journal.fork("r", 4, "f", _forked(4))
        lease = journal.acquire("f", "here:2")
        journal.append(lease, [entry(6, epoch=lease.epoch)])
        await journal.durable()
        read = journal.read("f")

        assert read[:4] == entries(1, 4)
        assert [(e.seq, e.event) for e in read[4:]] == [(5, _forked(4)), (6, TimeSpent(seconds=6))]
        assert journal.read("f", after=2) == read[2:]
        assert journal.read("f", after=5) == read[5:]
        assert (journal.head("f").entries, journal.head("f").workspace) == (6, "/tmp/fork")
        assert journal.verify("f").first_bad is None

    async def test_the_source_stays_as_it_is(self, journal: Journal) -> None:
        """Neither its entries nor its head change, and its owner goes on writing."""
        lease = owned(journal)
        journal.append(lease, entries(1, 9))
        await journal.durable()
        before = journal.verify("r")
        journal.fork("r", 4, "f", _forked(4))

        assert journal.verify("r") == before
        journal.append(lease, [entry(10)])
        await journal.durable()
        assert journal.read("r") == entries(1, 10)
        assert len(journal.read("f")) == 5

    async def test_forks_of_forks(self, journal: Journal) -> None:
        """At their own entries, and at those that they share with the first run."""
        journal.append(owned(journal), entries(1, 9))
        await journal.durable()
        journal.fork("r", 6, "f", _forked(6))
        lease = journal.acquire("f", "here:2")
        journal.append(lease, [entry(seq, epoch=lease.epoch) for seq in (8, 9)])
        await journal.durable()
        journal.fork("f", 8, "late", _forked(8, "f", "/tmp/late"))
        journal.fork("f", 3, "early", _forked(3, "f", "/tmp/early"))

        assert journal.read("late")[:8] == journal.read("f")[:8]
        assert journal.read("early")[:3] == entries(1, 3)
        assert [journal.verify(run).first_bad for run in ("f", "late", "early")] == [None] * 3
        assert [journal.verify(run).entries for run in ("f", "late", "early")] == [9, 9, 4]
        assert journal.verify("late", upto=5).head == journal.verify("r", upto=5).head

    async def test_a_fork_is_followed_from_the_first_entry(self, journal: Journal) -> None:
        """A follower sees what it shares, then its own."""
        from autoagent.testing.contracts.journal import take

        journal.append(owned(journal), entries(1, 5))
        await journal.durable()
        journal.fork("r", 3, "f", _forked(3))

        assert await take(journal.follow("f"), 4) == journal.read("f")

    async def test_a_fork_has_commands_and_a_lease_of_its_own(self, journal: Journal) -> None:
        """What was sent to the source is not sent to it; both are carried at the same time."""
        journal.append(owned(journal), entries(1, 3))
        await journal.durable()
        journal.send("r", Cancel(), "terminal")
        journal.fork("r", 3, "f", _forked(3))

        assert journal.commands("f") == []
        assert journal.acquire("f", "here:2").epoch == journal.read("f")[-1].epoch + 1

    @pytest.mark.parametrize("at", [0, -1, 4])
    async def test_an_entry_that_is_not_there_is_refused(self, journal: Journal, at: int) -> None:
        """And no run is made."""
        journal.append(owned(journal), entries(1, 3))
        await journal.durable()

        with pytest.raises(UsageError, match=f"run 'r' has entries 1 to 3, and no entry {at}"):
            journal.fork("r", at, "f", _forked(1))
        assert [run.id for run in journal.runs()] == ["r"]

    async def test_a_taken_id_can_not_be_a_forks(self, journal: Journal) -> None:
        """The run of that id stays as it is."""
        journal.append(owned(journal), entries(1, 3))
        await journal.durable()

        with pytest.raises(UsageError, match="already a run 'r'"):
            journal.fork("r", 2, "r", _forked(2))
        assert journal.read("r") == entries(1, 3)


def _saying(seq: int, text: str) -> Entry:
    return entry(seq, Observed(lane="main", text=text, source="reply"))


def _calling(seq: int, arguments: str, decision: Literal["allow", "deny"] = "allow") -> Entry:
    decided = CallDecided(
        call="c", lane="main", tool="t", args={"text": arguments}, effect="read", decision=decision, why=""
    )
    return entry(seq, decided)


SECRETS = ["s3cr3t-w0rd", 'quo"ted\\back', "tab\tand\nline", "geheim/ß/ключ/🙂", "half \ud83d here"]


class BlankContract:
    """A secret is taken out of what a run says, and the chain still holds."""

    @pytest.mark.parametrize("secret", SECRETS)
    async def test_a_secret_is_masked_however_it_is_spelled(self, journal: Journal, secret: str) -> None:
        """As it is, as JSON inside a text, with and without ASCII escapes; other entries stay."""
        lease = owned(journal)
        spelled = [secret, json.dumps({"key": secret}), json.dumps([secret], ensure_ascii=False)]
        said = [_saying(n, f"a {text} b") for n, text in enumerate(spelled, 1)]
        journal.append(lease, [*said, _calling(4, json.dumps(json.dumps(secret))), _saying(5, "no")])
        await journal.durable()
        head = journal.link("r")
        journal.release(lease)
        blanked = journal.blank("r", secret)
        read = journal.read("r")

        assert blanked.entries == journal.verify("r").blanked == (1, 2, 3, 4)
        assert read[0] == _saying(1, f"a {MASK} b")
        assert read[1] == _saying(2, f'a {{"key": "{MASK}"}} b')
        assert read[3] == _calling(4, json.dumps(json.dumps(MASK, ensure_ascii=False), ensure_ascii=False))
        assert read[4] == _saying(5, "no")
        assert (journal.verify("r").first_bad, journal.link("r")) == (None, head)

    @pytest.mark.parametrize("secret", SECRETS)
    async def test_a_secret_is_masked_in_other_alphabets(self, journal: Journal, secret: str) -> None:
        """In base64, whatever stands before it there, in hex and percent-encoded."""
        lease = owned(journal)
        data = secret.encode("utf-8", "surrogatepass")
        spelled = [base64.b64encode(b"u:p"[:n] + data).decode() for n in range(3)]
        spelled += [
            base64.urlsafe_b64encode(data).decode(),
            data.hex(),
            data.hex().upper(),
            quote(data, safe=""),
        ]
        journal.append(lease, [_saying(n, f"a {text} b") for n, text in enumerate(spelled, 1)])
        await journal.durable()
        journal.release(lease)
        blanked = journal.blank("r", secret)

        assert blanked.entries == tuple(range(1, len(spelled) + 1))
        assert all(MASK in entry.model_dump_json() for entry in journal.read("r"))

    async def test_a_number_that_is_a_secret_is_masked(self, journal: Journal) -> None:
        """An argument may be one."""
        lease = owned(journal)
        decided = CallDecided(
            call="c",
            lane="main",
            tool="t",
            args={"pin": 48151623, "n": 4},
            effect="read",
            decision="allow",
            why="",
        )
        journal.append(lease, [entry(1, decided)])
        await journal.durable()
        journal.release(lease)
        journal.blank("r", "48151623")
        (read,) = journal.read("r")

        assert isinstance(read.event, CallDecided)
        assert read.event.args == {"pin": MASK, "n": 4}

    async def test_commands_are_blanked_too(self, journal: Journal) -> None:
        """Their numbers are told."""
        lease = owned(journal)
        journal.append(lease, [_saying(1, "x")])
        journal.send("r", Cancel(why="because s3cr3t-w0rd"), "terminal")
        await journal.durable()
        journal.release(lease)

        assert journal.blank("r", "s3cr3t-w0rd").commands == (1,)
        assert journal.commands("r")[0].command == Cancel(why=f"because {MASK}")

    async def test_a_run_goes_on_after_it(self, journal: Journal) -> None:
        """What is appended later is linked to what was said before."""
        lease = owned(journal)
        journal.append(lease, [_saying(1, "s3cr3t-w0rd")])
        await journal.durable()
        journal.release(lease)
        journal.blank("r", "s3cr3t-w0rd")
        lease = journal.acquire("r", "here:2")
        journal.append(lease, [entry(2, epoch=lease.epoch)])
        await journal.durable()

        assert (journal.verify("r").first_bad, journal.verify("r").blanked) == (None, (1,))

    async def test_a_fork_is_blanked_with_what_it_shares(self, journal: Journal) -> None:
        """The shared entries are masked in both; what the source wrote later is its own."""
        lease = owned(journal)
        journal.append(lease, [_saying(n, "s3cr3t-w0rd") for n in (1, 2)])
        await journal.durable()
        journal.fork("r", 1, "f", _forked(1))

        assert journal.blank("f", "s3cr3t-w0rd").entries == (1,)
        assert [journal.verify(run).first_bad for run in ("r", "f")] == [None, None]
        assert journal.read("r") == [_saying(1, MASK), _saying(2, "s3cr3t-w0rd")]

    @pytest.mark.parametrize("size_bytes", [20, 200_000])
    async def test_objects_are_removed_where_that_is_wanted(self, journal: Journal, size_bytes: int) -> None:
        """`get` says that they were blanked; stored again, they are there again."""
        data = b"s3cr3t-w0rd".ljust(size_bytes)
        held, other = journal.objects.put(data), journal.objects.put(b"other")
        journal.create("r", "/tmp/w")
        journal.blank("r", "s3cr3t-w0rd", [held])

        with pytest.raises(ObjectBlanked, match=f"object {held} was blanked: it held a secret"):
            journal.objects.get(held)
        assert (journal.objects.has(held), journal.objects.get(other)) == (False, b"other")
        assert journal.objects.put(data) == held
        assert journal.objects.get(held) == data

    async def test_a_run_that_is_carried_is_not_blanked(self, journal: Journal) -> None:
        """Its process could write the secret again."""
        journal.append(owned(journal), [_saying(1, "s3cr3t-w0rd")])
        await journal.durable()

        with pytest.raises(RunOwned, match="run 'r' is being worked on by"):
            journal.blank("r", "s3cr3t-w0rd")
        assert journal.read("r") == [_saying(1, "s3cr3t-w0rd")]

    @pytest.mark.parametrize(
        ("secret", "why"), [("abc", "less than 4 characters"), ("nudge", "can't be read without this text")]
    )
    async def test_a_word_that_is_needed_stays(self, journal: Journal, secret: str, why: str) -> None:
        """Too short to be one, or a word that gives an entry its meaning; nothing is changed."""
        lease = owned(journal)
        written = [_saying(1, "abc"), entry(2, Observed(lane="main", text="nudge", source="nudge"))]
        journal.append(lease, written)
        await journal.durable()
        journal.release(lease)

        with pytest.raises(UsageError, match=why):
            journal.blank("r", secret)
        assert journal.read("r") == written
