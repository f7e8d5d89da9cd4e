"""Schemas of strangers: what fits is let through, and nothing in them can do harm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoagent.door.foreign import ForeignSchema, described_by
from autoagent.door.tools import Tool, ToolContext, tool_from_schema
from autoagent.errors import ToolError


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = of(x=schema)
    return schema


async def nothing(ctx: ToolContext, arguments: dict[str, Any]) -> str:
    return ""


def tool_of(schema: dict[str, Any], name: str = "far_say", description: str = "Says it.") -> Tool:
    return tool_from_schema(name, description, schema, nothing, source="a stranger")


@pytest.mark.parametrize(
    ("schema", "args", "problem"),
    [
        (of(a={"type": "integer"}), {"a": 1}, None),
        (of(a={"type": "integer"}), {"a": "x"}, "parameter 'a': 'x' is not of type 'integer'"),
        ({**of(a={}), "required": ["a"]}, {}, "'a' is a required property"),
        ({**of(), "additionalProperties": False}, {"b": 1}, "Additional properties are not allowed"),
        (of(a=of(b={"enum": [1, 2]})), {"a": {"b": 3}}, "parameter 'a.b': 3 is not one of [1, 2]"),
        ({"properties": {"pattern": {"type": "string"}}}, {"pattern": 1}, "parameter 'pattern'"),
        ({}, {"anything": [1]}, None),
        # of other times: a tuple of draft 7, and a bound of draft 4
        (of(a={"items": [{"type": "string"}, {"type": "integer"}]}), {"a": ["x", "y"]}, "parameter 'a.1'"),
        (of(a={"minimum": 1, "exclusiveMinimum": True}), {"a": 1}, "parameter 'a': 1 is less than or equal"),
    ],
)
def test_arguments_are_held_against_it(schema: dict[str, Any], args: Any, problem: str | None) -> None:
    """Whatever dialect it is written in; a tool's `check` says what is wrong."""
    if problem is None:
        assert tool_of(schema).check(args) == args
        return
    with pytest.raises(ToolError) as raised:
        tool_of(schema).check(args)

    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array"}, "its arguments are 'array', not an object"),
        ({"type": ["object", "null"]}, "not an object"),
        ({"properties": ["a"]}, "its 'properties' are no object"),
        (of(a={"type": "text"}), "its schema is wrong: 'text' is not valid"),
        (nested(60), "nested more than 24 deep"),
        (of(a={"default": json.loads("[" * 40 + "]" * 40)}), "nested more than 24 deep"),
        (
            of(a={"$ref": "https://evil.test/schema"}),
            "refers to another document, 'https://evil.test/schema'",
        ),
        (of(**{"say\x1b[2J": {}}), "can't be shown: 'say\\x1b[2J'"),
        (of(**{f"p{n}": {"type": "string"} for n in range(4_000)}), "at most 100,000 are read"),
        (of(**{f"p{n}": {"type": "string"} for n in range(2_000)}), "longer than 20,000 characters"),
    ],
)
def test_what_cannot_be_looked_at_is_no_tool(schema: dict[str, Any], problem: str) -> None:
    """With the reason, for whoever opens the plugin."""
    with pytest.raises(ValueError, match=r"its|a name") as raised:
        tool_of(schema)

    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "schema",
    [
        of(a={"$ref": "#/properties/a"}),
        {**of(a={"$ref": "#/$defs/x"}), "$defs": {"x": {"allOf": [{"$ref": "#/$defs/x"}] * 2}}},
        {
            **of(a={"allOf": [{"$ref": "#/$defs/x"}] * 300}),
            "$defs": {"x": {"allOf": [{"maxLength": 9}] * 300}},
        },
        of(a={"$ref": "#/nowhere"}),
    ],
    ids=["itself", "twice itself", "much of it", "nothing"],
)
def test_a_schema_without_end_ends(schema: dict[str, Any]) -> None:
    """The call is refused; nothing hangs."""
    with pytest.raises(ToolError, match="the tool's own schema can't be looked at"):
        tool_of(schema).check({"a": "x"})


def test_patterns_of_strangers_are_not_followed() -> None:
    """Some take for ever; the stranger will look at them himself. What goes by them is let through."""
    schema = of(a={"type": "string", "pattern": "^(a+)+$"}, b={"type": "array", "uniqueItems": True})
    made = tool_of(
        {**schema, "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False}
    )
    args = {"a": "a" * 60 + "!", "xyz": "text", "b": [{"n": n} for n in range(3_000)]}

    assert made.check(args) == args
    assert "pattern" not in json.dumps(made.schema.parameters)


def test_descriptions_are_data() -> None:
    """On one line, cut, without what a terminal obeys, and with whose words they are."""
    made = tool_of(
        of(a={"description": "First.\n\n# Rules\x1b[31m " + "x" * 900}), description="Do\nthis. " * 400
    )

    (about,) = made.schema.parameters["properties"].values()  # type: ignore[attr-defined]
    assert about["description"].startswith("First. # Rules\\x1b[31m xxx")
    assert len(about["description"]) == 400
    assert made.description.startswith("[a stranger] Do this. Do this.")
    assert len(made.description) < 1_100
    assert described_by("a stranger", "") == "[a stranger] (not described)"


def test_a_long_schema_loses_its_descriptions_first() -> None:
    """Names and types are what a call needs."""
    schema = ForeignSchema.of(
        of(**{f"p{n}": {"type": "string", "description": "x" * 300} for n in range(80)})
    )

    assert "description" not in json.dumps(schema.shown)
    assert "description" in json.dumps(dict(schema.checked))
    assert len(schema.names) == 80


@pytest.mark.parametrize("name", ["", "a b", "say\n", "ä", "x" * 65])
def test_a_name_that_no_model_can_call_is_refused(name: str) -> None:
    """It is the plugin's to find another."""
    with pytest.raises(ValueError, match="is no tool's name"):
        tool_of({}, name=name)
