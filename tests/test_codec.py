"""Events and commands as stored rows: what goes in comes out, whatever version wrote it."""

from __future__ import annotations

import json
import re
import types
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from autoagent.errors import NewerVersion, StoreUnavailable
from autoagent.events import VERSIONS, Event, Observed, RunInterrupted, TimeSpent
from autoagent.goal import SubTask
from autoagent.journal.codec import COMMANDS, EVENTS, UPCASTERS, Codec, Json, Stored, from_us, to_us
from autoagent.messages import Frozen

# --- any model of a union, from its types -------------------------------------------------------------------


def is_storable(text: str) -> bool:
    """JSON can't tell two halves of a character from the character."""
    return not re.search("[\ud800-\udbff][\udc00-\udfff]", text)


TEXTS = st.text(st.characters(), max_size=20).filter(is_storable)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def models(model: type[Frozen]) -> st.SearchStrategy[Frozen]:
    """Any instance of `model`."""
    fields = {name: field_values(info) for name, info in model.model_fields.items()}
    if model is SubTask:
        fields["id"] = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", fullmatch=True)
    return st.builds(model, **fields)


def field_values(info: FieldInfo) -> st.SearchStrategy[Any]:
    bounds = {"min_value": None, "max_value": None}
    for constraint in info.metadata:
        bounds["min_value"] = getattr(constraint, "ge", bounds["min_value"])
        bounds["max_value"] = getattr(constraint, "le", bounds["max_value"])
    return values(info.annotation, bounds)


def values(annotation: Any, bounds: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Any value of a type as the models use them."""
    if annotation is JsonValue:
        return JSON
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation in (int, float, Decimal):
        return numbers(annotation, **(bounds or {}))
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return models(annotation)
    return composed(get_origin(annotation), get_args(annotation), bounds)


def numbers(kind: type, min_value: Any = None, max_value: Any = None) -> st.SearchStrategy[Any]:
    if kind is int:
        return st.integers(min_value, max_value)
    make = st.floats if kind is float else st.decimals
    return make(min_value, max_value, allow_nan=False, allow_infinity=False)


def composed(origin: Any, args: tuple[Any, ...], bounds: dict[str, Any] | None) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(args)
    if origin is Annotated:
        return values(args[0], bounds)
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg, bounds) for arg in args])
    if origin is dict:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=3)
    if origin is tuple and args[-1] is ...:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    assert origin is tuple, f"no values known for {origin}[{args}]"
    return st.tuples(*map(values, args))


@pytest.mark.parametrize("kind", sorted(EVENTS.models))
def test_every_event_survives_storing(kind: str) -> None:
    """Any event of any kind comes back equal, and its JSON is plain text without NaN."""

    @settings(max_examples=20, deadline=None, database=None, derandomize=True)
    @given(models(EVENTS.models[kind]))
    def check(event: Any) -> None:
        stored = EVENTS.encode(event)

        assert EVENTS.decode(stored, "r", 1) == event
        assert (stored.kind, stored.version) == (kind, VERSIONS.get(kind, 1))
        json.loads(stored.body.encode(), parse_constant=pytest.fail)

    check()


@pytest.mark.parametrize("kind", sorted(COMMANDS.models))
def test_every_command_survives_storing(kind: str) -> None:
    """Any command of any kind comes back equal."""

    @settings(max_examples=20, deadline=None, database=None, derandomize=True)
    @given(models(COMMANDS.models[kind]))
    def check(command: Any) -> None:
        assert COMMANDS.decode(COMMANDS.encode(command), "r", 1) == command

    check()


@settings(deadline=None, database=None, derandomize=True)
@given(PLAIN[datetime])
def test_times_survive_to_the_microsecond(at: datetime) -> None:
    """A time is stored as a whole number of microseconds, and nothing is rounded."""
    assert from_us(to_us(at)) == at


def test_times_far_away_are_exact() -> None:
    """A float of seconds would lose the last microsecond here."""
    at = datetime(9000, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)

    assert from_us(to_us(at)) == at


# --- what is written ----------------------------------------------------------------------------------------


def test_text_is_stored_as_it_reads() -> None:
    """Text beyond ASCII isn't escaped: a journal in Chinese would be twice as large."""
    assert "文件" in EVENTS.encode(Observed(lane="main", text="文件", source="reply")).body


def test_the_body_is_todays_json() -> None:
    """A stored body holds every field, defaults too: a default may change, what happened may not."""
    stored = EVENTS.encode(RunInterrupted())

    body = '{"kind":"run_interrupted","unavailable":"","folder":""}'
    assert stored == Stored("run_interrupted", 1, body)


# --- old versions -------------------------------------------------------------------------------------------

V1_BODY = '{"kind":"time_spent","minutes":1.5}'
V2_BODY = '{"kind":"time_spent","millis":90000}'


def in_millis(body: Json) -> Json:
    return {"kind": body["kind"], "millis": float(str(body["minutes"])) * 60_000}


def in_seconds(body: Json) -> Json:
    return {"kind": body["kind"], "seconds": float(str(body["millis"])) / 1_000}


THIRD: Codec[Event] = Codec(
    "event",
    Event,
    versions={"time_spent": 3},
    upcasters={("time_spent", 1): in_millis, ("time_spent", 2): in_seconds},
)


@pytest.mark.parametrize(
    ("version", "body"), [(1, V1_BODY), (2, V2_BODY), (3, '{"kind":"time_spent","seconds":90}')]
)
def test_old_versions_are_read_as_todays(version: int, body: str) -> None:
    """A body of any former version goes through each step up to today's."""
    assert THIRD.decode(Stored("time_spent", version, body), "r", 1) == TimeSpent(seconds=90)


def test_new_rows_carry_todays_version() -> None:
    """What is written now is never upcast when it is read."""
    assert THIRD.encode(TimeSpent(seconds=90)).version == 3
    assert THIRD.encode(RunInterrupted()).version == 1


def test_every_step_between_versions_exists() -> None:
    """A kind whose version was raised can be read from version 1 on."""
    steps = {(kind, version) for kind, latest in VERSIONS.items() for version in range(1, latest)}

    assert set(UPCASTERS) == steps


# --- what can't be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "found", "known"),
    [
        (Stored("time_travelled", 1, "{}"), 1, 0),
        (Stored("time_spent", 2, '{"kind":"time_spent","seconds":1}'), 2, 1),
    ],
    ids=["unknown kind", "newer version"],
)
def test_a_newer_programs_rows_are_told_apart(stored: Stored, found: int, known: int) -> None:
    """A kind or version that this program doesn't know is named, with where it stands."""
    message = rf"event 7 of run 'r', of kind '{stored.kind}', is of version {found}, .* up to {known}"

    with pytest.raises(NewerVersion, match=message):
        EVENTS.decode(stored, "r", 7)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"kind":"time_spent"}', "seconds: Field required"),
        ('{"kind":"time_spent","seconds":-1}', "seconds: Input should be greater than or equal to 0"),
        ('{"kind":"time_spent","seconds":1,"more":2}', "more: Extra inputs are not permitted"),
        ('{"kind":"time_spent","sec', "Invalid JSON"),
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"kind":"time_spent","seconds":"\\ud800"', "JSONDecodeError"),
    ],
)
def test_a_wrong_body_is_named(body: str, problem: str) -> None:
    """A body that isn't what its kind says is an error with run, entry, kind and field."""
    message = rf"run 'r': event 7, of kind 'time_spent', can't be read: {problem}"

    with pytest.raises(StoreUnavailable, match=message):
        EVENTS.decode(Stored("time_spent", 1, body), "r", 7)


def test_an_error_never_quotes_the_body() -> None:
    """A body may hold anything, of any length; the error says only where it is wrong."""
    with pytest.raises(StoreUnavailable) as raised:
        EVENTS.decode(Stored("time_spent", 1, '{"kind":"time_spent","seconds":"s3cret\\u001b[2J"}'), "r", 7)
    assert "s3cret" not in str(raised.value)
