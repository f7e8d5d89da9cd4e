"""Replies put together from chunks, whatever a server sends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.llm.assembly import REPLY_LIMIT_CHARS, Assembly, MalformedReply, well_formed, without_thinking
from autoagent.messages import Reply, Usage


def assembled(*deltas: dict[str, object]) -> Assembly:
    assembly = Assembly()
    for fields in deltas:
        assembly.take({"choices": [{"delta": fields}]})
    return assembly


def fragment(
    arguments: object = None, *, name: object = None, id: object = None, index: object = None
) -> dict[str, object]:
    body = {"id": id, "index": index, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [{key: value for key, value in body.items() if value is not None}]}


def calls(*deltas: dict[str, object]) -> list[tuple[str, str, str]]:
    return [(c.id, c.name, c.arguments) for c in assembled(*deltas).calls()]


def usage(counted: object, prompt_bytes: int = 4_000, max_tokens: int = 100) -> Usage:
    assembly = Assembly()
    assembly.take({"choices": [], "usage": counted})
    return assembly.usage(prompt_bytes, max_tokens)


# --- calls -----------------------------------------------------------------------------------------------


def test_fragments_join_by_index() -> None:
    """The usual form: a head with id and name, then pieces of the arguments."""
    found = calls(
        fragment("", name="a", id="c1", index=0),
        fragment('{"x"', index=0),
        fragment("", name="b", id="c2", index=1),
        fragment(": 1}", index=0),
        fragment("{}", index=1),
    )
    assert found == [("c1", "a", '{"x": 1}'), ("c2", "b", "{}")]


def test_fragments_without_index_join_by_id() -> None:
    """A server that sends no index tells calls apart by their ids."""
    found = calls(
        fragment('{"x"', name="a", id="c1"), fragment("{}", name="b", id="c2"), fragment(":1}", id="c1")
    )
    assert found == [("c1", "a", '{"x":1}'), ("c2", "b", "{}")]


def test_fragments_without_index_and_id_go_on_with_the_last_call() -> None:
    """A piece that names no call belongs to the last one."""
    assert calls(fragment('{"x"', name="a"), fragment(":1}")) == [("", "a", '{"x":1}')]


def test_whole_calls_that_share_an_index_are_several() -> None:
    """Some servers send each call whole, and all with index 0."""
    found = calls(fragment("{}", name="a", id="c1", index=0), fragment("{}", name="b", id="c2", index=0))
    assert [name for _, name, _ in found] == ["a", "b"]


def test_whole_calls_without_index_and_id_are_several() -> None:
    """A name and arguments after complete ones begin a new call."""
    assert calls(fragment("{}", name="a"), fragment("{}", name="a")) == [("", "a", "{}"), ("", "a", "{}")]


def test_a_repeated_id_is_dropped() -> None:
    """Of calls with the same id only the first keeps it."""
    found = calls(fragment("{}", name="a", id="c", index=0), fragment("{}", name="b", id="c", index=1))
    assert found == [("c", "a", "{}"), ("", "b", "{}")]


def test_a_name_that_is_repeated_is_one_name() -> None:
    """A server that sends the name with each piece doesn't double it."""
    found = calls(fragment('{"x"', name="a", id="c", index=0), fragment(":1}", name="a", id="c", index=0))
    assert found == [("c", "a", '{"x":1}')]


def test_arguments_that_are_an_object_are_written_as_json() -> None:
    """Arguments that are no string are serialised."""
    assert calls(fragment({"x": 1}, name="a", id="c")) == [("c", "a", '{"x": 1}')]


def test_missing_arguments_are_an_empty_object() -> None:
    """A call without arguments has none."""
    assert calls(fragment(name="a", id="c")) == [("c", "a", "{}")]


def test_a_call_without_a_name_is_text() -> None:
    """Arguments that name no tool are no call, and aren't lost."""
    assembly = assembled(fragment('{"x": 1}', id="c", index=0))

    assert assembly.calls() == []
    assert assembly.nameless() == '{"x": 1}'


# --- text ------------------------------------------------------------------------------------------------


def test_content_may_be_parts() -> None:
    """A list of parts is their texts."""
    assert (
        assembled({"content": [{"type": "text", "text": "a"}, {"text": "b"}, {"image": 1}, 7]}).text() == "ab"
    )


def test_reasoning_in_a_field_of_its_own_is_left_out() -> None:
    """`reasoning_content` is no part of the reply."""
    assert assembled({"reasoning_content": "hm", "content": "yes"}).text() == "yes"


def test_a_surrogate_pair_may_be_split_between_chunks() -> None:
    """Halves of a character join; a lone half is replaced, so that the text can be stored."""
    assert assembled({"content": "\ud83d"}, {"content": "\ude42"}).text() == "🙂"
    assert assembled({"content": "a\ud83db"}).text() == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<think>hm</think>\n\nYes.", "Yes."),
        ("  <thinking>hm\nhm</thinking>Yes.", "Yes."),
        ("hm, so\n</think>\n\nYes.", "Yes."),
        ("<think>hm and cut", ""),
        ("Yes. <think>not first</think>", "Yes. <think>not first</think>"),
        ("The tag </think> ends it.", "The tag </think> ends it."),
        ("```python\nx = '''\n</think>\n'''\n```", "```python\nx = '''\n</think>\n'''\n```"),
        ("Yes.", "Yes."),
    ],
)
def test_reasoning_before_the_answer_is_left_out(text: str, wanted: str) -> None:
    """A block of reasoning at the start goes; tags anywhere else are text."""
    assert without_thinking(text) == wanted


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_well_formed_text_can_be_stored(text: str) -> None:
    """Whatever the text was, it has UTF-8 then, and well-formed text isn't touched."""
    once = well_formed(text)

    assert once.encode().decode() == once
    assert well_formed(once) == once


# --- the end, and what it cost -----------------------------------------------------------------------------


def test_a_reason_or_a_count_of_its_own_ends_a_reply() -> None:
    """A reply is whole with a finish reason, or with a last chunk that holds only usage."""
    with_reason, with_count, neither = Assembly(), Assembly(), assembled({"content": "x"})
    with_reason.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    with_count.take({"choices": [], "usage": {"prompt_tokens": 1}})
    neither.take({"choices": [{"delta": {"content": "y"}}], "usage": {"prompt_tokens": 1}})

    assert (with_reason.finished, with_count.finished, neither.finished) == (True, True, False)


def test_counts_that_can_be_true_are_taken() -> None:
    """Whole numbers within reach of prompt and cap are believed."""
    counted = {"prompt_tokens": 900, "completion_tokens": 70.0, "prompt_tokens_details": {"cached_tokens": 0}}
    assert usage(counted) == Usage(prompt_tokens=900, completion_tokens=70, cached_tokens=0)


@pytest.mark.parametrize("count", [0, -5, math.nan, math.inf, 1e30, 10**30, 1.5, True, "90", None, [], {}])
def test_counts_that_cannot_be_true_are_none(count: object) -> None:
    """Zero, negative, absurd or odd counts are as if nothing had been said."""
    assert usage({"prompt_tokens": count, "completion_tokens": count}) == Usage()


def test_more_cached_tokens_than_tokens_are_not_believed() -> None:
    """The cached part is a part."""
    details = {"cached_tokens": 50}
    assert usage({"prompt_tokens": 40, "prompt_tokens_details": details}).cached_tokens is None


def test_an_endless_reply_is_refused() -> None:
    """A server gone wild is stopped by size."""
    assembly = assembled({"content": "x" * REPLY_LIMIT_CHARS})
    with pytest.raises(MalformedReply, match="longer than"):
        assembly.take({"choices": [{"delta": {"content": "x"}}]})


FIELDS = """choices delta message content tool_calls function name arguments id index usage prompt_tokens
completion_tokens prompt_tokens_details cached_tokens finish_reason model text"""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=6))
def test_any_chunks_give_a_reply_or_are_refused(chunks: list[object]) -> None:
    """No JSON that a server sends breaks the assembly; what comes out can be stored."""
    assembly = Assembly()
    try:
        for chunk in chunks:
            assembly.take(chunk)
    except MalformedReply:
        return
    reply = Reply(
        text=assembly.text(),
        calls=tuple(assembly.calls()),
        usage=assembly.usage(100, 100),
        model=assembly.model,
        finish_reason=assembly.finish_reason,
    )
    assert Reply.model_validate_json(reply.model_dump_json()) == reply
