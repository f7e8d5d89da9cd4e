"""Arguments made up from a JSON schema: plain ones, and what a confused or malicious model might write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

HUGE = 200_000
"""Characters of the longest text."""
_DEEPEST = 4

Schema = Mapping[str, JsonValue]
Arguments = dict[str, JsonValue]

TEXTS: tuple[str, ...] = (
    "",
    " ",
    "x" * HUGE,
    "naïve 文件 🙂 e\u0301",
    "\u202egnp.exe\u200b\ufeff",
    "\x00\x1b[2J\r\n.\r\n",
    "\ud800",
    "../../../etc/passwd",
    "-rf --help",
    "'; DROP TABLE x; --",
    "{{7*7}} $(id) `id` %s%n {0}",
    "http://169.254.169.254/latest/meta-data/",
)
NUMBERS: tuple[int, ...] = (0, 1, -1, 2**31, -(2**63) - 1, 10**30)


@dataclass(frozen=True)
class Maker:
    """Makes arguments for one tool."""

    schema: Schema
    paths: Sequence[str] = ()
    """Parameters that hold a path of the workspace."""
    files: Sequence[str] = ()
    """Paths that are there."""
    odd_texts: Sequence[str] = field(default=())
    """More hostile texts: paths of the host."""

    @property
    def properties(self) -> Mapping[str, Schema]:
        found = self.schema.get("properties")
        return {n: s for n, s in found.items() if isinstance(s, dict)} if isinstance(found, dict) else {}

    def plain(self) -> Arguments:
        """A value for each parameter that must be given."""
        required = self.schema.get("required")
        names = required if isinstance(required, list) else []
        return {str(name): self._plain_of(str(name)) for name in names}

    def hostile(self, base: Mapping[str, JsonValue]) -> Iterator[Arguments]:
        """`base` with one parameter changed at a time; then nothing, and a parameter that isn't there."""
        for name in self.properties:
            for value in self._odd(self.properties[name], name in self.paths):
                yield {**base, name: value}
        yield {}
        yield {**base, "no_such_parameter": 1}

    def _plain_of(self, name: str) -> JsonValue:
        value = self._sound(self.properties.get(name, {}))
        if name not in self.paths or not self.files:
            return value
        return [self.files[0]] if isinstance(value, list) else self.files[0]

    # --- values of a schema ---------------------------------------------------------------------------------

    def _resolved(self, schema: Schema) -> Schema:
        reference, defs = schema.get("$ref"), self.schema.get("$defs")
        if isinstance(reference, str) and isinstance(defs, dict):
            found = defs.get(reference.rpartition("/")[2])
            return found if isinstance(found, dict) else {}
        return schema

    def _choices(self, schema: Schema) -> list[Schema]:
        for word in ("anyOf", "oneOf", "allOf"):
            inner = schema.get(word)
            if isinstance(inner, list) and inner:
                return [each for each in inner if isinstance(each, dict)]
        return []

    def _sound(self, schema: Schema, depth: int = 0) -> JsonValue:
        """One value that fits, as far as a schema says so."""
        schema = self._resolved(schema)
        if "default" in schema:
            return schema["default"]
        if "const" in schema:
            return schema["const"]
        if isinstance(enum := schema.get("enum"), list) and enum:
            return enum[0]
        if (choices := self._choices(schema)) and depth < _DEEPEST:
            return self._sound(choices[0], depth + 1)
        match schema.get("type"):
            case "integer" | "number":
                return _number_in(schema)
            case "boolean":
                return True
            case "array":
                least = schema.get("minItems")
                count = least if isinstance(least, int) else 0
                items = schema.get("items")
                return [self._sound(items if isinstance(items, dict) else {}, depth + 1)] * max(1, count)
            case "object":
                return self._object(schema, depth)
            case "null":
                return None
            case _:
                least = schema.get("minLength")
                return "text".ljust(least if isinstance(least, int) else 0, "x")

    def _object(self, schema: Schema, depth: int) -> JsonValue:
        required, properties = schema.get("required"), schema.get("properties")
        if depth >= _DEEPEST or not isinstance(required, list) or not isinstance(properties, dict):
            return {}
        inner = {str(name): properties.get(str(name)) for name in required}
        return {n: self._sound(s if isinstance(s, dict) else {}, depth + 1) for n, s in inner.items()}

    def _odd(self, schema: Schema, is_path: bool, depth: int = 0) -> Iterator[JsonValue]:
        """Values at the edges of a type, within it and beyond."""
        schema = self._resolved(schema)
        if isinstance(enum := schema.get("enum"), list):
            yield from enum
            yield "none of these"
            return
        if (choices := self._choices(schema)) and depth < _DEEPEST:
            for choice in choices:
                yield from self._odd(choice, is_path, depth + 1)
            return
        match schema.get("type"):
            case "integer" | "number":
                yield from (*NUMBERS, "12", None)
            case "boolean":
                yield from (True, False, "yes")
            case "null":
                yield None
            case "array":
                items = schema.get("items")
                one = self._sound(items if isinstance(items, dict) else {}, depth + 1)
                lists: list[JsonValue] = [[], [one] * 1000, [[]], "not a list"]
                yield from lists
            case "object":
                objects: list[JsonValue] = [{}, {"": None}, {"x" * 1000: [[[[[]]]]]}, []]
                yield from objects
            case _:
                yield from (*TEXTS, *self.odd_texts)
                yield from self.files if is_path else ()
                yield 7


def _number_in(schema: Schema) -> JsonValue:
    for word, step in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
        bound = schema.get(word)
        if isinstance(bound, int | float):
            return bound + step
    return 1
