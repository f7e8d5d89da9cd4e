"""A reply put together from what a server streams. Pure: no connection, no clock.

Every field of a chunk is foreign: it may be missing, of another type, or nonsense. What is certain is
repaired, what isn't comes back as text, and `finished` says whether the stream came to its end.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from autoagent.messages import RequestedCall, Usage
from autoagent.ports import NOBODY, Listener

# A tool call or text beyond this is a server gone wild; the largest real completions are below 1 MB.
REPLY_LIMIT_CHARS = 8_000_000
NAME_LIMIT_CHARS = 256


class MalformedReply(Exception):
    """A reply that can't be understood; asking again may help."""


@dataclass
class _Fragments:
    """One tool call while it comes in."""

    index: object
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def continues_with(self, index: object, id: str, name: str, arguments: object) -> bool:
        """Whether a fragment belongs here.

        Some servers send index 0 for every call, the same id for every call, or neither; then a fragment with
        a name and arguments begins a new call where this one's arguments are complete.
        """
        if index is not None and self.index is not None and index != self.index:
            return False
        if id and self.id and id != self.id:
            return False
        return not (name and arguments and _is_json("".join(self.arguments)))

    def add(self, id: str, name: str, arguments: object) -> str:
        """What the fragment brings of the arguments."""
        self.id = self.id or id
        if name != self.name:  # some servers repeat the whole name in each fragment
            self.name += name
        piece = arguments if isinstance(arguments, str) else ""
        if arguments is not None and not isinstance(arguments, str):
            piece = json.dumps(arguments)
        self.arguments.append(piece)
        return piece


class Assembly:
    """Takes chunks of one streamed completion in order; `listener` hears what each brings."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener: Listener = NOBODY if listener is None else listener
        self._listener.anew()
        self._text: list[str] = []
        self._calls: list[_Fragments] = []
        self._chars = 0
        self.finish_reason = ""
        self.model = ""
        self.finished = False
        """The server said why it stopped, or counted the tokens in a chunk of their own, which comes last."""
        self._usage: Mapping[str, object] | None = None

    def take(self, chunk: object) -> None:
        """Add one decoded chunk. Raises `MalformedReply`."""
        body = _mapping(chunk)
        if body is None:
            raise MalformedReply(f"a chunk is {type(chunk).__name__}, not an object")
        self.model = self.model or _name(body.get("model"))
        self._usage = _mapping(body.get("usage")) or self._usage
        choices = body.get("choices")
        choice = _mapping(choices[0]) if isinstance(choices, list) and choices else None
        if choice is None:  # the last chunk holds only usage; keep-alives hold nothing
            self.finished = self.finished or bool(body.get("usage"))
            return
        self.finish_reason = _name(choice.get("finish_reason")) or self.finish_reason
        self.finished = self.finished or bool(self.finish_reason)
        # a server that doesn't stream sends `message`
        delta = _mapping(choice.get("delta")) or _mapping(choice.get("message")) or {}
        self._take_calls(delta)
        if piece := _content(delta.get("content")):
            self._text.append(piece)
            self._count(len(piece))
            self._listener.text(piece)

    def text(self) -> str:
        """What was said, without what was thought."""
        return without_thinking(well_formed("".join(self._text)))

    def calls(self) -> list[RequestedCall]:
        """The calls that have a name, ids as the server gave them: maybe missing, each at most once."""
        seen: set[str] = set()
        found = []
        for call in self._calls:
            arguments = well_formed("".join(call.arguments)) or "{}"
            if call.name:
                call_id = "" if call.id in seen else call.id
                found.append(RequestedCall(id=call_id, name=call.name, arguments=arguments))
                seen.add(call.id)
        return found

    def nameless(self) -> str:
        """Arguments of calls without a name; they come back as text."""
        return "\n".join(well_formed("".join(c.arguments)) for c in self._calls if not c.name)

    def usage(self, prompt_bytes: int, max_tokens: int) -> Usage:
        """The server's counts, as far as they can be true of a prompt and a reply of these sizes."""
        counts = self._usage or {}
        details = _mapping(counts.get("prompt_tokens_details")) or {}
        # no token is shorter than a byte; the chat template adds some around each message
        prompt = _count(counts.get("prompt_tokens"), 1, 2 * prompt_bytes + 10_000)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=_count(counts.get("completion_tokens"), 1, 10 * max_tokens + 10_000),
            cached_tokens=_count(details.get("cached_tokens"), 0, prompt or 0),
        )

    def _take_calls(self, delta: Mapping[str, object]) -> None:
        fragments = delta.get("tool_calls")
        for fragment in fragments if isinstance(fragments, list) else ():
            if (body := _mapping(fragment)) is not None:
                self._take_fragment(body)

    def _take_fragment(self, body: Mapping[str, object]) -> None:
        function = _mapping(body.get("function")) or {}
        index, call_id, name = body.get("index"), _name(body.get("id")), _name(function.get("name"))
        arguments = function.get("arguments")
        # a fragment that names no call belongs to the last one
        known = self._calls if call_id or index is not None else self._calls[-1:]
        call = next((c for c in reversed(known) if c.continues_with(index, call_id, name, arguments)), None)
        if call is None:
            call = _Fragments(index)
            self._calls.append(call)
        piece = call.add(call_id, name, arguments)
        self._count(len(piece))
        self._listener.call(self._calls.index(call), call.name, piece)

    def _count(self, chars: int) -> None:
        self._chars += chars
        if self._chars > REPLY_LIMIT_CHARS:
            raise MalformedReply(f"the reply is longer than {REPLY_LIMIT_CHARS:,} characters")


def with_ids(calls: Sequence[RequestedCall], seed: str) -> tuple[RequestedCall, ...]:
    """`calls` with an id for each that has none, always the same ones for the same `seed`.

    Nine letters and digits: some servers accept nothing else when they read the conversation again.
    """
    return tuple(
        c if c.id else c.model_copy(update={"id": hashlib.sha256(f"{seed}/{i}".encode()).hexdigest()[:9]})
        for i, c in enumerate(calls)
    )


def well_formed(text: str) -> str:
    """`text` with halves of a surrogate pair joined, and lone ones replaced: it has UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# A reasoning model's template may open the block itself, so that only its end is in the reply.
_THINKING = re.compile(r"\s*<(think|thinking)>.*?(?:</\1>|\Z)", re.DOTALL)
_END_OF_THINKING = re.compile(r"\A(?P<before>(?:(?!<think).)*?)</think(?:ing)?>[ \t]*(?:\n|\Z)", re.DOTALL)


def without_thinking(text: str) -> str:
    """`text` without the reasoning that some models write before their answer.

    Such models don't see it again either, and a draft in it must not count as a call or a script.
    """
    if (opened := _THINKING.match(text)) is not None:
        return text[opened.end() :].lstrip()
    ended = _END_OF_THINKING.match(text) if "</think" in text else None
    if ended is not None and ended["before"].count("```") % 2 == 0:  # not inside a block of code
        return text[ended.end() :].lstrip()
    return text


def _content(content: object) -> str:
    """The text of a delta: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(_text((_mapping(part) or {}).get("text")) for part in parts)


def _mapping(value: object) -> Mapping[str, object] | None:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(value: object) -> str:
    """A short text that comes whole: a name, an id, a reason."""
    return well_formed(_text(value)[:NAME_LIMIT_CHARS])


def _count(value: object, least: int, most: int) -> int | None:
    """`value` as a count between two bounds; `None` for everything else (NaN, true, -1, 1e30, a string)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if least <= value <= most and value == value // 1 else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
