"""HTTP requests as tools: what each may do follows from what it tells its receiver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loops import Stage, finish, goal, plan, worker_prompts, write, yes
from states import running
from web_servers import Answer, Asked, Say, WebServer, reply, web_server

from autoagent.door.replies import body, described
from autoagent.errors import ToolError
from autoagent.events import CallDecided, CallEnded, CallStarted, QuestionAnswered, QuestionAsked
from autoagent.messages import Reply
from autoagent.policy import Allow, Ask, Deny, ProposedCall, decide
from autoagent.ports import HttpReply
from autoagent.sandboxes.monty import MontySandbox
from autoagent.testing.model import ScriptedModel, call, script
from autoagent_http import http_download, http_request

GOAL = """
goal: ask
allow: {{web: ['{host}'], send: {{http: ['{host}']}}}}
plugins: [files, http]
done_when: [{{file: done.txt}}]
"""
READS = "{{goal: ask, allow: {{web: ['{host}']}}, plugins: [files, http], done_when: [{{file: done.txt}}]}}"
DONE = [write("done.txt", "x"), finish()]


def request(method: str, url: str, **more: object) -> Reply:
    return call("http_request", method=method, url=url, **more)


def model_of(*calls: Reply) -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=[*calls, *DONE], by_number=True)


async def told(stage: Stage, web: WebServer, one: Reply, goal: str = GOAL) -> str:
    """What the worker reads of one call."""
    model = model_of(one)
    await stage.start(goal.format(host=web.host), model)
    return worker_prompts(model)[1].last.text


def configured(stage: Stage, table: str) -> None:
    stage.home.mkdir(exist_ok=True)
    (stage.home / "config.toml").write_text(f"[plugins.http]\n{table}\n")


# --- what a call is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "effect"),
    [
        ({"method": "GET"}, "read"),
        ({"method": "head"}, "read"),
        ({"method": "OPTIONS"}, "read"),
        ({"method": "GET", "headers": {"Accept": "application/json"}}, "read"),
        ({"method": "GET", "headers": {"Accept": "secret/of-the-person"}}, "external"),
        ({"method": "GET", "headers": {"X-Note": "words"}}, "external"),
        ({"method": "GET", "body": "words"}, "external"),
        ({"method": "GET", "json": {}}, "external"),
        ({"method": "GET", "file": "notes.txt"}, "external"),
        ({"method": "POST"}, "external"),
        ({"method": "PUT"}, "external"),
        ({"method": "PATCH"}, "external"),
        ({"method": "delete"}, "external"),
    ],
)
def test_what_tells_its_receiver_more_than_a_url_is_external(
    arguments: dict[str, object], effect: str
) -> None:
    """A header and a body carry words out as well as another method does."""
    args = http_request.check({"url": "https://a.org/x", **arguments})

    assert http_request.effect_of(args) == effect
    assert http_request.power_of(args) == ("web" if effect == "read" else "send")
    assert http_request.destination_of(args) == "https://a.org/x"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"url": "ftp://a.org/x"}, "whole http or https URL"),
        ({"url": "https://me:secret@a.org/x"}, "without user or password"),
        ({"url": "a.org"}, "whole http or https URL"),
        ({"method": "TRACE"}, "'GET', 'HEAD'"),
        ({"headers": {"Host": "evil.org"}}, "leave 'Host' out: the URL says who is asked"),
        ({"headers": {"authorization": "Bearer x"}}, "secrets are attached for you"),
        ({"headers": {"Cookie": "a=b"}}, "secrets are attached for you"),
        ({"headers": {"Proxy-Authorization": "x"}}, "leave 'Proxy-Authorization' out"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "about the line"),
        ({"headers": {"Content-Length": "0"}}, "about the line"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "line break"),
        ({"headers": {"X A": "1"}}, "is no header's name"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "there twice"),
        ({"headers": {"X-A": "é"}}, "no ASCII"),
    ],
)
def test_what_is_no_request_is_refused_before_anybody_is_asked(
    arguments: dict[str, object], why: str
) -> None:
    """The model reads what is wrong with it."""
    with pytest.raises(ToolError) as error:
        http_request.check({"method": "POST", "url": "https://a.org/x", **arguments})

    assert why in str(error.value)


# --- requests -----------------------------------------------------------------------------------------------


async def test_get_is_read(tmp_path: Path) -> None:
    """Status, the headers that matter and the body, JSON laid out; labelled as outside text."""
    page = reply(b'{"a":[1]}', content_type="application/json", etag='"7"', set_cookie="a=b")
    async with web_server({"/x": page}) as web:
        stage = Stage.at(tmp_path)
        said = await told(stage, web, request("GET", f"{web.url}/x"), READS)

    assert said == (
        f'HTTP 200 OK from {web.url}/x\ncontent-type: application/json\netag: "7"\n\n{{\n "a": [\n  1\n ]\n}}'
    )
    assert stage.events(CallDecided)[0].effect == "read"
    assert stage.events(CallEnded)[0].labels == ("outside",)
    assert [(asked.method, asked.target) for asked in web.asked] == [("GET", "/x")]


@pytest.mark.parametrize(
    ("arguments", "sent", "kind"),
    [
        ({"json": {"a": "ü"}}, '{"a": "ü"}'.encode(), "application/json"),
        ({"body": "a=1", "headers": {"Content-Type": "text/x-own"}}, b"a=1", "text/x-own"),
        ({"file": "in/photo.bin"}, b"\x01bytes", None),
    ],
)
async def test_post_sends_what_was_decided(
    tmp_path: Path, arguments: dict[str, object], sent: bytes, kind: str | None
) -> None:
    """JSON, a text, or a file of the workspace, from the store; a named host needs no question."""
    async with web_server({"/x": reply(b"taken", "201 Created", content_type="text/plain")}) as web:
        stage = Stage.at(tmp_path, {"in/photo.bin": "\x01bytes"})
        said = await told(stage, web, request("POST", f"{web.url}/x", **arguments))

    (asked,) = web.asked
    assert (asked.method, asked.body, asked.headers.get("content-type")) == ("POST", sent, kind)
    assert said.startswith("HTTP 201 Created")
    assert said.endswith("\n\ntaken")
    assert "idempotency-key" not in asked.headers


async def test_get_that_says_more_needs_allow_send(tmp_path: Path) -> None:
    """A goal that only lets the agent read doesn't let it speak."""
    async with web_server({"/x": reply()}) as web:
        said = await told(
            Stage.at(tmp_path), web, request("GET", f"{web.url}/x", headers={"X-Note": "hi"}), READS
        )

    assert said == "Not allowed: the goal's 'allow: send' doesn't name 'http'"
    assert not web.asked


async def test_post_to_another_host_asks(tmp_path: Path) -> None:
    """The question shows the URL; the answer lets that one request out."""
    async with web_server({"/x": reply(b"taken")}) as web:
        stage = Stage.at(tmp_path)
        post = GOAL.replace("http: ['{host}']", "http: [api.example.org]")
        await stage.start(
            post.format(host=web.host), model_of(request("POST", f"{web.url}/x")), approver=yes()
        )

    assert [q.question.subject.destination for q in stage.events(QuestionAsked)] == [f"{web.url}/x"]
    assert len(web.asked) == 1


async def test_yes_to_several_is_a_yes_to_one_method(tmp_path: Path) -> None:
    """Who lets five PUTs of a URL pass has not said that it may be deleted."""
    async with web_server({"/x": reply(b"taken")}) as web:
        stage = Stage.at(tmp_path)
        asks = GOAL.replace("http: ['{host}']", "http: []").format(host=web.host)
        calls = [request(method, f"{web.url}/x") for method in ("PUT", "PUT", "DELETE")]
        await stage.start(asks, model_of(*calls), approver=yes(covers=5))

    whys = [q.question.why.partition(":")[0] for q in stage.events(QuestionAsked)]
    assert [*zip(whys, [a.by == "rule" for a in stage.events(QuestionAnswered)], strict=True)] == [
        ("PUT", False),
        ("PUT", True),
        ("DELETE", False),
    ]
    assert len(web.asked) == 3


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("404 Not Found", "It arrived, and was refused with this answer."),
        ("503 Busy", "It arrived, and failed there: it may have been carried out"),
        ("303 See Other", "answered with another address, which wasn't asked"),
    ],
)
async def test_answer_that_is_no_yes_says_what_it_means(tmp_path: Path, status: str, said: str) -> None:
    """It was answered: no doubt about that, and no second request."""
    async with web_server({"/x": reply(b"no", status, location="/y")}) as web:
        stage = Stage.at(tmp_path)
        text = await told(stage, web, request("DELETE", f"{web.url}/x"))

    assert said in text
    assert f"HTTP {status[:3]}" in text
    assert len(web.asked) == 1
    assert stage.events(CallEnded)[0].in_doubt is None


async def test_request_that_reached_nobody_is_not_in_doubt(tmp_path: Path) -> None:
    """Nobody listens: certainly nothing happened."""
    async with web_server() as web:
        pass
    stage = Stage.at(tmp_path)
    text = await told(stage, web, request("POST", f"{web.url}/x", body="a"))

    assert stage.events(CallEnded)[0].ok is False
    assert stage.events(CallEnded)[0].in_doubt is False
    assert "may have happened" not in text


async def test_request_whose_answer_is_lost_is_in_doubt(tmp_path: Path) -> None:
    """The server had it and hung up."""

    async def hang_up(asked: Asked, say: Say) -> None:
        await say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    page: Answer = hang_up
    async with web_server({"/x": page}) as web:
        stage = Stage.at(tmp_path)
        text = await told(stage, web, request("POST", f"{web.url}/x", body="a"))

    assert stage.events(CallEnded)[0].in_doubt is True
    assert "It may have happened all the same" in text


async def test_two_bodies_are_none(tmp_path: Path) -> None:
    """Which one was meant, nobody can say."""
    async with web_server({"/x": reply()}) as web:
        text = await told(Stage.at(tmp_path), web, request("POST", f"{web.url}/x", body="a", json=[1]))

    assert "give one of body, json and file, not body and json" in text
    assert not web.asked


# --- after a crash ------------------------------------------------------------------------------------------


async def after_crash(stage: Stage, web: WebServer, one: Reply) -> None:
    """The process dies when the request is out, and the run goes on."""
    await stage.start(GOAL.format(host=web.host), model_of(one))
    started = next(e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted))
    stage.kill(started)
    await stage.resume(model_of(one))


async def test_killed_post_asks_before_it_is_made_again(tmp_path: Path) -> None:
    """Nobody knows whether the server did it."""
    async with web_server({"/x": reply()}) as web:
        stage = Stage.at(tmp_path)
        await after_crash(stage, web, request("POST", f"{web.url}/x", body="a"))

    assert stage.question().subject.kind == "recovery"
    assert len(web.asked) == 1


async def test_killed_post_is_made_again_where_its_key_is_honoured(tmp_path: Path) -> None:
    """The same key both times, and no question."""
    async with web_server({"/x": reply()}) as web:
        stage = Stage.at(tmp_path)
        configured(stage, f'idempotent_hosts = ["{web.host}"]')
        await after_crash(stage, web, request("POST", f"{web.url}/x", body="a"))

    first, second = (asked.headers["idempotency-key"] for asked in web.asked)
    assert first == second
    assert len(first) == 32
    assert stage.events(QuestionAsked) == []


async def test_killed_get_with_a_header_is_made_again(tmp_path: Path) -> None:
    """It changes nothing, so it may be made twice."""
    async with web_server({"/x": reply()}) as web:
        stage = Stage.at(tmp_path)
        await after_crash(stage, web, request("GET", f"{web.url}/x", headers={"X-Note": "hi"}))

    assert len(web.asked) == 2
    assert stage.events(QuestionAsked) == []


# --- downloads ----------------------------------------------------------------------------------------------


async def test_download_is_kept_as_it_came(tmp_path: Path) -> None:
    """Any bytes; the run has read outside text then."""
    data = bytes(range(256))
    async with web_server({"/p": reply(data, content_type="image/png")}) as web:
        stage = Stage.at(tmp_path)
        get = call("http_download", url=f"{web.url}/p", path="in/p.png")
        said = await told(stage, web, get, READS.replace("plugins:", "yours: [.], plugins:"))

    assert (stage.folder / "in/p.png").read_bytes() == data
    assert said == f"HTTP 200 OK from {web.url}/p\nSaved in/p.png: 256 bytes, image/png"
    assert stage.events(CallEnded)[0].labels == ("outside",)


async def test_download_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    """The model reads the answer; the file stays as it was."""
    async with web_server() as web:
        stage = Stage.at(tmp_path, {"p": "old"})
        said = await told(stage, web, call("http_download", url=f"{web.url}/p", path="p"), READS)

    assert said.startswith("nothing was saved: HTTP 404 Not Found")
    assert stage.read("p") == "old"


async def test_download_has_a_limit(tmp_path: Path) -> None:
    """Half a file is none."""
    async with web_server({"/p": reply(b"x" * 20_000)}) as web:
        stage = Stage.at(tmp_path)
        configured(stage, "max_download_mb = 0.01")
        await told(stage, web, call("http_download", url=f"{web.url}/p", path="p"), READS)

    assert "p" not in stage.files()
    assert stage.events(CallEnded)[0].ok is False


def fetch(url: str, path: str) -> ProposedCall:
    args = http_download.check({"url": url, "path": path})
    return ProposedCall(
        "http_download",
        "http",
        http_download.power_of(args),
        http_download.effect_of(args),
        http_download.destination_of(args),
        http_download.paths_in(args),
    )


@pytest.mark.parametrize(
    ("url", "path", "decision", "why"),
    [
        ("https://a.org/x", "in/x", Allow, "named in your goal"),
        ("https://a.org/x", "goal.yaml", Deny, "'goal.yaml' is protected"),
        ("https://a.org/x", "etc/x", Deny, "may not be written"),
        ("https://evil.org/x", "in/x", Deny, "not the host of"),
        ("https://x.wiki.org/new", "in/x", Ask, "is not named in your goal"),
    ],
)
def test_download_needs_both_powers(url: str, path: str, decision: type, why: str) -> None:
    """The web's rows and the workspace's."""
    given = goal("{goal: get, allow: {web: [a.org, '*.wiki.org'], write: [in], read: [in]}, plugins: [http]}")
    made = decide(running(given), fetch(url, path))

    assert isinstance(made, decision)
    assert why in made.why


async def test_download_in_a_script_runs_after_it(tmp_path: Path) -> None:
    """It reaches out and changes files, so it is a call of its own, with its own labels."""
    code = "http_download(url='{url}/p', path='p')\nopen('done.txt', 'w').write('x')\nfinish('ok')"
    sandbox = MontySandbox()
    async with web_server({"/p": reply(b"data")}) as web:
        stage = Stage.at(tmp_path, sandbox=sandbox)
        model = ScriptedModel(style="code", planner=[plan("a")], worker=[script(code.format(url=web.url))])
        runs = READS.replace("web:", "run: sandbox, web:").replace("plugins:", "yours: [.], plugins:")
        outcome = await stage.start(runs.format(host=web.host), model)
    await sandbox.close()

    assert outcome.ending == "proved"
    assert stage.files() == {"done.txt": "x", "p": "data"}
    of_script, download, _ = stage.events(CallEnded)
    assert (of_script.labels, download.labels) == ((), ("outside",))


# --- what a model reads -------------------------------------------------------------------------------------


def answer(content: bytes, kind: str = "", status: int = 200) -> HttpReply:
    return HttpReply(status, "https://a.org/x", {"content-type": kind} if kind else {}, content)


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"", "text/plain", "(no body)"),
        ("ü".encode("latin-1"), "text/plain; charset=latin-1", "ü"),
        (b"<a/>", "application/atom+xml", "<a/>"),
        (b'{"a":"\\ud800"}', "application/problem+json", '{\n "a": "?"\n}'),
        (b"{no json", "application/json", "{no json"),
        (b"[" * 100_000, "application/json", "["),
        (b"plain", "", "plain"),
        (b"a\0b", "", "(no text: of no stated type, 3 bytes, SHA-256 "),
        (b"\x89PNG", "image/png", "(no text: image/png, 4 bytes, SHA-256 "),
    ],
)
def test_body_is_text_or_described(content: bytes, kind: str, text: str) -> None:
    """By its type, or where it has none by its bytes."""
    assert body(answer(content, kind), 1_000).startswith(text)


def test_long_json_loses_its_layout_before_its_end() -> None:
    """As much of it as possible is read, and what was left out is counted."""
    value = [{"number": n} for n in range(40)]

    tight = body(answer(json.dumps(value).encode(), "application/json"), 600)
    short = body(answer(json.dumps(value).encode(), "application/json"), 100)

    assert json.loads(tight) == value
    assert "characters left out" in short
    assert len(short) < 200


def test_header_of_a_server_forges_no_line() -> None:
    """What a server says of itself stays on its line."""
    odd = HttpReply(302, "https://a.org/x", {"location": "/y\x1b[2J\x85z"}, b"")

    assert described(odd, 100).splitlines()[1] == "location: /y\\x1b[2J\\x85z"
