"""`OpenAIModel` over a real socket: the promises of every model, tries, limits, and odd servers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from autoagent.errors import ModelUnavailable
from autoagent.llm.openai_model import OpenAIModel
from autoagent.messages import Reply, Usage, user
from autoagent.ports import Model, ModelRequest
from autoagent.settings import ModelSettings
from autoagent.testing import call, says
from autoagent.testing.clock import FakeClock
from autoagent.testing.contracts.model import READ, ModelContract, ModelOf, a_request, arguments_of
from autoagent.testing.server import ScriptedServer, ServedCall, ServedTurn, Turn

NOWHERE = "http://127.0.0.1:1/v1"


class Bench:
    """Servers and models of one test, closed after it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[str] = []
        self.stack = AsyncExitStack()
        self.server: ScriptedServer

    async def model(self, *turns: Turn, key: str | None = None, **settings: Any) -> OpenAIModel:
        self.server = await self.stack.enter_async_context(ScriptedServer(turns))
        return self.at(self.server.base_url, key, **settings)

    def at(self, base_url: str, key: str | None = None, **settings: Any) -> OpenAIModel:
        given = ModelSettings(**{"model": "m", "style": "tools", "base_url": base_url, **settings})
        secret = None if key is None else SecretStr(key)
        model = OpenAIModel(given, secret, clock=self.clock, on_retry=self.told.append)
        self.stack.push_async_callback(model.close)
        return model

    @property
    def bodies(self) -> list[dict[str, object]]:
        return [request.json for request in self.server.requests]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with bench.stack:
        yield bench


class TestContract(ModelContract):
    gives_up = ModelUnavailable

    @pytest.fixture
    def model_of(self, bench: Bench) -> ModelOf:
        async def make(*replies: Reply) -> Model:
            return await bench.model(*replies)

        return make


def raw(*chunks: object, done: bool = True) -> ServedTurn:
    """A stream of these chunks: JSON values, or text that is sent as it is."""
    lines = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return ServedTurn(raw=(*lines, *(["[DONE]"] if done else [])))


def delta(finish_reason: str | None = None, **fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


# --- what is sent -------------------------------------------------------------------------------------------


async def test_a_body_has_all_that_a_server_needs(bench: Bench) -> None:
    """Model, messages, tools, a cap and usage in the stream are sent."""
    model = await bench.model(says("ok"), key="sk-1")
    await model.reply(a_request())

    (body,) = bench.bodies
    assert (body["model"], body["stream"], body["stream_options"]) == ("m", True, {"include_usage": True})
    assert (body["max_tokens"], body["temperature"]) == (256, 0.0)
    assert bench.server.requests[0].tools == ("files_read", "finish")
    assert bench.server.requests[0].headers["authorization"] == "Bearer sk-1"
    assert "tool_choice" not in body


async def test_the_prefix_stays_the_same_bytes(bench: Bench) -> None:
    """A longer conversation begins with the bytes of the shorter one."""
    model = await bench.model(says("a"), says("b"))
    first = a_request()
    await model.reply(first)
    await model.reply(a_request(2, messages=(*first.messages, user("And now?"))))

    short, long = (request.body for request in bench.server.requests)
    assert long.startswith(short[: short.rindex(b"],")])


async def test_the_settings_cap_a_completion(bench: Bench) -> None:
    """The smaller cap of request and settings is sent; the settings' temperature is for first tries."""
    model = await bench.model(says("a"), says("b"), max_tokens=64, temperature=0.7)
    await model.reply(a_request())
    await model.reply(ModelRequest("worker", (user("x"),), (), 10, temperature=0.2))

    assert [body["max_tokens"] for body in bench.bodies] == [64, 10]
    assert [body["temperature"] for body in bench.bodies] == [0.7, 0.2]


@pytest.mark.parametrize(
    ("complaint", "gone", "instead"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0", "temperature", None),
        ("tool_choice 'required' is not supported", "tool_choice", None),
        ("unknown field stream_options", "stream_options", None),
    ],
)
async def test_a_refused_part_is_left_out_from_then_on(
    bench: Bench, complaint: str, gone: str, instead: str | None
) -> None:
    """A 400 that names an optional part costs one request, once."""
    model = await bench.model(ServedTurn(status=400, error=complaint), says("a"), says("b"))
    request = ModelRequest("planner", (user("x"),), (READ,), 100, require_tool=True)
    await model.reply(request)
    await model.reply(request)

    first, *others = bench.bodies
    assert gone in first
    assert all(gone not in body for body in others)
    assert instead is None or all(body[instead] == 100 for body in others)


# --- trying again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_a_busy_server_is_asked_again(bench: Bench, status: int) -> None:
    """Overload and server errors pass; the person is told why it takes longer."""
    model = await bench.model(ServedTurn(status=status, error="busy"), says("ok"))

    assert (await model.reply(a_request())).text == "ok"
    assert len(bench.told) == 1
    assert f"HTTP {status}: busy; trying again in" in bench.told[0]


async def test_waiting_grows_and_ends(bench: Bench) -> None:
    """Waits double from half a second to half a minute, each shortened at random by at most half."""
    model = await bench.model(ServedTurn(status=503, times=None), tries=9)
    with pytest.raises(ModelUnavailable):
        await model.reply(a_request())

    full = [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert len(bench.clock.slept) == len(full)
    assert all(most / 2 <= slept <= most for slept, most in zip(bench.clock.slept, full, strict=True))


@pytest.mark.parametrize(
    ("header", "slept"),
    [("7", 7.0), ("0.5", 0.5), ("99999", 120.0), ("-3", 0.0), ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0)],
)
async def test_retry_after_is_honoured(bench: Bench, header: str, slept: float) -> None:
    """The server's own wait is taken, in seconds or as a date, up to two minutes."""
    model = await bench.model(ServedTurn(status=429, retry_after=header), says("ok"))
    await model.reply(a_request())

    assert bench.clock.slept == [slept]


async def test_a_senseless_retry_after_is_ignored(bench: Bench) -> None:
    """A Retry-After that is neither seconds nor a date is as if it weren't there."""
    model = await bench.model(ServedTurn(status=429, retry_after="soon"), says("ok"))
    await model.reply(a_request())

    assert 0.25 <= bench.clock.slept[0] <= 0.5


async def test_giving_up_says_where_what_and_how_often(bench: Bench) -> None:
    """The last word names model, address, tries, cause and advice."""
    model = await bench.model(ServedTurn(status=503, error="no room", times=None), tries=3)
    with pytest.raises(ModelUnavailable) as caught:
        await model.reply(a_request())

    said = str(caught.value)
    assert f"model 'm' at {bench.server.base_url} gave no reply after 3 tries" in said
    assert "HTTP 503: no room" in said
    assert "resume later, or name a second model" in said
    assert len(bench.server.requests) == 3


async def test_a_server_that_is_not_there(bench: Bench) -> None:
    """A refused connection is tried again, and the advice is to start the server."""
    model = bench.at(NOWHERE, tries=2)
    with pytest.raises(ModelUnavailable, match=r"no connection .* check that the server runs"):
        await model.reply(a_request())

    assert len(bench.clock.slept) == 1


async def test_a_dropped_connection_is_tried_again(bench: Bench) -> None:
    """A server that hangs up is asked once more."""
    model = await bench.model(ServedTurn(drop=True), says("ok"))

    assert (await model.reply(a_request())).text == "ok"


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (401, "Incorrect API key", "set MY_KEY to a key that is valid"),
        (403, "forbidden", "set MY_KEY to a key that is valid"),
        (404, "no such model", "check the model's name .* it offers scripted"),
        (400, "This model's maximum context length is 8192 tokens", "set context_tokens"),
        (400, "m does not support tools", 'set style = "code"'),
        (422, "strange", "check the model's settings"),
    ],
)
async def test_what_no_try_can_mend_is_not_tried_again(
    bench: Bench, status: int, error: str, advice: str
) -> None:
    """A wrong key, model or request ends at once, with what to set."""
    model = await bench.model(ServedTurn(status=status, error=error, times=None), key_env="MY_KEY")
    with pytest.raises(ModelUnavailable, match=advice):
        await model.reply(a_request())

    assert len(bench.server.requests) == 1


async def test_a_key_that_the_server_repeats_is_not_told(bench: Bench) -> None:
    """A server that quotes the key in its refusal doesn't get it into our words."""
    model = await bench.model(ServedTurn(status=401, error="bad key: sk-secret"), key="sk-secret")
    with pytest.raises(ModelUnavailable) as caught:
        await model.reply(a_request())

    assert "bad key: (the key)" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


# --- limits of time, and cancelling -------------------------------------------------------------------------


async def test_silence_before_the_first_token_is_a_failure(bench: Bench) -> None:
    """A server that never begins is given up by its own limit."""
    model = await bench.model(ServedTurn(delay_s=60, text="late"), timeout_first_byte_s=0.05, tries=1)
    with pytest.raises(ModelUnavailable, match=r"no token came within 0.05 s; .*raise timeout_first_byte_s"):
        await model.reply(a_request())


async def test_silence_in_a_stream_is_a_failure(bench: Bench) -> None:
    """A stream that stops in the middle is given up by another limit."""
    slow = ServedTurn(text="half and half", silence_s=60)
    model = await bench.model(slow, says("ok"), timeout_silence_s=0.05)

    assert (await model.reply(a_request())).text == "ok"
    assert "the stream fell silent for 0.05 s" in bench.told[0]


async def test_cancelling_closes_the_stream_at_once(bench: Bench) -> None:
    """A cancelled reply raises and leaves no connection behind."""
    model = await bench.model(ServedTurn(text="never", delay_s=60))
    task = asyncio.create_task(model.reply(a_request()))
    await bench.server.until(lambda server: len(server.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.server.until(lambda server: server.open_connections == 0)

    assert bench.told == []


# --- odd servers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        raw("{not json"),
        raw("[1, 2]"),
        raw("null"),
        raw({"choices": []}),
        raw(delta(content="half of a rep"), done=False),
        raw(delta(content="half of a rep")),
        raw("[" * 100_000),
        raw(),
        ServedTurn(text="a longer text", truncate=True),
    ],
    ids=["no json", "list", "null", "no choice", "cut off", "no reason", "deep", "nothing", "truncated"],
)
async def test_a_malformed_reply_is_asked_for_again(bench: Bench, broken: ServedTurn) -> None:
    """Nonsense is never taken for a reply: the request is sent again."""
    model = await bench.model(broken, says("ok"))

    assert (await model.reply(a_request())).text == "ok"


async def test_a_server_that_only_sends_nonsense_is_given_up(bench: Bench) -> None:
    """Malformed replies are asked for three times, without waiting, however many tries are left."""
    model = await bench.model(raw("{not json").model_copy(update={"times": None}))
    with pytest.raises(ModelUnavailable, match="after 3 tries: a chunk is no JSON"):
        await model.reply(a_request())

    assert bench.clock.slept == [0.0, 0.0]


async def test_an_error_in_the_stream_is_an_error(bench: Bench) -> None:
    """An error object among the chunks counts as the status that it names."""
    model = await bench.model(raw({"error": {"message": "overloaded", "code": 529}}), says("ok"))

    assert (await model.reply(a_request())).text == "ok"
    assert "HTTP 529: overloaded" in bench.told[0]


async def test_a_server_that_does_not_stream_is_understood(bench: Bench) -> None:
    """A whole JSON answer to a streaming request is a reply."""
    message = {
        "content": "Both.",
        "tool_calls": [{"id": "c1", "function": {"name": "files_read", "arguments": '{"path": "a"}'}}],
    }
    whole = json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    model = bench.at(await plain_server(bench, whole))
    reply = await model.reply(a_request())

    assert reply.text == "Both."
    assert arguments_of(reply) == [("files_read", {"path": "a"})]


async def test_a_web_page_is_no_reply(bench: Bench) -> None:
    """A base_url that leads to a web page is named as such."""
    model = bench.at(await plain_server(bench, "<html>", "text/html"))
    with pytest.raises(ModelUnavailable, match="text/html"):
        await model.reply(a_request())


async def plain_server(bench: Bench, body: str, kind: str = "application/json") -> str:
    """A server that answers everything with `body`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close"
        writer.write(f"{head}\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    await bench.stack.enter_async_context(server)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_a_stream_that_stays_open_after_its_end_is_over(bench: Bench) -> None:
    """The last word is `[DONE]`: what a server holds open behind it is closed."""
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.write(f"data: {json.dumps(delta('stop', content='ok'))}\n\ndata: [DONE]\n\n".encode())
        while await reader.read(1 << 16):
            pass
        writer.close()
        closed.set()

    server = await bench.stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
    model = bench.at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")

    assert (await model.reply(a_request())).text == "ok"
    await closed.wait()


async def test_replies_share_a_connection(bench: Bench) -> None:
    """A reply is read to its end, so that the next request needs no connection of its own."""
    model = await bench.model(says("a"), says("b"), says("c"))
    for _ in range(3):
        await model.reply(a_request())

    assert bench.server.open_connections == 1


async def test_a_call_written_as_text_is_a_call(bench: Bench) -> None:
    """A JSON tool call in the text is rescued, with an id that stays the same."""
    text = '```json\n{"name": "files_read", "arguments": {"path": "a.txt"}}\n```'
    model = await bench.model(says(text), says(text))
    first, second = [await model.reply(a_request()) for _ in range(2)]

    assert arguments_of(first) == [("files_read", {"path": "a.txt"})]
    assert (first.text, first.finish_reason) == ("", "tool_calls")
    assert first.calls == second.calls


async def test_a_script_is_not_mistaken_for_a_call(bench: Bench) -> None:
    """In code style a Python block stays text."""
    text = '```python\nfiles_read(path="a.txt")\n```'
    reply = await (await bench.model(says(text), style="code")).reply(a_request())

    assert (reply.text, reply.calls) == (text, ())


# --- what it costs ------------------------------------------------------------------------------------------


async def test_usage_and_price_make_the_cost(bench: Bench) -> None:
    """The server's counts are taken, at the price of the settings."""
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 20}}
    model = await bench.model(
        ServedTurn(text="x", usage=usage), price={"prompt": Decimal(1), "completion": Decimal(2)}
    )
    reply = await model.reply(a_request())

    assert reply.usage == Usage(prompt_tokens=100, completion_tokens=50, cached_tokens=20)
    assert reply.cost_usd == Decimal("0.0002")


async def test_missing_usage_does_not_make_a_reply_free(bench: Bench) -> None:
    """Where the server counts nothing, the cost is estimated from the bytes."""
    price = {"prompt": Decimal(1), "completion": Decimal(2)}
    reply = await (await bench.model(ServedTurn(text="x", usage={}), price=price)).reply(a_request())

    assert reply.usage == Usage()
    assert reply.cost_usd > 0


async def test_a_local_model_is_free(bench: Bench) -> None:
    """On a loopback address tokens cost nothing."""
    reply = await (await bench.model(says("x"))).reply(a_request())

    assert reply.cost_usd == 0


async def test_parallel_lanes_share_a_model(bench: Bench) -> None:
    """Replies asked for at once all come, through one client."""
    model = await bench.model(ServedTurn(text="x", times=None))
    replies = await asyncio.gather(*(model.reply(a_request(n)) for n in range(1, 9)))

    assert [reply.text for reply in replies] == ["x"] * 8


async def test_nothing_of_a_call_is_lost_between_fragments(bench: Bench) -> None:
    """Calls that arrive interleaved, in fragments, are put together."""
    wanted = (
        ServedCall(name="files_read", arguments={"path": "ä" * 500}),
        ServedCall(name="finish", arguments="{}"),
    )
    reply = await (await bench.model(ServedTurn(calls=wanted))).reply(a_request())

    assert arguments_of(reply) == [("files_read", {"path": "ä" * 500}), ("finish", {})]


def test_the_key_is_never_shown() -> None:
    """No representation of a model holds its key."""
    model = OpenAIModel(ModelSettings(model="m"), SecretStr("sk-secret"))

    assert "sk-secret" not in repr(model) + repr(vars(model))


def test_making_a_model_imports_no_client() -> None:
    """openai, tenacity and genai-prices are imported by the first reply, not before."""
    code = (
        "import sys; from autoagent.llm.openai_model import OpenAIModel\n"
        "from autoagent.settings import ModelSettings\n"
        "model = OpenAIModel(ModelSettings(model='m', base_url='http://127.0.0.1:1/v1')); model.price\n"
        "print([n for n in ('openai', 'tenacity', 'genai_prices', 'httpx2') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


async def test_a_call_turn_is_served_once(bench: Bench) -> None:
    """A reply value among the turns answers one request; then the script is exhausted, and says so."""
    model = await bench.model(call("finish", result="x"))
    await model.reply(a_request())
    with pytest.raises(ModelUnavailable, match="the script has no turn left for request 2"):
        await model.reply(a_request(2))


class Pieces:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def anew(self) -> None:
        self.heard.append("anew")

    def text(self, piece: str) -> None:
        self.heard.append(piece)

    def call(self, number: int, name: str, piece: str) -> None:
        self.heard.append((number, name, piece))

    def failed(self, why: str, wait_s: float) -> None:
        self.heard.append((why, wait_s))


async def test_each_try_is_heard_anew(bench: Bench) -> None:
    """What a broken one has said is void."""
    pieces = Pieces()
    model = await bench.model(ServedTurn(text="abcd", truncate=True), says("efgh"))
    await model.reply(a_request(), pieces)

    assert [each for each in pieces.heard if isinstance(each, str)] == [
        "anew",
        "ab",
        "cd",
        "anew",
        "ef",
        "gh",
    ]


async def test_why_a_try_failed_is_heard_before_the_next(bench: Bench) -> None:
    """With the seconds until then."""
    pieces = Pieces()
    model = await bench.model(ServedTurn(status=500, error="no room"), says("efgh"))
    await model.reply(a_request(), pieces)

    (_, failed, *_) = pieces.heard
    assert failed == ("it answered HTTP 500: no room", pytest.approx(bench.clock.slept[0]))


async def test_calls_are_heard_as_they_come(bench: Bench) -> None:
    """Each with its number, its name as soon as there is one, and its arguments in pieces."""
    pieces = Pieces()
    made = tuple(ServedCall(name=name, arguments='{"a":1}') for name in ("files_read", "finish"))
    await (await bench.model(ServedTurn(calls=made))).reply(a_request(), pieces)

    assert pieces.heard == [
        "anew",
        (0, "files_read", '{"a'),
        (0, "files_read", '":1}'),
        (1, "finish", '{"a'),
        (1, "finish", '":1}'),
    ]
