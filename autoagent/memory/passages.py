"""Passages as Qdrant holds them, in process or on a server. Pure.

A source is its passages, one point each, and a marker, a point without a vector that is written last and
removed first: where there is a marker, all of its passages are there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from autoagent.errors import StoreUnavailable
from autoagent.ids import NAMESPACE
from autoagent.ports import Passage, PassageHit, Source

SOURCE_FIELD = "source"
"""Of a passage: the id of its source."""
MARKED_FIELD = "marks"
"""Of a marker: the id of the source that it stands for."""
_NUMBER_FIELD, _NOTE_FIELD = "number", "note"
MOST_READ = 20_000
"""Passages of a source that are read at once."""


class StoredPoint(NamedTuple):
    """A point without its vector, which follows from `text`; a marker has none."""

    id: str
    payload: dict[str, Any]
    text: str | None


def marker_id(source: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"source/{source}"))


def passage_points(sources: Iterable[Source]) -> list[StoredPoint]:
    """A point for each passage; the same passage has the same id."""
    return [_passage_point(s.id, number, p) for s in sources for number, p in enumerate(s.passages)]


def marker_points(sources: Iterable[Source]) -> list[StoredPoint]:
    return [StoredPoint(marker_id(s.id), {MARKED_FIELD: s.id, _NOTE_FIELD: s.note}, None) for s in sources]


def _passage_point(source: str, number: int, passage: Passage) -> StoredPoint:
    payload = {SOURCE_FIELD: source, _NUMBER_FIELD: number, **passage.model_dump(mode="json")}
    return StoredPoint(str(uuid.uuid5(NAMESPACE, f"source/{source}/{number}")), payload, passage.text)


def last_of_each(sources: Sequence[Source]) -> list[Source]:
    """Without those that a later one of the same id replaces."""
    return list({source.id: source for source in sources}.values())


def hit_of(payload: Mapping[str, Any] | None, score: float) -> PassageHit:
    """The hit in a payload. Raises `StoreUnavailable`."""
    source, _, passage = _stored(payload)
    return PassageHit(source, passage, score)


def in_order(payloads: Iterable[Mapping[str, Any] | None]) -> list[Passage]:
    """The passages in these payloads, in the order in which they stand in their source."""
    found = sorted((_stored(payload) for payload in payloads), key=lambda stored: stored[1])
    return [passage for _, _, passage in found]


def marked(payloads: Iterable[Mapping[str, Any] | None]) -> dict[str, str]:
    """Source -> note, of markers."""
    found = (payload or {} for payload in payloads)
    return {str(payload.get(MARKED_FIELD)): str(payload.get(_NOTE_FIELD)) for payload in found}


def _stored(payload: Mapping[str, Any] | None) -> tuple[str, int, Passage]:
    """(source, number, passage). Raises `StoreUnavailable` for what another program wrote."""
    fields = dict(payload or {})
    try:
        source, number = str(fields.pop(SOURCE_FIELD)), int(fields.pop(_NUMBER_FIELD))
        return source, number, Passage.model_validate(fields)
    except (KeyError, TypeError, ValueError, ValidationError):
        raise StoreUnavailable(
            "the index of passages holds a point that isn't of this autoagent; remove the index, "
            "which is only a cache, or use a newer autoagent"
        ) from None
