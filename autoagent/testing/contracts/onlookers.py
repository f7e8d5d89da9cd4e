"""What all onlookers promise, as tests: derive from `OnlookersContract`, override `onlookers`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autoagent.ports import Coming, Heard, Onlookers


def a_reply(onlookers: Onlookers, number: int = 1, lane: str = "a") -> Heard:
    return onlookers.reply(Coming(f"{lane}.{number}", lane, "worker", number, datetime.now(UTC)))


class OnlookersContract:
    """They never wait and never raise, whatever they hear."""

    @pytest.fixture
    def onlookers(self) -> Onlookers:
        raise NotImplementedError("override the fixture `onlookers`")

    async def test_a_reply_is_heard_to_its_end(self, onlookers: Onlookers) -> None:
        """Begun, and begun anew; words, calls, and the entry that says what became of it."""
        reply = a_reply(onlookers)
        for _ in range(2):
            reply.anew()
            reply.text("I write it.")
            reply.call(0, "files_write", "")
            reply.call(0, "files_write", '{"path": "a"}')
            reply.failed("it answered HTTP 500", 0.5)
        reply.over(7)

    async def test_a_reply_may_bring_nothing(self, onlookers: Onlookers) -> None:
        """It failed before its first word."""
        a_reply(onlookers).over(3)

    async def test_replies_side_by_side(self, onlookers: Onlookers) -> None:
        """Of several lanes, and the next of one that is over."""
        first, second = a_reply(onlookers), a_reply(onlookers, lane="b")
        first.text("a")
        second.text("b")
        first.over(4)
        again = a_reply(onlookers, 2)
        again.text("a")
        second.over(5)
        again.over(6)

    @pytest.mark.parametrize("text", ["", "\ud800", "\x1b[31m\x00", "x" * 1_000_000])
    async def test_any_text_is_heard(self, onlookers: Onlookers, text: str) -> None:
        """Pieces are data, in texts, in names of tools and in arguments."""
        reply = a_reply(onlookers)
        reply.text(text)
        reply.call(3, text[:256], text)
        reply.failed(text, 0.5)
        reply.over(2)

    async def test_what_comes_too_late_is_heard_by_nobody(self, onlookers: Onlookers) -> None:
        """A model that talks on after its reply was over does no harm."""
        reply = a_reply(onlookers)
        reply.over(2)
        reply.text("and another thing")
        reply.call(0, "finish", "{}")
        reply.failed("the stream fell silent", 0.5)
        reply.anew()
        reply.over(3)
