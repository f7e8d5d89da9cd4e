"""Long-term memory from the command line."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from autoagent.cli.output import out, out_json
from autoagent.console.line import Part, block, dotted, line, short
from autoagent.errors import UsageError
from autoagent.ids import memory_id
from autoagent.journal.home import home
from autoagent.ports import Memory, MemoryPoint
from autoagent.settings import load
from autoagent.wiring import open_memory

T = TypeVar("T")
_PERSON = "person"
"""Stands where the run's id would: a note comes from no run."""


def search(query: str, limit: int, *, as_json: bool) -> None:
    """Print what fits."""
    hits = _with_memory(lambda memory: memory.search(query, limit))
    if as_json:
        out_json([{**hit.point.model_dump(mode="json"), "score": hit.score} for hit in hits])
    elif not hits:
        out("Nothing in memory fits.")
    for hit in () if as_json else hits:
        point = hit.point
        out(dotted(point.id, f"{point.at:%Y-%m-%d}", point.source, f"run {point.run}", *_labels(point)))
        out(*block(point.text, 4, before="  │ "))


def show(point_id: str, *, as_json: bool) -> None:
    """Print one. Raises `UsageError` where it isn't there."""
    point = _with_memory(lambda memory: memory.get(_checked(point_id)))
    if point is None:
        raise _unknown(point_id)
    if as_json:
        out_json(point.model_dump(mode="json"))
        return
    out(dotted(point.id, f"{point.at.astimezone():%Y-%m-%d %H:%M}", point.source, *_labels(point)))
    out(dotted(f"run {point.run}", f"sub-task {point.sub_task}" if point.sub_task else None))
    if point.goal:
        out(line("goal: ", short(point.goal, 200)))
    out(*block(point.text))


def remember(text: str) -> None:
    """Store a person's note; the same text is stored once. Raises `UsageError` for none."""
    if not text.strip():
        raise UsageError("there is nothing to remember; give a text")
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    point = MemoryPoint(
        id=memory_id(_PERSON, sha256),
        text=text,
        run=_PERSON,
        source=_PERSON,
        sha256=sha256,
        at=datetime.now(UTC),
    )
    _with_memory(lambda memory: memory.store([point]))
    out(f"remembered {point.id}")


def forget(point_id: str) -> None:
    """Drop one. Raises `UsageError` where it isn't there."""
    if not _with_memory(lambda memory: memory.forget(_checked(point_id))):
        raise _unknown(point_id)
    out(f"forgot {point_id}")


def _with_memory(work: Callable[[Memory], Awaitable[T]]) -> T:
    folder = home()
    settings = load(folder, os.environ)

    async def whole() -> T:
        memory = open_memory(folder, settings)
        try:
            return await work(memory)
        finally:
            await memory.close()

    return asyncio.run(whole())


def _checked(point_id: str) -> str:
    try:
        return str(uuid.UUID(point_id))
    except ValueError:
        raise _unknown(point_id) from None


def _unknown(point_id: str) -> UsageError:
    return UsageError(f"memory holds nothing under {point_id!r}; 'autoagent memory search WORDS' prints ids")


def _labels(point: MemoryPoint) -> tuple[Part, ...]:
    return tuple(Part(label.upper(), "outside") for label in point.labels)
