"""What was said in a lane, turn by turn, and how a model reads it. Pure.

A turn's message is made once and then always the same bytes, so that the prefix of a prompt never changes.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Literal

from autoagent.growing import Log
from autoagent.messages import Message, Reply, RequestedCall, user

Style = Literal["tools", "code"]
SCRIPT = "script"
"""Name of the call that a fenced block becomes in `code` style."""
_SHORT = 200


@dataclass(frozen=True)
class Turn:
    """A reply, a call's result, or a note of ours."""

    kind: Literal["reply", "result", "note"]
    text: str
    style: Style = "tools"
    call_id: str | None = None
    tool: str = ""
    ok: bool = True
    calls: tuple[RequestedCall, ...] = ()

    @cached_property
    def message(self) -> Message:
        """The turn as the model reads it."""
        if self.kind == "reply":
            calls = tuple(_sendable(c) for c in self.calls) if self.style == "tools" else ()
            return Message("assistant", self.text, calls)
        if self.kind == "result" and self.style == "tools":
            return Message("tool", self.text, call_id=self.call_id)
        if self.kind == "result":
            head = "Output:" if self.ok else "It failed:"
            label = "" if self.tool == SCRIPT else f"{self.tool}: "
            return user(f"{label}{head}\n{self.text}")
        return user(self.text)

    @cached_property
    def shortened(self) -> Turn:
        """The turn without its long texts: a result keeps a handle under which it can be read again."""
        match self.kind:
            case "result":
                again = f"read_again({self.call_id!r}) shows them" if self.call_id else ""
                return replace(self, text=_beginning(self.text, again))
            case "reply" if self.style == "code":
                return replace(self, text=_shortened_script(self.text))
            case "reply":
                calls = tuple(_shortened_call(call) for call in self.calls)
                return replace(self, text=_beginning(self.text), calls=calls)
            case "note":
                return self


def _beginning(text: str, again: str = "") -> str:
    if len(text) <= 2 * _SHORT:
        return text
    left_out = f"… {len(text) - _SHORT} characters left out"
    return f"{text[:_SHORT]}\n{left_out}" + (f"; {again}" if again else "")


def _shortened_script(text: str) -> str:
    code = script_in(text)
    if code is None or len(text) <= 2 * _SHORT:
        return _beginning(text)
    return f"```python\n{code[:_SHORT]}\n# … {len(code[_SHORT:])} characters left out\n```"


def _shortened_call(call: RequestedCall) -> RequestedCall:
    args = _arguments(call)
    if args is None or len(call.arguments) <= 2 * _SHORT:
        return call
    short = {name: _beginning(value) if isinstance(value, str) else value for name, value in args.items()}
    return call.model_copy(update={"arguments": json.dumps(short)})


def _sendable(call: RequestedCall) -> RequestedCall:
    """Servers refuse a history whose arguments are no JSON object; the observation quotes what was wrong."""
    return call if _arguments(call) is not None else call.model_copy(update={"arguments": "{}"})


def _arguments(call: RequestedCall) -> dict[str, object] | None:
    """The arguments, where they are a JSON object."""
    try:
        args = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    return args if isinstance(args, dict) else None


# --- scripts in replies -------------------------------------------------------------------------------------

_OPENING = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*(\w*)[^\n]*\n", re.MULTILINE)
_STRING = re.compile(
    r"#[^\n]*"
    r"|\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
"""Comments and strings of Python: a fence inside one (a report in Markdown) ends no block."""
_MOST_BLOCKS = 50


def script_in(text: str) -> str | None:
    """The Python of a `code` style reply: its first block fenced as python, else its first unnamed one.

    An unnamed block counts only if it parses: models show files and output in such blocks too.
    """
    found = islice(_blocks(text.replace("\r\n", "\n")), _MOST_BLOCKS)
    blocks = [(language, code) for language, code in found if code.strip()]
    named = (code for language, code in blocks if language in ("python", "py", "python3"))
    unnamed = (code for language, code in blocks if not language and _parses(code))
    return next(named, None) or next(unnamed, None)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, content) of each fenced block; one that is never closed goes to the end of the text."""
    at = 0
    while opening := _OPENING.search(text, at):
        start, fence = opening.end(), opening[1]
        closing = re.compile(rf"^[ \t]*{fence[0]}{{{len(fence)},}}", re.MULTILINE)
        rest = text[start:]
        end = closing.search(_without_strings(rest)) or closing.search(rest)
        yield opening[2].lower(), rest if end is None else rest[: end.start()]
        if end is None:
            return
        at = start + end.end()


def _without_strings(code: str) -> str:
    """`code` with strings and comments of the same length that hold no fence."""
    return _STRING.sub(lambda match: re.sub("[`~]", "_", match[0]), code)


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that Python doubts is no matter here
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def requested_calls(reply: Reply, style: Style, model_call: str) -> tuple[RequestedCall, ...]:
    """What a reply wants done, in order, each with an id that is unique in the run."""
    if style == "code" and not reply.calls:
        if reply.finish_reason == "length" or (code := script_in(reply.text)) is None:
            return ()
        return (RequestedCall(id=f"{model_call}.1", name=SCRIPT, arguments=json.dumps({"code": code})),)
    # servers reuse ids ("call_0" in each reply); ours name the reply and the place in it
    return tuple(
        RequestedCall(id=f"{model_call}.{i}", name=c.name, arguments=c.arguments)
        for i, c in enumerate(reply.calls, 1)
    )


def messages_of(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The turns as a model reads them.

    The results of a reply's calls stand right behind it, as servers demand: a note that came between them
    (a person's, or about a conflict) follows.
    """
    turns = list(turns)
    # only a note can stand wrong, so that no call need be followed to its result
    for index in reversed([n for n, turn in enumerate(turns) if turn.kind == "note"]):
        _move_behind_results(turns, index)
    return tuple([turn.message for turn in turns])


class Transcript:
    """The turns of one lane as a model reads them, each step's at the cost of what is new in it.

    Going through 800 turns that other work has pushed out of the processor's cache takes 1 ms.
    """

    def __init__(self) -> None:
        self._turns: Log[Turn] = Log()
        self._compacted = self._dropped = 0
        self._settled: list[Message] = []
        """Of those that are sent the ones before the last reply: a note never moves past a reply."""

    def messages(self, turns: Log[Turn], compacted: int = 0, dropped: int = 0) -> Iterator[Message]:
        """The turns from `dropped` on, those before `compacted` shortened; good until the next call."""
        if not turns.goes_on(self._turns) or compacted < self._compacted or dropped != self._dropped:
            self._settled = []
        elif compacted > self._compacted:
            del self._settled[max(0, _last_reply(turns, self._compacted) - dropped) :]
        self._turns, self._compacted, self._dropped = turns, compacted, dropped
        known, last = dropped + len(self._settled), max(dropped, _last_reply(turns, len(turns)))
        new = [turn.shortened if n < compacted else turn for n, turn in enumerate(turns[known:], known)]
        self._settled += messages_of(new[: last - known])
        return chain(_left_out(dropped), self._settled, messages_of(new[last - known :]))


@lru_cache(maxsize=64)
def _left_out(count: int) -> tuple[Message, ...]:
    """What stands in the place of the first turns; the same object at every step."""
    if count == 0:
        return ()
    text = (
        f"(The first {count} messages of this conversation are left out here, to make room. What was done in "
        "them stands in the files: look there before you do anything again.)"
    )
    return (user(text),)


def _last_reply(turns: Log[Turn], end: int) -> int:
    """Where the last reply stands before `end`; 0 where there is none."""
    return next((n for n in reversed(range(end)) if turns[n].kind == "reply"), 0)


def _move_behind_results(turns: list[Turn], index: int) -> None:
    """Swap a note with what follows it while results of the reply before it are to come."""
    begin = index
    while begin > 0 and turns[begin].kind != "reply":
        begin -= 1
    waiting = {call.id for call in turns[begin].message.calls}
    waiting.difference_update(turn.call_id for turn in turns[begin:index])
    end = index
    while waiting and end + 1 < len(turns) and turns[end + 1].kind != "reply":
        end += 1
        waiting.discard(turns[end].call_id or "")
    if end > index:
        note = turns.pop(index)
        turns.insert(end, note)
