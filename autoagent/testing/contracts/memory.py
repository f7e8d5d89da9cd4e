"""What every memory promises, as tests. Derive from `MemoryContract` and override its `memory` fixture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autoagent.ids import memory_id
from autoagent.ports import Memory, MemoryPoint

NOON = datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)


def point(
    text: str, run: str = "r", name: str = "", *, minute: int = 0, source: str = "remembered"
) -> MemoryPoint:
    """A point of a run; its id follows from run and name, or from its text."""
    return MemoryPoint(
        id=memory_id(run, name or text),
        text=text,
        run=run,
        sub_task=name or None,
        source=source,
        labels=("outside",),
        goal="find it",
        sha256="ab" * 32,
        at=NOON + timedelta(minutes=minute),
    )


async def found(memory: Memory, query: str, limit: int = 8) -> list[str]:
    """The texts that a query finds, best first."""
    return [hit.point.text for hit in await memory.search(query, limit)]


class MemoryContract:
    @pytest.fixture
    def memory(self) -> Memory:
        raise NotImplementedError("override the fixture `memory`")

    async def test_empty_memory_finds_nothing(self, memory: Memory) -> None:
        """Nothing stored is no error."""
        assert await memory.search("anything") == []
        assert await memory.get(memory_id("r", "a")) is None
        assert await memory.forget(memory_id("r", "a")) is False

    async def test_point_comes_back_whole(self, memory: Memory) -> None:
        """Provenance, labels, time with its microseconds: all fields survive."""
        stored = point("The payment service was killed.", name="1")
        await memory.store([stored])

        assert await memory.get(stored.id) == stored
        assert [hit.point for hit in await memory.search("payment")] == [stored]

    async def test_storing_twice_is_storing_once(self, memory: Memory) -> None:
        """The id decides; the later text replaces the earlier one."""
        await memory.store([point("payments failed", name="1")])
        await memory.store([point("checkout failed", name="1"), point("checkout failed", name="1")])

        assert await found(memory, "payments") == []
        assert await found(memory, "checkout") == ["checkout failed"]

    async def test_storing_nothing_is_fine(self, memory: Memory) -> None:
        """An empty batch changes nothing."""
        await memory.store([])

        assert await memory.search("anything") == []

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("支付", "昨天支付服务失败了"),
            ("Zahlungsdienst", "Der Zahlungsdienst ist gestern ausgefallen"),
            ("PAYMENT", "The payment service failed yesterday"),
            ("Überweisung", "Eine Überweisung blieb liegen"),
        ],
    )
    async def test_texts_of_many_languages_are_found(self, memory: Memory, query: str, text: str) -> None:
        """Chinese without spaces, German with umlauts, English in any case."""
        await memory.store(
            [
                point("昨天支付服务失败了"),
                point("Der Zahlungsdienst ist gestern ausgefallen"),
                point("The payment service failed yesterday"),
                point("Eine Überweisung blieb liegen"),
            ]
        )

        assert (await found(memory, query))[0] == text

    async def test_best_fit_comes_first(self, memory: Memory) -> None:
        """More of the query's words, and rarer ones, score higher."""
        await memory.store([point("service stopped"), point("service killed by oom"), point("service up")])
        hits = await memory.search("service killed oom")

        assert hits[0].point.text == "service killed by oom"
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    async def test_limit_is_kept(self, memory: Memory) -> None:
        """No more points than asked for, and none for a limit of 0."""
        await memory.store([point(f"service number{n}") for n in range(5)])

        assert len(await memory.search("service", limit=3)) == 3
        assert await memory.search("service", limit=0) == []

    async def test_one_run_can_be_left_out(self, memory: Memory) -> None:
        """A run isn't told what it has just done itself."""
        await memory.store([point("service one", run="mine"), point("service two", run="other")])
        hits = await memory.search("service", without_run="mine")

        assert [hit.point.run for hit in hits] == ["other"]

    async def test_unrelated_query_finds_nothing(self, memory: Memory) -> None:
        """What shares no word isn't dragged in."""
        await memory.store([point("service one")])

        assert await memory.search("bicycle") == []

    @pytest.mark.parametrize("query", ["", "   ", "!?…", "\x00", "🜁"])
    async def test_query_without_words_finds_nothing(self, memory: Memory, query: str) -> None:
        """No words, no hits, no error."""
        await memory.store([point("service one")])

        assert await memory.search(query) == []

    async def test_forgotten_point_is_gone(self, memory: Memory) -> None:
        """Forgetting says whether there was something to forget."""
        stored = point("service one")
        await memory.store([stored, point("service two")])

        assert await memory.forget(stored.id) is True
        assert await memory.forget(stored.id) is False
        assert await memory.get(stored.id) is None
        assert await found(memory, "service") == ["service two"]

    @pytest.mark.parametrize("point_id", ["", "no-uuid", "\udcff", "../../etc", "0" * 500])
    async def test_odd_id_names_nothing(self, memory: Memory, point_id: str) -> None:
        """What a person types wrong is unknown, no error."""
        assert await memory.get(point_id) is None
        assert await memory.forget(point_id) is False

    async def test_long_text_is_kept_and_found(self, memory: Memory) -> None:
        """100,000 characters, found by a word in their midst."""
        long = point("filler " * 8_000 + "needle " + "filler " * 6_000, name="long")
        await memory.store([long, point("something else")])
        hits = await memory.search("needle")

        assert [hit.point for hit in hits] == [long]

    async def test_long_query_is_answered(self, memory: Memory) -> None:
        """A whole goal may be the query."""
        await memory.store([point("service one")])

        assert await found(memory, "service " + "filler " * 20_000) == ["service one"]

    @pytest.mark.parametrize(
        "text", ["", "\x00", "a\x00b\x1b[2J", "👩‍👩‍👧 e\u0301 \u202e\ufeff\U0010ffff", "'\"\\{}[]"]
    )
    async def test_odd_text_is_kept(self, memory: Memory, text: str) -> None:
        """What is stored is what comes back, to the last sign."""
        stored = point(text, name="odd")
        await memory.store([stored])

        assert await memory.get(stored.id) == stored

    async def test_neighbours_fill_the_room_that_is_left(self, memory: Memory) -> None:
        """The outcomes just before and after a hit in its run follow it, marked and with a lower score."""
        texts = ["collect logs", "count lines", "payments were killed", "write a table", "send mail"]
        await memory.store(
            [point(text, name=str(n), minute=n, source="outcome") for n, text in enumerate(texts)]
            + [point("other things", run="other", minute=2, source="outcome")]
        )
        hits = await memory.search("payments")

        assert [hit.point.text for hit in hits] == ["payments were killed", "count lines", "write a table"]
        assert [hit.beside for hit in hits] == [None, hits[0].point.id, hits[0].point.id]
        assert hits[0].score > hits[1].score

    async def test_neighbours_never_displace_a_hit(self, memory: Memory) -> None:
        """With as many hits as asked for there are no neighbours."""
        texts = ["payments one", "collect logs", "payments two"]
        await memory.store([point(t, name=t, minute=n, source="outcome") for n, t in enumerate(texts)])

        assert sorted(await found(memory, "payments", limit=2)) == ["payments one", "payments two"]

    async def test_remembered_notes_have_no_neighbours(self, memory: Memory) -> None:
        """Only outcomes of sub-tasks form a story."""
        await memory.store([point("payments one", minute=1), point("collect logs", minute=2)])

        assert await found(memory, "payments") == ["payments one"]

    async def test_closing_twice_is_fine(self, memory: Memory) -> None:
        """Closing is what happens at every end."""
        await memory.store([point("service one")])
        await memory.close()
        await memory.close()
