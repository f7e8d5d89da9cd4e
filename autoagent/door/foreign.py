"""JSON schemas and descriptions from outside: data, made harmless before a model or a check sees them.

Owns the one use of `jsonschema`. A schema of a stranger may be deep, large, endless by its references, or
hold a pattern that takes for ever; none of it is followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pydantic import JsonValue

from autoagent.door.parameters import slim
from autoagent.redact import one_line, visible

_DEEPEST = 24
_LONGEST_CHECKED = 100_000
_LONGEST_SHOWN = 20_000
_TEXT = 400
"""Characters of a description inside a schema."""
_MOST_STEPS = 50_000
"""Words of a schema that are looked at for one call: half a second."""
_NAMING = ("properties", "$defs", "definitions", "dependentSchemas")
_LEFT_OUT = {
    "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$vocabulary",
    "$comment", "pattern", "patternProperties", "format", "examples", "unevaluatedProperties",
    "unevaluatedItems", "uniqueItems",
}  # fmt: skip
"""Names that lead elsewhere, patterns that may never end, and what takes the square of a value's length."""


def described_by(source: str, text: str, limit: int = 1_000) -> str:
    """A description from outside, on one line, with whose words they are."""
    return f"[{one_line(source, 80)}] {one_line(text, limit) or '(not described)'}"


@dataclass(frozen=True)
class ForeignSchema:
    """What a tool takes, as a JSON schema that somebody else wrote."""

    checked: Mapping[str, JsonValue]
    """What arguments are held against."""
    is_ours: ClassVar[bool] = False
    """Written by nobody outside after all: as in a replay, which has no types."""

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> ForeignSchema:
        """Raises `ValueError` for what is no schema of an object, or too large or deep to be looked at."""
        cleaned = _cleaned(dict(schema), 0)
        assert isinstance(cleaned, dict)
        if cleaned.setdefault("type", "object") != "object":
            raise ValueError(f"its arguments are {one_line(repr(cleaned['type']), 60)}, not an object")
        if not isinstance(cleaned.setdefault("properties", {}), dict):
            raise ValueError("its 'properties' are no object")
        size = len(json.dumps(cleaned))
        if size > _LONGEST_CHECKED:
            raise ValueError(f"its schema has {size:,} characters; at most {_LONGEST_CHECKED:,} are read")
        made = cls(cleaned)
        if len(json.dumps(made.shown)) > _LONGEST_SHOWN:
            raise ValueError(f"its schema is longer than {_LONGEST_SHOWN:,} characters without descriptions")
        made._dialect  # noqa: B018 (raises where it is no schema)
        return made

    @cached_property
    def shown(self) -> dict[str, object]:
        """What a model sees of it; without its descriptions where it would be too long with them."""
        shown = slim(dict(self.checked))
        if len(json.dumps(shown)) <= _LONGEST_SHOWN:
            return shown
        bare = _without_texts(shown)
        assert isinstance(bare, dict)
        return bare

    @property
    def names(self) -> tuple[str, ...]:
        properties = self.checked["properties"]
        assert isinstance(properties, dict)
        return tuple(properties)

    def check(self, args: Mapping[str, object]) -> dict[str, JsonValue]:
        """`args` if they fit, as they are. Raises `ValueError` that says what doesn't."""
        copy: dict[str, JsonValue] = json.loads(json.dumps(dict(args)))
        try:
            problem = next(self._problems(copy), None)
        except ValueError:
            raise
        except (
            Exception
        ) as error:  # without end, or referring to nothing: a stranger's schema may be anything
            said = "it has no end" if isinstance(error, RecursionError) else one_line(str(error), 200)
            raise ValueError(f"the tool's own schema can't be looked at: {said}") from None
        if problem is None:
            return copy
        place = ".".join(str(step) for step in problem.absolute_path)
        where = f"parameter {one_line(place, 60)!r}: " if place else ""
        raise ValueError(f"{where}{one_line(problem.message, 300)}")

    @cached_property
    def _dialect(self) -> Any:
        """The newest dialect in which it is a schema: few say which one they mean. Raises `ValueError`."""
        from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator
        from jsonschema.exceptions import SchemaError

        problems = []
        for dialect in (Draft202012Validator, Draft7Validator, Draft4Validator):
            try:
                dialect.check_schema(self.checked)
                return dialect
            except SchemaError as error:
                problems.append(error.message)
        raise ValueError(f"its schema is wrong: {one_line(problems[0], 200)}")

    def _problems(self, args: Mapping[str, JsonValue]) -> Iterator[Any]:
        from jsonschema import validators
        from referencing import Registry

        left = [_MOST_STEPS]

        def counted(keyword: Any) -> Any:
            def look(*given: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise ValueError("the tool's own schema can't be looked at: it has no end")
                return keyword(*given)

            return look

        extended: Any = validators.extend  # untyped
        words = {word: counted(keyword) for word, keyword in self._dialect.VALIDATORS.items()}
        # the empty registry: a reference to elsewhere is an error, and nothing is fetched
        return iter(extended(self._dialect, words)(self.checked, registry=Registry()).iter_errors(args))


def _cleaned(value: Any, depth: int, *, names: bool = False) -> Any:
    """`names`: the keys are somebody's names, not words of JSON schema."""
    if depth > _DEEPEST:
        raise ValueError(f"its schema is nested more than {_DEEPEST} deep")
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if names or key not in _LEFT_OUT:
            found[_name(key)] = _value(key, inner, depth, names=names)
    if not names and "patternProperties" in value:
        found.pop("additionalProperties", None)  # else every name that fits a pattern would be refused
    return found


def _value(key: str, inner: Any, depth: int, *, names: bool) -> Any:
    if names:
        return _cleaned(inner, depth + 1)
    if key in ("description", "title"):
        return one_line(str(inner), _TEXT)
    if key in ("default", "const", "enum"):
        _look_at_depth(inner, depth)
        return inner
    if key == "$ref" and not str(inner).startswith("#"):
        raise ValueError(f"its schema refers to another document, {one_line(str(inner), 80)!r}")
    return _cleaned(inner, depth + 1, names=key in _NAMING)


def _look_at_depth(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"its schema is nested more than {_DEEPEST} deep")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _look_at_depth(inner, depth + 1)


def _name(key: object) -> str:
    if not isinstance(key, str) or key != visible(key) or len(key) > 200 or "\n" in key:
        raise ValueError(f"a name in its schema can't be shown: {one_line(repr(key), 60)}")
    return key


def _without_texts(value: Any, *, names: bool = False) -> Any:
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inner
        if key == "default" and not names
        else _without_texts(inner, names=not names and key in _NAMING)
        for key, inner in value.items()
        if names or key != "description"
    }
