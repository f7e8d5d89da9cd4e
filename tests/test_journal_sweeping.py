"""What no run needs goes, and nothing else: whatever was kept is whole afterwards."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoagent.errors import RunOwned, StoreDamaged, StoreUnavailable, UsageError
from autoagent.events import CallDecided, CallEnded, Event, FolderChanged, LaneConflicted, QuestionAsked
from autoagent.folder import LocalFolder
from autoagent.journal.process import Instant, Process, this_process
from autoagent.journal.sqlite import SqliteJournal
from autoagent.journal.sweeping import Swept, sweep
from autoagent.journal.usage import alone
from autoagent.questions import Question, Subject
from autoagent.testing.contracts.journal_entries import NOON, entry, owned
from autoagent.testing.contracts.objects import some_bytes
from autoagent.trees import EMPTY, Tree, TreeEntry, load_tree, make_tree, store_tree


def stored(journal: SqliteJournal, seed: int, files: int = 6) -> Tree:
    """A tree of small and large files, links and folders, some shared with those of other seeds."""
    chance, entries = random.Random(seed), {"deep": TreeEntry("folder", 0o755, 0, "")}
    for number in range(files):
        large = number == 0 and seed % 3 == 0
        data = some_bytes(100_000 if large else 200, chance.choice([seed, 0]) * 100 + number)
        name = f"{'deep/' if number % 2 else ''}f{number}"
        entries[name] = TreeEntry("file", 0o644, len(data), journal.objects.put(data))
    entries["link"] = TreeEntry("link", 0o777, 6, journal.objects.put(b"deep/f"))
    tree = make_tree(entries)
    store_tree(tree, journal.objects)
    return tree


def run_with(journal: SqliteJournal, run_id: str, *events: Event) -> None:
    """A run that has these events, and that nobody carries."""
    lease = owned(journal, run_id, f"/tmp/{run_id}")
    journal.append(lease, [entry(seq, event) for seq, event in enumerate(events, 1)])
    journal.release(lease)


def held_by(tree: Tree) -> set[str]:
    """Every object of a tree."""
    return {e.sha256 for e in tree.entries.values() if e.sha256} | {f.sha256 for f in tree.folders.values()}


def all_objects(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "journal.db")) as connection:
        small = {row[0].hex() for row in connection.execute("SELECT sha256 FROM objects")}
    return small | {file.name for file in (home / "objects").glob("??/*")}


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_is_whole_and_nothing_else_is_left(tmp_path: Path, seed: int) -> None:
    """After any runs were removed, the trees of the others have all their objects, and no other is there."""
    chance, journal = random.Random(seed), SqliteJournal(tmp_path)
    trees = {f"r{n}": [stored(journal, seed * 10 + n), stored(journal, n)] for n in range(5)}
    for run_id, (first, second) in trees.items():
        run_with(
            journal, run_id, FolderChanged(tree=first.id, paths=()), FolderChanged(tree=second.id, paths=())
        )
    for gone in chance.sample(sorted(trees), chance.randint(0, 5)):
        journal.remove(gone)
        del trees[gone]
    journal.close()
    sweep(tmp_path, frozenset())
    journal = SqliteJournal(tmp_path)

    needed = {name for pair in trees.values() for tree in pair for name in held_by(tree)}
    assert all_objects(tmp_path) == needed
    for tree in (tree for pair in trees.values() for tree in pair):
        loaded = load_tree(tree.id, journal.objects)
        assert loaded.entries == tree.entries
        for each in loaded.entries.values():
            assert each.kind == "folder" or len(journal.objects.get(each.sha256)) == each.size
    journal.close()


def naming(sha256: str) -> list[Event]:
    """Events that name an object in every kind of place: a field, a dict, another model, arguments, text."""
    call = {"call": "c", "lane": "main", "tool": "t", "effect": "external", "decision": "allow", "why": ""}
    subject = Subject(run="r", kind="folder", args={"paths": ["a"], "yours": sha256})
    question = Question(id="q", subject=subject, why="", choices=())
    return [
        FolderChanged(tree=sha256, paths=()),
        LaneConflicted(lane="a", tree="x", base=sha256, kept={}),
        CallDecided.model_validate({**call, "args": {}, "files": {"a": sha256}}),
        CallDecided.model_validate({**call, "args": {"deep": [{"x": f"sha256:{sha256}"}]}}),
        CallEnded(call="c", lane="main", ok=True, output=f"stored as '{sha256}'"),
        QuestionAsked(question=question, asked_at=NOON),
    ]


@pytest.mark.parametrize("number", range(6))
def test_an_object_is_needed_wherever_it_is_named(tmp_path: Path, number: int) -> None:
    """A name counts in any place of an event, so no field that comes later can be forgotten."""
    journal = SqliteJournal(tmp_path)
    kept, lost = journal.objects.put(b"kept"), journal.objects.put(b"lost")
    run_with(journal, "r", naming(kept)[number])
    journal.close()
    sweep(tmp_path, frozenset())

    assert all_objects(tmp_path) == {kept}
    assert lost != kept


def test_a_large_manifest_is_followed(tmp_path: Path) -> None:
    """A folder of thousands of names, whose manifest is a file of its own, keeps what it names."""
    journal = SqliteJournal(tmp_path)
    data = {f"file {n}": journal.objects.put(b"%d" % n) for n in range(12_000)}
    tree = make_tree({name: TreeEntry("file", 0o644, 5, sha256) for name, sha256 in data.items()})
    store_tree(tree, journal.objects)
    run_with(journal, "r", FolderChanged(tree=tree.id, paths=()))
    journal.close()

    assert sweep(tmp_path, frozenset()).objects == 0
    assert all_objects(tmp_path) == {*data.values(), tree.id}


def test_a_dry_run_says_the_same_and_deletes_nothing(tmp_path: Path) -> None:
    """What would go is what goes then."""
    journal = SqliteJournal(tmp_path)
    stored(journal, 3)
    run_with(journal, "r", FolderChanged(tree=stored(journal, 4).id, paths=()))
    journal.close()
    before = all_objects(tmp_path)
    said = sweep(tmp_path, frozenset(), dry_run=True)

    assert all_objects(tmp_path) == before
    assert sweep(tmp_path, frozenset()) == said
    assert (said.objects, said.files, said.file_bytes) == (len(before) - said.kept - 1, 1, 100_000)
    nothing = Swept(0, 0, 0, 0, 0, 0, said.kept, 0)
    assert sweep(tmp_path, frozenset()) == nothing


def test_refused_while_a_run_goes_on(tmp_path: Path) -> None:
    """The run that is carried is named, and nothing is deleted."""
    journal = SqliteJournal(tmp_path)
    lease = owned(journal)

    with pytest.raises(RunOwned, match="run 'r' is being worked on by"):
        sweep(tmp_path, frozenset())
    journal.release(lease)
    sweep(tmp_path, frozenset())
    journal.close()


def test_refused_while_somebody_stores(tmp_path: Path) -> None:
    """A process that has stored objects may be about to name them."""
    journal = SqliteJournal(tmp_path)
    journal.objects.put(b"about to be named")

    with pytest.raises(UsageError, match=r"process .*is working with the files of"):
        sweep(tmp_path, frozenset())
    journal.close()
    assert len(all_objects(tmp_path)) == 1


def test_who_wants_to_store_waits_until_it_is_done(tmp_path: Path) -> None:
    """A run that begins meanwhile stores nothing that could be taken for unused."""
    journal = SqliteJournal(tmp_path)
    storing = threading.Thread(target=lambda: journal.objects.put(b"x"), daemon=True)
    with alone(tmp_path):
        storing.start()
        storing.join(0.1)

        assert storing.is_alive()
    storing.join()
    journal.close()
    assert len(all_objects(tmp_path)) == 1


def test_a_silent_owner_that_thaws_has_lost_its_lease(tmp_path: Path) -> None:
    """It may have stored what it had not named yet."""
    here = this_process()
    far = Process("far", "another boot", "", 77, "1")
    frozen = SqliteJournal(tmp_path, process=far, now=lambda: NOON)
    lease = owned(frozen)
    sweep(tmp_path, frozenset(), Instant(NOON + timedelta(minutes=2), here.clock, 0))

    assert not frozen.holds(lease)
    frozen.close()


def test_a_scan_after_it_trusts_nothing_that_is_gone(tmp_path: Path) -> None:
    """The cache of a scan whose objects were deleted is worth nothing; the tree is whole again."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    (work / "a.txt").write_text("a")
    long_ago = 1_000_000_000
    os.utime(work / "a.txt", (long_ago, long_ago))
    journal = SqliteJournal(home)
    LocalFolder(work, journal.objects, home / "scans" / "work").scan()
    journal.close()
    sweep(home, frozenset({"work"}))
    journal = SqliteJournal(home)
    tree = LocalFolder(work, journal.objects, home / "scans" / "work").scan()

    assert journal.objects.get(tree.entries["a.txt"].sha256) == b"a"
    assert load_tree(tree.id, journal.objects).entries == tree.entries
    journal.close()


def test_what_dead_processes_left_goes(tmp_path: Path) -> None:
    """Temporary files, caches of workspaces without a run, runs that never began; keys stay."""
    home = tmp_path
    journal = SqliteJournal(home, now=lambda: datetime.now(UTC) - timedelta(days=2))
    journal.create("stillborn", "/tmp/w")
    journal.close()
    journal = SqliteJournal(home)
    journal.create("just now", "/tmp/w")
    journal.close()
    temporary, scans = home / "objects" / "tmp", home / "scans"
    temporary.mkdir(parents=True)
    scans.mkdir()
    for file in (temporary / "x", *(scans / name for name in ("old", "old.tmp", "kept", "kept.key"))):
        file.write_bytes(b"12345")
    swept = sweep(home, frozenset({"kept"}))
    journal = SqliteJournal(home)

    assert (swept.leftovers, swept.leftover_bytes) == (3, 15)
    assert sorted(file.name for file in scans.iterdir()) == ["kept", "kept.key"]
    assert [run.id for run in journal.runs()] == ["just now"]
    journal.close()


def test_the_database_shrinks(tmp_path: Path) -> None:
    """What was deleted is given back to the disk."""
    journal = SqliteJournal(tmp_path)
    for number in range(100):
        journal.objects.put(some_bytes(50_000, number))
    journal.close()
    before = (tmp_path / "journal.db").stat().st_size
    swept = sweep(tmp_path, frozenset())

    assert (swept.objects, swept.object_bytes) == (100, 5_000_000)
    assert (tmp_path / "journal.db").stat().st_size < before / 10


def test_an_odd_object_is_no_reason_to_fail(tmp_path: Path) -> None:
    """A file that only begins like a manifest is kept and followed as far as it makes sense."""
    journal = SqliteJournal(tmp_path)
    named = journal.objects.put(b"named")
    odd = journal.objects.put(b"autoagent tree 1\n" + some_bytes(2_000_000) + f" {named} ".encode())
    run_with(journal, "r", FolderChanged(tree=odd, paths=()))
    journal.close()
    sweep(tmp_path, frozenset())

    assert all_objects(tmp_path) == {named, odd}


def test_a_missing_object_stays_missing(tmp_path: Path) -> None:
    """What a run names and isn't there doesn't keep anything else from being deleted."""
    journal = SqliteJournal(tmp_path)
    run_with(journal, "r", FolderChanged(tree=EMPTY.id, paths=()))
    journal.objects.put(b"garbage")
    journal.close()
    sweep(tmp_path, frozenset())
    journal = SqliteJournal(tmp_path)

    with pytest.raises(StoreUnavailable):
        journal.objects.get(EMPTY.id)
    journal.close()


def test_a_damaged_object_stops_it(tmp_path: Path) -> None:
    """What a damaged folder needs nobody knows, so nothing goes: its bytes may come back from a copy."""
    journal = SqliteJournal(tmp_path)
    tree = stored(journal, 1)
    run_with(journal, "r", FolderChanged(tree=tree.id, paths=()))
    journal.close()
    before = all_objects(tmp_path)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("UPDATE objects SET data=x'00' WHERE sha256=?", (bytes.fromhex(tree.id),))

    with pytest.raises(StoreDamaged, match=rf"object {tree.id} is not what was written.*nothing was deleted"):
        sweep(tmp_path, frozenset())
    assert all_objects(tmp_path) == before
