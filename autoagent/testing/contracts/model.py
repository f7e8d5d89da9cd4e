"""What every model promises, as tests.

Derive from `ModelContract`, override its `model_of` fixture, and `gives_up` where it is another error.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import pytest

from autoagent.errors import Unavailable
from autoagent.messages import Message, Reply, RequestedCall, system, user
from autoagent.ports import Coming, Model, ModelRequest, ToolSchema
from autoagent.testing.model import call, calls, says
from autoagent.testing.onlookers import Overheard

READ = ToolSchema(
    "files_read",
    "Read a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
FINISH = ToolSchema(
    "finish",
    "End the sub-task.",
    {"type": "object", "properties": {"result": {"type": "string"}}, "required": ["result"]},
)

ModelOf = Callable[..., Awaitable[Model]]
"""Replies, in order -> a model that gives them."""


def a_request(number: int = 1, *, messages: tuple[Message, ...] = ()) -> ModelRequest:
    """A worker's request in which two tools are offered."""
    said = messages or (system("You are a worker."), user("Read a.txt."))
    return ModelRequest("worker", said, (READ, FINISH), max_tokens=256, number=number)


def arguments_of(reply: Reply) -> list[tuple[str, object]]:
    return [(c.name, json.loads(c.arguments)) for c in reply.calls]


class ModelContract:
    """A model behind one connection."""

    gives_up: ClassVar[type[BaseException]] = Unavailable
    """What it raises when no reply is to be had."""

    @pytest.fixture
    def model_of(self) -> ModelOf:
        """Makes a model that gives these replies, and closes it after the test."""
        raise NotImplementedError("override the fixture `model_of`")

    async def test_words_come_back(self, model_of: ModelOf) -> None:
        """A reply in words has its text and no call."""
        reply = await (await model_of(says("The file says hello."))).reply(a_request())

        assert (reply.text, reply.calls) == ("The file says hello.", ())

    async def test_a_call_comes_back(self, model_of: ModelOf) -> None:
        """A tool call has its name and arguments."""
        reply = await (await model_of(call("files_read", path="a.txt"))).reply(a_request())

        assert arguments_of(reply) == [("files_read", {"path": "a.txt"})]

    async def test_calls_keep_their_order(self, model_of: ModelOf) -> None:
        """Several calls of one reply, with words beside them, come back in order."""
        wanted = calls(call("files_read", path="a"), call("files_read", path="b"), text="Both.")
        reply = await (await model_of(wanted)).reply(a_request())

        assert reply.text == "Both."
        assert arguments_of(reply) == [("files_read", {"path": "a"}), ("files_read", {"path": "b"})]

    async def test_every_call_has_an_id_of_its_own(self, model_of: ModelOf) -> None:
        """No two calls of a reply have the same id, and none has an empty one."""
        reply = await (await model_of(calls(call("finish"), call("finish")))).reply(a_request())

        ids = [c.id for c in reply.calls]
        assert all(ids)
        assert len(set(ids)) == 2

    async def test_replies_come_in_order(self, model_of: ModelOf) -> None:
        """The n-th request gets the n-th reply."""
        model = await model_of(says("one"), says("two"), says("three"))

        assert [(await model.reply(a_request(n))).text for n in (1, 2, 3)] == ["one", "two", "three"]

    @pytest.mark.parametrize(
        "text", ["Grüße, 世界 🙂", "a\u2028b\x85c", "tab\tnew\nline\r\n", "\x1b[31m\x00"]
    )
    async def test_any_text_comes_back_exactly(self, model_of: ModelOf, text: str) -> None:
        """Text and arguments are data: no character of them is lost or obeyed."""
        reply = await (await model_of(calls(call("finish", result=text), text=text))).reply(a_request())

        assert reply.text == text
        assert arguments_of(reply) == [("finish", {"result": text})]

    async def test_text_is_heard_as_it_comes(self, model_of: ModelOf) -> None:
        """The pieces that a listener hears make up the text."""
        pieces: list[str] = []
        onlookers = Overheard(lambda lane, piece: pieces.append(piece))
        model = await model_of(says("The file says hello."))
        asked = a_request()
        coming = Coming("main.1", asked.lane, asked.role, asked.number, datetime.now(UTC))
        reply = await model.reply(asked, onlookers.reply(coming))

        assert "".join(pieces) == reply.text

    async def test_a_reply_is_settled(self, model_of: ModelOf) -> None:
        """A reply says why it ended, counts no token below one, and costs no less than nothing."""
        reply = await (await model_of(says("Done."))).reply(a_request())

        counts = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
        assert all(count is None or count > 0 for count in counts)
        assert reply.finish_reason
        assert reply.cost_usd >= Decimal(0)

    async def test_a_whole_conversation_is_taken(self, model_of: ModelOf) -> None:
        """Messages of every role, calls and their results, and names that are no UTF-8, can be sent."""
        asked = RequestedCall(id="abc123def", name="files_read", arguments='{"path": "a"}')
        messages = (
            system("Rules."),
            user("Go."),
            Message("assistant", "", (asked,)),
            Message("tool", "odd name: \udcff.txt", call_id="abc123def"),
        )
        reply = await (await model_of(says("Fine."))).reply(a_request(messages=messages))

        assert reply.text == "Fine."

    async def test_it_says_when_there_is_no_reply(self, model_of: ModelOf) -> None:
        """A model that can't reply raises, with words for whoever reads them."""
        model = await model_of()
        with pytest.raises(self.gives_up) as caught:
            await model.reply(a_request())

        assert str(caught.value)

    async def test_it_introduces_itself(self, model_of: ModelOf) -> None:
        """A model has a name, a style and a price."""
        model = await model_of()

        assert model.name
        assert model.style in ("tools", "code")
        assert model.price.prompt >= 0

    async def test_closing_twice_is_closing_once(self, model_of: ModelOf) -> None:
        """`close` may be called again."""
        model = await model_of(says("Done."))
        await model.reply(a_request())
        await model.close()
        await model.close()
