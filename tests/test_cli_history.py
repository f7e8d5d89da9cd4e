"""Commands on a run's journal as such: `verify`, `fork`, `runs blank`."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_runs import Cli, Terminal
from loops import finish, write
from test_cli_journal import PROVED, Desk

from autoagent.console.finding import opened
from autoagent.errors import ObjectBlanked
from autoagent.events import Observed
from autoagent.journal.home import home
from autoagent.journal.masking import MASK
from autoagent.journal.sqlite import SqliteJournal
from autoagent.testing.contracts.journal_entries import entry, owned
from autoagent.testing.model import call

Capture = pytest.CaptureFixture[str]
SECRET = "s3cr3t/wörd"


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture) -> Iterator[Desk]:
    return Desk(tmp_path, capsys)


def run_sql(sql: str) -> None:
    with closing(sqlite3.connect(home() / "journal.db")) as connection, connection:
        connection.execute(sql)


# --- verify -------------------------------------------------------------------------------------------------


def test_a_whole_run_is_verified(desk: Desk) -> None:
    """Its entries are counted, its head is the record's, and its objects are there."""
    outcome = desk.start(PROVED, write("a.txt", "x"), finish())
    found = desk.json("verify", outcome.run)

    assert (found["whole"], found["first_bad"], found["missing"]) == (True, None, "")
    assert found["head"] == outcome.journal_head == desk.json("show", outcome.run)["journal_head"]
    assert found["objects"] > 2
    said = desk("verify", outcome.run)
    assert f"run {outcome.run} · {found['entries']} entries, as they were written" in said
    assert f"head {found['head']}" in said


def test_a_changed_entry_is_named_with_the_way_on(desk: Desk) -> None:
    """Exit 1; the fork that is named works, and `resume` refuses with exit 5."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run
    run_sql("UPDATE entries SET at_us=at_us-1 WHERE seq=6")
    found = desk.json_of(1, "verify", run)

    assert (found["first_bad"], found["entries"], found["whole"]) == (6, 5, False)
    refused = desk("resume", run, status=5)
    assert f"run {run}: entry 6 ({found['kind']}, " in refused
    assert f"autoagent fork {run} --at 5" in refused
    assert refused == desk("undo", run, "--to", "4", "--yes", status=5)
    assert f"fork RUN of run {run} · up to entry 5" in desk("fork", run, "--at", "5").replace(
        desk.json("runs")[0]["id"], "RUN"
    )


def test_an_object_that_is_gone_is_named(desk: Desk) -> None:
    """By its path, as of the first entry that refers to it."""
    run = desk.start(PROVED, write("a.txt", "some text"), finish()).run
    run_sql("DELETE FROM objects WHERE data=CAST('some text' AS BLOB)")
    found = desk.json_of(1, "verify", run)

    assert found["first_bad"] is None
    assert found["missing"].startswith("file 'a.txt' as of entry ")
    assert "can't be read" in found["missing"]


def test_an_object_with_other_bytes_is_named(desk: Desk) -> None:
    """Its bytes must hash to its name."""
    run = desk.start(PROVED, write("a.txt", "some text"), finish()).run
    run_sql("UPDATE objects SET data=CAST('other' AS BLOB) WHERE data=CAST('some text' AS BLOB)")

    assert "its bytes don't match its name" in desk.json_of(1, "verify", run)["missing"]


@pytest.mark.parametrize(
    "sql", ["DELETE FROM entries WHERE seq=3 AND run=1", "UPDATE entries SET body='{' WHERE seq=4 AND run=1"]
)
def test_a_damaged_run_hides_no_other(desk: Desk, sql: str) -> None:
    """It is listed as what it is, and questions of other runs are shown and answered."""
    bad = desk.parked().run
    good = desk.parked()
    run_sql(sql)

    assert [(run["id"], run["state"]) for run in desk.json("runs")] == [
        (good.run, "parked"),
        (bad, "damaged"),
    ]
    assert f"autoagent verify {bad}" in desk("runs")
    assert [question["run"] for question in desk.json("approvals")] == [good.run]
    assert f"next: autoagent resume {good.run}" in desk("deny", good.waiting[0])
    assert desk.json_of(1, "verify", bad)["first_bad"] in (3, 4)
    desk("show", bad, status=5)


# --- fork ---------------------------------------------------------------------------------------------------


def test_fork_prints_its_id_and_what_is_sent(desk: Desk) -> None:
    """The fork is listed, stands in its own folder, and the next command is named."""
    letter = call("post_send", to="anna", text="hi")
    goal = "goal: x\nallow: {send: {post: [anna]}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"
    run = desk.start(goal, letter, write("a.txt", "x"), finish()).run
    with opened() as journal:
        at = next(e.seq for e in journal.read(run) if e.event.kind == "call_ended")
    said = desk("fork", run, "--at", str(at), "--into", str(desk.folder / "other"))
    fork = desk.json("runs")[0]

    assert fork["workspace"] == str(desk.folder / "other")
    assert fork["id"] != run
    assert "stays done:\n  post_send anna\n" in said
    assert "more after entry" not in said
    assert said.endswith(f"next: autoagent resume {fork['id']}\n")
    assert f"is forked from {run} at entry {at}" in desk("tail", fork["id"])
    assert desk.resume(fork["id"], write("a.txt", "y"), finish()).ending == "proved"


def test_a_fork_says_what_was_sent_after_it(desk: Desk) -> None:
    """It knows nothing of that, and may send it again."""
    letter = call("post_send", to="anna", text="hi")
    goal = "goal: x\nallow: {send: {post: [anna]}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"
    run = desk.start(goal, write("a.txt", "x"), letter, finish()).run
    with opened() as journal:
        at = next(e.seq for e in journal.read(run) if e.event.kind == "call_ended")

    said = desk("fork", run, "--at", str(at))

    assert f"Run {run} sent 1 × more after entry {at}; the fork knows nothing of that" in said


def test_fork_wants_an_entry(desk: Desk) -> None:
    """Without `--at` it is a wrong call."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run

    assert "--at" in desk("fork", run, status=2)
    assert "there is no entry 999" in desk("fork", run, "--at", "999", status=2)


# --- blank --------------------------------------------------------------------------------------------------


def raw() -> bytes:
    return b"".join(path.read_bytes() for path in home().rglob("*") if path.is_file())


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """`text` comes on stdin."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_secret_is_masked_and_its_files_are_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from stdin; the chain holds, and the objects stay until they are asked for."""
    run = desk.start(PROVED, write("a.txt", f"key={SECRET}\n"), finish(f"it is {SECRET}")).run
    head = desk.json("verify", run)["head"]
    given(monkeypatch, SECRET + "\n")
    said = desk("runs", "blank", run)
    found = desk.json("verify", run)

    assert "the chain holds" in said
    assert "file 'a.txt' as of entry " in said
    assert f"autoagent runs blank {run} --objects" in said
    assert (found["whole"], found["head"], len(found["blanked"]) > 2) == (True, head, True)
    assert SECRET not in desk("export", run)
    assert "█blanked█" in desk("show", run)


def test_its_files_are_removed_where_that_is_wanted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small and large ones: no file of the home holds the secret, and they are said to be blanked."""
    large = "x" * (2**20 - 5) + SECRET  # across two pieces of the file
    run = desk.start(PROVED, write("a.txt", SECRET), write("b.txt", large), finish()).run
    assert SECRET.encode() in raw()
    given(monkeypatch, SECRET)
    said = desk("runs", "blank", run, "--objects")
    found = desk.json("verify", run)

    assert "2 objects that held it: removed, for all runs" in said
    assert SECRET.encode() not in raw()
    assert found["whole"]
    assert [each.partition(" as of")[0] for each in found["blanked_objects"]] == [
        "file 'a.txt'",
        "file 'b.txt'",
    ]
    name = hashlib.sha256(SECRET.encode()).hexdigest()
    with opened() as journal, pytest.raises(ObjectBlanked, match="was blanked: it held a secret"):
        journal.objects.get(name)


def test_the_heads_of_prompts_are_removed_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal, task and names of files stand in them; the run can still be shown."""
    secret = "s3cr3t-w0rd"
    goal = f"goal: Write a.txt with {secret}\ndone_when: [{{file: a.txt}}]\nplugins: [files]\n"
    run = desk.start(goal, write(f"{secret}.txt", "x"), write("a.txt", "x"), finish()).run
    given(monkeypatch, secret)
    said = desk("runs", "blank", run, "--objects")

    assert "what a model was told as of entry " in said
    assert secret.encode() not in (home() / "journal.db").read_bytes()
    assert desk.json("verify", run)["whole"]
    assert "not known: object " in desk("show", run)


def test_no_secret_is_an_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is guessed."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run
    given(monkeypatch, "\n")

    assert "no secret was given" in desk("runs", "blank", run, status=2)


async def test_at_a_terminal_the_secret_is_not_shown(tmp_path: Path) -> None:
    """It is asked for, typed unseen, and taken out."""
    cli = Cli(tmp_path / "home", tmp_path)
    journal = SqliteJournal(cli.home)
    lease = owned(journal)
    journal.append(lease, [entry(1, Observed(lane="main", text=f"it is {SECRET}", source="reply"))])
    journal.close()
    terminal = await Terminal.start(cli, "runs", "blank", "r")
    await terminal.until("the secret (it isn't shown): ")
    terminal.type(SECRET + "\n")
    assert await terminal.end() == 0
    journal = SqliteJournal(cli.home)

    assert SECRET not in terminal.shown
    assert "masked in 1 entry and 0 commands" in terminal.shown
    assert journal.read("r") == [entry(1, Observed(lane="main", text=f"it is {MASK}", source="reply"))]
    journal.close()
