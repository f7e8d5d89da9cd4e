"""Commands on what runs have left: `runs`, `show`, `tail`, `export`, `approvals`, answers, `cancel`."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from loops import finish, plan, write
from states import entries, started
from worlds import World

from autoagent.cli.app import status_of
from autoagent.commands import Approve, Deny
from autoagent.console.finding import opened
from autoagent.events import Forked
from autoagent.goal.file import understand
from autoagent.journal.home import home
from autoagent.loop.context import Models
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.testing.model import ScriptedModel, call
from autoagent.trees import EMPTY, store_tree
from autoagent.wiring import Hooks, Parts, resume, start

Capture = pytest.CaptureFixture[str]
POST = """
goal: |-
  Tell bob.
  ✓ proved  nothing of it
allow: {send: {post: []}}
plugins: [files, post]
done_when: [{file: a.txt}]
"""


class Desk:
    """Runs in this test's home, carried in this process; the commands look at them from outside."""

    def __init__(self, folder: Path, capture: Capture) -> None:
        self.folder, self.capture, self.world = folder, capture, World()

    def start(self, goal: str, *replies: Reply, hooks: Hooks | None = None) -> Outcome:
        """A run of one sub-task, as far as it goes."""
        workspace = self.folder / f"w{len(list(self.folder.iterdir()))}"
        workspace.mkdir()
        model = ScriptedModel(planner=[plan("tell")], worker=replies)
        with opened() as journal:
            parts = Parts(journal=journal, models=Models(model, model, model), plugins=[self.world.plugin()])
            return asyncio.run(start(understand(goal)[0], workspace, hooks=hooks or Hooks(), parts=parts))

    def resume(self, run: str, *replies: Reply) -> Outcome:
        model = ScriptedModel(worker=replies)
        with opened() as journal:
            parts = Parts(journal=journal, models=Models(model, model, model), plugins=[self.world.plugin()])
            return asyncio.run(resume(run, parts=parts))

    def parked(self) -> Outcome:
        """A run that wants to send a letter, and waits."""
        return self.start(POST, call("post_send", to="bob", text="hi\n\x1b[31mred"))

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """What a command prints on stdout; complaints for a status that isn't 0."""
        self.capture.readouterr()
        found = status_of(list(arguments))
        said = self.capture.readouterr()
        assert found == status, said
        return said.out if status == 0 else said.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def json_of(self, status: int, *arguments: str) -> Any:
        """The record of a command that doesn't end with 0."""
        self.capture.readouterr()
        assert status_of([*arguments, "--json"]) == status
        return json.loads(self.capture.readouterr().out)


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture) -> Iterator[Desk]:
    return Desk(tmp_path, capsys)


PROVED = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\n"


def test_an_empty_home_says_so(desk: Desk) -> None:
    """Nothing has run, nobody waits."""
    assert desk("runs").startswith("Nothing has run yet.")
    assert desk("approvals") == "Nobody waits for you.\n"
    assert desk.json("runs") == desk.json("approvals") == []


def test_runs_lists_state_proof_and_spend(desk: Desk) -> None:
    """Newest first; what waits for a person is marked."""
    proved = desk.start(PROVED, write("a.txt", "x"), finish())
    parked = desk.parked()

    heading, first, second = desk("runs").splitlines()

    assert heading.split() == ["run", "state", "last", "spent", "goal"]
    assert re.match(
        rf"!  {parked.run}  parked 0 of 1, waits for you  now +\$0\.00 of \$3\.00  Tell bob\.$", first
    )
    assert re.match(rf"✓  {proved.run}  proved 1 of 1 +now", second)
    assert [(run["id"], run["state"]) for run in desk.json("runs")] == [
        (parked.run, "parked"),
        (proved.run, "proved"),
    ]


def test_a_run_that_nobody_carries_is_stopped(desk: Desk) -> None:
    """Its process died: everything that shows it says so, and that `resume` goes on."""
    with opened() as journal:
        begun = started().model_copy(update={"tree": store_tree(EMPTY, journal.objects)})
        journal.create("dead", str(desk.folder))
        lease = journal.acquire("dead", "host:1")
        journal.append(lease, entries([begun]))
        asyncio.run(journal.durable())
        assert "running · carried by" in desk("show", "dead")
        assert "running" in desk("runs")
        assert desk.json("show", "dead")["ending"] == "running"
        journal.release(lease)

    shown = desk("show", "dead")

    assert "running" not in shown
    assert "no process carries it; 'resume' goes on from here" in shown
    assert "dead stopped" in shown
    assert "exit 130" in shown
    assert "next: autoagent resume dead" in shown
    record = desk.json("show", "dead")
    assert (record["ending"], record["state"], record["exit_code"]) == ("stopped", "stopped", 130)
    assert desk.json("runs")[0]["state"] == "stopped"


def test_show_says_where_a_history_left_another(desk: Desk) -> None:
    """A fork names its source, and stands in a folder of its own."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run
    with opened() as journal:
        journal.fork(run, 3, "fork", Forked(source=run, at=3, workspace=str(desk.folder / "f")))

    shown = desk("show", "fork").splitlines()

    assert f"fork of run {run} at entry 3" in shown
    assert any(text.startswith(str(desk.folder / "f")) for text in shown)
    assert desk.json("show", "fork")["forked"] == run


def test_approvals_have_exactly_these_keys(desk: Desk) -> None:
    """For programs: the exact question, with the digest that an answer is bound to."""
    parked = desk.parked()

    (question,) = desk.json("approvals")

    keys = "id run kind choices tool destination args digest why asked_at expires_at"
    assert list(question) == keys.split()
    assert question["id"] == parked.waiting[0]
    assert (question["run"], question["kind"], question["choices"]) == (parked.run, "call", ["yes", "no"])
    assert (question["tool"], question["destination"]) == ("post_send", "bob")
    assert question["args"] == {"to": "bob", "text": "hi\n\x1b[31mred"}


def test_approvals_of_one_question_or_run(desk: Desk) -> None:
    """By the start of either's id; one that nothing has is an error that says so."""
    first, second = desk.parked(), desk.parked()

    assert [x["run"] for x in desk.json("approvals", second.run)] == [second.run]
    assert [x["id"] for x in desk.json("approvals", first.waiting[0])] == [first.waiting[0]]
    assert "nothing that waits for you begins with 'zzzz'" in desk("approvals", "zzzz", status=2)


def test_approvals_show_the_record_and_the_commands(desk: Desk) -> None:
    """Destination first; escape codes of an argument are spelled out."""
    id = desk.parked().waiting[0]

    shown = desk("approvals")

    assert "SEND · post_send · 14 B · it can't be undone" in shown
    assert "\nTO     bob\n" in shown
    assert "│ \\x1b[31mred\n" in shown
    assert f'autoagent approve {id} | autoagent deny {id} --why "…"' in shown


def test_a_yes_is_sent_and_the_resumed_run_takes_it(desk: Desk) -> None:
    """The answer names what comes next; `--covers` lets the next letter through as well."""
    parked = desk.parked()
    id = parked.waiting[0]

    said = desk("approve", id[:4], "--covers", "2")
    assert said == f"answered {id} · next: autoagent resume {parked.run}\n"
    assert desk("approvals") == "Nobody waits for you.\n"
    assert desk("show", parked.run).endswith(f"next: autoagent resume {parked.run}\n")
    assert desk.json("show", parked.run)["waiting"] == []

    done = desk.resume(parked.run, call("post_send", to="bob", text="again"), write("a.txt", "x"), finish())
    assert (done.ending, desk.world.sent) == ("proved", ["bob: hi\n\x1b[31mred", "bob: again"])


def test_an_edit_is_sent_in_place_of_the_arguments(desk: Desk, tmp_path: Path) -> None:
    """As JSON on the line, or in a file."""
    parked = desk.parked()
    file = tmp_path / "edit.json"
    file.write_text('{"to": "bob", "text": "edited"}')

    desk("approve", parked.waiting[0], "--edit", f"@{file}")
    desk.resume(parked.run, write("a.txt", "x"), finish())

    assert desk.world.sent == ["bob: edited"]


def test_an_edited_plan_is_checked_when_it_is_given(desk: Desk) -> None:
    """What can't be carried out is refused at once, not when the run goes on."""
    parked = desk.start("ask: [plan]\n" + POST)
    circle = '{"sub_tasks": [{"id": "1", "title": "a", "depends_on": ["1"]}]}'

    assert "`sub_tasks` must be a list" in desk("approve", parked.waiting[0], "--edit", "{}", status=2)
    assert "depends on itself" in desk("approve", parked.waiting[0], "--edit", circle, status=2)


def test_a_denied_call_stands_in_the_last_line(desk: Desk) -> None:
    """Proved all the same; who reads only the end sees that something was not done."""
    parked = desk.parked()
    desk("deny", parked.waiting[0])
    desk.resume(parked.run, write("a.txt", "x"), finish())

    assert "1 × post_send denied" in desk("show", parked.run)


def test_a_no_with_a_reason_reaches_the_agent(desk: Desk) -> None:
    """Nothing is sent; the feedback is in the record."""
    parked = desk.parked()

    desk("deny", parked.waiting[0], "--why", "not bob")
    desk.resume(parked.run, write("a.txt", "x"), finish())

    assert desk.world.sent == []
    assert "answered by you, by a command │ no: not bob" in desk("tail", parked.run)


def test_an_answer_that_does_not_fit_is_refused_at_once(desk: Desk) -> None:
    """The wrong kind, the wrong id, a second answer, no JSON: status 2, and nothing is sent."""
    parked = desk.parked()
    id = parked.waiting[0]

    assert "is a yes or no; use 'autoagent approve'" in desk("answer", id, "blue", status=2)
    assert "there is no question 'zzz'" in desk("approve", "zzz", status=2)
    assert "--edit is no JSON" in desk("approve", id, "--edit", "{", status=2)
    assert "nix can't be read: No such file" in desk("approve", id, "--edit", "@nix", status=2)
    assert "are a JSON object" in desk("approve", id, "--edit", "[]", status=2)
    assert "'text' is missing" in desk("approve", id, "--edit", '{"to": "bob"}', status=2)
    edit = '{"to": "bob", "text": "hi", "cc": "eve"}'
    assert "post_send has no 'cc'; it takes to, text" in desk("approve", id, "--edit", edit, status=2)
    with opened() as journal:
        assert journal.commands(parked.run) == []

    desk("deny", id)
    assert f"was answered already; 'autoagent resume {parked.run}' takes" in desk("approve", id, status=2)


def test_an_answer_is_bound_to_the_question_as_it_stands(desk: Desk) -> None:
    """What is sent carries the digest that `approvals` shows."""
    parked = desk.parked()
    (question,) = desk.json("approvals")

    desk("approve", question["id"])

    with opened() as journal:
        (sent,) = journal.commands(parked.run)
    assert sent.command == Approve(question=question["id"], digest=question["digest"])
    assert sent.by == "command"
    assert not isinstance(sent.command, Deny)


def test_show_puts_a_run_on_a_page(desk: Desk) -> None:
    """The goal framed, plan with outcomes, files, proof, and what to do next."""
    run = desk.start(PROVED, write("a.txt", "x"), finish("wrote it")).run

    shown = desk("show", run[:5])

    assert re.search(r"^  ✓  tell  do tell  done  wrote it$", shown, re.MULTILINE)
    assert "\n  + a.txt\n" in shown
    assert re.search(r"^✓ proved  a\.txt exists  a\.txt, ", shown, re.MULTILINE)
    assert shown.splitlines()[-2].endswith(" · exit 0")
    record = desk.json("show", run)
    assert (record["ending"], record["plan"]) == (
        "proved",
        [{"id": "tell", "title": "do tell", "outcome": "done"}],
    )


def test_show_tells_how_to_answer(desk: Desk) -> None:
    """An open question stands on the page, and the goal's text can't pass for a verdict."""
    parked = desk.parked()

    shown = desk("show", parked.run)

    assert f"autoagent approve {parked.waiting[0]}" in shown
    assert f"next: autoagent approvals · autoagent resume {parked.run}" in shown
    assert not re.search(r"^✓", shown, re.MULTILINE)


def test_tail_prints_the_lines_of_the_run(desk: Desk) -> None:
    """One line an event, with the time before it; `--follow` ends with the run."""
    run = desk.start(PROVED, write("a.txt", "x"), finish("wrote it")).run

    lines = desk("tail", run).splitlines()

    assert all(re.match(r"\d\d:\d\d:\d\d ", each) for each in lines)
    assert "1 1/1 files_write a.txt · 27 B · $0.00" in [each[9:] for each in lines]
    assert desk("tail", run, "--follow").splitlines() == lines


def test_show_calls_no_sub_task_running_that_no_process_works_on(desk: Desk) -> None:
    """It was begun, and waits for a person."""
    shown = desk("show", desk.parked().run)

    assert re.search(r"^  ▸ .* begun", shown, re.MULTILINE)
    assert "running" not in shown


def test_show_of_an_ended_run_names_the_commands_that_look_back(desk: Desk) -> None:
    """What changed, why, and how it is taken back."""
    run = desk.start(PROVED, write("a.txt", "x"), finish("wrote it")).run

    last = desk("show", run).splitlines()[-1]

    assert last == f"next: autoagent diff {run} · autoagent why {run} a.txt · autoagent undo {run}"


def test_tail_tells_the_entries_that_other_commands_take(desk: Desk) -> None:
    """The number of the entry that each line is about."""
    run = desk.start(PROVED, write("a.txt", "x"), finish("wrote it")).run

    lines = desk("tail", run, "--entries").splitlines()

    (wrote,) = [each for each in lines if "files_write a.txt" in each]
    entry = wrote.split()[1]
    assert desk("why", run, entry).split(maxsplit=1)[1].startswith("files_write a.txt: write, done")
    assert desk("diff", run, entry, "--stat").startswith("+  a.txt")


def test_export_prints_every_entry(desk: Desk) -> None:
    """One JSON object a line, in order, without gaps."""
    outcome = desk.start(PROVED, write("a.txt", "x"), finish("half \udcff"))

    entries = [json.loads(text) for text in desk("export", outcome.run, "--jsonl").splitlines()]

    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0]["event"]["kind"] == "run_started"
    assert [entry["event"]["kind"] for entry in entries].count("run_ended") == 1


def test_a_run_is_named_by_the_start_of_its_id(desk: Desk) -> None:
    """Where that fits one; else the error lists the candidates."""
    run = desk.parked().run

    assert run in desk("show", run[:3])
    assert "there is no run 'zzzz'; 'autoagent runs' lists them" in desk("show", "zzzz", status=2)
    assert "there is no run ''" in desk("show", "", status=2)


def test_cancel_ends_a_run_that_nobody_carries(desk: Desk) -> None:
    """At once and for good; its questions wait no more."""
    parked = desk.parked()

    assert desk("cancel", parked.run, "--why", "no need") == (
        f"run {parked.run} cancelled; nobody was carrying it\n"
    )

    assert desk.json("show", parked.run)["reason"] == "cancelled by command: no need"
    assert desk.json("approvals") == []
    assert "has ended already: cancelled" in desk("cancel", parked.run, status=2)
    assert desk.resume(parked.run).ending == "cancelled"


def test_memory_is_noted_found_shown_and_forgotten(desk: Desk) -> None:
    """A person's note, by the id that is printed."""
    id = desk("memory", "remember", "Invoices are due on Fridays\n\x1b[31m").split()[1]

    assert "│ Invoices are due on Fridays" in desk("memory", "search", "invoices")
    assert "\\x1b[31m" in desk("memory", "show", id)
    (hit,) = desk.json("memory", "search", "fridays")
    assert (hit["id"], hit["source"]) == (id, "person")

    desk("memory", "forget", id)
    assert f"memory holds nothing under '{id}'" in desk("memory", "show", id, status=2)
    assert "memory holds nothing under 'x'" in desk("memory", "forget", "x", status=2)


def test_plugins_are_listed_without_being_imported(desk: Desk) -> None:
    """Name, package, version, target."""
    assert {"files", "memory", "python"} <= {plugin["name"] for plugin in desk.json("plugins", "list")}
    assert re.match(r"plugin +package +enabled +code", shown := desk("plugins", "list"))
    assert re.search(r"^files +autoagent ", shown, re.MULTILINE)


def test_doctor_without_a_model_names_the_recorded_way(desk: Desk) -> None:
    """A row a part, and status 1: no run can work live."""
    status = status_of(["doctor"])

    out = desk.capture.readouterr().out
    assert status == 1
    assert re.search(r"^missing +model +none is set: set OPENAI_API_KEY", out, re.MULTILINE)
    assert re.search(r"^ok +memory ", out, re.MULTILINE)
    assert out.endswith("recorded replies can be played: autoagent run PATH --recorded FILE\n")


def test_doctor_looks_at_the_rest_where_the_settings_are_broken(desk: Desk) -> None:
    """The mistake is one row; memory and the others are told all the same."""
    home().mkdir(exist_ok=True)
    (home() / "config.toml").write_text("[modles]\n")

    status = status_of(["doctor"])

    out = desk.capture.readouterr().out
    assert status == 1
    assert re.search(r"^missing +config +.*unknown table \[modles\]", out, re.MULTILINE)
    assert re.search(r"^ok +memory ", out, re.MULTILINE)


def test_doctor_says_which_secrets_are_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row a table, without the secret; where it isn't set, how to set it."""
    home().mkdir(exist_ok=True)
    (home() / "config.toml").write_text('[secrets.HELD]\nsource = "env"\n[secrets.LOST]\n')
    monkeypatch.setenv("HELD", "as long as a secret")

    status_of(["doctor"])

    out = desk.capture.readouterr().out
    assert re.search(r"^ok +secret HELD +it is set$", out, re.MULTILINE)
    assert re.search(r"^missing +secret LOST +it isn't set: set the variable LOST, or put", out, re.MULTILINE)
    assert "as long as" not in out


def test_an_answer_that_no_run_has_taken_yet_is_shown(desk: Desk) -> None:
    """What was answered, and the command that goes on with it."""
    parked = desk.parked()
    desk("deny", parked.waiting[0], "--why", "not today")

    shown = desk("show", parked.run)

    assert re.search(
        rf"Answered, and not taken yet\n  {parked.waiting[0]}  post_send  no: not today  ", shown
    )
    assert f"autoagent resume {parked.run} goes on with it" in shown
    assert "Waits for you" not in shown


def test_approvals_say_how_old_a_question_is_and_whose(desk: Desk) -> None:
    """Run, age, and the goal's first line alone."""
    parked = desk.parked()

    assert desk("approvals").startswith(f"run {parked.run} · asked just now · Tell bob.\n")


def test_an_expired_question_takes_no_answer(desk: Desk) -> None:
    """`approvals` says so, and an answer is refused with what to do instead."""
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text("[questions]\nexpire_hours = 0.0000001\n")
    parked = desk.parked()

    shown = desk("approvals")
    refused = desk("approve", parked.waiting[0], status=2)

    assert f"expired: autoagent resume {parked.run} asks again" in shown
    assert "autoagent approve" not in shown
    assert re.search(r"expired at .* UTC, unanswered; 'autoagent resume", refused)


# --- clearing up --------------------------------------------------------------------------------------------


def test_a_removed_run_is_gone_and_its_space_comes_back(desk: Desk) -> None:
    """`runs rm` says what goes; `gc` then deletes what only that run needed, and says how much."""
    gone = desk.start(PROVED, write("a.txt", "x" * 100_000), finish()).run
    kept = desk.start(PROVED, write("a.txt", "y"), finish()).run

    said = desk("runs", "rm", gone, "--yes")
    assert said.splitlines()[-1] == f"run {gone} removed"
    assert "Write a.txt" in said
    assert [run["id"] for run in desk.json("runs")] == [kept]
    assert f"there is no run '{gone}'" in desk("show", gone, status=2)
    would = json.loads(desk("gc", "--dry-run", "--json"))
    assert would["bytes"] > 100_000
    assert re.match(r"2 objects deleted, 100\.\d KB; 5 are needed\n1 leftover of dead", desk("gc"))
    assert desk.json("gc")["objects"] == 0
    assert "a.txt" in desk("show", kept)


def test_a_run_goes_on_after_its_neighbours_are_gone(desk: Desk) -> None:
    """What waits for a person has all that it needs when the answer comes."""
    parked = desk.start(
        POST,
        write("b.txt", "b" * 100_000),
        call("post_send", to="bob", text="hi"),
        write("a.txt", "x"),
        finish(),
    )
    gone = desk.start(PROVED, write("a.txt", "y"), finish())
    desk("runs", "rm", gone.run, "--yes")
    desk("gc")
    desk("deny", parked.waiting[0])
    (desk.folder / "w0" / "b.txt").unlink()

    assert desk.resume(parked.run, write("a.txt", "x"), finish()).ending == "proved"
    with opened() as journal:
        assert journal.verify(parked.run).first_bad is None


def test_removing_needs_a_yes(desk: Desk) -> None:
    """Where nobody can be asked, nothing is removed without `--yes`."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run

    assert "add --yes" in desk("runs", "rm", run, status=2)
    assert "there is no run 'none'" in desk("runs", "rm", run, "none", "--yes", status=2)
    assert [each["id"] for each in desk.json("runs")] == [run]


def test_a_fork_goes_before_what_it_shares(desk: Desk) -> None:
    """A run that another was forked from stays alone; together both go."""
    run = desk.start(PROVED, write("a.txt", "x"), finish()).run
    with opened() as journal:
        journal.fork(run, 2, "f", Forked(source=run, at=2, workspace="/tmp/f"))

    assert "run 'f' was forked from it" in desk("runs", "rm", run, "--yes", status=2)
    desk("runs", "rm", run, "f", "--yes")
    assert desk.json("runs") == []


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("UPDATE entries SET at_us=9223372036854775807 WHERE seq=3 AND run=2", "damaged"),
        ("UPDATE entries SET version=99 WHERE seq=3 AND run=2", "newer"),
        ("UPDATE entries SET kind='from tomorrow' WHERE seq=3 AND run=2", "newer"),
    ],
)
def test_a_run_that_can_not_be_read_hides_no_other(desk: Desk, sql: str, state: str) -> None:
    """Neither from `runs` nor from `approvals`, which says what it left out."""
    parked, unread = desk.parked().run, desk.parked().run
    with closing(sqlite3.connect(home() / "journal.db")) as connection, connection:
        connection.execute(sql)

    assert {run["id"]: run["state"] for run in desk.json("runs")} == {parked: "parked", unread: state}
    assert [asked["run"] for asked in desk.json("approvals")] == [parked]


def test_a_report_is_a_file_that_replaces_only_a_report(desk: Desk, tmp_path: Path) -> None:
    """Written again it replaces itself; another file of that name stays, and is named."""
    done = desk.start(PROVED, write("a.txt", "x"), finish())
    file, other = tmp_path / "r.html", tmp_path / "notes.html"
    other.write_text("mine")

    said = desk("report", done.run, "--into", str(file))
    again = desk("report", done.run, "--into", str(file))

    assert said.startswith(f"{file} · ")
    assert again.startswith(f"{file} · ")
    assert f"autoagent report {done.run}" in file.read_text()
    assert "is there already and no report" in desk("report", done.run, "--into", str(other), status=2)
    assert "can't be written" in desk("report", done.run, "--into", str(tmp_path / "no" / "r.html"), status=2)
    assert other.read_text() == "mine"
