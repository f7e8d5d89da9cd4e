"""What an event or a command looks like as a stored row. Owns versions and upcasting; knows no database.

A row holds the kind, the version of that kind and the JSON of the whole model. Old versions are raised to
today's when they are read, and stay on disk as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Generic, TypeVar, cast, get_args

from pydantic import JsonValue, ValidationError

from autoagent.commands import Command
from autoagent.errors import NewerVersion, StoreDamaged
from autoagent.events import VERSIONS, Event
from autoagent.messages import Frozen

Json = dict[str, JsonValue]
Upcaster = Callable[[Json], Json]
"""The body of one version -> the body of the next."""

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """A model as the columns of a row."""

    kind: str
    version: int
    body: str
    """JSON, with ASCII escapes where the text has no UTF-8."""


class Codec(Generic[T]):
    """Models of one closed union to rows and back."""

    def __init__(
        self,
        noun: str,
        union: object,
        versions: Mapping[str, int] | None = None,
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self.noun = noun
        self.models: dict[str, type[Frozen]] = {_kind_of(m): m for m in get_args(get_args(union)[0])}
        self.versions = {kind: (versions or {}).get(kind, 1) for kind in self.models}
        self.upcasters = dict(upcasters or {})

    def encode(self, value: T) -> Stored:
        """`value` as a row. Raises `ValueError` for NaN and infinities: JSON has none, so they'd be lost."""
        model = cast(Frozen, value)
        kind = _kind_of(type(model))
        return Stored(kind, self.versions[kind], dumps(model.model_dump(), kind))

    def decode(self, stored: Stored, run_id: str, number: int) -> T:
        """The model of a row, as today's program knows it. Run and number name the row in errors.

        Raises `NewerVersion` for a kind or a version that this program doesn't know, and `StoreDamaged`
        for a body that isn't what its kind says.
        """
        known = self.versions.get(stored.kind, 0)
        if stored.version > known:
            what = f"{self.noun} {number} of run {run_id!r}, of kind {stored.kind!r},"
            raise NewerVersion(what, stored.version, known)
        try:
            return cast(T, self._model(stored, known))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(
                f"run {run_id!r}: {self.noun} {number}, of kind {stored.kind!r}, can't be read: "
                f"{_problem(error)}; restore the journal from a copy; other runs are not touched"
            ) from error

    def _model(self, stored: Stored, known: int) -> Frozen:
        model = self.models[stored.kind]
        # pydantic's parser is twice as fast as json's, and refuses lone surrogates (\ud800 to \udfff)
        if stored.version == known and "\\ud" not in stored.body:
            return model.model_validate_json(stored.body)
        body = json.loads(stored.body)
        for version in range(stored.version, known):
            body = self.upcasters[stored.kind, version](body)
        return model.model_validate(body)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware time, exact. Raises `ValueError` for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"the time {at} must say its time zone")
    return (at - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The inverse of `to_us`, in UTC. Raises `StoreDamaged` for a number that is no time."""
    try:
        return EPOCH + timedelta(microseconds=us)
    except OverflowError as error:
        raise StoreDamaged(f"{us} is no time, in microseconds; restore the journal from a copy") from error


def _kind_of(model: type[Frozen]) -> str:
    return cast(str, model.model_fields["kind"].default)


def dumps(body: Mapping[str, object], kind: str) -> str:
    """The stored JSON of a row. Raises `ValueError` for numbers that JSON can't hold."""
    # json, not pydantic, whose JSON turns NaN into null and surrogates in keys into other characters
    written = partial(json.dumps, body, separators=(",", ":"), allow_nan=False, default=_plain)
    try:
        text = written(ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:  # a surrogate: half a character, or a byte of an odd file name
        return written(ensure_ascii=True)
    except ValueError as error:
        raise ValueError(f"{kind} holds a number that JSON can't hold (NaN or infinity)") from error
    return text


def _plain(value: object) -> str:
    match value:
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            raise TypeError(f"no stored form is known for {type(value).__name__}")


def _problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    # the input itself stays out of the text: it may hold anything, of any length
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) + ": " + first["msg"] if first["loc"] else first["msg"]


def _same(body: Json) -> Json:
    """A version that only has more fields, all with defaults."""
    return body


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("call_decided", 1): _same,
    ("call_ended", 1): _same,
    ("call_started", 1): _same,
    ("folder_changed", 1): _same,
    ("memory_recalled", 1): _same,
    ("question_asked", 1): _same,
    ("question_asked", 2): _same,
    ("question_answered", 1): _same,
}
"""(kind, version) -> what makes the next version of it; one for each version below `events.VERSIONS`."""

EVENTS: Codec[Event] = Codec("event", Event, VERSIONS, UPCASTERS)
COMMANDS: Codec[Command] = Codec("command", Command)
