"""Many tools behind two: found by words, called by name, judged as what they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from autoagent.door.catalogue import Catalogue, Offer, signature, tools
from autoagent.door.tools import Tool, ToolContext, WorkspaceFile, tool_from_schema
from autoagent.errors import NotDone, ToolError
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import WorkingCopy, make_tree

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "text": {"type": "string"}, "file": {"type": "string"}},
    "required": ["to"],
    "additionalProperties": False,
}
LETTERS = ("send", "list", "remove", "stampPrint")


@dataclass
class Post:
    """What the tools behind did."""

    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def offer(self, name: str, **more: Any) -> Offer:
        title = f"{name} letters of the post office"
        return Offer(f"post_{name}", title, SCHEMA, lambda: self.tool(name), **more)

    def tool(self, name: str) -> Tool:
        self.made.append(name)

        async def called(ctx: ToolContext, arguments: dict[str, Any]) -> str:
            self.done.append((name, arguments))
            return f"{name} done"

        return tool_from_schema(
            f"post_{name}",
            name,
            SCHEMA,
            called,
            source="the post",
            effect="read" if name == "list" else "external",
            destination="to",
            sends=("file",),
        )


def both(post: Post) -> tuple[Tool, Tool]:
    catalogue = Catalogue({f"post_{name}": post.offer(name) for name in LETTERS}, noun="operation")
    return tools("post", catalogue, "the post office", timeout_s=60)


@pytest.fixture
def context() -> ToolContext:
    copy = WorkingCopy(make_tree({}), MemoryObjects())
    return ToolContext("now", "c1", "main", "k", "external", copy)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"operation": name, "arguments": arguments}


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("send a letter", "post_send"),
        ("removing letters: remove", "post_remove"),
        ("print stamps", "post_stampPrint"),
        ("wax", "post_send"),
        ("post_list", "post_list"),
    ],
)
def test_best_fit_comes_first(query: str, first: str) -> None:
    """By the words of name, title, tags and description; rare words say more."""
    found = tools_found(query)

    assert found.startswith(first)


def tools_found(query: str) -> str:
    post = Post()
    offers = [post.offer(name, about="Sealed with wax." * (name == "send")) for name in LETTERS]
    return Catalogue({offer.name: offer for offer in offers}, noun="operation").found(query)


def test_search_shows_what_each_takes() -> None:
    """A line of arguments; those that may be left out stand in brackets."""
    assert "post_send(to: string, [text: string], [file: string])" in tools_found("send")


def test_exact_name_shows_all() -> None:
    """With the whole schema and description."""
    found = tools_found("post_send")

    assert "Sealed with wax." in found
    assert '"required":["to"]' in found


def test_what_is_shown_can_be_kept() -> None:
    """Half a character or a sign that turns the line round, in a stranger's schema, is spelled out."""
    schema = {"type": "object", "properties": {"a": {"enum": ["\ud800", "\u202e"]}}}
    offer = Offer("post_odd", "odd", schema, lambda: Post().tool("odd"))

    found = Catalogue({"post_odd": offer}).found("post_odd")

    assert '"\\ud800","\\u202e"' in found


def test_search_that_finds_nothing_says_what_there_is() -> None:
    """So that the next words are better."""
    offer = Post().offer("send", tags=("paper", "ink"))

    assert Catalogue({offer.name: offer}).found("zebra") == (
        "none of 1 tools fits; there is something about ink, paper"
    )


def test_nothing_is_made_before_it_is_called() -> None:
    """A thousand schemas cost nothing while nobody asks for them."""
    post = Post()
    _, calling = both(post)

    assert post.made == []
    assert len(calling.behind) == 4

    calling.check(call("post_send", to="anna"))
    calling.check(call("post_send", to="bob"))

    assert post.made == ["send"]


def test_call_is_judged_as_what_it_calls() -> None:
    """Effect, power, destination and files are those of the tool behind."""
    _, calling = both(Post())
    reads, sends = call("post_list", to="anna"), call("post_send", to="anna", file="./a/b.txt")

    assert (calling.effect_of(reads), calling.power_of(reads)) == ("read", "web")
    assert (calling.effect_of(sends), calling.power_of(sends)) == ("external", "send")
    assert calling.destination_of(sends) == "anna"
    assert calling.names_of(sends) == ("post_call", "post_send", "post_send")
    assert calling.placed(sends)["arguments"] == {"to": "anna", "file": "a/b.txt"}
    assert calling.sent_in(sends) == ("./a/b.txt",)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (call("post_sent", to="anna"), "there is no operation 'post_sent'; did you mean post_send"),
        (call("post_send", text="x"), "'to' is a required property. It takes: to: string, [text: string]"),
        (call("post_send", to=7), "7 is not of type 'string'"),
        ({"operation": "post_send", "arguments": "x"}, "parameter 'arguments': Value error, Expecting value"),
        ({"operation": "post_send", "arguments": "[1]"}, "valid dictionary"),
        ({"operation": "post_send"}, "'to' is a required property"),
        ({"name": "post_send"}, "there is no parameter 'name'"),
    ],
)
def test_wrong_call_is_told_what_would_be_right(args: dict[str, Any], why: str) -> None:
    """The model reads what to write instead."""
    _, calling = both(Post())

    with pytest.raises(ToolError) as error:
        calling.check(args)

    assert why in str(error.value)


def test_arguments_written_as_a_text_are_read() -> None:
    """As many models write what is inside of arguments."""
    _, calling = both(Post())

    assert calling.check({"operation": "post_send", "arguments": '{"to": "anna"}'}) == call(
        "post_send", to="anna"
    )


async def test_call_reaches_the_tool_behind(context: ToolContext) -> None:
    """With checked arguments; a file as what was fixed when the call was decided."""
    post = Post()
    _, calling = both(post)

    typed = calling.typed(call("post_send", to="anna", file="a"), {"a": "5" * 64})
    said = await calling.function(context, **typed)

    assert said == "send done"
    assert post.done == [("send", {"to": "anna", "file": WorkspaceFile(path="a", sha256="5" * 64)})]


async def test_tool_without_key_is_asked_about_after_a_crash(context: ToolContext) -> None:
    """The two-tool manner promises no more than the tool itself."""
    _, calling = both(Post())
    assert calling.probe is not None

    typed = calling.typed(call("post_send", to="anna"), {})

    assert await calling.probe(context, **typed) == "ask"


def test_tool_that_cannot_be_made_says_so_when_it_is_called() -> None:
    """And the others stay usable."""

    def broken() -> Tool:
        raise ValueError("its schema is wrong")

    offer = Offer("post_odd", "odd", SCHEMA, broken)
    _, calling = tools("post", Catalogue({"post_odd": offer}), "the post", timeout_s=60)

    with pytest.raises(NotDone, match="post_odd can't be called: its schema is wrong"):
        calling.check({"tool": "post_odd", "arguments": {}})


def test_what_is_behind_is_compared() -> None:
    """Another schema under the same words is another thing."""
    one = Post().offer("send")
    other = Offer(one.name, one.title, {**SCHEMA, "required": []}, one.make)

    assert one.said != other.said


def test_signature_of_odd_schemas() -> None:
    """Whatever a stranger wrote, it stays on one line."""
    schema = {
        "properties": {
            "a": {"enum": ["x", 1]},
            "b": {"type": ["string", "null"]},
            "c": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            "d": True,
            "e\nf": {},
        },
        "required": None,
    }

    assert signature(schema) == (
        '[a: "x" or 1], [b: string or null], [c: list of string or integer], [d: any], [e f: object]'
    )
