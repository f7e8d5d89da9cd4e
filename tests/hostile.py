"""Foreign text that would like to be more than text, wherever in a run foreign text can come in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from stories import lay_out

from autoagent.errors import StoreDamaged
from autoagent.events import Entry, QuestionAsked
from autoagent.journal.codec import EVENTS, Stored

DIALOG = """╭─ 1 of 1 waits for you ─╮
│ TO     a@friend.example│
│ ▌y yes, once▐          │
╰────────────────────────╯
"""
HOSTILE = (
    "[bold red]loud[/] \x1b[77;7H\x1b]0;pwned\x07\x1b]9;pwned\x07\x9b2J \u202egnp.exe\u202c \u200bzero "
    f"\ufeff \ud800 \x00 \rover </pre><script>alert(1)</script><img src=http://evil.example/x>\n{DIALOG}"
)
"""Markup; sequences that move the cursor, name the window and notify; text turned round, letters without
width, half a letter, NUL, a line written over; tags; a question that nobody asked."""
FORBIDDEN = "\x00\x07\x9b\u202e\u202c\u200b\ufeff\ud800"
"""What never reaches a terminal or a page."""
_LONG = "x" * 1_000_000
"""A line of a megabyte."""
_LONG_IN = ("output", "text", "goal", "title", "why")
"""Each of these is as long once in a run."""
_NAMES = {*_LONG_IN, "instructions", "result", "content", "destination", "reason", "model", "holder", "name"}
_NAMES |= {"worker", "judge", "arguments", "note", "answer", "words", "file", "human"}


def poisoned(entries: list[Entry]) -> list[Entry]:
    """The entries with `HOSTILE` behind every text that somebody else wrote."""
    long = {*_LONG_IN}
    return [_poisoned(entry, long) for entry in entries]


def _poisoned(entry: Entry, long: set[str]) -> Entry:
    stored = EVENTS.encode(entry.event)
    body = json.loads(stored.body)
    is_plan = isinstance(entry.event, QuestionAsked) and entry.event.question.subject.kind == "plan"
    text = HOSTILE.replace("\ud800", "") if is_plan else HOSTILE  # no plan with half a letter is read
    for holder, key in list(_places(body)):
        kept = holder[key]
        holder[key] = f"{kept}{text}"
        if not _fits(stored, body):
            holder[key] = kept  # a name that is checked, which nobody else can write
        elif key in long:
            long.discard(key)
            holder[key] += _LONG
    return entry.model_copy(update={"event": _event(stored, body)})


def _places(value: JsonValue, inside: bool = False) -> Iterator[tuple[Any, Any]]:
    """(container, key) of each text that can be foreign; in a call's arguments all of them are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        is_foreign = (inside and key != "id") or key in _NAMES
        if isinstance(each, str) and is_foreign:
            yield value, key
        elif not isinstance(each, str):
            yield from _places(each, (inside or key == "args") and key != "depends_on")


def _fits(stored: Stored, body: dict[str, Any]) -> bool:
    try:
        _event(stored, body)
    except StoreDamaged:
        return False
    return True


def _event(stored: Stored, body: dict[str, Any]) -> Any:
    return EVENTS.decode(Stored(stored.kind, stored.version, json.dumps(body)), "hostile", 1)


def hostile_home(home: Path) -> Path:
    """The runs of `stories`, each as if everybody but you were an enemy."""
    lay_out(home, poisoned)
    return home
