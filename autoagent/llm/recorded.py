"""Playing a recording, and keeping one.

A recording is matched by what happened, not by how it was worded: reply n of (lane, role) is played if the
goal and the input files are as they were, every tool it used is offered, and each call of reply n-1 ended as
it did then. The texts of prompts are not in the key. What a recording proves is proved for real, so a stale
one can fail but can't lie.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal

from autoagent.errors import RecordingMiss
from autoagent.llm.recording import RecordedReply, Recording, Style
from autoagent.messages import Reply
from autoagent.ports import Listener, Model, ModelRequest, Price
from autoagent.redact import one_line


class RecordedModel:
    """Plays a recording. Costs nothing, whatever the replies cost when they were made.

    Raises `RecordingMiss` with the difference where the recording has no reply for what happened. With
    `strict` the whole request must be the recorded one.
    """

    def __init__(self, recording: Recording, *, strict: bool = False) -> None:
        self._recording, self._strict = recording, strict

    @property
    def name(self) -> str:
        return "recorded"

    @property
    def style(self) -> Style:
        return self._recording.header.style

    @property
    def price(self) -> Price:
        return Price()

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        recorded = self._recording.by_key.get((request.lane, request.role, request.number))
        if recorded is None:
            raise RecordingMiss(f"{_asked(request)}: the recording holds {self._held(request)}")
        self._compare(recorded, request)
        if listener is not None and recorded.reply.text:
            listener.text(recorded.reply.text)
        return recorded.reply.model_copy(update={"cost_usd": Decimal(0)})

    async def close(self) -> None:
        return None

    def _compare(self, recorded: RecordedReply, request: ModelRequest) -> None:
        offered = {tool.name for tool in request.tools}
        if lacking := [name for name in recorded.tools if offered and name not in offered]:
            raise RecordingMiss(
                f"{_asked(request)}: the recorded reply uses {', '.join(lacking)}, not offered here"
            )
        if recorded.outcomes != request.outcomes:
            raise RecordingMiss(f"{_asked(request)}: {self._other_outcomes(recorded, request)}")
        if self._strict and recorded.request != request_digest(request):
            how = (
                "was recorded without its request" if recorded.request is None else "answers another request"
            )
            raise RecordingMiss(f"{_asked(request)}: the recorded reply {how}; play it without strict")

    def _held(self, request: ModelRequest) -> str:
        numbers = [
            r.number for r in self._recording.replies if (r.lane, r.role) == (request.lane, request.role)
        ]
        return (
            f"{len(numbers)} replies for it, the last is number {max(numbers)}" if numbers else "none for it"
        )

    def _other_outcomes(self, recorded: RecordedReply, request: ModelRequest) -> str:
        """Which call of the reply before ended otherwise than it did then."""
        before = self._recording.by_key.get((request.lane, request.role, request.number - 1))
        calls = before.reply.calls if before is not None else ()
        then, now = recorded.outcomes, request.outcomes
        if len(then) != len(now):
            return f"{len(then)} calls had ended before it when it was recorded, and {len(now)} here"
        index = next(i for i in range(len(then)) if then[i] != now[i])
        name = calls[index].name if index < len(calls) else "the script"
        return (
            f"call {index + 1} of the reply before it ({one_line(name, 40)}) "
            f"{_ended(then[index])} when it was recorded, and {_ended(now[index])} here"
        )


class RecordingModel:
    """Another model, with its replies kept in `replies`, digests of their requests included."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.replies: list[RecordedReply] = []

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def style(self) -> Style:
        return self._model.style

    @property
    def price(self) -> Price:
        return self._model.price

    async def reply(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        reply = await self._model.reply(request, listener)
        offered = {tool.name for tool in request.tools}
        self.replies.append(
            RecordedReply(
                lane=request.lane,
                role=request.role,
                number=request.number,
                outcomes=request.outcomes,
                tools=tuple(dict.fromkeys(call.name for call in reply.calls if call.name in offered)),
                reply=reply,
                request=request_digest(request),
            )
        )
        return reply

    async def close(self) -> None:
        await self._model.close()


def request_digest(request: ModelRequest) -> str:
    """SHA-256 of all that the model reads: role, messages and tools."""
    parts = [request.role.encode(), *(m.wire for m in request.messages), *(t.wire for t in request.tools)]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def _asked(request: ModelRequest) -> str:
    return f"request {request.number} of the {request.role} in lane {request.lane!r} can't be played"


def _ended(ok: bool) -> str:
    return "went well" if ok else "failed"
