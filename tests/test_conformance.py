"""`plugins check` and `PluginContract`: nothing wrong with our plugins, and each broken promise is found."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_plugin import BAD, BUSY_AT_IMPORT, SENDER

from autoagent.cli.app import status_of
from autoagent.plugin_host.installed import installed
from autoagent.testing import HttpWorld, Rehearsal
from autoagent.testing.conformance.arguments import Maker
from autoagent.testing.conformance.examining import examine
from autoagent.testing.conformance.findings import CheckName, Report
from autoagent.testing.contracts.plugin import PluginContract
from autoagent.testing.rehearsal import rehearsal_of

# --- our own ------------------------------------------------------------------------------------------------


class TestMail(PluginContract):
    """As a third party has it: the class is all that a package's test needs."""

    plugin = "autoagent_mail:plugin"


OURS = {p.name: p.target for p in installed() if p.package == "autoagent" and p.name != "mail"}


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_wrong_with_our_plugins(name: str) -> None:
    """Each that the package announces, with its rehearsal; each tool that is its own was tried."""
    report = examine(OURS[name], rehearsal_of(OURS[name]))

    assert [f"{f.tool} {f.check}: {f.said}" for f in report.wrong] == []
    assert [f"{f.tool} {f.check}: {f.said}" for f in report.not_tried if f.tool] == []


# --- bad ones -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of modules that the checking process finds."""
    made = tmp_path_factory.mktemp("bad")
    (made / "autoagent_bad.py").write_text(BAD)
    (made / "autoagent_busy.py").write_text(BUSY_AT_IMPORT)
    (made / "autoagent_sender.py").write_text(SENDER)
    sys.path.insert(0, str(made))
    yield made
    sys.path.remove(str(made))


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """What is found in the bad plugin."""
    url = {"url": "{url}/place"}
    probed = ("twice", "lost", "word", "forgetful", "early", "key", "unsure")
    return examine(
        "autoagent_bad:plugin",
        Rehearsal(
            world=HttpWorld,
            files={"a.txt": "A"},
            examples={
                "bad_example": [{"word": "tree"}],
                "bad_number": [{}],
                "bad_parser": [{"number": "2"}],
                "bad_poster": [url],
                "bad_trusting": [{"url": "{url}/missing"}],
                "bad_fetcher": [url],
                **{f"bad_{name}": [url] for name in probed},
            },
        ),
    )


WRONG: tuple[tuple[str, CheckName, str], ...] = (
    ("bad_mute", "schema", "its docstring hardly says"),
    ("bad_mute", "schema", "the parameter 'path' isn't described"),
    ("bad_shape", "schema", "the parameter 'what' has no type"),
    ("bad_example", "answers", "I don't know that word"),
    ("bad_number", "answers", "returned int, not text"),
    ("bad_parser", "hostile", 'raises ValueError .* for number="": raise ToolError'),
    ("bad_trusting", "hostile", r"raises KeyError .* \(where the server answers 200 b'{\"odd\": \[1\]}'\)"),
    ("bad_exit", "hostile", "it took its process along: the process died"),
    ("bad_writer", "effect", "declares 'read' and writes the host's file .*/home/note.txt"),
    ("bad_remover", "effect", "declares 'read' and writes the host's file .*/home/note.txt"),
    ("bad_changer", "effect", r"changes the workspace \(new.txt\)"),
    ("bad_opener", "effect", "opens a file of the host"),
    ("bad_starter", "effect", "starts the program 'true'"),
    ("bad_mover", "effect", r"changes the whole process \(os.chdir\)"),
    ("bad_printer", "effect", "prints 'working'"),
    ("bad_caller", "effect", "connects to 192.0.2.1:80: declare a destination"),
    ("bad_asker", "effect", "declares 'write' and connects to example.org:80"),
    ("bad_fetcher", "effect", r"connects to 127.0.0.1:\d+ by itself: use ctx.http"),
    ("bad_poster", "effect", "declares 'read', and something happened outside"),
    ("bad_greedy", "limits", "output_limit=5000000 is more"),
    ("bad_greedy", "limits", "timeout_s=86400 holds a run"),
    ("bad_stubborn", "cancel", "goes on for more than 2 s"),
    ("bad_twice", "probe", "after the call its probe says 'not_done'"),
    ("bad_lost", "probe", "before the call its probe says 'done'"),
    ("bad_word", "probe", "its probe says \"'yes'\"; expected one of"),
    ("bad_forgetful", "probe", "killed after it had arrived its probe says 'not_done', and it has happened"),
    ("bad_early", "probe", "killed before deed 2 of a call its probe says 'done', and nothing has happened"),
    ("bad_key", "probe", "the world took a second call with the same key"),
)


@pytest.mark.parametrize(("tool", "check", "said"), WRONG, ids=lambda value: str(value)[:30])
def test_a_broken_promise_is_found(report: Report, tool: str, check: CheckName, said: str) -> None:
    """It is told of the tool that broke it, with what to do."""
    found = [f.said for f in report.wrong if (f.tool, f.check) == (tool, check)]

    assert any(re.search(said, each) for each in found), found


def test_nothing_else_is_found(report: Report) -> None:
    """A tool that breaks one promise keeps the others: no check is set off by another's reason."""
    expected = {(tool, check) for tool, check, _ in WRONG}

    assert {(f.tool, f.check) for f in report.wrong} - expected == set()


def test_what_was_not_tried_is_said(report: Report) -> None:
    """A tool without probe and key leaves a crash to the person."""
    assert ("bad_unsure", "probe") in {(f.tool, f.check) for f in report.not_tried}


def test_nothing_acts_outside_without_a_world(folder: Path) -> None:
    """Without one, tools that send aren't called; what would do is said."""
    report = examine("autoagent_sender:plugin", Rehearsal(examples={"sender_send": [{"word": "one"}]}))
    why = {(f.tool, f.check): f.said for f in report.not_tried}

    assert "--really-send" in why["sender_send", "answers"]
    assert not (folder / "sent.txt").exists()


def test_really_send_sends_the_first_example_and_no_more(folder: Path) -> None:
    """Neither the others nor anything that is made up."""
    sent = folder / "sent.txt"
    examples = {"sender_send": [{"word": "one"}, {"word": "two"}]}
    report = examine("autoagent_sender:plugin", Rehearsal(examples=examples), really_send=True)

    assert (sent.read_text(), report.verdict("sender_send", "answers")) == ("one\n", "fine")
    sent.unlink()


def test_a_plugin_that_needs_settings_is_not_tried_without_a_rehearsal() -> None:
    """That is said, and is nothing wrong with it."""
    report = examine("autoagent_mail:plugin")
    (finding,) = report.not_tried

    assert report.is_fine
    assert re.search("no rehearsal to be opened with: .*host is missing", finding.said)


def test_why_a_plugin_was_not_opened_is_said_as_the_plugin_says_it() -> None:
    """Letter by letter: it shows what to write."""
    (finding,) = examine("autoagent_mcp:plugin").not_tried

    assert "no MCP server: write 'allow: {send: {mcp: [NAME]}}'" in finding.said


def test_importing_a_plugin_does_nothing_else(folder: Path) -> None:
    """A file that is written meanwhile is found."""
    (finding,) = examine("autoagent_busy:plugin").wrong

    assert re.search("importing it writes .*/installed.txt", finding.said)


def test_what_cannot_be_imported_is_said(folder: Path) -> None:
    """In the report, and nothing is raised."""
    (finding,) = examine("autoagent_bad:no_such_name").wrong

    assert "no_such_name" in finding.said


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_shows_a_table_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """A row a tool, a column a check; exit status 0 where nothing is wrong."""
    assert status_of(["plugins", "check", "memory"]) == 0
    head, recall, _, total = capsys.readouterr().out.splitlines()

    assert head.split() == ["schema", "answers", "hostile", "effect", "limits", "cancel", "probe"]
    assert recall.split() == ["memory_recall", *["✓"] * 6]
    assert total == "memory: nothing wrong"


def test_the_command_names_a_plugin_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, with what was meant."""
    assert status_of(["plugins", "check", "memry"]) == 2
    assert (
        "you ask for the plugin 'memry', which isn't installed; did you mean 'memory'?"
        in capsys.readouterr().err
    )


# --- made-up arguments --------------------------------------------------------------------------------------


def test_made_up_arguments_fit_the_schema() -> None:
    """Enums, bounds, lists, nested objects and paths: what must be there is there, and fits."""
    schema = {
        "type": "object",
        "required": ["kind", "count", "paths", "inner", "maybe"],
        "properties": {
            "kind": {"enum": ["b", "c"]},
            "count": {"type": "integer", "minimum": 3},
            "paths": {"type": "array", "items": {"type": "string"}},
            "inner": {"$ref": "#/$defs/Inner"},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "left_out": {"type": "string"},
        },
        "$defs": {
            "Inner": {
                "type": "object",
                "required": ["x"],
                "properties": {"x": {"type": "string", "minLength": 9}},
            }
        },
    }
    maker = Maker(schema, paths=("paths",), files=("a.txt",))

    assert maker.plain() == {
        "kind": "b",
        "count": 3,
        "paths": ["a.txt"],
        "inner": {"x": "textxxxxx"},
        "maybe": None,
    }
