"""`approve --always`, `grants`, `grants revoke`, and *always* at a terminal's question."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_runs import Cli, Terminal, calls, plans, served
from loops import finish, no, write
from test_cli_journal import Capture, Desk
from test_docs import named, section
from test_docs import rows as table_rows

from autoagent.cli.app import status_of
from autoagent.console.always import MOST_RUNS, newest
from autoagent.console.finding import opened
from autoagent.events import Forked
from autoagent.grants_file import GrantsFile
from autoagent.journal.home import home
from autoagent.outcome import Outcome
from autoagent.testing.model import call
from autoagent.wiring import Hooks

ASKED = """
goal: Tell bob.
allow: {send: {post: []}}
plugins: [files, post]
done_when: [{file: a.txt}]
"""
LETTER = call("post_send", to="bob", text="hi")
DONE = (write("a.txt", "x"), finish())
RULE = "post_send to bob, in every run, whatever the text and files, until the post plugin changes"


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("AUTOAGENT_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    return Desk(tmp_path / "work", capsys)


def parked(desk: Desk) -> Outcome:
    return desk.start(ASKED, LETTER)


def test_always_shows_the_rule_and_the_past_and_is_given_with_the_yes(desk: Desk) -> None:
    """The rule word for word, what it leaves out, each question of the past; then the run goes on."""
    desk.start(ASKED, LETTER, *DONE, hooks=Hooks(approver=no("not before review")))
    waiting = parked(desk)

    said = desk("approve", waiting.waiting[0], "--always", "--yes")

    assert f"always {RULE}\n" in said
    assert "asked all the same once a run has read outside text; once a run has read private data" in said
    assert "it would have answered the one other question about calls in your 2 runs\n" in said
    assert "you said no to 1 of these 1\n" in said
    assert re.search(r"^  no +run \w+ +\w+ +just now +not before review$", said, re.MULTILINE)
    assert f"answered {waiting.waiting[0]} · next: autoagent resume {waiting.run}" in said
    assert desk.resume(waiting.run, *DONE).ending == "proved"
    assert desk.start(ASKED, LETTER, *DONE).ending == "proved"
    assert desk.world.sent == ["bob: hi", "bob: hi"]


def test_it_is_listed_with_its_uses_and_taken_back(desk: Desk) -> None:
    """Since when, from which question, how often it answered; once taken back the next question waits."""
    waiting = parked(desk)
    desk("approve", waiting.waiting[0], "--always", "--yes", "--days", "30")
    for _ in range(2):
        desk.start(ASKED, LETTER, *DONE)

    (grant,) = desk.json("grants")
    listed = desk("grants")
    said = desk("grants", "revoke", grant["id"][:4])

    assert listed.startswith(f"{grant['id']} {RULE.removesuffix('until the post plugin changes')}until 20")
    assert f"run {waiting.run} · question {waiting.waiting[0]} · used 2 times, last just now" in listed
    assert (grant["tool"], grant["destination"], grant["under"]) == ("post_send", "bob", [])
    assert (grant["used"], grant["holds"], grant["run"]) == (2, True, waiting.run)
    assert said.startswith("taken back: post_send to bob")
    assert (desk.json("grants"), parked(desk).ending) == ([], "parked")
    assert [each["ended"] for each in desk.json("grants", "--all")] == ["you took it back"]
    assert "you took it back" in desk("grants", "--all")


def test_nobody_there_to_confirm_it(desk: Desk) -> None:
    """Without a terminal it takes --yes; nothing is answered or given until then."""
    waiting = parked(desk)

    assert "add --yes" in desk("approve", waiting.waiting[0], "--always", status=2)
    assert GrantsFile(home()).read() == ()
    assert [each["id"] for each in desk.json("approvals")] == [waiting.waiting[0]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--always", "--covers", "2"), "leave --covers and --edit out"),
        (("--always", "--edit", "{}"), "leave --covers and --edit out"),
        (("--days", "3"), "belong to --always"),
        (("--yes",), "belong to --always"),
    ],
)
def test_options_that_do_not_go_together(desk: Desk, options: tuple[str, ...], said: str) -> None:
    """An always is for the call as it stands."""
    assert said in desk("approve", "x", *options, status=2)


def test_a_question_about_somebody_unknown_takes_none(desk: Desk) -> None:
    """Nor one that is about no call; the error says what it is for."""
    waiting = desk.start(f"{ASKED}ask: [plan]\n", LETTER)

    assert "takes no 'always'" in desk("approve", waiting.waiting[0], "--always", "--yes", status=2)


def test_a_damaged_file_is_told_before_anything_is_answered(desk: Desk) -> None:
    """By `approve --always` and by `grants`, with file and line; the question still waits."""
    waiting = parked(desk)
    path = GrantsFile(home()).path
    path.write_text('{"autoagent_grants": 1}\n{}\n')
    path.chmod(0o600)

    for command in (
        ("approve", waiting.waiting[0], "--always", "--yes"),
        ("grants",),
        ("grants", "revoke", "x"),
    ):
        assert f"{path}:2: id: Field required; mend it" in desk(*command, status=5)
    assert [each["id"] for each in desk.json("approvals")] == [waiting.waiting[0]]


def test_doctor_says_whether_it_counts(desk: Desk) -> None:
    """A row only where something was given."""
    waiting = parked(desk)
    assert "always" not in doctor(desk)
    desk("approve", waiting.waiting[0], "--always", "--yes")

    assert re.search("^ok +always +1 given; ", doctor(desk), re.MULTILINE)
    GrantsFile(home()).path.chmod(0o644)
    assert re.search("^missing +always +none counts: .*mode 644", doctor(desk), re.MULTILINE)


def doctor(desk: Desk) -> str:
    desk.capture.readouterr()
    status_of(["doctor"])
    return desk.capture.readouterr().out


def test_the_record_s_fields_are_documented(desk: Desk) -> None:
    """All of them, in their order."""
    desk("approve", parked(desk).waiting[0], "--always", "--yes")
    (grant,) = desk.json("grants")

    table = {
        row[0].replace("`", ""): named(row[1])
        for row in table_rows(section("docs/command-line.md", "Records"))
    }
    assert table["one of grants --json"] == [*grant]


def test_no_grants_at_all(desk: Desk) -> None:
    """The list says how one is given."""
    assert "No always has been given. 'autoagent approve QUESTION --always' gives one." in desk("grants")
    assert "is no grant that holds" in desk("grants", "revoke", "zzz", status=2)


def test_who_answered_stands_in_what_is_told_of_the_run(desk: Desk) -> None:
    """The grant, not a person; in `tail` with its rule."""
    desk("approve", parked(desk).waiting[0], "--always", "--yes")
    run = desk.start(ASKED, LETTER, *DONE).run

    assert f"yes, covered by your always: {RULE}" in desk("tail", run)
    assert "by an always of yours" in desk("show", run)


def test_the_report_says_that_the_always_let_it_out(desk: Desk, tmp_path: Path) -> None:
    """Beside the destination: the rule, word for word."""
    desk("approve", parked(desk).waiting[0], "--always", "--yes")
    run = desk.start(ASKED, LETTER, *DONE).run
    desk("report", run, "--into", str(tmp_path / "r.html"))

    assert f"<td>your always: {RULE}, " in (tmp_path / "r.html").read_text()


def test_only_the_newest_runs_are_looked_at(desk: Desk) -> None:
    """A home of thousands of runs costs no more; how many were left out is said."""
    waiting = parked(desk)
    with opened() as journal:
        for number in range(MOST_RUNS):
            journal.fork(waiting.run, 1, f"fork{number}", Forked(source=waiting.run, at=1, workspace="/w"))
        runs, left_out = newest(journal)

    assert (len(runs), left_out) == (MOST_RUNS, 1)


# --- at a terminal ------------------------------------------------------------------------------------------

POST = """
goal: Post twice.
allow: {web: ["127.0.0.1:9"], send: {http: []}}
plugins: [files, http]
done_when: [{file: a.txt}]
"""
URL = "http://127.0.0.1:9/in"
READS = calls("files_read", path="goal.yaml")
POSTS = calls("http_request", method="POST", url=URL, body="x")
WRITES = (calls("files_write", path="a.txt", content="x"), calls("finish", result="done"))
PROMPT = "(Enter: n) › "
CONFIRM = "[y] always exactly this  (Enter: back) › "


async def test_always_at_the_prompt_is_confirmed_a_second_time(tmp_path: Path) -> None:
    """Enter leads back to the question; y gives it, and the next question is answered by it."""
    cli = Cli(tmp_path / "home", tmp_path)
    async with served(cli, plans("Post it"), READS, POSTS, POSTS, *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(POST))
        await terminal.until(PROMPT)
        assert "[always] this destination" in terminal.shown
        terminal.type("always\n")
        await terminal.until(CONFIRM)
        terminal.type("\n")
        await terminal.until(PROMPT, times=2)
        assert GrantsFile(cli.home).read() == ()
        terminal.type("always\n")
        await terminal.until(CONFIRM, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0

    (grant,) = GrantsFile(cli.home).read()
    assert (
        f"always http_request POST to {URL}, in every run, whatever the text and files, "
        "also after outside text was read, until the http plugin changes"
    ) in " ".join(" ".join(terminal.lines).split())
    assert "no other call was asked about in your 1 run" in terminal.lines
    assert "nothing was given; the question stands" in terminal.lines
    assert f"given as {grant.id}; autoagent grants revoke {grant.id} takes it back" in terminal.lines
    exported = (await cli("export", json.loads((await cli("runs", "--json")).out)[0]["id"])).records
    answers = [x["event"] for x in exported if x["event"]["kind"] == "question_answered"]
    assert [(each["by"], each["grant"]) for each in answers] == [("terminal", ""), ("grant", grant.id)]


async def test_always_where_it_is_not_offered_is_no_answer(tmp_path: Path) -> None:
    """Neither a yes nor words for the agent: it is asked about again."""
    cli = Cli(tmp_path / "home", tmp_path)
    text = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\nask: [plan]\n"
    async with served(cli, plans("Write it"), *WRITES):
        terminal = await Terminal.start(cli, "run", cli.workspace(text))
        await terminal.until(PROMPT)
        assert "[always]" not in terminal.shown
        terminal.type("always\n")
        await terminal.until("'always' is for calls as they stand")
        await terminal.until(PROMPT, times=2)
        terminal.type("y\n")
        assert await terminal.end() == 0
