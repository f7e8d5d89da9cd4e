"""`OpenAIModel`: any server that speaks streaming chat completions. The only importer of openai, of httpx2
beneath it, and of tenacity.

Sends bodies made of bytes that were serialised once (`llm.body`), reads the stream (`llm.sse`) and puts it
together (`llm.assembly`), tries again what is worth it, and says what to do when it gives up. Importing
openai takes 0.5 s, so that happens at the first reply, in a thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from autoagent.clock import Clock, SystemClock
from autoagent.errors import ModelUnavailable
from autoagent.llm.assembly import Assembly, MalformedReply, with_ids
from autoagent.llm.body import BodyWriter, Dialect
from autoagent.llm.failures import START_IT, WAIT_FOR_IT, Failure, refusal
from autoagent.llm.prices import cost_of, is_local, quote
from autoagent.llm.rescue import rescue
from autoagent.llm.sse import EventReader
from autoagent.llm.styles import style_of
from autoagent.messages import Reply, Usage
from autoagent.ports import Listener, ModelRequest, Price
from autoagent.redact import one_line
from autoagent.settings import ModelSettings

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

MALFORMED_TRIES = 3
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
DRAIN_S = 0.1
"""How long the rest of a reply that is over is waited for, so that its connection can be used again."""

log = logging.getLogger(__name__)


class OpenAIModel:
    """A model behind one OpenAI-compatible address. Belongs to the event loop of its first reply.

    A listener hears each try anew. `Reply.cost_usd` counts what the server didn't count at three bytes a
    token. `on_retry` is told, in one line for people, why a reply takes longer.
    """

    def __init__(
        self,
        settings: ModelSettings,
        key: SecretStr | None = None,
        *,
        clock: Clock | None = None,
        on_retry: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock or SystemClock()
        self._on_retry = on_retry or log.warning
        self._writer = BodyWriter(settings.model, settings.max_tokens, settings.temperature)
        self._dialect = Dialect()
        self._price: Price | None = None
        self._client: AsyncOpenAI | None = None
        self._connecting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._settings.model

    @property
    def server(self) -> str:
        """As the record has it: an address may hold a key as its user, or in its query."""
        where = urlsplit(self._settings.base_url)
        return f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}"

    @property
    def style(self) -> Literal["tools", "code"]:
        style = self._settings.style
        return style_of(self._settings.model) if style == "auto" else style

    @property
    def price(self) -> Price:
        if self._price is None:
            given = self._settings.price
            configured = None if given is None else Price(given.prompt, given.completion)
            found = quote(self.name, self._settings.base_url, configured)
            if found.note:
                log.warning(found.note)
            self._price = found.price
        return self._price

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        tries = _Tries(self._settings.tries, self._on_retry, self._where, listener)
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            wait=tries.wait_s,
            stop=stop_after_attempt(self._settings.tries),
            retry=retry_if_exception(tries.goes_on),
            before_sleep=tries.tell,
            reraise=True,
        )
        try:
            return await retrying(self._try, request, listener)
        except Failure as failure:
            text = f"{self._where} gave no reply{tries.counted}: {failure.what}"
            offers = await self._offers() if failure.unknown_model else ""
            raise ModelUnavailable(f"{text}; {failure.advice}{offers}") from failure

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    @property
    def _where(self) -> str:
        return f"model {self.name!r} at {self._settings.base_url}"

    async def _try(self, request: ModelRequest, listener: Listener | None) -> Reply:
        client = await self._connected()
        while True:
            body = self._writer.write(request, self._dialect)
            try:
                assembly = await self._receive(client, body, listener)
            except _Refused as refused:
                easier = self._dialect.without(refused.words) if refused.status in (400, 422) else None
                if easier is None:
                    raise self._refusal(refused) from refused
                self._dialect = easier  # each refusal takes a part away, so this ends
            else:
                return self._reply(assembly, request, len(body))

    async def _receive(self, client: AsyncOpenAI, body: bytes, listener: Listener | None) -> Assembly:
        """The whole stream, put together, within its three limits."""
        from httpx2 import RequestError
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        assembly = Assembly(listener)
        limit = asyncio.timeout(self._settings.timeout_first_byte_s)
        progress = _Progress(limit, self._settings.timeout_silence_s)
        try:
            async with limit:
                await self._stream(client, body, assembly, progress)
        except TimeoutError as error:
            raise self._too_slow(progress) from error
        except APITimeoutError as error:
            what = f"no connection within {self._settings.timeout_connect_s:g} s"
            raise Failure(what, START_IT, again=True) from error
        except (APIConnectionError, RequestError) as error:
            what = "the connection broke" if progress.begun else "no connection"
            raise Failure(f"{what} ({_cause(error)})", START_IT, again=True) from error
        except APIStatusError as error:
            words, headers = self._words(error.body, error.message), error.response.headers
            raise _Refused(error.status_code, words, error.code or "", headers) from error
        except MalformedReply as error:
            advice = (
                "the server doesn't speak the protocol of chat completions well; try another version of it"
            )
            raise Failure(str(error), advice, again=True, malformed=True) from error
        return assembly

    async def _stream(
        self, client: AsyncOpenAI, body: bytes, assembly: Assembly, progress: _Progress
    ) -> None:
        """Fill `assembly` from the answer to `body`. Raises `MalformedReply` where it has no end."""
        from httpx2 import Response

        # the bare answer: reading it here takes 0.7 ms of CPU, through the client's stream of chunks 0.9 ms
        response = await client.post("/chat/completions", content=body, stream=True, cast_to=Response)
        assert isinstance(response, Response)
        async with aclosing(response):
            kind = response.headers.get("content-type", "")
            if kind.startswith("application/json"):  # a server that doesn't stream
                self._take(assembly, _decode(await response.aread(), "the reply"))
            else:
                async for chunk in _chunks(response):
                    progress.made()
                    self._take(assembly, chunk)
        if not assembly.finished:
            raise MalformedReply(f"the stream ({kind or 'of no type'}) ended before the reply was complete")

    def _take(self, assembly: Assembly, chunk: object) -> None:
        """Add a chunk. Raises `_Refused` for an error in its place."""
        error = chunk.get("error") if isinstance(chunk, dict) else None
        if not error:
            assembly.take(chunk)
            return
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
        status = int(code) if len(code) == 3 and code.isdecimal() else 500
        raise _Refused(status, self._words(error, "an error that it doesn't name"), code, {})

    def _reply(self, assembly: Assembly, request: ModelRequest, prompt_bytes: int) -> Reply:
        text, calls, ended = assembly.text(), tuple(assembly.calls()), assembly.finish_reason
        if nameless := assembly.nameless():
            text = f"{text}\n{nameless}".strip()
        said = len(text.encode()) + sum(len(call.name) + len(call.arguments.encode()) for call in calls)
        rescued = rescue(text, request.tools, python=self.style == "tools") if not calls else None
        if rescued is not None:  # whole calls, whatever came after them
            text, calls, ended = rescued.prose, rescued.calls, "tool_calls"
        usage = assembly.usage(prompt_bytes, self._writer.cap(request))
        counted = Usage(
            prompt_tokens=usage.prompt_tokens or prompt_bytes // 3,
            completion_tokens=usage.completion_tokens or said // 3 + 1,
        )
        return Reply(
            text=text,
            calls=with_ids(calls, f"{request.lane}/{request.role}/{request.number}"),
            usage=usage,
            cost_usd=cost_of(counted, self.price),
            model=assembly.model or self.name,
            finish_reason=ended,
        )

    async def _connected(self) -> AsyncOpenAI:
        async with self._connecting:  # lanes share one client
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
            return self._client

    def _connect(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        # reading has no limit here: `_Progress` holds it, which servers that send comments can't stretch
        timeout = Timeout(None, connect=self._settings.timeout_connect_s)
        local = is_local(self._settings.base_url)
        return AsyncOpenAI(
            base_url=self._settings.base_url,
            # servers without keys ignore it, and the client insists on one
            api_key=self._key.get_secret_value() if self._key else "none",
            admin_api_key="",
            max_retries=0,
            timeout=timeout,
            # a proxy of the environment doesn't know this machine's own addresses
            http_client=DefaultAsyncHttpxClient(timeout=timeout, trust_env=False) if local else None,
        )

    def _too_slow(self, progress: _Progress) -> Failure:
        if progress.begun:
            what = f"the stream fell silent for {self._settings.timeout_silence_s:g} s"
            return Failure(what, f"{WAIT_FOR_IT}, or raise timeout_silence_s", again=True)
        what = f"no token came within {self._settings.timeout_first_byte_s:g} s"
        return Failure(what, f"{WAIT_FOR_IT}, or raise timeout_first_byte_s", again=True)

    def _refusal(self, refused: _Refused) -> Failure:
        key_env, now = self._settings.key_env, self._clock.now()
        return refusal(refused.status, refused.words, refused.code, refused.headers, key_env, now)

    def _words(self, body: object, otherwise: str) -> str:
        """What the server itself wrote, without the client's own words around it; never our key."""
        said = body.get("message") if isinstance(body, dict) else body
        words = said if isinstance(said, str) else otherwise
        return words.replace(self._key.get_secret_value(), "(the key)") if self._key else words

    async def _offers(self) -> str:
        """The models that the server says it has; nothing if it doesn't say."""
        from openai import APIError

        assert self._client is not None, "a server was asked before"
        try:
            async with asyncio.timeout(self._settings.timeout_connect_s):
                listing = await self._client.get("/models", cast_to=object)
        except (APIError, TimeoutError, ValueError):
            return ""  # it is only a hint
        data = listing.get("data") if isinstance(listing, dict) else None
        names = [str(m.get("id")) for m in data if isinstance(m, dict)] if isinstance(data, list) else []
        return f"; it offers {one_line(', '.join(names), 300)}" if names else ""


class _Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, words: str, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(words)
        self.status, self.words, self.code, self.headers = status, words, code, headers


class _Progress:
    """Moves a stream's deadline on with each chunk."""

    def __init__(self, limit: asyncio.Timeout, silence_s: float) -> None:
        self._limit, self._silence_s = limit, silence_s
        self._time = asyncio.get_running_loop().time
        self.begun = False

    def made(self) -> None:
        self.begun = True
        self._limit.reschedule(self._time() + self._silence_s)


class _Tries:
    """The tries of one reply: whether to go on, how long to wait, what to tell."""

    def __init__(
        self, most: int, on_retry: Callable[[str], None], where: str, listener: Listener | None
    ) -> None:
        self._most, self._on_retry, self._where, self._listener = most, on_retry, where, listener
        self._made = 0
        self._malformed = 0

    @property
    def counted(self) -> str:
        return f" after {self._made} tries" if self._made > 1 else ""

    def goes_on(self, error: BaseException) -> bool:
        self._made += 1
        if not isinstance(error, Failure):
            return False
        self._malformed += error.malformed
        return error.again and self._malformed < MALFORMED_TRIES

    def wait_s(self, state: RetryCallState) -> float:
        failure = _failure(state)
        if failure.wait_s is not None:
            return failure.wait_s
        if failure.malformed:
            return 0.0
        longest = min(FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        return longest * random.uniform(0.5, 1.0)

    def tell(self, state: RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action else 0.0
        if self._listener is not None:
            self._listener.failed(_failure(state).what, wait_s)
        self._on_retry(
            f"{self._where}: {_failure(state).what}; "
            f"trying again in {wait_s:.1f} s ({self._made} of {self._most})"
        )


def _failure(state: RetryCallState) -> Failure:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Failure), "only failures are tried again"
    return error


async def _chunks(response: Response) -> AsyncIterator[object]:
    """The chunks of a streamed answer, decoded, up to the one that says it is over."""
    reader, pieces = EventReader(), response.aiter_bytes()
    async for piece in pieces:
        for data in reader.take(piece):
            if data.startswith(b"[DONE]"):
                await _drain(pieces)
                return
            yield _decode(data, "a chunk")


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError):  # then the connection is closed
        async with asyncio.timeout(DRAIN_S):
            async for _ in pieces:
                pass


def _decode(data: bytes, what: str) -> object:
    try:
        return cast(object, json.loads(data))
    except (ValueError, RecursionError) as error:
        raise MalformedReply(f"{what} is no JSON: {error}") from error


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return one_line(str(cause) or type(cause).__name__, 200)
