"""`ScriptedServer`: an OpenAI-compatible server on loopback that streams what a test wrote.

For tests of whole processes: `python -m autoagent.testing.server turns.json --port 0` prints its address. It
keeps the bytes of every request, and it can fail in every way that a real server does. It never parses a
request that no turn asks about, so that it costs next to nothing in a benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from autoagent.errors import UsageError
from autoagent.messages import Frozen, Reply
from autoagent.ports import ModelRole


class ServedCall(Frozen):
    """A tool call of a turn."""

    name: str
    arguments: JsonValue = Field(default_factory=dict)
    """An object; a string is sent as it is, be it JSON or not."""
    id: str | None = None


class ServedTurn(Frozen):
    """One answer, or one way to fail. Turns are taken in order; `role` and `when` pass over a turn."""

    role: ModelRole | None = None
    """Only for this role, as the offered tools show it."""
    when: str | None = None
    """Only where the last message holds this text."""
    times: int | None = Field(default=1, ge=1)
    """How often the turn answers; `None`: without end."""

    text: str = ""
    calls: tuple[ServedCall, ...] = ()
    finish_reason: str | None = None
    usage: JsonValue = None
    """Instead of a plausible count; `{}` leaves it out."""

    status: int | None = None
    """Answer with this HTTP status instead."""
    error: str = "scripted fault"
    """What the error body says."""
    retry_after: str | None = None
    """The header of that name."""
    drop: bool = False
    """Close the connection without a word."""
    delay_s: float = Field(default=0, ge=0)
    """Silence before the first byte."""
    silence_s: float = Field(default=0, ge=0)
    """Silence after the first chunk."""
    pieces: int = Field(default=2, ge=1)
    """Into how many chunks a text is cut, and the arguments of a call."""
    pace_s: float = Field(default=0, ge=0)
    """Silence before each chunk but the first."""
    truncate: bool = False
    """Close the connection after half of the chunks."""
    raw: tuple[str, ...] | None = None
    """The `data:` lines themselves, for replies that no server should send."""

    @property
    def is_fault(self) -> bool:
        return self.status is not None or self.drop or self.truncate or self.raw is not None


@dataclass(frozen=True)
class SeenRequest:
    """A request as it came."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def json(self) -> dict[str, object]:
        parsed = json.loads(self.body)
        assert isinstance(parsed, dict), "the body of a completion is a JSON object"
        return parsed

    @cached_property
    def messages(self) -> list[dict[str, object]]:
        found = self.json.get("messages")
        return found if isinstance(found, list) else []

    @cached_property
    def last(self) -> str:
        """The text of the last message."""
        return str(self.messages[-1].get("content") or "") if self.messages else ""

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools offered."""
        found = self.json.get("tools")
        return tuple(tool["function"]["name"] for tool in found) if isinstance(found, list) else ()

    @cached_property
    def role(self) -> ModelRole:
        """Who asks: a planner is offered `propose_plan`, a judge `verdict`."""
        # a scan of the bytes takes 0.3 ms where parsing 800 messages takes 4
        hint = re.search(rb'"name"\s*:\s*"(propose_plan|verdict)"', self.body)
        if hint is None:
            return "worker"
        return "planner" if hint[1] == b"propose_plan" else "judge"


_Object = dict[str, object]
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
Answer = ServedTurn | Reply
Turn = Answer | Callable[[SeenRequest], Answer]


class ScriptedServer:
    """Serves turns; `async with ScriptedServer([...]) as server: server.base_url`.

    A function in their place answers every request, read off its conversation.
    Where no turn is left, the answer is a 400 that says so, which no client tries again. With `same_again` a
    body that was answered before gets the same answer: a client that was killed and resumed finds its place.
    """

    def __init__(
        self,
        turns: Iterable[Turn] | Callable[[SeenRequest], Answer],
        *,
        port: int = 0,
        same_again: bool = False,
        models: Sequence[str] = ("scripted",),
        record: Path | None = None,
        gate: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`gate` is awaited before each chunk of a stream but the first."""
        self._turns = [_Left(turns, None)] if callable(turns) else [_Left(turn) for turn in turns]
        self._port, self._same_again, self._models, self._record = port, same_again, models, record
        self._gate = gate
        self._answered: dict[bytes, tuple[int, ServedTurn]] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.requests: list[SeenRequest] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def open_connections(self) -> int:
        """Connections that a client still holds."""
        return len(self._open)

    async def until(self, holds: Callable[[ScriptedServer], bool]) -> None:
        """Return when `holds` is true: of the requests so far, or of the open connections."""
        while not holds(self):
            self._changed.clear()
            await self._changed.wait()

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in (waiting := list(self._open)):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the server ends: this connection is over either way
        finally:
            self._open.discard(task)
            self._changed.set()
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection may be used again."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if method == "GET" and path.endswith("/models"):
            listing = {"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]}
            writer.write(_plain(200, json.dumps(listing)))
        elif method == "POST" and path.endswith("/chat/completions"):
            return await self._complete(SeenRequest(body, headers), reader, writer)
        else:
            writer.write(_plain(404, _error(f"no such path: {path}")))
        await writer.drain()
        return True

    async def _complete(
        self, request: SeenRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        self.requests.append(request)
        self._changed.set()
        if self._record is not None:
            with self._record.open("ab") as file:
                file.write(request.body.replace(b"\n", b"") + b"\n")
        number, turn = self._choose(request)
        if turn.delay_s:
            await _pause(turn.delay_s, reader)
        if turn.drop:
            return False
        if turn.status is not None:
            writer.write(_plain(turn.status, _error(turn.error), turn.retry_after))
        else:
            await self._send(turn, request, number, reader, writer)
        await writer.drain()
        return not turn.truncate

    async def _send(
        self,
        turn: ServedTurn,
        request: SeenRequest,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if re.search(rb'"stream"\s*:\s*true', request.body) is None:
            writer.write(_plain(200, _whole(turn, request, number)))
            return
        lines = [f"data: {line}\n\n".encode() for line in _lines(turn, request, number)]
        if turn.truncate:
            lines = lines[: len(lines) // 2]
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        if turn.silence_s:
            writer.write(_chunk(lines.pop(0)))
            await _pause(turn.silence_s, reader)
        while (turn.pace_s or self._gate is not None) and len(lines) > 1:
            writer.write(_chunk(lines.pop(0)))
            await writer.drain()
            if turn.pace_s:
                await _pause(turn.pace_s, reader)
            if self._gate is not None:
                await self._gate()
        writer.write(_chunk(b"".join(lines)) + (b"" if turn.truncate else b"0\r\n\r\n"))

    def _choose(self, request: SeenRequest) -> tuple[int, ServedTurn]:
        """The turn that answers, and the number that makes its call ids unique."""
        if self._same_again and (known := self._answered.get(request.body)) is not None:
            return known
        number = len(self.requests)
        left = next((left for left in self._turns if left.fits(request)), None)
        if left is None:
            return number, ServedTurn(status=400, error=self._exhausted(request))
        turn = left.take(request)
        if self._same_again and not turn.is_fault:
            self._answered[request.body] = (number, turn)
        return number, turn

    def _exhausted(self, request: SeenRequest) -> str:
        return (
            f"the script has no turn left for request {len(self.requests)}, which the {request.role} makes; "
            f"its last message says: {request.last[:300]!r}"
        )


class _Left:
    """A turn and how often it may still answer."""

    def __init__(self, turn: Turn, times: int | None = 1) -> None:
        self.turn = turn
        self.times = turn.times if isinstance(turn, ServedTurn) else times

    def fits(self, request: SeenRequest) -> bool:
        if self.times == 0:
            return False
        if not isinstance(self.turn, ServedTurn):
            return True
        role, when = self.turn.role, self.turn.when
        return role in (None, request.role) and (when is None or when in request.last)

    def take(self, request: SeenRequest) -> ServedTurn:
        if self.times is not None:
            self.times -= 1
        answer = self.turn if isinstance(self.turn, ServedTurn | Reply) else self.turn(request)
        return answer if isinstance(answer, ServedTurn) else _served(answer)


def load_turns(path: Path) -> list[ServedTurn]:
    """Turns from a JSON file that holds a list of `ServedTurn`. Raises `UsageError` naming what is wrong."""
    try:
        return TypeAdapter(list[ServedTurn]).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UsageError(f"{path}: turn {where}: {first['msg']}") from error


def _served(reply: Reply) -> ServedTurn:
    return ServedTurn(
        text=reply.text,
        calls=tuple(ServedCall(name=c.name, arguments=c.arguments, id=c.id or None) for c in reply.calls),
        finish_reason=reply.finish_reason or None,
    )


def _lines(turn: ServedTurn, request: SeenRequest, number: int) -> list[str]:
    """The `data:` lines of a turn: text in pieces and arguments too, so that clients must join them."""
    if turn.raw is not None:
        return list(turn.raw)
    deltas: list[_Object] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _cut(turn.text, turn.pieces) if piece]
    for index, call in enumerate(turn.calls):
        first, *others = _cut(_arguments(call), turn.pieces)
        opening: _Object = {"name": call.name, "arguments": first}
        deltas.append({"tool_calls": [{"index": index, **_named(call, number, index), "function": opening}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": each}}]} for each in others]
    chunks: list[_Object] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": _finish(turn)}]})
    if usage := _usage(turn, request):
        chunks.append({"choices": [], "usage": usage})
    return [*(json.dumps({"model": "scripted", **chunk}) for chunk in chunks), "[DONE]"]


def _cut(text: str, pieces: int) -> list[str]:
    """The text in so many pieces, of which some may be empty."""
    ends = [len(text) * n // pieces for n in range(pieces + 1)]
    return [text[start:end] for start, end in pairwise(ends)]


def _whole(turn: ServedTurn, request: SeenRequest, number: int) -> str:
    """The body for a client that doesn't want a stream."""
    calls = [
        {**_named(call, number, index), "function": {"name": call.name, "arguments": _arguments(call)}}
        for index, call in enumerate(turn.calls)
    ]
    message: _Object = {"role": "assistant", "content": turn.text, **({"tool_calls": calls} if calls else {})}
    choice: _Object = {"index": 0, "message": message, "finish_reason": _finish(turn)}
    return json.dumps({"model": "scripted", "choices": [choice], "usage": _usage(turn, request)})


def _named(call: ServedCall, number: int, index: int) -> _Object:
    return {"id": call.id or f"call_{number}_{index}", "type": "function"}


def _arguments(call: ServedCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def _finish(turn: ServedTurn) -> str:
    return turn.finish_reason or ("tool_calls" if turn.calls else "stop")


def _usage(turn: ServedTurn, request: SeenRequest) -> JsonValue:
    """Four bytes a token, as texts in English have, unless the turn says otherwise."""
    if turn.usage is not None:
        return turn.usage
    said = len(turn.text) + sum(len(call.name) + len(_arguments(call)) for call in turn.calls)
    return {"prompt_tokens": len(request.body) // 4 + 1, "completion_tokens": said // 4 + 1}


def _error(text: str) -> str:
    return json.dumps({"error": {"message": text, "type": "scripted", "code": None, "param": None}})


def _plain(status: int, body: str, retry_after: str | None = None) -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Scripted')}\r\ncontent-type: application/json\r\n"
    wait = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
    return f"{head}{wait}content-length: {len(data)}\r\n\r\n".encode() + data


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _pause(seconds: float, reader: asyncio.StreamReader) -> None:
    """Say nothing for a while. Raises `ConnectionError` as soon as the client leaves."""
    try:
        async with asyncio.timeout(seconds):
            if not await reader.read(1):
                raise ConnectionResetError("the client left")
    except TimeoutError:
        return


async def _serve(args: argparse.Namespace) -> None:
    turns = load_turns(args.turns)
    async with ScriptedServer(
        turns, port=args.port, same_again=args.same_again, record=args.record
    ) as server:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m autoagent.testing.server", description=__doc__)
    parser.add_argument("turns", type=Path, help="JSON file: a list of turns")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--record", type=Path, help="append each request body to this file, one a line")
    parser.add_argument("--same-again", action="store_true", help="answer a repeated body as before")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except UsageError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
