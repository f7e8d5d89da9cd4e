"""A tool is a typed function: its schema, its declarations, and what is refused when it is defined."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from socket import socket
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from autoagent.door.tools import (
    SEARCH,
    Observation,
    Tool,
    ToolContext,
    ToolError,
    WorkspaceFile,
    WorkspacePath,
    observation,
    tool,
)
from autoagent.ports import JobResult
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy

Function = Callable[..., Awaitable[str | Observation]]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Options(BaseModel):
    """How to do it."""

    deep: bool = False
    title: str
    """A field that is called as a word of JSON schema is."""


class Hidden(BaseModel):
    path: WorkspacePath


@dataclass
class HiddenToo:
    file: WorkspaceFile


class HiddenThree(TypedDict):
    path: WorkspacePath


class Node(BaseModel):
    """A type that holds itself."""

    children: list[Node] = []


def properties(made: Tool) -> dict[str, Any]:
    found: Any = made.schema.parameters["properties"]
    return dict(found)


class TestSchema:
    """What a model sees of a tool."""

    def test_hints_become_types(self) -> None:
        """Types, defaults and choices stand in the schema."""

        @tool(effect="read")
        async def look(
            ctx: ToolContext,
            text: str,
            number: int = 3,
            ratio: float | None = None,
            kind: Literal["a", "b"] = "a",
            names: list[str] = [],  # noqa: B006 - pydantic copies it for each call
            colour: Colour = Colour.RED,
        ) -> str:
            """Look at something."""
            return ""

        assert properties(look) == {
            "text": {"type": "string"},
            "number": {"type": "integer", "default": 3},
            "ratio": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "names": {"type": "array", "items": {"type": "string"}, "default": []},
            "colour": {"$ref": "#/$defs/Colour", "default": "red"},
        }
        assert look.schema.parameters["required"] == ["text"]
        assert look.schema.parameters["additionalProperties"] is False

    def test_nested_models_keep_their_fields(self) -> None:
        """Titles are left out, but a field named `title` is none."""

        @tool(effect="read")
        async def look(ctx: ToolContext, options: Options) -> str:
            """Look."""
            return ""

        options = look.schema.parameters["$defs"]["Options"]  # type: ignore[index]
        assert set(options["properties"]) == {"deep", "title"}
        assert options["properties"]["title"] == {"type": "string"}
        assert options["description"] == "How to do it."
        assert "title" not in options

    def test_docstring_becomes_descriptions(self) -> None:
        """The text before `Args:` describes the tool, the section its parameters, over several lines too."""

        @tool(effect="read")
        async def look(ctx: ToolContext, where: str, how: str = "") -> str:
            """Look at a place.

            More about it.

            Args:
                where: A place, and
                    note: as exact as can be.
                how (str): With care.

            Returns:
                What is there.
            """
            return ""

        assert look.name == look.schema.name == "look"
        assert look.schema.description == "Look at a place.\n\nMore about it."
        assert properties(look)["where"]["description"] == "A place, and note: as exact as can be."
        assert properties(look)["how"]["description"] == "With care."

    def test_any_parameter_name_will_do(self) -> None:
        """Names that a pydantic field may not have are fine for a parameter, without a warning."""

        @tool(effect="read")
        async def look(ctx: ToolContext, json: str, _x: int, model_config: str, schema: str = "s") -> str:
            """Look."""
            return ""

        assert look.parameters == ("json", "_x", "model_config", "schema")
        args = look.check({"json": "j", "_x": 1, "model_config": "m"})
        assert args == {"json": "j", "_x": 1, "model_config": "m", "schema": "s"}
        assert look.typed(args, {}) == args

    def test_wire_is_stable(self) -> None:
        """Two tools of the same function have the same bytes."""

        async def look(ctx: ToolContext, a: str, b: int = 1) -> str:
            """Look."""
            return ""

        assert tool(effect="read")(look).schema.wire == tool(effect="read")(look).schema.wire

    def test_a_file_to_be_sent_is_a_path_for_the_model(self) -> None:
        """The model names paths; hashes are the run's."""

        @tool(effect="external", destination="to")
        async def mail(
            ctx: ToolContext,
            to: str,
            body: WorkspaceFile,
            more: list[WorkspaceFile],
            logo: WorkspaceFile | None = None,
        ) -> str:
            """Mail."""
            return ""

        assert mail.sends == ("body", "more", "logo")
        assert mail.paths == ()
        assert properties(mail)["body"] == {"type": "string"}
        assert properties(mail)["more"] == {"type": "array", "items": {"type": "string"}}
        assert "sha256" not in json.dumps(dict(mail.schema.parameters))


class TestDefinition:
    """What is refused when a tool is defined, with what to write instead."""

    def refused(self, function: Any, match: str, **declared: Any) -> None:
        with pytest.raises(TypeError, match=match):
            tool(**declared)(function)

    def test_plain_function(self) -> None:
        """A tool is async."""

        def look(ctx: ToolContext) -> str:
            """Look."""
            return ""

        self.refused(look, "'look': write 'async def'")

    def test_no_docstring(self) -> None:
        """Nor one that begins with the parameters."""

        async def look(ctx: ToolContext) -> str:
            return ""

        async def glance(ctx: ToolContext, a: str) -> str:
            """
            Args:
                a: A thing.
            """
            return ""

        self.refused(look, "the docstring is what the model reads")
        self.refused(glance, "the docstring is what the model reads")

    def test_no_context(self) -> None:
        """The first parameter is the context, also where there is none at all."""

        async def look(path: str) -> str:
            """Look."""
            return ""

        async def glance() -> str:
            """Look."""
            return ""

        self.refused(look, "'look': its first parameter must be 'ctx: ToolContext'")
        self.refused(glance, "'glance': its first parameter must be 'ctx: ToolContext'")

    def test_no_hint(self) -> None:
        """Each parameter has a type."""

        async def look(ctx: ToolContext, path) -> str:  # type: ignore[no-untyped-def]
            """Look."""
            return ""

        self.refused(look, "parameter 'path' needs a type hint")

    def test_hint_that_can_not_be_read(self) -> None:
        """A type that is only there for a type checker has no schema."""

        async def look(ctx: ToolContext, path: Missing) -> str:  # type: ignore[name-defined]  # noqa: F821
            """Look."""
            return ""

        self.refused(look, "a type hint can't be read: name 'Missing' is not defined; import it at run time")

    def test_open_parameters(self) -> None:
        """Each parameter has a name."""

        async def look(ctx: ToolContext, *args: str) -> str:
            """Look."""
            return ""

        async def glance(ctx: ToolContext, **kwargs: str) -> str:
            """Look."""
            return ""

        async def peek(ctx: ToolContext, path: str, /) -> str:
            """Look."""
            return ""

        self.refused(look, "name each parameter")
        self.refused(glance, "name each parameter")
        self.refused(peek, "parameter 'path' must be usable by name; remove the '/'")

    def test_type_without_schema(self) -> None:
        """What JSON can't hold can't be asked of a model."""

        async def look(ctx: ToolContext, connection: socket) -> str:
            """Look."""
            return ""

        async def glance(ctx: ToolContext, function: Callable[[], int]) -> str:
            """Look."""
            return ""

        self.refused(look, "'look': its parameters have no JSON schema")
        self.refused(glance, "'glance': its parameters have no JSON schema")

    @pytest.mark.parametrize(
        "hint",
        [
            dict[str, WorkspacePath],
            list[list[WorkspacePath]],
            tuple[WorkspaceFile, ...],
            WorkspaceFile | WorkspacePath,
            WorkspacePath | int,
            Hidden,
            list[Hidden] | None,
            HiddenToo,
            HiddenThree,
            Annotated[WorkspaceFile, Field(description="x")],
        ],
        ids=[
            "dict",
            "lists",
            "tuple",
            "both",
            "or a number",
            "model",
            "models",
            "dataclass",
            "typed dict",
            "described",
        ],
    )
    def test_hidden_path(self, hint: Any) -> None:
        """A path inside another type would reach the tool unchecked."""

        async def look(ctx: ToolContext, what: Any) -> str:
            """Look."""
            return ""

        look.__annotations__["what"] = hint
        self.refused(look, "parameter 'what' hides a workspace path in another type")

    def test_types_that_hold_themselves_are_fine(self) -> None:
        """Looking for hidden paths ends."""

        @tool(effect="read")
        async def look(ctx: ToolContext, tree: Node) -> str:
            """Look."""
            return ""

        assert look.paths == ()

    def test_long_or_odd_name(self) -> None:
        """A name that servers refuse is refused here."""

        async def look(ctx: ToolContext) -> str:
            """Look."""
            return ""

        for name in ("x" * 65, "sché"):
            look.__name__ = name
            self.refused(look, "a tool's name has at most 64")

    def test_wrong_declarations(self) -> None:
        """An effect that there isn't, a destination that is no parameter, code that reaches outside."""

        async def look(ctx: ToolContext, url: str) -> str:
            """Look."""
            return ""

        self.refused(
            look, "declares the effect 'delete'; there are 'read', 'write', 'external'", effect="delete"
        )
        self.refused(look, r"destination 'uri' is none of its parameters \(url\)", destination="uri")
        self.refused(look, "runs code, which reaches nobody outside", runs_code=True)


def declared(function: Function | None = None, **declarations: Any) -> Tool:
    async def act(ctx: ToolContext, to: str | None = None, many: list[str] | None = None) -> str:
        """Act."""
        return ""

    return tool(**declarations)(function or act)


class TestDeclarations:
    """Effect, destination and power of a call, from its arguments alone."""

    def test_undeclared_is_external_to_nobody_known(self) -> None:
        """What says nothing of itself is taken for the worst."""
        made = declared()

        assert made.effect_of({}) == "external"
        assert made.destination_of({}) == ""
        assert made.power_of({}) == "send"

    @pytest.mark.parametrize(
        ("declarations", "power"),
        [
            ({"effect": "read"}, "read"),
            ({"effect": "read", "destination": "to"}, "web"),
            ({"effect": "read", "destination": lambda args: SEARCH + "duck"}, "web"),
            ({"effect": "read", "destination": lambda args: None}, "read"),
            ({"effect": "write"}, "write"),
            ({"effect": "write", "runs_code": True}, "run"),
            ({"effect": "read", "runs_code": True}, "run"),
            ({"effect": "external", "destination": "to"}, "send"),
            ({"effect": lambda args: "external", "runs_code": True}, "send"),
        ],
    )
    def test_power(self, declarations: dict[str, Any], power: str) -> None:
        """Which power of the goal a call draws on; what reaches outside is never mere running of code."""
        assert declared(**declarations).power_of({"to": "x"}) == power

    def test_effect_may_depend_on_arguments(self) -> None:
        """The effect of a GET and of a POST differ."""
        made = declared(effect=lambda args: "read" if args["to"] is None else "external")

        assert made.effect_of({"to": None}) == "read"
        assert made.effect_of({"to": "anna"}) == "external"

    def test_an_effect_that_there_is_not(self) -> None:
        """A function of the arguments that gives nonsense is the plugin's error."""
        with pytest.raises(TypeError, match="declares the effect None"):
            declared(effect=lambda args: None).power_of({})

    def test_destination_of_an_argument(self) -> None:
        """One, several or none; none is unknown, not nobody."""
        assert declared(destination="to").destination_of({"to": "anna"}) == "anna"
        assert declared(destination="many").destination_of({"many": ["anna", "bob"]}) == "anna, bob"
        assert declared(destination="many").destination_of({"many": []}) == ""
        assert declared(destination="to").destination_of({"to": None}) == ""

    def test_no_argument_claims_to_be_a_search(self) -> None:
        """Only the tool itself can say that it searches at the user's provider."""
        assert declared(effect="read", destination="to").destination_of({"to": SEARCH + "x"}) == ""


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text("a\0\ud800\n", max_size=3),
    lambda inner: st.lists(inner, max_size=3),
)
"""Values as a model may write them."""


class TestArguments:
    """What a model wrote, made what the function wants."""

    @pytest.fixture
    def look(self) -> Tool:
        @tool(effect="read")
        async def look(
            ctx: ToolContext, path: str, limit: int = 5, kind: Literal["a", "b"] = "a", data: JsonValue = None
        ) -> str:
            """Look."""
            return ""

        return look

    def test_defaults_are_part_of_the_record(self, look: Tool) -> None:
        """What the call was made with is complete."""
        assert look.check({"path": "p"}) == {"path": "p", "limit": 5, "kind": "a", "data": None}

    def test_numbers_as_text_are_taken(self, look: Tool) -> None:
        """Small models quote numbers."""
        assert look.check({"path": "p", "limit": "7"})["limit"] == 7

    @pytest.mark.parametrize(
        ("args", "why"),
        [
            ({}, "look: parameter 'path' is missing"),
            (
                {"path": "p", "depth": 1},
                "look: there is no parameter 'depth'; it takes path, limit, kind, data",
            ),
            ({"path": "p", "limit": "many"}, "look: parameter 'limit': Input should be a valid integer"),
            ({"path": "p", "kind": "c"}, "look: parameter 'kind': Input should be 'a' or 'b'"),
            ({"path": None}, "look: parameter 'path': Input should be a valid string"),
        ],
    )
    def test_errors_name_the_parameter(self, look: Tool, args: dict[str, Any], why: str) -> None:
        """The model reads what is wrong and what there is."""
        with pytest.raises(ToolError) as error:
            look.check(args)
        assert str(error.value).startswith(why)

    def test_errors_are_short(self, look: Tool) -> None:
        """Neither a huge name nor a huge value comes back."""
        with pytest.raises(ToolError) as error:
            look.check({"x" * 100_000: 1, "path": ["y" * 100_000]})
        assert len(str(error.value)) < 400

    def test_endless_nesting_is_refused(self, look: Tool) -> None:
        """A value nested too deeply to be stored is the model's error."""
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(ToolError, match="look: "):
            look.check({"path": "p", "data": value})
        while value:  # taken apart by hand: freeing it at once overflows the stack of some Pythons
            value = value.pop()

    def test_the_function_gets_typed_values(self) -> None:
        """The record is JSON; the function sees what its hints say, of its own each time."""

        @tool(effect="read")
        async def look(
            ctx: ToolContext, options: Options, day: date, price: Decimal, colour: Colour = Colour.RED
        ) -> str:
            """Look."""
            return ""

        args = look.check({"options": {"title": "t"}, "day": "2026-11-22", "price": "0.10"})
        typed = look.typed(args, {})

        assert args["options"] == {"deep": False, "title": "t"}
        assert args["day"] == "2026-11-22"
        assert args == json.loads(json.dumps(args))
        assert typed["options"] == Options(title="t")
        assert typed["day"] == date(2026, 11, 22)
        assert typed["price"] == Decimal("0.10")
        assert typed["colour"] is Colour.RED
        assert look.typed(args, {})["options"] is not typed["options"]

    @given(st.dictionaries(st.sampled_from(["to", "many", "all"]), ODD))
    def test_any_arguments_are_read_or_refused(self, args: dict[str, Any]) -> None:
        """Whatever a model writes, it is either JSON of the tool's types or a `ToolError`."""
        made = declared(effect="read")
        try:
            checked = made.check(args)
        except ToolError:
            return
        assert made.check(checked) == checked


class TestPaths:
    """Paths of the workspace among the arguments."""

    @pytest.fixture
    def copy(self) -> Tool:
        @tool(effect="write")
        async def copy(
            ctx: ToolContext,
            path: WorkspacePath,
            others: list[WorkspacePath],
            to: WorkspacePath | None = None,
            text: str = "",
        ) -> str:
            """Copy."""
            return ""

        return copy

    def test_every_shape_of_a_path_is_seen(self, copy: Tool) -> None:
        """One path, several, or perhaps one."""
        assert copy.paths == ("path", "others", "to")
        args = copy.placed(copy.check({"path": "./a", "others": ["b//c", "d/../e"], "text": "./x"}))

        assert args == {"path": "a", "others": ["b/c", "e"], "to": None, "text": "./x"}
        assert copy.paths_in(args) == ("a", "b/c", "e")

    @pytest.mark.parametrize("path", ["../a", "/etc/passwd", "a\0b", ""])
    def test_a_path_that_is_none_is_refused(self, copy: Tool, path: str) -> None:
        """In a list too."""
        for args in ({"path": path, "others": []}, {"path": "a", "others": ["b", path]}):
            with pytest.raises(ToolError):
                copy.placed(copy.check(args))

    def test_files_to_be_sent_get_their_hashes(self) -> None:
        """The tool sees path and hash as they were decided."""

        @tool(effect="external")
        async def mail(
            ctx: ToolContext,
            body: WorkspaceFile,
            more: list[WorkspaceFile],
            logo: WorkspaceFile | None = None,
        ) -> str:
            """Mail."""
            return ""

        args = mail.placed(mail.check({"body": "./a", "more": ["b", "c"]}))
        assert mail.sent_in(args) == mail.paths_in(args) == ("a", "b", "c")
        typed = mail.typed(args, {"a": "1", "b": "2", "c": "3"})
        assert typed["body"] == WorkspaceFile(path="a", sha256="1")
        assert typed["more"] == [WorkspaceFile(path="b", sha256="2"), WorkspaceFile(path="c", sha256="3")]
        assert typed["logo"] is None


class TestContext:
    """What a tool may use."""

    def context(self, effect: Literal["read", "write"]) -> ToolContext:
        copy = WorkingCopy(EMPTY, MemoryObjects())
        copy.write("a", b"text")
        return ToolContext("r", "c", "main", "k", effect, copy)

    def test_only_a_write_may_stage(self) -> None:
        """A tool changes files only where it said so."""
        self.context("write").staging.write("b", b"")
        with pytest.raises(ToolError, match="declares effect='read' and may not change files"):
            _ = self.context("read").staging

    def test_a_file_to_be_sent_is_read_from_the_store(self) -> None:
        """Not from its path, which may hold something else by now."""
        context = self.context("write")
        entry = context.files.stat("a")
        assert entry is not None
        file = WorkspaceFile(path="a", sha256=entry.sha256)
        context.staging.write("a", b"changed")

        assert context.read_file(file) == b"text"
        with context.open_file(file) as stream:
            assert stream.read(2) == b"te"
        assert context.files.read("a") == b"changed"


def test_an_observation_of_a_job_says_what_happened() -> None:
    """Output first, then the problem or the exit status; never nothing."""
    assert observation(JobResult(True, "a\nb\n", "exit", 0)) == "a\nb"
    assert observation(JobResult(True, "", "exit", 0)) == "(no output)"
    assert observation(JobResult(True, "a", "exit", 3)) == "a\n(exit status 3)"
    failed = JobResult(False, "", "timeout", problem="too slow; nothing was changed")
    assert observation(failed) == "too slow; nothing was changed"
    drawn = JobResult(True, "", "exit", 0, images=(b"png",))
    assert observation(drawn) == "(figures drawn: 1; savefig keeps them)"
