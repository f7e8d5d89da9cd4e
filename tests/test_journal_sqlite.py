"""The journal on disk: what it leaves behind, what it refuses to open, what it says when a disk fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoagent.commands import Cancel
from autoagent.errors import LeaseLost, NewerVersion, RunOwned, StoreUnavailable
from autoagent.events import Forked, Observed
from autoagent.journal.checkpoint import LIMIT_BYTES
from autoagent.journal.heart import Heart
from autoagent.journal.home import home
from autoagent.journal.process import Process, this_process
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal import take
from autoagent.testing.contracts.journal_entries import append_and_wait, entries, entry, owned

FAR = Process(host="far", boot="b1", pid_space="p1", pid=77, started="123")
"""A process on another machine."""


class Times:
    """Wall time that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "home")
    yield journal
    journal.close()


# --- files --------------------------------------------------------------------------------------------------


def test_a_home_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """The folder and everything in it are closed to other users."""
    journal = SqliteJournal(tmp_path / "deep" / "home")
    owned(journal)
    paths = [tmp_path / "deep" / "home", *(tmp_path / "deep" / "home").iterdir()]

    assert {"home", "journal.db", "journal.db-wal"} <= {path.name for path in paths}
    assert [path for path in paths if path.stat().st_mode & 0o077] == []
    journal.close()


def test_entries_outlive_the_process(tmp_path: Path) -> None:
    """What was appended is there after the journal was closed and opened again."""
    journal = SqliteJournal(tmp_path)
    journal.append(owned(journal), entries(1, 300))
    journal.close()
    journal = SqliteJournal(tmp_path)

    assert journal.read("r") == entries(1, 300)
    journal.close()


@pytest.mark.parametrize("sought", ["50%_OFF", 'say "hi"', "c:\\temp", "ÄRGER", "tab\there", "line\nbreak"])
async def test_a_text_is_found_in_any_case(journal: SqliteJournal, sought: str) -> None:
    """Whatever of it JSON or the database's patterns would take for something else."""
    said = ["50%_off", 'Say "Hi"', "C:\\Temp", "ärger", "tab\there", "line\nbreak", "505off says hi"]
    events = [entry(n, Observed(lane="a", text=text, source="nudge")) for n, text in enumerate(said, 1)]
    journal.append(owned(journal), [*events, entry(len(said) + 1)])
    await journal.durable()

    found = journal.holding("r", sought, ["observed"], 0, len(said))
    assert [said[each.seq - 1].lower() for each in found] == [sought.lower()]
    assert journal.holding("r", sought, ["time_spent"], 0, 99) == []


def test_closing_releases_what_is_held(tmp_path: Path) -> None:
    """After `close` the next may have the run at once; closing twice is closing once."""
    journal = SqliteJournal(tmp_path)
    owned(journal)
    journal.close()
    journal.close()
    after = SqliteJournal(tmp_path)

    assert after.acquire("r", "here:1").epoch == 2
    after.close()


async def test_entries_of_some_kinds_are_read_alone(journal: SqliteJournal) -> None:
    """In order, those that a fork shares with its run too; what the run wrote after it isn't the fork's."""
    said = Observed(lane="a", text="t", source="person")
    lease = owned(journal)
    new = [*entries(1, 2), entry(3, said), *entries(4, 5), entry(6, said)]
    await append_and_wait(journal, lease, new)
    journal.fork("r", 4, "f", Forked(source="r", at=4, workspace="/tmp/f"))

    assert [x.seq for x in journal.read_kinds("r", "observed")] == [3, 6]
    assert [x.seq for x in journal.read_kinds("f", "observed", "forked")] == [3, 5]
    assert journal.read_kinds("r", "run_ended") == []


async def test_the_log_is_kept_short(tmp_path: Path, journal: SqliteJournal) -> None:
    """The write-ahead log is moved into the database while the run goes on."""
    lease, sizes = owned(journal), []
    for seq in range(1, 61):
        journal.append(lease, [entry(seq, Observed(lane="main", text="x" * 250_000, source="reply"))])
        await journal.durable()
        sizes.append((tmp_path / "home" / "journal.db-wal").stat().st_size)

    assert max(sizes) < 2 * LIMIT_BYTES
    assert (tmp_path / "home" / "journal.db").stat().st_size > 2 * LIMIT_BYTES


@pytest.mark.parametrize("use", ["read", "send", "follow"])
async def test_a_closed_journal_says_so(tmp_path: Path, use: str) -> None:
    """Using a closed journal is an error, not an empty answer."""
    journal = SqliteJournal(tmp_path)
    journal.create("r", "/tmp/w")
    journal.close()

    async def used() -> None:
        if use == "follow":
            await take(journal.follow("r"), 1)
        elif use == "send":
            journal.send("r", Cancel(), "terminal")
        else:
            journal.read("r")

    with pytest.raises(StoreUnavailable, match="is closed; open it again"):
        await used()


def test_what_nobody_closed_is_written_at_exit(tmp_path: Path) -> None:
    """A program that ends without `close` loses nothing that it appended."""
    program = """
import sys
from pathlib import Path
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal_entries import entries, owned
journal = SqliteJournal(Path(sys.argv[1]))
journal.append(owned(journal), entries(1, 500))
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    journal = SqliteJournal(tmp_path)

    assert journal.read("r") == entries(1, 500)
    journal.close()


def test_looking_at_runs_loads_no_asyncio(tmp_path: Path) -> None:
    """Opening and listing, as 'autoagent runs' does, costs neither asyncio nor a thread."""
    program = """
import sys, threading
from pathlib import Path
from autoagent.events import Forked, Observed
from autoagent.journal.checkpoint import LIMIT_BYTES
from autoagent.journal.heart import Heart
from autoagent.journal.home import home
from autoagent.journal.sqlite import SqliteJournal
journal = SqliteJournal(home())
journal.runs()
print("asyncio" in sys.modules, "platformdirs" in sys.modules, threading.active_count())
"""
    environment = os.environ | {"AUTOAGENT_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert ran.stdout == "False False 1\n"


# --- where the home is --------------------------------------------------------------------------------------


def test_the_variable_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AUTOAGENT_HOME wins, and may start with ~."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AUTOAGENT_HOME", "~/state")

    assert home() == tmp_path / "state"


@pytest.mark.parametrize("value", ["", None])
def test_without_it_the_platform_says(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Unset or empty, the home is the platform's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.delenv("AUTOAGENT_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("AUTOAGENT_HOME", value)

    assert home().is_absolute()
    assert home().name == "autoagent"


# --- what can't be opened -----------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """A file of anything else is left as it is, and the error says what to do."""
    (tmp_path / "journal.db").write_bytes(b"not a database, but long enough to be read as one" * 100)

    with pytest.raises(StoreUnavailable, match=r"journal '.*journal.db': .*no SQLite database; move it away"):
        SqliteJournal(tmp_path)
    assert (tmp_path / "journal.db").read_bytes().startswith(b"not a database")


def filled(home: Path) -> Path:
    """The database of a closed journal with 3,000 entries."""
    journal = SqliteJournal(home)
    journal.append(owned(journal), entries(1, 3_000))
    journal.close()
    return home / "journal.db"


def test_a_truncated_database_is_damaged(tmp_path: Path) -> None:
    """A database whose second half is missing isn't opened."""
    path = filled(tmp_path)
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(StoreUnavailable, match="it is damaged; move it away, or restore it from a copy"):
        SqliteJournal(tmp_path)


def test_garbage_inside_a_database_is_never_read_as_entries(tmp_path: Path) -> None:
    """Pages that hold something else are an error for the run that they belong to."""
    path = filled(tmp_path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    journal = SqliteJournal(tmp_path)

    with pytest.raises(StoreUnavailable, match="restore it from a copy"):
        journal.read("r")
    journal.close()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """A schema that this program doesn't know is neither read nor changed."""
    SqliteJournal(tmp_path).close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()

    with pytest.raises(
        NewerVersion, match=r"journal '.*' is of version 99, .* up to 3; .* upgrade autoagent"
    ):
        SqliteJournal(tmp_path)


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    """Where no folder can be made, the error names the path and the variable."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(
        StoreUnavailable, match=r"file/home/journal.db' can't be written: .*set AUTOAGENT_HOME"
    ):
        SqliteJournal(tmp_path / "file" / "home")


READ_ONLY = """
import os, sys
from pathlib import Path
from autoagent.errors import StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
if os.geteuid() == 0:
    os.setuid(65534)  # nothing is read-only to root
try:
    SqliteJournal(Path("/autoagent-test-home"))
except StoreUnavailable as error:
    print(error)
"""


def test_a_read_only_home_is_named() -> None:
    """Where the folder can't be made or written, the error says so."""
    ran = subprocess.run([sys.executable, "-c", READ_ONLY], capture_output=True, text=True, check=True)

    assert "'/autoagent-test-home/journal.db' can't be written: " in ran.stdout
    assert "; set AUTOAGENT_HOME to a folder of yours" in ran.stdout


# --- a disk that fails --------------------------------------------------------------------------------------

FILL = """
import asyncio, resource, sys
from pathlib import Path
from autoagent.errors import StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal_entries import append_and_wait, entries, entry, owned

async def main():
    journal = SqliteJournal(Path(sys.argv[1]))
    lease = owned(journal)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    seq = 0
    try:
        while True:
            journal.append(lease, entries(seq + 1, seq + 100))
            await journal.durable()
            seq += 100
    except StoreUnavailable as error:
        print(seq)
    append, put = lambda: journal.append(lease, [entry(seq + 1)]), lambda: journal.objects.put(b"x")
    for attempt in (append, put, journal.close):
        try:
            attempt()
        except StoreUnavailable:
            print("unavailable")
    print(len(SqliteJournal(Path(sys.argv[1])).read("r")))

asyncio.run(main())
"""


def test_a_full_disk_stops_the_run_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """When a write fails, `durable` raises, nothing later is taken, and all before is there."""
    ran = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    acknowledged, *refused, found = ran.stdout.split()
    journal = SqliteJournal(tmp_path)

    assert ran.stderr == ""
    assert refused == ["unavailable"] * 3
    assert int(acknowledged) > 0
    assert int(found) == int(acknowledged)
    assert journal.read("r") == entries(1, int(acknowledged))
    journal.close()


# --- owners -------------------------------------------------------------------------------------------------


async def test_a_fenced_owner_writes_nothing(tmp_path: Path) -> None:
    """Who lost the lease without knowing is stopped by the epoch, and its entries are forgotten."""
    times = Times()
    frozen = SqliteJournal(tmp_path, process=FAR, now=times)
    old = owned(frozen)
    frozen.append(old, [entry(1)])
    await frozen.durable()
    times.at += timedelta(minutes=2)
    journal = SqliteJournal(tmp_path, now=times)
    new = journal.acquire("r", "here:1")
    frozen.append(old, [entry(2)])

    with pytest.raises(LeaseLost, match="the lease of epoch 1 is over"):
        await frozen.durable()
    with pytest.raises(LeaseLost):
        frozen.append(old, [entry(3)])
    with pytest.raises(LeaseLost):
        frozen.renew(old)
    assert frozen.read("r") == [entry(1)]
    journal.append(new, [entry(2, epoch=2)])
    assert journal.read("r") == [entry(1), entry(2, epoch=2)]
    with pytest.raises(LeaseLost):
        frozen.close()
    journal.renew(new)
    journal.close()


async def test_every_waiter_hears_of_a_conflict(tmp_path: Path) -> None:
    """`durable` raises for each caller: no lane may begin an effect whose record was refused."""
    times = Times()
    frozen, journal = SqliteJournal(tmp_path, process=FAR, now=times), SqliteJournal(tmp_path, now=times)
    old = owned(frozen)
    times.at += timedelta(minutes=2)
    journal.acquire("r", "here:1")
    frozen.append(old, [entry(1)])

    for _ in range(3):
        with pytest.raises(LeaseLost):
            await frozen.durable()
    frozen.release(old)
    frozen.close()
    journal.close()


def test_another_hosts_holder_lives_while_its_heart_beats(tmp_path: Path) -> None:
    """A process that can't be looked at is judged by its last heartbeat."""
    times = Times()
    far, journal = SqliteJournal(tmp_path, process=FAR, now=times), SqliteJournal(tmp_path, now=times)
    lease = owned(far)
    times.at += timedelta(seconds=50)
    far.renew(lease)
    times.at += timedelta(seconds=50)

    with pytest.raises(RunOwned, match="run 'r' is being worked on by process 77 on far"):
        journal.acquire("r", "here:1")
    times.at += timedelta(seconds=11)
    assert journal.acquire("r", "here:1").epoch == 2
    far.close()
    journal.close()


@pytest.mark.parametrize("wall", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)])
@pytest.mark.parametrize(("seconds", "is_free"), [(0, False), (59, False), (61, True)])
def test_on_one_machine_the_wall_clock_counts_for_nothing(
    tmp_path: Path, wall: timedelta, seconds: float, is_free: bool
) -> None:
    """A clock that is set between two beats, or a sleep of the machine, neither ends nor prolongs a lease."""
    times, ns = Times(), [0]
    old = SqliteJournal(tmp_path, now=times, monotonic_ns=lambda: ns[0])
    owned(old)
    times.at += wall
    ns[0] = int(seconds * 1e9)
    journal = SqliteJournal(tmp_path, now=times, monotonic_ns=lambda: ns[0])

    assert (journal.holder("r") is None) is is_free
    if is_free:
        assert journal.acquire("r", "here:1").epoch == 2
    else:
        with pytest.raises(RunOwned, match=f"last heard of {seconds} s ago .* in {60 - seconds} s"):
            journal.acquire("r", "here:1")
    old.close()
    journal.close()


def test_a_removed_runs_number_is_never_used_again(tmp_path: Path) -> None:
    """A process that thaws finds no new run where its own was, though both are in their first epoch."""
    times = Times()
    frozen, journal = SqliteJournal(tmp_path, process=FAR, now=times), SqliteJournal(tmp_path, now=times)
    lease = owned(frozen, "old")
    times.at += timedelta(minutes=2)
    journal.remove("old")
    owned(journal, "new")
    frozen.append(lease, [entry(1)])

    with pytest.raises(LeaseLost):
        frozen.close()
    assert journal.read("new") == []
    journal.close()


def test_a_folder_that_was_taken_over_ends_the_lease(tmp_path: Path) -> None:
    """Where another run took a silent one's folder, that one writes nothing more either."""
    times = Times()
    frozen, journal = SqliteJournal(tmp_path, process=FAR, now=times), SqliteJournal(tmp_path, now=times)
    lease = owned(frozen, "old")
    times.at += timedelta(minutes=2)
    owned(journal, "new")
    frozen.append(lease, [entry(1)])

    with pytest.raises(LeaseLost, match="the lease of epoch 1 is over"):
        frozen.close()
    assert not journal.holds(lease)
    assert journal.read("old") == []
    journal.close()


def test_a_restart_of_the_machine_ends_every_holder(tmp_path: Path) -> None:
    """A holder from an earlier boot of this host is dead, however fresh its heartbeat."""
    here = this_process()
    before = Process(here.host, "an earlier boot", here.pid_space, here.pid, here.started)
    old = SqliteJournal(tmp_path, process=before)
    owned(old)
    journal = SqliteJournal(tmp_path)

    assert journal.acquire("r", "here:1").epoch == 2
    old.close()
    journal.close()


def test_a_process_id_used_again_is_another_process(tmp_path: Path) -> None:
    """A living process with the holder's id that started at another time isn't the holder."""
    here = this_process()
    before = Process(here.host, here.boot, here.pid_space, here.pid, "long ago")
    old = SqliteJournal(tmp_path, process=before)
    owned(old)
    journal = SqliteJournal(tmp_path)

    assert journal.acquire("r", "here:1").epoch == 2
    old.close()
    journal.close()


def test_a_folder_is_one_by_any_name(tmp_path: Path, journal: SqliteJournal) -> None:
    """Two runs whose folders are one through a link can't both be held."""
    (tmp_path / "work").mkdir()
    (tmp_path / "link").symlink_to("work")
    owned(journal, "one", str(tmp_path / "work"))

    with pytest.raises(RunOwned, match=rf"folder '{tmp_path}/work' \(run 'one'\)"):
        owned(journal, "two", str(tmp_path / "link"))


def test_ten_thousand_runs_are_listed(tmp_path: Path) -> None:
    """A long list is whole and in order."""
    journal = SqliteJournal(tmp_path)
    journal.create("first", "/tmp/w")
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.executemany(
            "INSERT INTO runs (id, workspace, created_us) VALUES (?, x'2f', ?)",
            [(f"r{n}", 4_000_000_000_000_000 + n) for n in range(9_999)],
        )
    connection.close()
    journal = SqliteJournal(tmp_path)

    assert [run.id for run in journal.runs()] == [f"r{n}" for n in reversed(range(9_999))] + ["first"]
    journal.close()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_a_journal_that_is_gone_takes_nothing_more(tmp_path: Path, is_replaced: bool) -> None:
    """An open file that was deleted can be written as before; what is in it would be lost without a word."""
    journal = SqliteJournal(tmp_path)
    lease = owned(journal)
    journal.append(lease, entries(1, 3))
    await journal.durable()
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere.db")
    if is_replaced:
        (tmp_path / "journal.db").write_bytes((tmp_path / "elsewhere.db").read_bytes())
    journal.append(lease, entries(4, 4))

    what = "was replaced by another file" if is_replaced else "was removed"
    with pytest.raises(
        StoreUnavailable, match=rf"{what} while this process used it.*then 'autoagent resume'"
    ):
        await journal.durable()
    with pytest.raises(StoreUnavailable):
        journal.close()


def test_a_beat_may_be_the_last_to_hold_the_journal() -> None:
    """Then the heart is stopped from its own thread, which doesn't wait for itself."""
    stopped = threading.Event()

    def beat() -> None:
        heart.stop()
        stopped.set()

    heart = Heart(beat, every_s=0.001)
    heart.start()

    assert stopped.wait(10)
    heart.stop()
