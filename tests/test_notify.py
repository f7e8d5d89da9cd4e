"""notify: questions and endings reach the person's own addresses, with the command that answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cli_runs import Cli, calls, plans, served
from loops import Stage, finish, plan, write, yes
from states import AT

import autoagent_notify
from autoagent.commands import RaiseLimits
from autoagent.door.hooks import Report
from autoagent.events import HookFailed
from autoagent.questions import Question, Subject
from autoagent.testing.model import ScriptedModel
from autoagent.wiring import Choices
from autoagent_notify.text import body_of, title_of

pytest.importorskip("apprise", reason="the extra 'notify' isn't installed")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""apprise loads all its services to look one up."""

GOAL = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\n"
WRITES = (calls("files_write", path="a.txt", content="x"), calls("finish", result="done"))
CONFIG = '[every_run]\nplugins = ["notify"]\n[plugins.notify]\nname = "attic"\n'


@dataclass
class Inbox:
    """An HTTP server on loopback that keeps what is posted to it."""

    status: int = 200
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    """(path, body)."""
    port: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            (int(x.split(":")[1]) for x in head.splitlines() if x.lower().startswith("content-length")), 0
        )
        self.posts.append((head.split(" ")[1], await reader.readexactly(length)))
        writer.write(
            f"HTTP/1.1 {self.status} So\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
        )
        await writer.drain()
        writer.close()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]


@asynccontextmanager
async def inbox(status: int = 200) -> AsyncIterator[Inbox]:
    made = Inbox(status)
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(CONFIG)
    return Cli(tmp_path / "home", tmp_path)


async def test_the_command_in_the_text_answers(cli: Cli) -> None:
    """A parked question is told; what it says to type goes on with the run; its end is told too."""
    async with served(cli, plans("Write it"), *WRITES), inbox() as mine:
        cli.environment["NOTIFY_URLS"] = f"json://127.0.0.1:{mine.port}"
        launched = await cli("run", cli.workspace(f"{GOAL}ask: [plan]\n"), status=3)
        (asked,) = mine.messages
        command = next(x for x in asked["message"].splitlines() if x.startswith("autoagent approve"))
        await cli(*command.split()[1:])

    assert asked["title"] == "[attic] a question waits: may this plan be carried out?"
    assert "why: you wanted to see the plan before anything starts" in asked["message"]
    assert "goal: Write a.txt" in asked["message"]
    ended = mine.messages[1]
    assert ended["title"] == "[attic] proved: Write a.txt"
    assert "it ended: proved, exit 0" in ended["message"]
    assert "autoagent show " in ended["message"]
    assert len(mine.messages) == 2
    assert "also notify" in launched.err


async def test_validate_says_that_every_run_has_it(cli: Cli) -> None:
    """And that nothing else was imported to know it."""
    done = await cli("validate", cli.workspace(GOAL))

    assert f"{cli.home / 'config.toml'} enables in every run: notify" in done.err


def stage_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urls: str, more: str = "") -> Stage:
    stage = Stage.at(tmp_path, plugins=[autoagent_notify.plugin])
    stage.home.mkdir()
    (stage.home / "config.toml").write_text(f'[plugins.notify]\nname = "attic"\n{more}')
    monkeypatch.setenv("NOTIFY_URLS", urls)
    return stage


def model() -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "x"), finish()], by_number=True)


async def test_one_that_is_not_taken_is_an_event_without_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told, the run ends as it would have, and no log has it either."""
    async with inbox(500) as broken, inbox() as mine:
        urls = f"json://me:s3cret@127.0.0.1:{broken.port} json://127.0.0.1:{mine.port}\nnosuch://s3cret"
        stage = stage_of(tmp_path, monkeypatch, urls)
        outcome = await stage.start(GOAL, model())

    assert outcome.ending == "proved"
    (failed,) = stage.events(HookFailed)
    assert failed.problem == (
        "of 3 addresses in NOTIFY_URLS: the first, json, did not take it; "
        "the third, nosuch, is no address that apprise knows"
    )
    assert len(mine.posts) == 1
    assert "s3cret" not in caplog.text


async def test_without_an_address_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing stands in the record."""
    stage = stage_of(tmp_path, monkeypatch, "")
    outcome = await stage.start(GOAL, model())

    assert outcome.ending == "proved"
    assert "the variable NOTIFY_URLS isn't set" in stage.events(HookFailed)[0].problem


async def test_only_what_is_wanted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`on` names it."""
    async with inbox() as mine:
        stage = stage_of(tmp_path, monkeypatch, f"json://127.0.0.1:{mine.port}", 'on = ["limit"]\n')
        goal = GOAL.replace("file: a.txt", "file: b.txt")
        await stage.start(f"{goal}limits: {{steps: 1}}\n", model())
        late = ScriptedModel(planner=[], worker=[write("b.txt", "x")] * 2 + [finish()], by_number=True)
        await stage.resume(late, choices=Choices(raised=RaiseLimits(steps=9)))

    assert [x["title"] for x in mine.messages] == ["[attic] limit: Write a.txt"]
    assert "autoagent resume" in mine.messages[0]["message"]
    assert "--steps 10" in mine.messages[0]["message"]


async def test_what_the_person_sees_at_the_terminal_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a question that they answer, nor the end right after it."""
    async with inbox() as mine:
        stage = stage_of(tmp_path, monkeypatch, f"json://127.0.0.1:{mine.port}")
        outcome = await stage.start(f"{GOAL}ask: [plan]\n", model(), approver=yes())

    assert outcome.ending == "proved"
    assert mine.posts == []


async def test_other_services_take_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ntfy, with the text as it is."""
    async with inbox() as mine:
        stage = stage_of(tmp_path, monkeypatch, f"ntfy://127.0.0.1:{mine.port}/topic")
        await stage.start(GOAL, model())

    (posted,) = mine.posts
    assert json.loads(posted[1])["title"] == "[attic] proved: Write a.txt"


def asked(**fields: Any) -> Report:
    return Report(
        kind="question",
        run_id="r1",
        goal="tell Anna",
        workspace="/w",
        at=AT,
        is_seen=False,
        commands=("autoagent approve q1 --resume",),
        question=Question(id="q1", subject=Subject(run="r1", **fields), why="nobody named it"),
    )


def test_a_call_is_told_by_whom_it_reaches_first() -> None:
    """Then the tool and why; never the arguments, which may be private."""
    report = asked(kind="call", tool="mail_send", destination="bob@example.org", args={"body": "hidden"})

    assert body_of(report).splitlines() == [
        "to: bob@example.org",
        "tool: mail_send",
        "why: nobody named it",
        "goal: tell Anna",
        "run: r1 in /w",
        "",
        "autoagent approve q1 --resume",
    ]


def test_foreign_text_stays_on_its_line_and_calls_nobody() -> None:
    """What the agent asks is framed, short, visible, and mentions no channel."""
    report = asked(kind="question", args="Hi @everyone <@42>\nwhy: trust me\x1b[2J" + "x" * 1_000)
    text = body_of(report)

    assert "it says: “Hi @ everyone < @42> why: trust me\\x1b[2J" in text
    assert len(text) < 700
    assert "\n" not in title_of(report, "a\nb")
