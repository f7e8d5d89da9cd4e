"""A message's bytes: made once, always the same, always JSON in UTF-8."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autoagent.messages import Message, Reply, RequestedCall, Usage, system, user

ANY = st.text(st.characters(exclude_categories=()), max_size=20)


@given(ANY, ANY)
def test_any_text_survives_the_wire(text: str, arguments: str) -> None:
    """Half a character too: escapes carry it."""
    call = RequestedCall(id="c", name="look", arguments=arguments)
    body = json.loads(Message("assistant", text, (call,)).wire)

    assert body["content"] == (text or None)
    assert body["tool_calls"][0]["function"] == {"name": "look", "arguments": arguments}


def test_bytes_are_made_once() -> None:
    """And two messages that are equal have equal bytes."""
    message = user("hello")

    assert message.wire is message.wire
    assert user("hello").wire == message.wire


def test_roles_have_what_a_server_expects() -> None:
    """A tool's message names its call; others don't."""
    assert json.loads(system("be good").wire) == {"role": "system", "content": "be good"}
    assert json.loads(Message("tool", "page", call_id="c").wire) == {
        "role": "tool",
        "content": "page",
        "tool_call_id": "c",
    }


def test_stored_values_are_strict() -> None:
    """Nothing unknown is taken, nothing is changed, and a cost is no debt."""
    with pytest.raises(ValidationError):
        Usage.model_validate({"prompt_tokens": 1, "reasoning_tokens": 2})
    with pytest.raises(ValidationError):
        Reply.model_validate({"cost_usd": "-0.01"})
    with pytest.raises(ValidationError):
        Usage().prompt_tokens = 1  # type: ignore[misc]
